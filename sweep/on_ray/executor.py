"""The Ray executor: packs as Ray Tune trials, on all cores of this machine or on a cluster.

Tune places packs on workers, reuses their processes and tells when one has died. What has been done is said by the
store, and what follows from a death by the queue; so Tune neither restores, retries, logs nor keeps results.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.executor import ExecutorError
from sweep.failures import reason_of
from sweep.on_ray import cluster
from sweep.on_ray.environment import (
    ENVIRONMENT,
    embedded_variables,
    environment,
    one_line,
    own_signals,
    prepare_environment,
)
from sweep.on_ray.feed import Feed
from sweep.on_ray.hooks import callback, scheduler, searcher
from sweep.on_ray.scratch import Scratch
from sweep.pack import Decision
from sweep.pack_queue import PackQueue
from sweep.places import Place, check_room, places, room
from sweep.pulse import NODE_VARIABLE
from sweep.resources import Resources
from sweep.task import PackRecord, PackTask
from sweep.worker_log import captured, outcome_of

if TYPE_CHECKING:
    from ray.tune import PlacementGroupFactory


LOOK_SECONDS = 2.0  # between looks at the nodes of the cluster


class RayExecutor:
    """Packs on Ray workers, each with the resources that its launch asks for.

    address: 'host:port' of a running cluster, or 'auto' for the one of this machine; None starts a Ray of our own,
    reachable from this machine alone, with a CPU for each of `cpus` (all of the machine), and ends it. In a process
    that is connected to a Ray already, that one is used and left as it is. most: packs at once, in all. gpu_memory:
    bytes of a GPU by type, where a worker cannot find out. The nodes are looked at again and again while packs run:
    new ones get some, and packs on those that will be taken away are asked to leave.
    """

    name = "ray"

    def __init__(
        self,
        address: str | None = None,
        *,
        cpus: int | None = None,
        most: int | None = None,
        gpu_memory: Mapping[str, int] | None = None,
    ) -> None:
        self.address = address
        self.cpus = cpus or os.cpu_count() or 1
        self.most = most
        self._gpu_memory = dict(gpu_memory or {})
        self._places: Sequence[Place] = ()
        self._looked = -LOOK_SECONDS
        self._noticed: frozenset[str] = frozenset()
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
                undo.enter_context(cluster.quiet())
                if self.address is None:
                    self._scratch = Scratch()
                    undo.callback(self._scratch.remove)
                undo.callback(ray.shutdown)
                with own_signals():
                    if self._scratch is not None:
                        cluster.start(self._scratch, self.cpus)
                    else:
                        cluster.connect(self.address or "auto")
            self._left = undo.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._scratch = None
        self._left.close()

    @property
    def has_gpus(self) -> bool:
        """Whether any node has one, while connected."""
        return any(node.resources.get("GPU", 0.0) for node in cluster.nodes())

    def room(self, resources: Resources, devices: Collection[str]) -> Mapping[str, int]:
        """See `Executor.room`. On a cluster, where nodes may come later, it is only noted that there is none yet."""
        found = cluster.nodes()
        try:
            check_room(found, devices, resources)
        except ExecutorError as error:
            if self.address is None:
                raise
            print(f"sweep: note: {error}; waiting for a node that has", file=sys.stderr)
        return room(found, resources, self.most)

    def run(self, queue: PackQueue) -> Iterator[PackRecord]:
        """See `Executor.run`. Tune's loop has a thread of its own, so that signals reach the launch in the main one."""
        if queue.exhausted:
            return
        if "cuda" in queue.devices:
            self._gpu_memory = cluster.gpu_memory(self._gpu_memory)
        feed = Feed(queue, lambda: self._look(queue), self.most)
        thread = threading.Thread(target=self._fit, args=(feed,), daemon=True)
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

    def _look(self, queue: PackQueue) -> Sequence[Place]:
        """Where packs may run, looked up every few seconds; packs on nodes that will go are asked to leave."""
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            found = places(cluster.nodes(), queue.devices, queue.resources, self._gpu_memory)
            leaving = cluster.draining()
            self._noticed |= leaving
            # Tune hands a pack to any idle worker that was asked for in the same words, on such a node, too. A few
            # bytes more for all that comes after a notice are other words.
            words = {"memory": float(queue.resources.memory + len(self._noticed))} if self._noticed else {}
            self._places = [replace(place, requires={**place.requires, **words}) for place in found]
            for pack, said in queue.books.inflight().items() if leaving else ():
                if said.get("node") in leaving:
                    queue.leave(pack)
            self._looked = time.monotonic()
        return self._places

    def _fit(self, feed: Feed) -> None:
        try:
            with self._storage() as storage:
                self._tune(feed, storage)
            if not feed.queue.exhausted:
                raise ExecutorError("Ray Tune ended before all packs had been run; launch again to go on")
        except BaseException as error:  # noqa: BLE001 - raised again where the records are read
            feed.error = feed.error or error
        feed.records.put(None)

    def _tune(self, feed: Feed, storage: Path) -> None:
        from ray import tune

        tune.Tuner(
            tune.with_resources(run_task, _bundle),
            tune_config=tune.TuneConfig(
                search_alg=searcher(feed),
                scheduler=scheduler(feed),
                num_samples=-1,
                reuse_actors=True,
                trial_name_creator=lambda trial: trial.config["task"].pack,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name="packs",
                storage_path=str(storage),
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=0),
                callbacks=[callback(feed)],
            ),
        ).fit()

    @contextlib.contextmanager
    def _storage(self) -> Iterator[Path]:
        """Where Tune writes, on this machine: packs report no checkpoints, so no worker looks there."""
        if self._scratch is not None:
            yield self._scratch.path / "tune"
            return
        with tempfile.TemporaryDirectory(prefix="ratesweep-tune-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)

    def calibrate(self, task: PackTask) -> Decision:
        """See `Executor.calibrate`; on an otherwise idle worker."""
        import ray

        resources = task.settings.resources
        gpus = resources.gpus if task.decision.device == "cuda" else 0
        remote = ray.remote(num_cpus=resources.cpus, num_gpus=gpus, max_retries=1)(calibrate_task)
        try:
            decision: Decision = ray.get(remote.remote(task))
        except ray.exceptions.WorkerCrashedError as error:
            raise ExecutorError(f"the worker died while it was measuring: {one_line(error)}") from error
        return decision


def _bundle(config: Mapping[str, PackTask]) -> PlacementGroupFactory:
    """What a pack takes of its node, and what that must have besides."""
    from ray.tune import PlacementGroupFactory

    task = config["task"]
    return PlacementGroupFactory([task.settings.resources.bundle(task.decision.device) | dict(task.requires)])


def run_task(config: Mapping[str, PackTask]) -> None:
    """A Tune trial, on a worker: runs one pack and reports its record, as JSON, to the driver."""
    import ray
    from ray import tune

    task = config["task"]
    prepare_environment(task)
    os.environ[NODE_VARIABLE] = ray.get_runtime_context().get_node_id()
    try:
        with captured(task) as log:
            from sweep.run import run_pack

            record = run_pack(task)
            if log is not None:
                log.outcome = outcome_of(record)
    except Exception as error:  # noqa: BLE001 - of a node that lacks a package, say: no trial is to blame
        why = f"a worker on {socket.gethostname()} cannot run packs: {reason_of(error)}"
        record = PackRecord(pack=task.pack, fault=why)
    tune.report({"record": record.to_json()})


def calibrate_task(task: PackTask) -> Decision:
    """A Ray task, on a worker."""
    prepare_environment(task)
    from sweep.calibrating import calibrate

    return calibrate(task)
