"""PackQueue: the packs of a launch between the driver's policy and an executor's workers.

An executor takes tasks, and reports a record or a death. What follows (again, narrower, halves, a culprit, the end of
it all) is decided here, so every executor has the same failure policy.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from results.commit import now
from results.liveness import seconds_since
from results.quantity import Quantity
from studies.trial import Trial
from sweep.blame import Blame, Death
from sweep.counts import Counts
from sweep.failures import FirstFailures
from sweep.footprints import Footprint, Footprints
from sweep.ledger import Ledger
from sweep.pack import Pack
from sweep.places import Place
from sweep.resources import Resources
from sweep.task import PackRecord, PackTask
from sweep.waiting import Job, Waiting


class Books(Protocol):
    """What a queue reads and has stored: for a launch, its `Bookkeeping`."""

    def make_task(self, pack: Pack, quantities: tuple[Quantity, ...], tries: int) -> PackTask:
        """What a worker gets. tries: how often the pack, or one that it is a part of, has been handed out before."""

    def inflight(self) -> Mapping[str, Mapping[str, object]]:
        """What the workers last said they were doing, by pack id."""

    def crashed(self, job: Job, trials: Sequence[Trial], death: Death) -> None:
        """Stores that trials of a job have been found to kill their worker."""

    def buried(self, pack: str, death: Death) -> None:
        """Sees to what a dead worker left behind."""

    def remember(self, footprint: Footprint) -> None:
        """Stores a new observation."""

    def ask_to_leave(self, pack: str, leave: bool) -> None:
        """Asks a running pack to leave its place, or takes that back."""


@dataclass(frozen=True)
class _Running:
    """A pack that has been handed out, and the name of its place."""

    job: Job
    place: str


class PackQueue:
    """Thread-safe: an executor's callbacks and a progress display may look at it at once.

    resources: what each pack takes. footprints: those that are known. halt: told that what runs had better stop: the
    first trials all failed alike, of which there must be `first_failures` (0 for never), or nothing can be stored.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        books: Books,
        *,
        footprints: Footprints | None = None,
        halt: Callable[[], None] = lambda: None,
        first_failures: int = 0,
        resources: Resources = Resources(),  # noqa: B008 - frozen
    ) -> None:
        self.resources = resources
        self.counts = Counts(packs=len(jobs))
        for job in jobs:
            self.counts.trials += 0 if job.apart else len(job.pack.trials)
            self.counts.to_evaluate += len(job.pack.trials) if job.apart else 0
        self.fault = ""
        self.traceback = ""
        self.ledger = Ledger()
        self.halted = ""  # the reason for which the first trials all failed
        # A pack that was split is settled when all its parts are: part -> the pack it is of, and how many are open.
        self._whole = {job.pack.id: job.pack.id for job in jobs}
        self._open = Counter(self._whole.values())
        self._waiting = Waiting()
        self._waiting.add(jobs, self._is_open)
        self._running: dict[str, _Running] = {}
        self._leaving: set[str] = set()
        self._blame = Blame()
        self._footprints = footprints or Footprints()
        self._first = FirstFailures(first_failures)
        self.books, self._halt = books, halt
        self._lock = threading.RLock()
        self._stopping = False

    @property
    def devices(self) -> set[str]:
        """The kinds of device that packs wait for or run on."""
        with self._lock:
            return self._waiting.devices | {one.job.device for one in self._running.values()}

    def take(self, places: Sequence[Place] | None = None, most: int | None = None) -> PackTask | None:
        """The next task; None where none is ready now (more may come while packs run).

        places: where packs may run, and how many at once, any number anywhere by default; most: at once in all. A
        pack that is too wide for the memory of its place is made narrower, and what is left of it waits for the next.
        """
        with self._lock:
            if self._stopping or (most is not None and len(self._running) >= most):
                return None
            busy = Counter(one.place for one in self._running.values())
            free = [place for place in places or () if busy[place.name] < place.count]
            job = self._waiting.take(None if places is None else {place.device for place in free})
            if job is None:
                return None
            place = next((place for place in free if place.device == job.device), None)
            first, *rest = self._footprints.sized(job.pack, place.memory if place else None)
            if first.id != job.pack.id:
                self.counts.narrowed += 1
                self._replace(job, [first, *rest])
            self._wait(job, rest)
            task = self.books.make_task(first, job.quantities, job.tries)
            self.ledger.took(first)
            self._running[first.id] = _Running(replace(job, pack=first), place.name if place else "")
            return replace(task, requires=dict(place.requires)) if place and place.requires else task

    @property
    def exhausted(self) -> bool:
        """Whether no task will come any more."""
        with self._lock:
            return not self._running and (self._stopping or not self._waiting.any_ready)

    @property
    def stopping(self) -> bool:
        return self._stopping

    def stop(self) -> None:
        """No further task is handed out."""
        with self._lock:
            self._stopping = True

    def leave(self, pack: str) -> None:
        """Asks a running pack to leave its place with a checkpoint: its node will be taken away."""
        with self._lock:
            if pack in self._running and pack not in self._leaving:
                self._leaving.add(pack)
                self.books.ask_to_leave(pack, True)

    def returned(self, pack: str) -> None:
        """A pack that was handed out and that no worker has begun waits again."""
        with self._lock:
            running = self._back(pack)
            if running is not None:
                self.ledger.withdrawn(running.job.pack)
                self._wait(running.job, [running.job.pack])

    def done(self, record: PackRecord) -> None:
        """A pack came back. A fault (nothing could be stored) or a bug of ours stops the launch."""
        with self._lock:
            running = self._back(record.pack)
            if running is not None:
                self.ledger.returned(running.job.pack, record)
            if record.fault or record.traceback:
                self.fault, self.traceback = record.fault or self.fault, record.traceback or self.traceback
                self._stopping = True
                self._halt()
            if running is None or record.fault or record.traceback:
                return
            job = running.job
            self._observe(job.pack, record)
            if record.stopped:
                self.books.ask_to_leave(record.pack, False)  # also where a launch that was killed had asked
                self.counts.left += not self._stopping
                self._again(job, [job.pack])
                return
            self._settle(job.pack)
            self.counts.packs_done += 1
            self.counts.steps += record.trial_steps
            self.counts.evaluated += len(job.pack.trials) if job.apart else 0
            for status, count in record.counts.items():
                self._count(job, status, count)
            self._note_failures(record.counts, record.reasons)

    def died(self, pack: str, death: Death = Death()) -> None:  # noqa: B008 - frozen
        """The worker of a running pack died: its trials run again, and a culprit is marked when it stands alone."""
        said = self.books.inflight().get(pack)  # before others are kept waiting: storage may be slow
        self.books.buried(pack, death)
        with self._lock:
            running = self._back(pack)
            if running is None:
                return
            job = running.job
            self.ledger.died(job.pack)
            death = replace(death, hung=death.hung or _is_silent(said))
            self.counts.deaths += 1
            self.counts.lost += death.lost
            again, culprits = self._blame.died(job.pack, said, death)
            if any(part.decision != job.pack.decision for part in again):  # it was narrowed for want of memory
                self.counts.narrowed += 1
                self._note(Footprint.of(job.pack, memory=0, fits=False))
            if culprits:
                trials = [trial for trial in job.pack.trials if trial.id in culprits]
                self.books.crashed(job, trials, death)
                self.counts.evaluated += len(trials) if job.apart else 0
                self._count(job, death.status, len(trials))
                self._note_failures({death.status: len(trials)}, {f"{death.status}: {death.why}": len(trials)})
            if not again:
                self.counts.packs_done += 1
            if [part.id for part in again] != [job.pack.id]:
                self._replace(job, again)
            self._again(job, again)

    def snapshot(self) -> Counts:
        """How far the launch is now, as a copy that no worker changes."""
        with self._lock:
            return replace(self.counts, statuses=dict(self.counts.statuses), reasons=dict(self.counts.reasons))

    def jobs(self) -> tuple[Counts, list[Job], list[Job]]:
        """(how far the launch is, the jobs that were handed out, those that wait in their order) at one moment."""
        with self._lock:
            return self.snapshot(), [one.job for one in self._running.values()], list(self._waiting)

    def _back(self, pack: str) -> _Running | None:
        """A pack that runs no more."""
        if pack in self._leaving:
            self._leaving.remove(pack)
            self.books.ask_to_leave(pack, False)
        return self._running.pop(pack, None)

    def _observe(self, pack: Pack, record: PackRecord) -> None:
        for width in record.unfit:
            self._note(Footprint.of(pack, width=width, memory=record.memory, fits=False))
        if record.used:
            self._note(Footprint.of(pack, memory=record.memory, used=record.used))

    def _note(self, seen: Footprint) -> None:
        if self._footprints.add(seen):
            self.books.remember(seen)

    def _note_failures(self, counts: Mapping[str, int], reasons: Mapping[str, int]) -> None:
        self.counts.reasons = dict(Counter(self.counts.reasons) + Counter(reasons))
        alike = self._first.add(counts, reasons)
        if alike:
            self.halted, self._stopping = alike, True
            self._halt()

    def _count(self, job: Job, status: str, trials: int) -> None:
        """Trials that are evaluated apart were counted when they were trained: a failure takes the place of that."""
        statuses = Counter(self.counts.statuses)
        if job.apart:
            statuses["evaluated" if status == "evaluated" else "completed"] -= trials
        statuses[status] += trials
        self.counts.statuses = dict(+statuses)

    def _is_open(self, pack: str) -> bool:
        return bool(self._open[pack])

    def _again(self, job: Job, packs: Sequence[Pack]) -> None:
        """These wait, in the stead of what was handed out: some of their trials may be finished."""
        self._wait(replace(job, tries=job.tries + 1), packs)

    def _wait(self, job: Job, packs: Sequence[Pack]) -> None:
        self._waiting.add([replace(job, pack=pack) for pack in packs], self._is_open, again=True)

    def _replace(self, job: Job, packs: Sequence[Pack]) -> None:
        """Notes that other packs run in a pack's stead, none where it is done with."""
        self.counts.packs += max(0, len(packs) - 1)
        self._settle(job.pack, packs)

    def _settle(self, pack: Pack, instead: Sequence[Pack] = ()) -> None:
        """Notes that a pack is done with, but for the packs that run in its stead."""
        whole = self._whole[pack.id]
        self._whole |= dict.fromkeys((part.id for part in instead), whole)
        self._open[whole] += len(instead) - 1
        if not self._open[whole]:
            self._waiting.settled(whole)


def _is_silent(said: Mapping[str, object] | None) -> bool:
    """Whether a worker that is dead now had said nothing for as long as it may: then it was ended for that."""
    limit = (said or {}).get("hang_seconds")
    age = seconds_since((said or {}).get("at"), now())
    return isinstance(limit, float) and limit > 0 and age is not None and age >= limit
