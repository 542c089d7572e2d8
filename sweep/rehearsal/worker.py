"""The simulated worker: what sweep/run.py does with a pack, told as steps that take time and end in a commit.

No network is trained. Trials fail, diverge and run out of memory as the faults of the rehearsal say; an exception is
bisected and a pack that is too large narrowed as a worker does it; and the rows of `trials` are those of a worker,
committed to a real store, but for their times, which are those of the simulated clock.
"""

from __future__ import annotations

import datetime
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from models.training.slots import slots
from results.commit import new_identity
from results.schema import FINISHED
from results.store import ResultStore
from studies.trial import Trial
from sweep.estimate import Times
from sweep.pack import Pack
from sweep.rehearsal.cluster import Faults
from sweep.rows import Attempt, trial_row
from sweep.task import PackRecord, PackTask

EPOCH = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)  # when the simulated clock starts
ALLOCATION = 0.02  # of a pack's time, after which it has asked for all the memory that it needs
AFTER_COMMIT = 0.02  # of deaths, those that come between the commit and the report
ROUNDING = 1e-6  # seconds
TOO_LARGE = "OutOfMemoryError: the pack does not fit the device"


@dataclass(frozen=True, kw_only=True)
class Step:
    """Some seconds of a worker on some trials. status: of all of them at its end; empty where it was in vain."""

    seconds: float
    pack: Pack
    status: str = ""


@dataclass(kw_only=True)
class Execution:
    """One attempt at a pack: its steps in order, and the seconds after which its worker dies, None where it lives."""

    pack: Pack
    steps: list[Step]
    dies: float | None = None
    blamed: str = ""  # the trial that was being evaluated when it died

    @property
    def seconds(self) -> float:
        return sum(step.seconds for step in self.steps) if self.dies is None else self.dies


@dataclass(kw_only=True)
class Worker:
    """Runs packs on the simulated clock.

    store: where results are committed; None: nowhere. checkpoint_seconds: what a worker has done is lost with it but
    for whole multiples of these. footprint: bytes of a slot of a trial's pack, where devices have a memory.
    """

    times: Times
    faults: Faults
    make_task: Callable[[Pack], PackTask]
    store: ResultStore | None = None
    checkpoint_seconds: float = 60.0
    footprint: Callable[[Trial], int] | None = None
    outcome: dict[str, str] = field(default_factory=dict)  # the last status of every trial
    finished: dict[str, str] = field(default_factory=dict)  # trials with a finished row, as the store has them
    when: dict[str, float] = field(default_factory=dict)  # when a trial was trained, in simulated seconds
    # (shape, memory) -> a width that did not fit, and since when that is known
    too_wide: dict[tuple[str, int | None], tuple[int, float]] = field(default_factory=dict)
    now: float = 0.0
    saved: dict[str, float] = field(default_factory=dict)  # seconds of a pack that its checkpoint holds
    kinds: Counter[str] = field(default_factory=Counter)  # what went wrong within workers
    lost: dict[str, float] = field(default_factory=lambda: defaultdict(float))  # seconds in vain, by kind of device

    def begin(self, pack: Pack, deaths: int, memory: int | None, now: float) -> Execution:
        """What this attempt at a pack will be. deaths: of workers that the pack has seen."""
        self.now = now
        if pack.task == "evaluate":
            left = pack.keep(trial for trial in pack.trials if self.finished.get(trial.id) == "completed")
            steps = [Step(seconds=self._took(left), pack=left, status="evaluated")] if left.trials else []
        else:
            left = pack.keep(trial for trial in pack.trials if trial.id not in self.finished)
            steps = list(self._steps(left, memory, self._took(left))) if left.trials else []
        whole = sum(step.seconds for step in steps)
        poison = next((trial.id for trial in left.trials if self.faults.hits("poisons", trial.id)), None)
        if poison is not None and pack.task == "train":
            seen = self.faults.draw("seen", poison) < 0.5  # it dies of being evaluated, or else in training, unseen
            dies = max((step.seconds for step in steps[:1]), default=0.0) * self.faults.draw("when", poison)
            return Execution(pack=pack, steps=steps, dies=dies, blamed=poison if seen else "")
        attempt = f"{pack.id}:{deaths}"
        if self.faults.hits("deaths", attempt):
            dies = min(whole, whole * self.faults.draw("when", attempt) * (1 + AFTER_COMMIT))
            return Execution(pack=pack, steps=steps, dies=dies)
        return Execution(pack=pack, steps=steps)

    def _took(self, pack: Pack) -> float:
        """Seconds of a pack that the rehearsal knows to have a time."""
        return self.times.seconds(pack) or 0.0

    def _steps(self, pack: Pack, memory: int | None, took: float) -> Iterator[Step]:
        """The way of a pack to its commits. took: its seconds, if it were undisturbed."""
        shape, width = pack.decision.shape, pack.decision.width
        failed, since = self.too_wide.get((shape, memory), (width + 1, 0.0))
        narrow = pack.narrowed() if width >= failed and self.now >= since else []
        if narrow:
            yield from self._parts(narrow, memory, pack, took)
            return
        if self._exhausts(pack, memory):
            self.kinds["out_of_memory"] += 1
            if self.footprint is not None:
                self.too_wide.setdefault((shape, memory), (width, self.now + took * ALLOCATION))
            parts = pack.narrowed() or (list(pack.halves()) if len(pack.trials) > 1 else [])
            yield Step(seconds=took * ALLOCATION, pack=pack, status="" if parts else "out_of_memory")
            yield from self._parts(parts, memory, pack, took)
            return
        raising = [trial.id for trial in pack.trials if self.faults.hits("errors", trial.id)]
        if not raising:
            yield Step(seconds=took - self.saved.get(pack.id, 0.0), pack=pack, status="completed")
            return
        self.kinds["error"] += 1
        begun = took * min(self.faults.draw("when", trial) for trial in raising)
        alone = len(pack.trials) == 1
        yield Step(seconds=begun, pack=pack, status="error" if alone else "")
        if not alone:
            for half in pack.halves():  # of the same width, so as long
                yield from self._steps(half, memory, self.times.seconds(half) or took)

    def _parts(self, parts: list[Pack], memory: int | None, whole: Pack, took: float) -> Iterator[Step]:
        """Narrower packs in turn. What is not known of their width is taken in proportion to the slots."""
        batch = whole.trials[0].training.batch_size
        for part in parts:
            share = slots(part.decision.width, batch) / slots(whole.decision.width, batch)
            yield from self._steps(part, memory, self.times.seconds(part) or took * share)

    def _exhausts(self, pack: Pack, memory: int | None) -> bool:
        trial = pack.trials[0]
        if self.footprint is not None and memory is not None:
            running = 1 if pack.decision.path == "sequential" else slots(pack.decision.width, trial.training.batch_size)
            return self.footprint(trial) * running > memory
        decided = pack.decision.path == "fused" and len(pack.trials) > 1
        return decided and self.faults.hits("out_of_memory", pack.id)

    def end(self, execution: Execution, begun: float, elapsed: float) -> PackRecord | None:
        """What became of an attempt after so many seconds: its commits so far; a record where it came to its end."""
        passed, device = 0.0, execution.pack.decision.device
        for step in execution.steps:
            if passed + step.seconds > elapsed + ROUNDING:
                self._interrupted(step, elapsed - passed, device)
                break
            passed += step.seconds
            self._finish(step, begun, begun + passed, device)
        if execution.dies is not None or elapsed + ROUNDING < execution.seconds:
            return None
        if execution.pack.task == "evaluate":
            ended = [trial for trial in execution.pack.trials if self.finished.get(trial.id) == "completed"]
            return PackRecord(pack=execution.pack.id, counts={"evaluated": len(ended)} if ended else {})
        counts = Counter(self.outcome[trial.id] for trial in execution.pack.trials)
        steps = sum(trial.training.steps for step in execution.steps if step.status for trial in step.pack.trials)
        return PackRecord(pack=execution.pack.id, counts=dict(counts), seconds=elapsed, trial_steps=steps)

    def _interrupted(self, step: Step, elapsed: float, device: str) -> None:
        """A worker died within a step: what its last checkpoint holds is kept."""
        kept = 0.0
        if step.status == "completed":
            kept = math.floor(elapsed / self.checkpoint_seconds) * self.checkpoint_seconds
            self.saved[step.pack.id] = self.saved.get(step.pack.id, 0.0) + kept
        self.lost[device] += elapsed - kept

    def _finish(self, step: Step, begun: float, at: float, device: str) -> None:
        if step.status in ("", "error", "out_of_memory"):
            self.lost[device] += step.seconds
        if step.status == "evaluated":
            self.when |= dict.fromkeys((trial.id for trial in step.pack.trials), at)
        elif step.status:
            self.commit(step.pack, step.status, begun, at, step.seconds)
        self.saved.pop(step.pack.id, None)

    def commit(self, pack: Pack, status: str, begun: float, at: float, seconds: float, reason: str = "") -> None:
        """Stores one row of `trials` for each trial of a pack; those that diverge say so."""
        task, rows = self.make_task(pack), []
        for slot, trial in enumerate(pack.trials):
            attempt = Attempt(trial=trial, identity=new_identity(), slot=slot, started=EPOCH + _after(begun))
            attempt.step, attempt.train_seconds = trial.training.steps, seconds / len(pack.trials)
            if status != "completed":
                attempt.failed(
                    status, reason or (TOO_LARGE if status == "out_of_memory" else "RuntimeError: rehearsed")
                )
            elif self.faults.hits("divergences", trial.id):
                attempt.failed("diverged", "the loss was not finite")
            self.outcome[trial.id], self.when[trial.id] = attempt.status, at
            if attempt.status in FINISHED:
                self.finished[trial.id] = attempt.status
            if self.store is not None:
                rows.append(trial_row(attempt, pack, task) | {"finished": EPOCH + _after(at)})
        if self.store is not None:
            self.store.commit({"trials": rows})

    def summary(self) -> Mapping[str, int]:
        return Counter(self.outcome.values())


def _after(seconds: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=seconds)
