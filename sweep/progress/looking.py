"""Looking: a launch at one moment, from its queue and from what its workers say in the store."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from results.store import ResultStore
from sweep.counts import Counts
from sweep.pack import Pack
from sweep.pack_queue import PackQueue
from sweep.progress.pace import Left, Pace, Running, recent, time_left
from sweep.waiting import Job

WINDOW_SECONDS = 60.0  # over which trials and steps per second are averaged, and the workers at work looked at
SECONDS_AN_HOUR = 3600.0
LEAST_BUSY = 0.05  # of workers' time: less is a cluster that is starting
TELLING_EVALUATION = 0.2  # of a pack's evaluation, from which on it says how long all of it takes


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A launch at one moment.

    seconds: since it began; idle: of these, before any worker was heard of. running: packs at work, waiting: all others
    that are to come. lost: workers that died. hours: of devices so far, GPUs where packs are trained on some, else
    workers. left: None until something is known. steps: trial-steps made by this launch.
    """

    seconds: float
    counts: Counts
    work: float = 0.0
    running: int = 0
    waiting: int = 0
    lost: int = 0
    hours: float = 0.0
    on_gpus: bool = False
    trials_per_second: float | None = None
    steps_per_second: float | None = None
    left: Left | None = None
    steps: int = 0
    idle: float = 0.0
    stopping: bool = False


@dataclass
class _Heard:
    """What has been heard of a pack at its worker.

    before: how often it had been begun; resumed: a checkpoint may have some of it. stale: when its mark was made where
    that is of a worker that died. began, evaluating: when its worker, and its evaluation, were first heard of.
    under_way: when it had made its first steps, and what its mark then said. skipped: (part, trial-steps) that a
    checkpoint had. last: when more than before was heard, and what.
    """

    before: int
    resumed: bool
    stale: object = None
    began: float | None = None
    evaluating: float | None = None
    under_way: tuple[float, Mapping[str, Any]] | None = None
    skipped: tuple[float, int] = (0.0, 0)
    last: tuple[float, tuple[object, ...]] = (0.0, ())


def progress_of(pack: Pack, record: Mapping[str, Any], share: float) -> tuple[float, int]:
    """(the part of a running pack that is done, its trial-steps) from its mark; share: of training in its time."""
    if record.get("phase") == "train":
        step, steps = int(record.get("step", 0)), max(1, int(record.get("steps", 1)))
        return share * min(1.0, step / steps), step * len(pack.trials)
    if record.get("phase") != "evaluate":
        return 0.0, 0
    evaluated = int(record.get("done", 0)) / max(1, int(record.get("trials", 1)))
    if pack.task == "evaluate":
        return evaluated, 0
    return share + (1 - share) * evaluated, sum(trial.training.steps for trial in pack.trials)


@dataclass
class Look:
    """Looks at a launch again and again. resumed: packs that had a checkpoint when it began."""

    queue: PackQueue
    store: ResultStore
    resumed: Collection[str] = ()
    pace: Pace = field(default_factory=Pace)
    began: float = field(init=False)
    _heard: dict[str, _Heard] = field(default_factory=dict)
    _marked: tuple[float, Mapping[str, Mapping[str, Any]]] | None = None  # when the marks were read, and what they said
    _read: int = 0  # entries of the ledger
    _seconds: dict[str, float] = field(default_factory=dict)  # of packs that have left their workers, by device
    _skipped_steps: int = 0  # what checkpoints had done
    _skipped_trials: float = 0.0
    _worked: float | None = None
    _steps: deque[tuple[float, float]] = field(default_factory=deque)
    _trials: deque[tuple[float, float]] = field(default_factory=deque)
    _busy: dict[str, deque[tuple[float, float]]] = field(default_factory=dict)  # by device, as the next
    _at_work: deque[tuple[float, Counter[str]]] = field(default_factory=deque)
    _shares_busy: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.began = self.queue.ledger.clock()

    def look(self) -> Snapshot:
        """The launch now."""
        counts, handed, waiting = self.queue.jobs()
        now = self.queue.ledger.clock()
        records = self._marks(now) if handed else {}
        self._settle()
        running: dict[str, Running] = {}
        steps, trials, work = counts.steps, float(counts.done), float(counts.work)
        for job in handed:
            found = self._running(job, records.get(job.pack.id), now)
            if found is not None:
                running[job.pack.id], made = found
                steps += made
                work += found[0].part * len(job.pack.trials)
                trials += 0.0 if job.apart else found[0].part * len(job.pack.trials)
        steps, trials = steps - self._skipped_steps, trials - self._skipped_trials
        to_come = [*(job for job in handed if job.pack.id not in running), *waiting]
        if self._worked is None and (running or counts.packs_done):
            self._worked = now
        on_gpus = any(job.device == "cuda" for job in (*handed, *waiting)) or "cuda" in self._seconds
        return Snapshot(
            seconds=now - self.began,
            counts=counts,
            work=work,
            running=len(running),
            waiting=len(to_come),
            lost=counts.deaths,
            hours=self._hours(running.values(), on_gpus),
            on_gpus=on_gpus,
            trials_per_second=recent(self._trials, WINDOW_SECONDS, now, trials) if self._worked is not None else None,
            steps_per_second=recent(self._steps, WINDOW_SECONDS, now, steps) if self._worked is not None else None,
            left=self._left(running, to_come, now),
            steps=steps,
            idle=(now if self._worked is None else self._worked) - self.began,
            stopping=self.queue.stopping,
        )

    def _marks(self, now: float) -> Mapping[str, Mapping[str, Any]]:
        """What the workers say, read anew as often as it pays: where marks are made rarely, each is a paid request."""
        if self._marked is None or now - self._marked[0] >= self.store.files.mark_seconds / 2:
            self._marked = now, self.store.inflight()
        return self._marked[1]

    def _running(self, job: Job, record: Mapping[str, Any] | None, now: float) -> tuple[Running, int] | None:
        """A pack at a worker that has been heard of, and its trial-steps."""
        pack, before = job.pack, self.queue.ledger.begun[job.pack.id]
        heard = self._heard.get(pack.id)
        if heard is None or heard.before != before:
            stale = record.get("at") if before and record is not None else None  # of the worker that died, perhaps
            heard = _Heard(before=before, resumed=pack.id in self.resumed or before > 0, stale=stale)
            self._heard[pack.id] = heard
        if record is None or (heard.stale is not None and record.get("at") == heard.stale):
            return None
        if heard.began is None:
            heard.began = now
        if heard.evaluating is None and record.get("phase") == "evaluate" and pack.task == "train":
            heard.evaluating = now
        self._learn_share(pack, heard, record, now)
        part, made = progress_of(pack, record, self.pace.share(pack))
        if heard.under_way is None and (made or record.get("phase") == "evaluate"):
            heard.under_way = now, record
            heard.skipped = (part, made) if heard.resumed else heard.skipped
            self._skip(pack, heard, 1)
        since, first = heard.under_way or (now, record)
        had, _ = progress_of(pack, first, self.pace.share(pack))
        said = tuple(record.get(name) for name in ("phase", "step", "done"))
        if said != heard.last[1]:
            heard.last = now, said
        heard_at = heard.last[0]
        seen = Running(
            pack=pack,
            seconds=now - heard.began,
            part=part,
            made=part - had,
            making=heard_at - since,
            silent=now - heard_at,
        )
        return seen, made

    def _skip(self, pack: Pack, heard: _Heard, sign: int) -> None:
        """Notes what a checkpoint had, so that it makes this launch no faster."""
        part, steps = heard.skipped
        self._skipped_steps += sign * steps
        self._skipped_trials += sign * part * len(pack.trials)

    def _learn_share(self, pack: Pack, heard: _Heard, record: Mapping[str, Any], now: float) -> None:
        """Training's share of the time of a kind, from the first pack that is well into its evaluation."""
        if heard.began is None or heard.evaluating is None or heard.skipped[1] or self.pace.knows_share(pack):
            return
        evaluated = int(record.get("done", 0)) / max(1, int(record.get("trials", 1)))
        if evaluated >= TELLING_EVALUATION:
            training, evaluation = heard.evaluating - heard.began, (now - heard.evaluating) / evaluated
            if training + evaluation > 0:
                self.pace.trained(pack, training / (training + evaluation))

    def _settle(self) -> None:
        """Learns from the packs that have left their workers since the last look."""
        entries = self.queue.ledger.entries
        for entry in entries[self._read :]:
            self._read += 1
            device = entry.pack.decision.device
            self._seconds[device] = self._seconds.get(device, 0.0) + entry.seconds
            heard = self._heard.pop(entry.pack.id, None)
            part = heard.skipped[0] if heard else 0.0
            if not entry.whole:
                if heard:
                    self._skip(entry.pack, heard, -1)  # it will come again
                continue
            if heard.resumed and not heard.under_way if heard else entry.pack.id in self.resumed:
                continue  # nobody knows how much a checkpoint had of it
            self.pace.finished(entry.pack, entry.seconds, part)
            if heard and heard.began is not None and heard.evaluating is not None and not part and entry.seconds > 0:
                self.pace.trained(entry.pack, min(1.0, (heard.evaluating - heard.began) / entry.seconds))

    def _hours(self, running: Collection[Running], gpus: bool) -> float:
        """Of GPUs, where some packs are on GPUs; else of CPUs."""
        seconds = dict(self._seconds)
        for one in running:
            device = one.pack.decision.device
            seconds[device] = seconds.get(device, 0.0) + one.seconds
        device = "cuda" if gpus else "cpu"
        return seconds.get(device, 0.0) * self.queue.resources.devices(device) / SECONDS_AN_HOUR

    def _left(self, running: Mapping[str, Running], waiting: list[Job], now: float) -> Left | None:
        """The time left, with as many workers as have been at work at once lately."""
        at_work = Counter(one.pack.decision.device for one in running.values())
        self._at_work.append((now, at_work))
        while self._at_work[0][0] < now - WINDOW_SECONDS:
            self._at_work.popleft()
        workers = Counter[str]()
        for _, counted in self._at_work:
            workers |= counted
        for device, seconds in self._seconds.items():
            workers[device] = max(workers[device], int(seconds > 0))  # packs that are shorter than a look
        self._note_busy(running.values(), waiting, workers, now)
        costs = self.pace.costs(list(running.values()))
        return time_left(list(running.values()), waiting, costs, workers, self._shares_busy)

    def _note_busy(
        self, running: Collection[Running], waiting: list[Job], workers: Mapping[str, int], now: float
    ) -> None:
        """Learns for what part of their time workers have a pack while packs wait: to hand one out takes time, too."""
        wanted = {job.device for job in waiting if job.pack.task == "train" or not job.after}
        for device, count in workers.items():
            seen = self._busy.setdefault(device, deque())
            if device not in wanted or not count:
                seen.clear()
                continue
            present = sum(one.seconds for one in running if one.pack.decision.device == device)
            grown = recent(seen, WINDOW_SECONDS, now, self._seconds.get(device, 0.0) + present)
            if grown is not None and now - seen[0][0] >= WINDOW_SECONDS / 2:
                self._shares_busy[device] = min(1.0, max(LEAST_BUSY, grown / count))
