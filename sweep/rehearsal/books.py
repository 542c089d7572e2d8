"""The books of a rehearsal: what a launch stores by itself goes to the rehearsal's store, where it has one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from results.quantity import Quantity
from studies.trial import Trial
from sweep.blame import Death
from sweep.bookkeeping import Bookkeeping
from sweep.footprints import Footprint
from sweep.pack import Pack
from sweep.rehearsal.work import Work
from sweep.rehearsal.worker import LAUNCH, Worker
from sweep.task import PackTask, Settings
from sweep.waiting import Job

SETTINGS = Settings(store="", launch=LAUNCH)


@dataclass(kw_only=True)
class RehearsedBooks:
    """See `Books`. packs: by id, those that were handed out; marks: what the worker that dies said last, by pack."""

    worker: Worker
    stored: Bookkeeping | None
    packs: dict[str, Pack] = field(default_factory=dict)
    marks: dict[str, Mapping[str, object]] = field(default_factory=dict)

    @classmethod
    def of(cls, work: Work, worker: Worker) -> RehearsedBooks:
        store = worker.store
        stored = Bookkeeping(store=store, settings=SETTINGS, sources=(), plans=work.plans) if store else None
        return cls(worker=worker, stored=stored)

    def make_task(self, pack: Pack, quantities: tuple[Quantity, ...], tries: int) -> PackTask:
        """A task that stays in this process: it names its pack, and carries no specifications."""
        identity = pack.id
        self.packs[identity] = pack
        return PackTask(
            pack=identity,
            trials=(),
            decision=pack.decision,
            quantities=(),
            settings=SETTINGS,
            task=pack.task,
            tries=tries,
        )

    def inflight(self) -> Mapping[str, Mapping[str, object]]:
        return self.marks

    def crashed(self, job: Job, trials: Sequence[Trial], death: Death) -> None:
        if self.stored is not None:
            self.stored.crashed(job, trials, death)
        for trial in trials if job.pack.task == "train" else ():
            self.worker.ended(trial, death.status, self.worker.now)

    def buried(self, pack: str, death: Death) -> None:
        """A simulated worker leaves nothing behind."""

    def remember(self, footprint: Footprint) -> None:
        if self.stored is not None:
            self.stored.remember(footprint)

    def ask_to_leave(self, pack: str, leave: bool) -> None:
        """Nobody has notice in a rehearsal."""
