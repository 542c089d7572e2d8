"""Launch: do what is pending. Launching again resumes, for the store says what is done."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from models.data.download import FOLDER_VARIABLE, MIRROR_VARIABLE, cache_folder, is_offline
from results.commit import new_identity, now
from results.quantity import Quantity
from results.store import ResultStore
from studies.catalogue import Entry
from studies.paths import StudyError
from studies.prerequisites import measured_of, prerequisites
from studies.trial import Trial
from sweep.executor import Executor
from sweep.exit_codes import INTERRUPTED, SOME_FAILED
from sweep.failures import Fault
from sweep.interruption import beating, stoppable
from sweep.jobs import Jobs
from sweep.leftovers import checkpointed, tidy
from sweep.pack import Decision, Pack
from sweep.pack_queue import Job, PackQueue
from sweep.plan import StudyPlan, decisions_for, plan_study
from sweep.provenance import provenance
from sweep.rows import Attempt, kept_weights, trial_row, value_rows
from sweep.task import PackTask, Settings, Source


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user may ask of a launch; see `sweep launch --help`.

    evaluate: by the pack that trains ("within"), or by packs of their own, on CPUs ("apart"); None: see `apart`.
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

    def apart(self, trial: Trial) -> bool:
        """Whether a trial is evaluated apart; by default on CUDA, but for models that sample pixel by pixel."""
        if self.evaluate is None:
            return self.device == "cuda" and not trial.model.autoregressive
        return self.evaluate == "apart"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a launch ended. interrupted: by a signal; fault: what stopped it; traceback: of a bug of ours that did."""

    plans: tuple[StudyPlan, ...]
    statuses: dict[str, int]
    interrupted: bool = False
    fault: str = ""
    traceback: str = ""

    @property
    def exit_code(self) -> int:
        """0 all finished, 1 a bug of ours, 3 some failed, 75 interrupted or stopped, and resumable."""
        if self.traceback:
            return 1
        if self.interrupted or self.fault:
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
            store=str(store.root.resolve()),
            launch=self.identity,
            checkpoint_seconds=options.checkpoint_seconds,
            data=str(cache_folder()) if os.environ.get(FOLDER_VARIABLE) else "",
            offline=is_offline(),
            mirror=os.environ.get(MIRROR_VARIABLE, ""),
        )
        self.plans = [self._plan(entry, options.retry, options.force) for entry in self.entries]
        self.prerequisites = {one.trial.id: one for plan in self.plans for one in plan.prerequisites}
        self._check_prerequisites()
        self._check_precisions()
        self.queue = PackQueue([], inflight=store.inflight, crashed=self._crashed)
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

    def run(
        self, executor: Executor, watch: Callable[[PackQueue], contextlib.AbstractContextManager[object]]
    ) -> Outcome:
        """Runs what is pending on `executor`, shown by `watch`, until it is done, stopped or interrupted."""
        if not self.idle:
            self._event("started")
            tidy(self.store)
            with executor:
                self.queue = PackQueue(self._jobs(executor), inflight=self.store.inflight, crashed=self._crashed)
                with stoppable(self.request_stop), beating(self.store, self.identity), watch(self.queue):
                    for _ in executor.run(self.queue):
                        pass
            tidy(self.store)
            self.store.compact()
        outcome = Outcome(
            plans=tuple(self._plan(entry) for entry in self.entries),
            statuses=dict(self.queue.counts.statuses),
            interrupted=self.interrupted,
            fault=self.queue.fault,
            traceback=self.queue.traceback,
        )
        if not self.idle:
            self.store.clear_stop(self.identity)
            stopped = self.interrupted or outcome.fault or outcome.traceback
            self._event("interrupted" if stopped else "ended", outcome.exit_code)
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
        return executor.calibrate(self._task(Pack(trials=tuple(trials), decision=decision), (), 0))

    def _sources(self) -> tuple[Source, ...]:
        modules = {entry.source.name: entry.source for entry in self.entries if entry.source is not None}
        return tuple(Source.of(module) for module in modules.values())

    def _jobs(self, executor: Executor) -> list[Job]:
        options = self.options
        decisions = self._decide(options.device, options.width, executor if options.calibrate else None)
        elsewhere = options.evaluate != "within" and options.device != "cpu"
        jobs = Jobs(
            decisions=decisions,
            measuring=self._decide("cpu", None, None) if elsewhere else decisions,
            apart=options.apart,
            begun=list(checkpointed(self.store).values()),
            make_task=self._task,
        )
        return jobs.of(self.plans, self.prerequisites.values(), self.options.train)

    def _task(self, pack: Pack, quantities: tuple[Quantity, ...], retry: int) -> PackTask:
        return PackTask.of(pack, quantities, self.settings, self._sources(), retry)

    def _crashed(self, pack: Pack, trials: list[Trial], why: str) -> None:
        """Stores that trials kill their worker: by training, or, with weights that are kept, by being evaluated."""
        if pack.task == "evaluate":
            self._unmeasured(trials, why)
            self.store.clear_inflight(pack.id)
            return
        task = self._task(pack, (), 0)
        rows = []
        for trial in trials:
            attempt = Attempt(trial=trial, identity=new_identity(), slot=pack.trials.index(trial), started=now())
            attempt.failed("crashed", why)
            rows.append(trial_row(attempt, pack, task))
        self.store.commit({"trials": rows})
        self.store.clear_inflight(pack.id)

    def _unmeasured(self, trials: list[Trial], why: str) -> None:
        """Stores that trained trials kill the worker that evaluates them."""
        found = self.store.trials(["trial", "attempt", "status"], [trial.id for trial in trials]).to_pylist()
        held = {row["trial"]: row["attempt"] for row in found if row["status"] == "completed"}
        pending = [({trial.id for trial in plan.pending}, plan.study.quantities) for plan in self.plans]
        rows = []
        for trial in trials:
            if trial.id not in held:
                continue
            asked = [quantities for plan in self.plans for quantities in plan.unevaluated.get(trial.id, ())]
            asked += [one for trained, quantities in pending if trial.id in trained for one in quantities]
            if trial.id in self.prerequisites:
                need = self.prerequisites[trial.id]
                asked += need.lacking if need.state == "finished" else measured_of(trial)
            quantities, which = tuple({one.key: one for one in asked}.values()), kept_weights(trial)
            faults = {one.name: Fault(reason=why) for one in quantities}
            rows += value_rows(trial.id, held[trial.id], which, {}, quantities, trial.data.levels, faults)["metrics"]
        self.store.append("metrics", rows)

    def _event(self, event: str, exit_code: int | None = None) -> None:
        origin = provenance()
        row = {
            "launch": self.identity,
            "event": event,
            "at": now(),
            "host": socket.gethostname(),
            "process": os.getpid(),
            "command": " ".join(sys.argv),
            "exit_code": exit_code,
            "code": origin.code,
            "packages": origin.packages,
        }
        rows = [
            row | {"study": plan.study.name, "planned": plan.trials, "pending": len(plan.pending)}
            for plan in self.plans
        ]
        self.store.append("launches", rows)

    def request_stop(self) -> None:
        """Asks workers to checkpoint and stop, wherever they are."""
        self.interrupted = True
        self.queue.stop()
        self.store.request_stop(self.identity)
