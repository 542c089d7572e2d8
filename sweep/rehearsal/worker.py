"""The simulated worker: what sweep/run.py does with a pack, told as steps that take time and end in a commit.

No network is trained. Trials fail, diverge and run out of memory as the faults of the rehearsal say; an exception is
bisected and a pack that is too large narrowed as a worker does it; and the rows of `trials` are those of a worker,
committed to a real store, but for their times, which are those of the simulated clock.
"""

from __future__ import annotations

import datetime
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from models.training.slots import slots
from results.commit import new_identity
from results.schema import FINISHED
from results.store import ResultStore
from studies.trial import Trial
from sweep.culprits import culprits
from sweep.estimate import Times
from sweep.pack import Pack
from sweep.rehearsal.cluster import Faults
from sweep.rows import Attempt, trial_row
from sweep.task import PackRecord

LAUNCH = "rehearsal"
EPOCH = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)  # when the simulated clock starts
ALLOCATION = 0.02  # of a pack's time, after which it has asked for all the memory that it needs
AFTER_COMMIT = 0.02  # of deaths, those that come between the commit and the report
ROUNDING = 1e-6  # seconds
PARTS = 10_000  # in which a worker tells how far it is
UNFIT = "unfit"  # of a step after which the pack goes on narrower
REASONS = {
    "error": "RuntimeError: rehearsed",
    "out_of_memory": "OutOfMemoryError: the trial does not fit the device",
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """Some seconds of a worker on some trials. status: of all of them at its end; empty where it was in vain.

    before: seconds of it that a checkpoint holds already.
    """

    seconds: float
    pack: Pack
    status: str = ""
    before: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One attempt at a pack: its steps in order, and the seconds after which its worker dies, None where it lives.

    evaluating: the trial at which it dies, where that is in evaluation. unfit: widths that did not fit the device.
    """

    pack: Pack
    steps: list[Step]
    memory: int | None = None
    dies: float | None = None
    evaluating: str = ""

    @property
    def seconds(self) -> float:
        return sum(step.seconds for step in self.steps) if self.dies is None else self.dies

    def said(self) -> dict[str, object]:
        """What its worker last said of it, as its in-flight mark, when it died."""
        if self.evaluating:
            return {"phase": "evaluate", "trial": self.evaluating}
        first = self.steps[0] if self.steps else Step(seconds=0.0, pack=self.pack)
        whole = first.before + first.seconds
        place = (first.before + min(self.seconds, first.seconds)) / whole if whole else 0.0
        return {"phase": "train", "step": round(PARTS * place), "steps": PARTS}


@dataclass(kw_only=True)
class Worker:
    """Runs packs on the simulated clock.

    store: where results are committed; None: nowhere. checkpoint_seconds: what a worker has done is lost with it but
    for whole multiples of these. footprint: bytes of a slot of a trial's pack, where devices have a memory. After the
    rehearsal the fields say how every trial ended, and when, what went wrong within packs, and what was in vain.
    """

    times: Times
    faults: Faults
    store: ResultStore | None = None
    checkpoint_seconds: float = 60.0
    footprint: Callable[[Trial], int] | None = None
    outcome: dict[str, str] = field(default_factory=dict)  # the last status of every trial
    when: dict[str, float] = field(default_factory=dict)  # of its end, in simulated seconds
    finished: dict[str, str] = field(default_factory=dict)  # the trials that have a finished row, with its status
    kinds: Counter[str] = field(default_factory=Counter)
    lost: dict[str, float] = field(default_factory=lambda: defaultdict(float))  # seconds, by kind of device
    now: float = 0.0  # when the last attempt at a pack ended
    _saved: dict[str, float] = field(default_factory=dict)  # seconds of a pack that its checkpoint holds
    _decided: dict[str, int] = field(default_factory=dict)  # the width of a shape before anything narrowed it

    def begin(self, pack: Pack, deaths: int, memory: int | None) -> Execution:
        """What this attempt at a pack will be. deaths: of workers that the pack has seen."""
        if pack.task == "evaluate":
            left = pack.keep(trial for trial in pack.trials if self.finished.get(trial.id) == "completed")
            steps = [Step(seconds=self._took(left), pack=left, status="evaluated")] if left.trials else []
        else:
            self._decided.setdefault(pack.decision.shape, pack.decision.width)
            left = pack.keep(trial for trial in pack.trials if trial.id not in self.finished)
            steps = list(self._steps(left, memory, self._took(left))) if left.trials else []
        poison = next((trial.id for trial in left.trials if self.faults.hits("poisons", trial.id)), None)
        if poison is not None and pack.task == "train":
            first = steps[0]
            evaluating = self.faults.draw("evaluating", poison) < 0.5  # or else it dies in training, unseen
            place = 1.0 if evaluating else self.faults.draw("when", poison)
            dies = min(first.seconds, max(0.0, place * (first.before + first.seconds) - first.before))
            dies -= min(dies, 2 * ROUNDING)  # before its commit
            return Execution(pack=pack, steps=steps, memory=memory, dies=dies, evaluating=poison if evaluating else "")
        attempt = f"{pack.id}:{deaths}"
        if self.faults.hits("deaths", attempt):
            whole = sum(step.seconds for step in steps)
            dies = min(whole, whole * self.faults.draw("when", attempt) * (1 + AFTER_COMMIT))
            return Execution(pack=pack, steps=steps, memory=memory, dies=dies)
        return Execution(pack=pack, steps=steps, memory=memory)

    def _took(self, pack: Pack) -> float:
        """Seconds of a pack; of a width that has no time, in proportion to the slots of the one that was decided."""
        known = self.times.seconds(pack)
        if known is not None or pack.task == "evaluate" or not pack.trials:
            return known or 0.0
        decided = replace(pack.decision, path="fused", width=self._decided[pack.decision.shape])
        batch = pack.trials[0].training.batch_size
        share = slots(pack.decision.width, batch) / slots(decided.width, batch)
        return (self.times.seconds(replace(pack, decision=decided)) or 0.0) * share

    def _steps(self, pack: Pack, memory: int | None, took: float) -> Iterator[Step]:
        """The way of a pack to its commits. took: its seconds, if it were undisturbed."""
        if self._exhausts(pack, memory):
            self.kinds["out_of_memory"] += 1
            parts = pack.narrowed()
            yield Step(seconds=took * ALLOCATION, pack=pack, status=UNFIT if parts else "out_of_memory")
            for part in parts:
                yield from self._steps(part, memory, self._took(part))
            return
        raising = [trial.id for trial in pack.trials if self.faults.hits("errors", trial.id)]
        if not raising:
            before = min(took, self._saved.get(pack.id, 0.0))
            yield Step(seconds=took - before, pack=pack, status="completed", before=before)
            return
        self.kinds["error"] += 1
        place = min(self.faults.draw("when", trial) for trial in raising)
        alone = len(pack.trials) == 1
        yield Step(seconds=took * place, pack=pack, status="error" if alone else "")
        if alone:
            return
        if pack.decision.path == "fused":
            yield Step(seconds=took * place * self._searched(pack, raising, place), pack=pack, status="")
            guilty = {trial for trial in raising if self.faults.draw("when", trial) <= place}
            parts = [pack.keep(trial for trial in pack.trials if trial.id not in guilty)]
            parts += [pack.keep([trial]) for trial in pack.trials if trial.id in guilty]
        else:
            parts = [pack.keep([trial]) for trial in pack.trials]
        for part in parts:
            if part.trials:
                yield from self._steps(part, memory, self._took(part))

    def _searched(self, pack: Pack, raising: Collection[str], place: float) -> int:
        """How many parts of a pack are trained up to where it failed, to find who fails there."""
        asked = []

        def fails(part: Sequence[Trial]) -> bool:
            asked.append(part)
            return any(trial.id in raising and self.faults.draw("when", trial.id) <= place for trial in part)

        culprits(pack.trials, fails)
        return len(asked)

    def _exhausts(self, pack: Pack, memory: int | None) -> bool:
        width = pack.decision.width
        if self.footprint is not None and memory is not None:
            running = 1 if pack.decision.path == "sequential" else slots(width, pack.trials[0].training.batch_size)
            return max(map(self.footprint, pack.trials)) * running > memory
        decided = self._decided[pack.decision.shape]
        return 1 < decided <= width and self.faults.hits("out_of_memory", pack.decision.shape)

    def end(self, execution: Execution, begun: float, elapsed: float) -> PackRecord | None:
        """What became of an attempt after so many seconds: its commits so far; a record where it came to its end."""
        self.now = begun + elapsed
        passed, device = 0.0, execution.pack.decision.device
        for step in execution.steps:
            if passed + step.seconds > elapsed + ROUNDING:
                self._interrupted(step, elapsed - passed, device)
                break
            passed += step.seconds
            self._finish(step, begun, begun + passed, device)
        if execution.dies is not None or elapsed + ROUNDING < execution.seconds:
            return None
        return self._record(execution, elapsed)

    def _record(self, execution: Execution, elapsed: float) -> PackRecord:
        trials = execution.pack.trials
        if execution.pack.task == "evaluate":
            ended = sum(self.finished.get(trial.id) == "completed" for trial in trials)
            return PackRecord(pack=execution.pack.id, counts={"evaluated": ended} if ended else {}, seconds=elapsed)
        counts = Counter(self.outcome[trial.id] for trial in trials)
        return PackRecord(
            pack=execution.pack.id,
            counts=dict(counts),
            reasons={f"{status}: {REASONS[status]}": counts[status] for status in counts if status in REASONS},
            seconds=elapsed,
            trial_steps=sum(one.training.steps for step in execution.steps if step.status for one in step.pack.trials),
            memory=execution.memory or 0,
            unfit=tuple(step.pack.decision.width for step in execution.steps if step.status == UNFIT),
        )

    def _interrupted(self, step: Step, elapsed: float, device: str) -> None:
        """A worker died within a step: what its last checkpoint holds is kept."""
        kept = 0.0
        if step.status == "completed":
            kept = math.floor(elapsed / self.checkpoint_seconds) * self.checkpoint_seconds
            self._saved[step.pack.id] = step.before + kept
        self.lost[device] += elapsed - kept

    def _finish(self, step: Step, begun: float, at: float, device: str) -> None:
        if step.status == "evaluated":
            self.when |= dict.fromkeys((trial.id for trial in step.pack.trials), at)
        elif step.status == "completed":
            self._commit(step, begun, at)
            self._saved.pop(step.pack.id, None)
        else:
            self.lost[device] += step.seconds
            if step.status in REASONS:
                self._commit(step, begun, at)

    def _commit(self, step: Step, begun: float, at: float) -> None:
        """Stores one row of `trials` for each trial of a step; those that diverge say so."""
        rows, pack = [], step.pack
        for slot, trial in enumerate(pack.trials):
            diverges = step.status == "completed" and self.faults.hits("divergences", trial.id)
            status = "diverged" if diverges else step.status
            self.ended(trial, status, at)
            if self.store is not None:
                attempt = Attempt(trial=trial, identity=new_identity(), slot=slot, started=EPOCH + _after(begun))
                attempt.step, attempt.train_seconds = trial.training.steps, step.seconds / len(pack.trials)
                if status != "completed":
                    attempt.failed(status, REASONS.get(status, "the loss was not finite"))
                rows.append(trial_row(attempt, pack, LAUNCH) | {"finished": EPOCH + _after(at)})
        if self.store is not None:
            self.store.commit({"trials": rows})

    def ended(self, trial: Trial, status: str, at: float) -> None:
        """Notes how a trial ended, and when."""
        self.outcome[trial.id], self.when[trial.id] = status, at
        if status in FINISHED:
            self.finished[trial.id] = status

    def summary(self) -> Mapping[str, int]:
        """Trials by status."""
        return Counter(self.outcome.values())


def _after(seconds: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=seconds)
