"""PackQueue: the packs of a launch between the driver's policy and an executor's workers.

An executor takes tasks, and reports a record or a death. What a death means (again, halves, a culprit) is decided here,
so every executor has the same failure policy.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from studies.trial import Trial
from sweep.failures import Blame
from sweep.pack import Pack
from sweep.task import PackRecord, PackTask

DIED = "the worker process died"


@dataclass(frozen=True, kw_only=True)
class Job:
    """A pack with what turns it into a task, and the ids of the packs that must be settled before it is handed out.

    apart: another pack trains these trials; this one evaluates those that it has trained.
    """

    pack: Pack
    make_task: Callable[[Pack, int], PackTask]
    after: frozenset[str] = frozenset()
    apart: bool = False

    @property
    def device(self) -> str:
        return self.pack.decision.device


@dataclass
class Counts:
    """How far a launch is. statuses: trials by final status; steps: training steps of finished packs.

    A trial that is evaluated apart is done when it is trained; what could not be measured of it replaces its status
    then. to_evaluate: how many there are, evaluated: how many of them have been seen to.
    """

    trials: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    packs: int = 0
    packs_done: int = 0
    steps: int = 0
    to_evaluate: int = 0
    evaluated: int = 0

    @property
    def done(self) -> int:
        return sum(self.statuses.values())

    @property
    def work(self) -> int:
        """Trials done, where to evaluate one apart is as much again."""
        return self.done + self.evaluated

    @property
    def planned(self) -> int:
        return self.trials + self.to_evaluate


class PackQueue:
    """Thread-safe: an executor's callbacks and a progress display may look at it at once.

    inflight: reads what the workers last said they were doing, by pack id. crashed: stores the rows of trials that have
    been found to kill their worker.
    """

    def __init__(
        self,
        jobs: list[Job],
        *,
        inflight: Callable[[], Mapping[str, Mapping[str, object]]],
        crashed: Callable[[Pack, list[Trial], str], None],
    ) -> None:
        self.counts = Counts(packs=len(jobs))
        for job in jobs:
            self.counts.trials += 0 if job.apart else len(job.pack.trials)
            self.counts.to_evaluate += len(job.pack.trials) if job.apart else 0
        self.fault = ""
        self.traceback = ""
        self._waiting = deque(jobs)
        self._running: dict[str, Job] = {}
        # A pack that was split is settled when all its parts are: part -> the pack it is of, and how many are open.
        self._whole = {job.pack.id: job.pack.id for job in jobs}
        self._open = Counter(self._whole.values())
        self._blame = Blame()
        self._inflight = inflight
        self._crashed = crashed
        self._lock = threading.RLock()
        self._stopping = False

    @property
    def devices(self) -> set[str]:
        """The kinds of device that packs wait for or run on."""
        with self._lock:
            return {job.device for job in (*self._waiting, *self._running.values())}

    def take(self, places: Mapping[str, int] | None = None) -> PackTask | None:
        """The next task; None where none is ready now (more may come while packs run).

        places: how many packs may run at once on each kind of device, any number by default.
        """
        with self._lock:
            place = None if self._stopping else self._ready(places)
            if place is None:
                return None
            job = self._waiting[place]
            del self._waiting[place]
            self._running[job.pack.id] = job
            return job.make_task(job.pack, self._blame.deaths[job.pack.id])

    def _ready(self, places: Mapping[str, int] | None = None) -> int | None:
        """Where the first job waits whose prerequisites are settled: trained, failed or found to kill their worker."""
        busy = Counter(job.device for job in self._running.values())
        free = {job.device for job in self._waiting if places is None or busy[job.device] < places[job.device]}
        ready = (
            place
            for place, job in enumerate(self._waiting)
            if job.device in free and not any(self._open[pack] for pack in job.after)
        )
        return next(ready, None)

    @property
    def exhausted(self) -> bool:
        """Whether no task will come any more."""
        with self._lock:
            return not self._running and (self._stopping or self._ready() is None)

    @property
    def stopping(self) -> bool:
        return self._stopping

    def stop(self) -> None:
        """No further task is handed out."""
        with self._lock:
            self._stopping = True

    def done(self, record: PackRecord) -> None:
        """A pack came back. A fault (nothing could be stored) or a bug of ours stops the launch."""
        with self._lock:
            job = self._running.pop(record.pack, None)
            if record.fault or record.traceback:
                self.fault, self.traceback = record.fault or self.fault, record.traceback or self.traceback
                self._stopping = True
            if job is None or record.stopped or record.fault or record.traceback:
                return
            self._settle(job.pack)
            self.counts.packs_done += 1
            self.counts.steps += record.trial_steps
            self.counts.evaluated += len(job.pack.trials) if job.apart else 0
            for status, count in record.counts.items():
                self._count(job, status, count)

    def died(self, pack: str, why: str = DIED) -> None:
        """The worker of a running pack died: its trials run again, and a culprit is marked when it stands alone."""
        with self._lock:
            job = self._running.pop(pack, None)
            if job is None:
                return
            again, culprits = self._blame.died(job.pack, self._inflight().get(pack))
            if culprits:
                trials = [trial for trial in job.pack.trials if trial.id in culprits]
                self._crashed(job.pack, trials, why)
                self.counts.evaluated += len(trials) if job.apart else 0
                self._count(job, "crashed", len(trials))
            if not again:
                self.counts.packs_done += 1
            self.counts.packs += max(0, len(again) - 1)
            self._settle(job.pack, again)
            self._waiting.extendleft(replace(job, pack=part) for part in reversed(again))

    def _count(self, job: Job, status: str, trials: int) -> None:
        """Trials that are evaluated apart were counted when they were trained: a failure takes the place of that."""
        statuses = Counter(self.counts.statuses)
        if job.apart:
            statuses["evaluated" if status == "evaluated" else "completed"] -= trials
        statuses[status] += trials
        self.counts.statuses = dict(+statuses)

    def _settle(self, pack: Pack, instead: Sequence[Pack] = ()) -> None:
        """Notes that a pack is done with, but for the packs that run in its stead."""
        whole = self._whole[pack.id]
        self._whole |= dict.fromkeys((part.id for part in instead), whole)
        self._open[whole] += len(instead) - 1

    def snapshot(self) -> Counts:
        """How far the launch is now, as a copy that no worker changes."""
        with self._lock:
            return replace(self.counts, statuses=dict(self.counts.statuses))

    def running(self) -> list[Pack]:
        with self._lock:
            return [job.pack for job in self._running.values()]
