"""PackQueue: the packs of a launch between the driver's policy and an executor's workers.

An executor takes tasks, and reports a record or a death. What a death means (again, halves, a culprit) is decided here,
so every executor has the same failure policy.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from studies.trial import Trial
from sweep.failures import Blame
from sweep.pack import Pack
from sweep.task import PackRecord, PackTask

DIED = "the worker process died"


@dataclass(frozen=True, kw_only=True)
class Job:
    """A pack with what turns it into a task."""

    pack: Pack
    make_task: Callable[[Pack, int], PackTask]


@dataclass
class Counts:
    """How far a launch is. statuses: trials by final status; steps: training steps of finished packs."""

    trials: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    packs: int = 0
    packs_done: int = 0
    steps: int = 0

    @property
    def done(self) -> int:
        return sum(self.statuses.values())


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
        self.counts = Counts(trials=sum(len(job.pack.trials) for job in jobs), packs=len(jobs))
        self.fault = ""
        self.traceback = ""
        self._waiting = deque(jobs)
        self._running: dict[str, Job] = {}
        self._blame = Blame()
        self._inflight = inflight
        self._crashed = crashed
        self._lock = threading.RLock()
        self._stopping = False

    def take(self) -> PackTask | None:
        """The next task; None where none is waiting now (more may come while packs run)."""
        with self._lock:
            if self._stopping or not self._waiting:
                return None
            job = self._waiting.popleft()
            self._running[job.pack.id] = job
            return job.make_task(job.pack, self._blame.deaths[job.pack.id])

    @property
    def exhausted(self) -> bool:
        """Whether no task will come any more."""
        with self._lock:
            return (self._stopping or not self._waiting) and not self._running

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
            self.counts.packs_done += 1
            self.counts.steps += record.trial_steps
            for status, count in record.counts.items():
                self.counts.statuses[status] = self.counts.statuses.get(status, 0) + count

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
                self.counts.statuses["crashed"] = self.counts.statuses.get("crashed", 0) + len(trials)
            if not again:
                self.counts.packs_done += 1
            self.counts.packs += max(0, len(again) - 1)
            self._waiting.extendleft(Job(pack=part, make_task=job.make_task) for part in reversed(again))

    def snapshot(self) -> Counts:
        """How far the launch is now, as a copy that no worker changes."""
        with self._lock:
            return replace(self.counts, statuses=dict(self.counts.statuses))

    def running(self) -> list[Pack]:
        with self._lock:
            return [job.pack for job in self._running.values()]
