"""Progress: how far a launch is, shown while it runs: a refreshed line on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from results.files import StoreError
from results.store import ResultStore
from sweep.pack import Pack
from sweep.pack_queue import Counts, PackQueue

LOOK_SECONDS = 0.5
PLAIN_SECONDS = 10.0  # between lines where there is no terminal
SPEED_SECONDS = 30.0  # over which trial-steps per second are averaged
PACE_SECONDS = 3.0  # of work, before the time left is reckoned: workers tell of their steps once a second
TRAINING_SHARE = 0.8  # of a pack's time; the rest is evaluation
SUCCEEDED = ("completed", "evaluated")
DIVERGED = "diverged"
LARGEST_SHARE = 0.01  # of the time may go into looking and drawing
ERASE = "\r\x1b[K"


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A launch at one moment.

    seconds: since it began. idle: of these, before any work was seen, while workers started. work: trials done, those
    evaluated apart once more, running ones counted by the part that is done. steps: trial-steps, also of running packs.
    skipped: work that checkpoints of an earlier launch had done already.
    """

    seconds: float
    counts: Counts
    work: float
    steps: int
    idle: float = 0.0
    stopping: bool = False
    skipped: float = 0.0

    @property
    def busy(self) -> float:
        """Seconds of work."""
        return self.seconds - self.idle

    @property
    def remaining_seconds(self) -> float | None:
        """At the pace so far; None where too little has been seen to tell."""
        new = self.work - self.skipped
        return self.busy * (self.counts.planned - self.work) / new if new > 0 and self.busy >= PACE_SECONDS else None


def part_done(pack: Pack, record: Mapping[str, Any]) -> tuple[float, int]:
    """(the part of a running pack that is done, its trial-steps) from what its worker last said of it."""
    if record.get("phase") == "train":
        step, steps = int(record.get("step", 0)), max(1, int(record.get("steps", 1)))
        return TRAINING_SHARE * min(1.0, step / steps), step * len(pack.trials)
    if record.get("phase") != "evaluate":
        return 0.0, 0
    evaluated = int(record.get("done", 0)) / max(1, int(record.get("trials", 1)))
    if pack.task == "evaluate":
        return evaluated, 0
    steps = sum(trial.training.steps for trial in pack.trials)
    return TRAINING_SHARE + (1 - TRAINING_SHARE) * evaluated, steps


def duration(seconds: float) -> str:
    """A time as one reads it: 45 s, 2 min 5 s, 3 h 20 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min"


def told(statuses: Mapping[str, int]) -> list[str]:
    """What did not simply succeed: '2 diverged', '1 failed (out of memory)'."""
    failed = {status: count for status, count in statuses.items() if status not in (*SUCCEEDED, DIVERGED)}
    diverged = [f"{statuses[DIVERGED]:,} {DIVERGED}"] if DIVERGED in statuses else []
    return diverged + [f"{count:,} failed ({status.replace('_', ' ')})" for status, count in failed.items()]


def line(snapshot: Snapshot, speed: float | None) -> str:
    """One line: trials, packs, speed, time left, failures."""
    counts = snapshot.counts
    parts = [f"{counts.done:,}/{counts.trials:,} trials"]
    if counts.to_evaluate:
        parts.append(f"{counts.evaluated:,}/{counts.to_evaluate:,} evaluated")
    parts.append(f"{counts.packs_done:,}/{counts.packs:,} packs")
    if speed and speed >= 1:
        parts.append(f"{speed:,.0f} trial-steps/s")
    remaining = snapshot.remaining_seconds
    if snapshot.stopping:
        parts.append("stopping, what runs saves a checkpoint")
    elif snapshot.busy == 0:
        parts.append("starting")
    elif remaining is not None and counts.work < counts.planned:
        parts.append(f"about {duration(remaining)} left")
    return ", ".join([*parts, *told(counts.statuses)])


def last_line(snapshot: Snapshot) -> str:
    """How it ended."""
    counts = snapshot.counts
    parts = [f"{counts.done:,}/{counts.trials:,} trials in {duration(snapshot.seconds)}"]
    if snapshot.steps > snapshot.busy > 0:
        parts.append(f"{snapshot.steps / snapshot.busy:,.0f} trial-steps/s")
    return ", ".join([*parts, *told(counts.statuses)])


@dataclass
class Progress:
    """Looks at a launch and remembers what its speed is reckoned from. resumed: packs that had a checkpoint."""

    queue: PackQueue
    store: ResultStore
    resumed: Collection[str] = ()
    began: float = field(default_factory=time.monotonic)
    _idle: float = 0.0
    _skipped: dict[str, tuple[float, int]] = field(default_factory=dict)
    _seen: deque[tuple[float, int]] = field(default_factory=lambda: deque([(0.0, 0)]))

    def look(self) -> Snapshot:
        """The launch now."""
        seconds, counts, packs = time.monotonic() - self.began, self.queue.snapshot(), self.queue.running()
        records = self.store.inflight() if packs else {}
        work, steps = float(counts.work), counts.steps
        for pack in packs:
            part, made = part_done(pack, records.get(pack.id, {}))
            if pack.id in self.resumed and made:
                self._skipped.setdefault(pack.id, (part * len(pack.trials), made))
            work += part * len(pack.trials)
            steps += made
        skipped = sum(part for part, _ in self._skipped.values())
        if work <= skipped:
            self._idle = seconds
        return Snapshot(
            seconds=seconds,
            idle=self._idle,
            counts=counts,
            work=work,
            steps=steps - sum(made for _, made in self._skipped.values()),
            stopping=self.queue.stopping,
            skipped=skipped,
        )

    def speed(self, snapshot: Snapshot) -> float | None:
        """Trial-steps per second over the last half minute; None before the first."""
        if not snapshot.steps:
            self._seen.clear()
        self._seen.append((snapshot.seconds, snapshot.steps))
        while len(self._seen) > 2 and self._seen[1][0] <= snapshot.seconds - SPEED_SECONDS:
            self._seen.popleft()
        since, before = self._seen[0]
        passed = snapshot.seconds - since
        return max(0.0, (snapshot.steps - before) / passed) if passed > 0 and snapshot.steps else None


class _Display(threading.Thread):
    """Writes what a Progress sees to a stream, until told to end. A stream that is gone is no reason to stop work."""

    def __init__(self, progress: Progress, stream: TextIO) -> None:
        super().__init__(daemon=True)
        self.progress = progress
        self.stream = stream
        self.terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        self.ended = threading.Event()

    def run(self) -> None:
        shown, pause = 0.0, LOOK_SECONDS
        while not self.ended.wait(pause):
            begun = time.perf_counter()
            with contextlib.suppress(StoreError):
                snapshot = self.progress.look()
                text = line(snapshot, self.progress.speed(snapshot))
                if self.terminal:
                    self.write(f"{ERASE}{text[: self._columns() - 1]}")
                elif snapshot.seconds - shown >= PLAIN_SECONDS:
                    shown = snapshot.seconds
                    self.write(f"{text}\n")
            pause = max(LOOK_SECONDS, (time.perf_counter() - begun) / LARGEST_SHARE)

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # a closed pipe, a closed file
            self.stream.write(text)
            self.stream.flush()

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self.stream.fileno()).columns or 80  # 0: a terminal that does not say
        except (OSError, ValueError):
            return 80


@contextlib.contextmanager
def watch(queue: PackQueue, store: ResultStore, stream: TextIO) -> Iterator[None]:
    """Shows on `stream` how far the packs of `queue` are, until the block is left; then a last line stays."""
    progress = Progress(queue, store, frozenset(store.checkpoints()))
    display = _Display(progress, stream)
    display.start()
    ended = False
    try:
        yield
        ended = True
    finally:
        display.ended.set()
        display.join()
        if display.terminal:
            display.write(ERASE)
        if ended:
            with contextlib.suppress(StoreError):
                display.write(last_line(progress.look()) + "\n")
