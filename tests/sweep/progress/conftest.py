"""A launch on simulated workers and a simulated clock, of which it is known when it will end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from plain_books import PlainBooks

from models.kinds import BetaObjective, Binomial, Digits, FlatModel, Training
from studies.trial import Trial
from sweep.pack import Pack, decide
from sweep.pack_queue import PackQueue
from sweep.places import Place
from sweep.progress.looking import Look, Snapshot
from sweep.task import PackRecord
from sweep.waiting import Job

BASE = Trial(
    data=Digits(),
    model=FlatModel(latent=2, likelihood=Binomial(total=16)),
    objective=BetaObjective(),
    training=Training(steps=1000, batch_size=4),
)


def _pack(number: int, *, trials: int = 4, steps: int = 1000, device: str = "cpu", task: Any = "train") -> Pack:
    """A pack whose trials no other number has; packs of as many steps are of one kind."""
    training = Training(steps=steps, batch_size=4)
    members = tuple(BASE.model_copy(update={"training": training, "seed": 1000 * number + j}) for j in range(trials))
    return Pack(trials=members, decision=decide(members[0], 64, device), task=task)


def _job(pack: Pack, *, after: Collection[str] = (), apart: bool = False) -> Job:
    return Job(pack=pack, after=frozenset(after), apart=apart)


def _queue(packs: Sequence[Pack | Job]) -> PackQueue:
    jobs = [one if isinstance(one, Job) else _job(one) for one in packs]
    return PackQueue(jobs, PlainBooks())


@dataclass(frozen=True, kw_only=True)
class FilesOfMarks:
    """What a look asks of the files of a store."""

    mark_seconds: float = 0.0


@dataclass
class StoreOfMarks:
    """What a look asks of a store. readings: how often the marks were read."""

    marks: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    resumed: Sequence[str] = ()
    files: FilesOfMarks = FilesOfMarks()
    readings: int = 0

    def inflight(self) -> dict[str, Mapping[str, Any]]:
        self.readings += 1
        return dict(self.marks)

    def checkpoints(self) -> list[str]:
        return list(self.resumed)


@dataclass
class Simulation:
    """Workers that take packs as they become free.

    seconds: how long a pack takes; share: what of that is training. workers: by device. resumed: the part of its steps
    that a pack's checkpoint has. start: when the workers are ready; between: for how long they have no pack after one.
    mark_seconds: of the store.
    """

    packs: Sequence[Pack | Job]
    seconds: Callable[[Pack], float]
    workers: Mapping[str, int] = field(default_factory=lambda: {"cpu": 1})
    share: float = 0.8
    resumed: Mapping[str, float] = field(default_factory=dict)
    start: float = 0.0
    between: float = 0.0
    mark_seconds: float = 0.0
    now: float = 0.0
    seen: list[tuple[float, Snapshot]] = field(default_factory=list)
    _next: float = 0.0
    _at_work: dict[str, tuple[Pack, float, float]] = field(default_factory=dict)  # pack, begun, ends

    def __post_init__(self) -> None:
        self.queue = _queue(self.packs)
        self.queue.ledger.clock = lambda: self.now
        self.store = StoreOfMarks(files=FilesOfMarks(mark_seconds=self.mark_seconds))
        self.looking = Look(self.queue, self.store, frozenset(self.resumed))  # type: ignore[arg-type]
        self._free = {device: [self.start] * count for device, count in self.workers.items()}

    def run(self, every: float = 0.5, limit: float = float("inf")) -> float:
        """Until all is done, or the limit; looks every so often; returns when the last pack ended."""
        while True:
            self._hand_out()
            if self.queue.exhausted:
                return self.now
            ends = min((ends for _, _, ends in self._at_work.values()), default=float("inf"))
            frees = min((at for free in self._free.values() for at in free if at > self.now), default=float("inf"))
            event = min(ends, frees)
            while self._next < min(event, limit):
                self.now = self._next
                self._look()
                self._next += every
            if event >= limit:
                return self.now
            self.now = event
            for pack, begun, ended in [one for one in self._at_work.values() if one[2] <= event]:
                self._finish(pack, ended - begun)

    def _look(self) -> None:
        self.store.marks = {pack.id: self._mark(pack, begun, ends) for pack, begun, ends in self._at_work.values()}
        self.seen.append((self.now, self.looking.look()))

    def _finish(self, pack: Pack, seconds: float) -> None:
        del self._at_work[pack.id]
        self._free[pack.decision.device].append(self.now + self.between)
        count, trained = len(pack.trials), pack.task == "train"
        self.queue.done(
            PackRecord(
                pack=pack.id,
                counts={"completed" if trained else "evaluated": count},
                trial_steps=count * pack.trials[0].training.steps if trained else 0,
                seconds=seconds,
            )
        )

    def _hand_out(self) -> None:
        running = [pack.decision.device for pack, _, _ in self._at_work.values()]
        ready = {device: [at for at in free if at <= self.now] for device, free in self._free.items()}
        places = [Place(name=one, device=one, count=running.count(one) + len(free)) for one, free in ready.items()]
        while (task := self.queue.take(places)) is not None:
            pack = next(job.pack for job in self.queue.jobs()[1] if job.pack.id == task.pack)
            free = self._free[pack.decision.device]
            free.remove(min(free))
            remaining = 1 - self.share * self.resumed.get(pack.id, 0.0)
            self._at_work[pack.id] = (pack, self.now, self.now + self.seconds(pack) * remaining)

    def _mark(self, pack: Pack, begun: float, ends: float) -> dict[str, Any]:
        """What the worker says of a pack: at first that it begins, then how far it is, a checkpoint's steps and all."""
        had = self.share * self.resumed.get(pack.id, 0.0)
        part = had + (1 - had) * (self.now - begun) / (ends - begun) if self.now > begun else 0.0
        steps, count = pack.trials[0].training.steps, len(pack.trials)
        at = {"at": str(self.now), "trials": count, "steps": steps}
        if pack.task == "evaluate":
            return at | {"phase": "evaluate", "done": int(part * count)}
        if part < self.share:
            return at | {"phase": "train", "step": int(steps * part / self.share)}
        return at | {"phase": "evaluate", "done": int((part - self.share) / (1 - self.share) * count)}


@pytest.fixture
def pack() -> Callable[..., Pack]:
    """pack(number, trials=, steps=, device=, task=)."""
    return _pack


@pytest.fixture
def job() -> Callable[..., Job]:
    """job(pack, after=, apart=)."""
    return _job


@pytest.fixture
def queue() -> Callable[..., PackQueue]:
    """queue(packs or jobs)."""
    return _queue


@pytest.fixture
def marks() -> type[StoreOfMarks]:
    return StoreOfMarks


@pytest.fixture
def simulate() -> type[Simulation]:
    return Simulation
