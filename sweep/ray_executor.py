"""The Ray executor: packs as Ray Tune trials, on all cores of this machine or on a cluster.

Tune places packs on workers, reuses their processes and tells when one has died. What has been done is said by the
store, and what follows from a death by the queue; so Tune neither restores, retries, logs nor keeps results.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from sweep.executor import ExecutorError
from sweep.feed import Feed, places
from sweep.pack import Decision
from sweep.pack_queue import PackQueue
from sweep.ray_environment import (
    ENVIRONMENT,
    check_listening,
    embedded_variables,
    environment,
    one_line,
    own_signals,
    prepare_environment,
    reason_of_death,
)
from sweep.scratch import Scratch
from sweep.task import PackRecord, PackTask

if TYPE_CHECKING:
    from ray.tune import Callback, PlacementGroupFactory
    from ray.tune.search import Searcher


class RayExecutor:
    """Packs on Ray workers, one CPU a pack (and one GPU, where it is packed for CUDA).

    address: 'host:port' of a running cluster, or 'auto' for the one of this machine; None starts a Ray of our own,
    reachable from this machine alone, with a CPU for each of `cpus` (all of the machine), and ends it. In a process
    that is connected to a Ray already, that one is used and left as it is.
    """

    name = "ray"

    def __init__(self, address: str | None = None, *, cpus: int | None = None) -> None:
        self.address = address
        self.cpus = cpus or os.cpu_count() or 1
        self.slots = self.cpus
        self._left = contextlib.ExitStack()
        self._scratch: Scratch | None = None

    def __enter__(self) -> RayExecutor:
        with contextlib.ExitStack() as undo:
            undo.enter_context(environment(ENVIRONMENT if self.address else ENVIRONMENT | embedded_variables()))
            try:
                import ray
            except ModuleNotFoundError as error:
                raise ExecutorError(
                    "Ray is not installed; install ray[tune], or run in this process: --executor local"
                ) from error
            if not ray.is_initialized():
                undo.enter_context(_quiet())
                if self.address is None:
                    self._scratch = Scratch()
                    undo.callback(self._scratch.remove)
                undo.callback(ray.shutdown)
                with own_signals():
                    if self._scratch is not None:
                        self._start(self._scratch)
                    else:
                        self._connect(self.address or "auto")
            self.slots = _offered("CPU")
            self._left = undo.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._scratch = None
        self._left.close()

    def _start(self, scratch: Scratch) -> None:
        import ray
        from ray._raylet import Config  # type: ignore[attr-defined]

        Config.initialize("")  # a Ray that was imported before us has read its environment already
        try:
            ray.init(
                address="local",
                num_cpus=self.cpus,
                include_dashboard=False,
                log_to_driver=False,
                configure_logging=False,
                _temp_dir=str(scratch.path),
            )
        except (RuntimeError, OSError, ValueError) as error:
            raise ExecutorError(f"Ray did not start: {one_line(error)}") from error
        scratch.owns(psutil.Process().children(recursive=True))

    def _connect(self, address: str) -> None:
        import ray

        if address != "auto":
            check_listening(address)
        try:
            ray.init(
                address=address,
                log_to_driver=False,
                configure_logging=False,
                runtime_env={"env_vars": {"RAY_CHDIR_TO_TRIAL_DIR": "0"}},
            )
        except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise ExecutorError(f"no Ray to be used at {address}: {one_line(error)}") from error

    def run(self, queue: PackQueue) -> Iterator[PackRecord]:
        """See `Executor.run`. Tune's loop has a thread of its own, so that signals reach the launch in the main one."""
        first = queue.take()
        if first is None:
            return
        feed = Feed(queue, first)
        thread = threading.Thread(target=self._fit, args=(feed, first), daemon=True)
        thread.start()
        finished = False
        try:
            while (record := feed.records.get()) is not None:
                yield record
            finished = True
        finally:
            if not finished:  # the consumer went away
                queue.stop()
        thread.join()
        if feed.error is not None:
            raise feed.error

    def _fit(self, feed: Feed, first: PackTask) -> None:
        try:
            with self._storage(first) as storage:
                self._tune(feed, storage)
            if not feed.queue.exhausted:
                raise ExecutorError("Ray Tune ended before all packs had been run; launch again to go on")
        except BaseException as error:  # noqa: BLE001 - raised again where the records are read
            feed.error = feed.error or error
        feed.records.put(None)

    def _tune(self, feed: Feed, storage: Path) -> None:
        from ray import tune

        feed.places = places(feed.queue.devices, cpus=self.slots, gpus=_offered("GPU"))
        tune.Tuner(
            tune.with_resources(run_task, _resources),
            tune_config=tune.TuneConfig(
                search_alg=_searcher(feed),
                num_samples=-1,
                max_concurrent_trials=sum(feed.places.values()),
                reuse_actors=True,
                trial_name_creator=lambda trial: trial.config["task"].pack,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name="packs",
                storage_path=str(storage),
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=0),
                callbacks=[_callback(feed)],
            ),
        ).fit()

    @contextlib.contextmanager
    def _storage(self, task: PackTask) -> Iterator[Path]:
        """Where Tune writes; all nodes must see it. Nothing in there is worth keeping."""
        if self._scratch is not None:
            yield self._scratch.path / "tune"
            return
        folder = Path(task.settings.store) / "tune" / task.settings.launch
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # another launch has its own in there
                folder.parent.rmdir()

    def calibrate(self, task: PackTask) -> Decision:
        """See `Executor.calibrate`; on an otherwise idle worker."""
        import ray

        gpus = 1 if task.decision.device == "cuda" else 0
        remote = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=1)(calibrate_task)
        try:
            decision: Decision = ray.get(remote.remote(task))
        except ray.exceptions.WorkerCrashedError as error:
            raise ExecutorError(f"the worker died while it was measuring: {one_line(error)}") from error
        return decision


def _resources(config: Mapping[str, PackTask]) -> PlacementGroupFactory:
    """What a pack takes: one CPU, and one GPU where it is packed for CUDA."""
    from ray.tune import PlacementGroupFactory

    gpu = {"GPU": 1.0} if config["task"].decision.device == "cuda" else {}
    return PlacementGroupFactory([{"CPU": 1.0} | gpu])


def _offered(resource: str) -> int:
    """How much of a resource the Ray that we are connected to has."""
    import ray

    resources: Mapping[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return int(resources.get(resource, 0))


def run_task(config: Mapping[str, PackTask]) -> None:
    """A Tune trial, on a worker: runs one pack and reports its record, as JSON, to the driver."""
    from ray import tune

    task = config["task"]
    prepare_environment(task)
    from sweep.run import run_pack

    tune.report({"record": json.dumps(dataclasses.asdict(run_pack(task)))})


def calibrate_task(task: PackTask) -> Decision:
    """A Ray task, on a worker."""
    prepare_environment(task)
    from sweep.calibrating import calibrate

    return calibrate(task)


def _searcher(feed: Feed) -> Searcher:
    """Hands the waiting packs to Tune, one at a time, when there is room: a study is never enumerated for it."""
    from ray.tune.search import Searcher

    class Packs(Searcher):
        def suggest(self, trial_id: str) -> Any:
            with feed.guarded():
                task = feed.next()
                if task is not None:
                    return {"task": task}
            finished: str = Searcher.FINISHED
            return finished if feed.error or feed.queue.exhausted else None

        def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
            """What became of a trial comes through the callback, which is told why it failed."""

        def save(self, checkpoint_path: str) -> None:
            """There is nothing that the store does not say."""

        def restore(self, checkpoint_path: str) -> None:
            """A launch is resumed by launching again."""

    return Packs()


def _callback(feed: Feed) -> Callback:
    from ray.tune import Callback
    from ray.tune.experiment import Trial

    class Told(Callback):
        def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
            with feed.guarded():
                feed.completed(trial.config["task"].pack, trial.last_result)

        def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
            with feed.guarded():
                feed.died(trial.config["task"].pack, reason_of_death(trial.error_file))

    return Told()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps Ray, which tells of every dead worker at length, from writing to the terminal: rows say what happened."""
    import ray._private.worker as connection

    logger = logging.getLogger("ray")
    level, listen = logger.level, connection.listen_error_messages
    logger.setLevel(logging.CRITICAL)
    # The thread that prints the raylet's messages to stdout; there is no setting that keeps it from that.
    connection.listen_error_messages = lambda worker, threads_stopped: None
    try:
        yield
    finally:
        logger.setLevel(level)
        connection.listen_error_messages = listen
