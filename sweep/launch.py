"""Launch: do what is pending. Launching again resumes, for the store says what is done."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from models.data.download import FOLDER_VARIABLE, MIRROR_VARIABLE, cache_folder, is_offline
from results.commit import new_identity, now
from results.files import StoreError
from results.store import ResultStore
from studies.catalogue import Entry
from studies.paths import StudyError
from studies.prerequisites import prerequisites
from studies.trial import Trial
from sweep.bookkeeping import Bookkeeping
from sweep.estimate import times_from
from sweep.executor import Executor
from sweep.exit_codes import INTERRUPTED, SOME_FAILED
from sweep.failures import FIRST_FAILURES
from sweep.interruption import beating, bounded, stoppable
from sweep.jobs import Jobs
from sweep.launches import surely_at_work_on, where
from sweep.leftovers import checkpointed, tidy
from sweep.ordering import ordered
from sweep.pack import Decision, Pack
from sweep.pack_queue import PackQueue
from sweep.plan import StudyPlan, decisions_for, plan_study, trials_of
from sweep.resources import Resources
from sweep.task import Settings, Source
from sweep.waiting import Job


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user may ask of a launch; see `sweep launch --help`.

    evaluate: by the pack that trains ("within"), or by packs of their own, on CPUs ("apart"); None: see `apart`.
    resources: what each pack takes. seconds: after which the launch stops, resumably, 0 for never. hang_seconds: after
    which a worker without a sign of life is ended, 0 for never. first_failures: so many trials that all fail alike,
    before any does not, end the launch, 0 for never. beside: also where another launch is at work on a study.
    """

    device: str = "cpu"
    evaluate: Literal["within", "apart"] | None = None
    width: int | None = None
    retry: tuple[str, ...] = ()
    calibrate: bool = False
    checkpoint_seconds: float = 60.0
    train: bool = True
    quantities: tuple[str, ...] = ()
    force: bool = False
    resources: Resources = field(default_factory=Resources)
    seconds: float = 0.0
    hang_seconds: float = 3600.0
    first_failures: int = FIRST_FAILURES
    beside: bool = False

    def apart(self, trial: Trial) -> bool:
        """Whether a trial is evaluated apart; by default on CUDA, but for models that sample pixel by pixel."""
        if self.evaluate is None:
            return self.device == "cuda" and not trial.model.autoregressive
        return self.evaluate == "apart"

    @property
    def elsewhere(self) -> bool:
        """Whether trials that are evaluated apart are so on CPUs, beside GPUs that train."""
        return self.evaluate != "within" and self.device != "cpu"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a launch ended. interrupted: by a signal, a request or its time; fault: what stopped it; traceback: of a bug
    of ours that did; halted: why the first trials all failed, where that did."""

    plans: tuple[StudyPlan, ...]
    statuses: dict[str, int]
    interrupted: bool = False
    halted: str = ""
    fault: str = ""
    traceback: str = ""

    @property
    def exit_code(self) -> int:
        """0 all finished, 1 a bug of ours, 3 some failed, 75 interrupted or stopped, and resumable."""
        if self.traceback:
            return 1
        if (self.interrupted or self.fault) and not self.halted:
            return INTERRUPTED
        unfinished = any(plan.failed or plan.pending or plan.unevaluated or plan.weightless for plan in self.plans)
        unfinished |= any(one.state == "failed" for plan in self.plans for one in plan.prerequisites)
        failed = any(status not in ("completed", "diverged", "evaluated") for status in self.statuses)
        return SOME_FAILED if unfinished or failed else 0


class Launch:
    """One launch of some studies into a store. `queue` is there to be watched while `run` goes on."""

    def __init__(self, entries: Sequence[Entry], store: ResultStore, options: Options) -> None:
        self.entries = list(entries)
        self.store = store
        self.options = options
        self.identity = new_identity()
        self.settings = Settings(
            store=store.location,
            launch=self.identity,
            checkpoint_seconds=options.checkpoint_seconds,
            data=str(cache_folder()) if os.environ.get(FOLDER_VARIABLE) else "",
            offline=is_offline(),
            mirror=os.environ.get(MIRROR_VARIABLE, ""),
            hang_seconds=options.hang_seconds,
            resources=options.resources,
        )
        self.plans = [self._plan(entry, options.retry, options.force) for entry in self.entries]
        self.prerequisites = {one.trial.id: one for plan in self.plans for one in plan.prerequisites}
        self._check_prerequisites()
        self._check_precisions()
        self.books = Bookkeeping(store=store, settings=self.settings, sources=self._sources(), plans=self.plans)
        self.queue = self._queue(())
        self.interrupted = False

    def _plan(self, entry: Entry, retry: Sequence[str] = (), force: bool = False) -> StudyPlan:
        asked, train = self.options.quantities, self.options.train
        return plan_study(entry.study, self.store, retry=retry, quantities=asked, force=force, train=train)

    def _check_prerequisites(self) -> None:
        """Refuses trials that others wait for and that would have to wait themselves, at worst for each other."""
        for plan in self.plans if self.options.train else ():
            for trial in plan.pending:
                if trial.id in self.prerequisites and prerequisites(plan.study.quantities, trial):
                    raise StudyError(
                        f"{plan.study.name}: trial {trial.id} is a prerequisite of others; measure of it only what "
                        "has no prerequisites"
                    )

    def _check_precisions(self) -> None:
        """Refuses to train on a device what it has not the precision for."""
        if self.options.device == "cuda" or not self.options.train:
            return
        for plan in self.plans:
            for trial in plan.pending:
                if trial.training.precision == "tf32":
                    raise StudyError(
                        f"{plan.study.name}: training.precision = 'tf32' needs a CUDA device, and this launch trains "
                        f"on {self.options.device}; take --device cuda, or 'float32'"
                    )

    @property
    def pending(self) -> int:
        """Trials to train, each counted once where studies share it; without prerequisites."""
        if not self.options.train:
            return 0
        return len({trial.id for plan in self.plans for trial in plan.pending})

    @property
    def to_evaluate(self) -> int:
        return len({trial for plan in self.plans for trial in plan.unevaluated})

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        needs = any(one.state == "pending" or one.lacking for one in self.prerequisites.values())
        return not (self.pending or self.to_evaluate or needs)

    @property
    def studies(self) -> list[str]:
        """The names of what is launched."""
        return [plan.study.name for plan in self.plans]

    def check_alone(self) -> bool:
        """Refuses to do what another launch is doing, unless that is asked for.

        True where it had to wait to see that, for one that was killed or has ended: then what was planned may be old.
        """
        if self.options.beside:
            return False
        other, waited = surely_at_work_on(self.store, self.studies)
        if other is not None:
            raise StudyError(
                f"{', '.join(other['studies'])} is being launched by {where(other)}, alive {other['seconds']:.0f} s "
                "ago; wait, stop it (sweep cancel), or launch beside it with --force: both may do the same work, and "
                "no result is lost or doubled"
            )
        return waited

    def run(
        self, executor: Executor, watch: Callable[[PackQueue], contextlib.AbstractContextManager[object]]
    ) -> Outcome:
        """Runs what is pending on `executor`, shown by `watch`, until it is done, stopped or interrupted."""
        if not self.idle:
            self.check_alone()
            with beating(self.store, self.identity, self.studies, self._look):
                self.books.event("started")
                tidy(self.store)
                with executor:
                    self.queue = self._queue(self._jobs(executor))
                    if self.interrupted:  # while the executor started
                        self.queue.stop()
                    stop = self.request_stop
                    with stoppable(stop), bounded(self.options.seconds, stop), watch(self.queue):
                        for _ in executor.run(self.queue):
                            pass
            tidy(self.store)
            self.store.compact()
        outcome = Outcome(
            plans=tuple(self._plan(entry) for entry in self.entries),
            statuses=dict(self.queue.counts.statuses),
            interrupted=self.interrupted and not (self.queue.fault or self.queue.traceback),
            halted=self.queue.halted,
            fault=self.queue.fault,
            traceback=self.queue.traceback,
        )
        if not self.idle:
            self.store.clear_stop(self.identity)
            stopped = self.interrupted or outcome.fault or outcome.traceback or outcome.halted
            self.books.event("interrupted" if stopped else "ended", outcome.exit_code)
        return outcome

    def _decide(self, device: str, width: int | None, calibrator: Executor | None) -> dict[str, Decision]:
        """The packing of every shape on a device, stored where it is new; a `--pack W` holds for this launch alone."""
        studies = [entry.study for entry in self.entries]
        needs = self.prerequisites.values()
        decisions = decisions_for(studies, self.store, device, width, needs)
        stored = self.store.decisions()
        new = [one for one in decisions.values() if (one.shape, one.device) not in stored and one.source != "asked"]
        if calibrator is not None:
            new = [self._calibrated(decision, calibrator) for decision in new]
        self.store.decide([vars(decision) | {"decided": now()} for decision in new])
        # Read again: where two launches decided at once, the first row wins for both.
        return decisions_for(studies, self.store, device, width, needs)

    def _calibrated(self, decision: Decision, executor: Executor) -> Decision:
        """The decision as measured; that of a shape of prerequisites alone, which stand by themselves, as it is."""
        trials = [
            trial
            for entry in self.entries
            for trial in entry.study.unselected().trials()
            if trial.shape == decision.shape
        ]
        if not trials:
            return decision
        return executor.calibrate(self.books.make_task(Pack(trials=tuple(trials), decision=decision), (), 0))

    def _sources(self) -> tuple[Source, ...]:
        modules = {entry.source.name: entry.source for entry in self.entries if entry.source is not None}
        return tuple(Source.of(module) for module in modules.values())

    def _jobs(self, executor: Executor) -> list[Job]:
        options = self.options
        decisions = self._decide(options.device, options.width, executor if options.calibrate else None)
        jobs = Jobs(
            decisions=decisions,
            measuring=self._decide("cpu", None, None) if options.elsewhere else decisions,
            apart=options.apart,
            begun=list(checkpointed(self.store).values()),
        )
        made = jobs.of(self.plans, self.prerequisites.values(), self.options.train)
        times = times_from(self.store, trials_of(self.plans), options.apart)
        return ordered(made, times.seconds, executor.room(options.resources, {job.device for job in made}))

    def _queue(self, jobs: Sequence[Job]) -> PackQueue:
        return PackQueue(
            jobs,
            self.books,
            footprints=self.books.footprints() if jobs else None,
            halt=self.request_stop,
            first_failures=self.options.first_failures,
            resources=self.options.resources,
        )

    def request_stop(self) -> None:
        """Asks workers to checkpoint and stop, wherever they are."""
        self.interrupted = True
        self.queue.stop()
        with contextlib.suppress(StoreError):  # while the launch beats, it is tried again
            self.store.request_stop(self.identity)

    def _look(self) -> None:
        """Stops where the store asks for it, and asks the workers again where that has failed."""
        if self.store.stop_requested(self.identity) != self.interrupted:
            self.request_stop()
