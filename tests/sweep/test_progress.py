from __future__ import annotations

import dataclasses
import io
import time
from collections.abc import Mapping
from typing import Any

import pytest

from models.kinds import BetaObjective, Binomial, Digits, FlatModel, Training
from studies.trial import Trial
from sweep import progress
from sweep.pack import Pack, decide
from sweep.pack_queue import Counts, Job, PackQueue
from sweep.progress import ERASE, Progress, Snapshot, duration, last_line, line, part_done, told, watch
from sweep.task import PackRecord, PackTask, Settings

BASE = Trial(
    data=Digits(),
    model=FlatModel(latent=2, likelihood=Binomial(total=16)),
    objective=BetaObjective(),
    training=Training(steps=100, batch_size=4),
)
PACKS = [
    Pack(trials=tuple(BASE.model_copy(update={"seed": 10 * i + j}) for j in range(4)), decision=decide(BASE, 4, "cpu"))
    for i in range(3)
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Closed(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


class StoreOfRecords:
    """What a display asks of a store."""

    def __init__(self, resumed: list[str] | None = None) -> None:
        self.records: dict[str, Mapping[str, Any]] = {}
        self.resumed = resumed or []

    def inflight(self) -> dict[str, Mapping[str, Any]]:
        return self.records

    def checkpoints(self) -> list[str]:
        return self.resumed


def queue() -> PackQueue:
    def make_task(pack: Pack, retry: int) -> PackTask:
        return PackTask.of(pack, (), Settings(store="/nowhere", launch="one"), (), retry)

    jobs = [Job(pack=pack, make_task=make_task) for pack in PACKS]
    return PackQueue(jobs, inflight=dict, crashed=lambda pack, trials, why: None)


def done(packs: PackQueue, pack: Pack, **more: Any) -> None:
    packs.done(PackRecord(**{"pack": pack.id, "counts": {"completed": 4}, "trial_steps": 400} | more))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (125, "2 min 5 s"),
        (3599.7, "1 h 0 min"),
        (12_345, "3 h 26 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("record", "part", "steps"),
    [
        ({}, 0.0, 0),
        ({"phase": "train", "step": 0, "steps": 100}, 0.0, 0),
        ({"phase": "train", "step": 50, "steps": 100}, 0.4, 200),
        ({"phase": "train", "step": 100, "steps": 100}, 0.8, 400),
        ({"phase": "evaluate", "done": 0, "trials": 4}, 0.8, 400),
        ({"phase": "evaluate", "done": 3, "trials": 4}, 0.95, 400),
    ],
)
def test_a_running_pack_counts_by_the_part_that_is_done(record: dict[str, Any], part: float, steps: int) -> None:
    assert part_done(PACKS[0], record) == (pytest.approx(part), steps)


def test_a_pack_to_evaluate_trains_nothing() -> None:
    pack = Pack(trials=PACKS[0].trials, decision=PACKS[0].decision, task="evaluate")
    assert part_done(pack, {"phase": "evaluate", "done": 3, "trials": 4}) == (0.75, 0)


def test_a_look_adds_what_is_done_and_what_runs() -> None:
    packs, store = queue(), StoreOfRecords()
    for _ in range(2):
        packs.take()
    done(packs, PACKS[0])
    store.records = {
        PACKS[1].id: {"phase": "train", "step": 25, "steps": 100},
        "of another launch": {"phase": "train", "step": 90, "steps": 100},
    }
    seen = Progress(packs, store).look()  # type: ignore[arg-type]
    assert (seen.counts.done, seen.counts.packs_done) == (4, 1)
    assert seen.work == pytest.approx(4 + 4 * 0.8 * 0.25)
    assert seen.steps == 400 + 100


def test_time_left_is_at_the_pace_so_far() -> None:
    seen = Snapshot(seconds=30.0, counts=Counts(trials=12, packs=3), work=3.0, steps=0)
    assert seen.remaining_seconds == pytest.approx(30 * 9 / 3)
    assert dataclasses.replace(seen, work=0.0).remaining_seconds is None
    assert dataclasses.replace(seen, idle=28.0).remaining_seconds is None
    assert line(dataclasses.replace(seen, idle=30.0), None) == "0/12 trials, 0/3 packs, starting"


def test_the_start_of_workers_makes_the_pace_no_slower() -> None:
    packs, store = queue(), StoreOfRecords()
    packs.take()
    seen = Progress(packs, store, began=time.monotonic() - 60)  # type: ignore[arg-type]
    waiting = seen.look()
    assert (waiting.seconds, waiting.remaining_seconds) == (pytest.approx(60, abs=1), None)
    seen.began -= 10
    store.records = {PACKS[0].id: {"phase": "train", "step": 100, "steps": 100}}
    working = seen.look()
    assert working.busy == pytest.approx(10, abs=1)
    assert working.remaining_seconds == pytest.approx(10 * (12 - 3.2) / 3.2, rel=0.1)


def test_work_from_a_checkpoint_makes_the_pace_no_faster() -> None:
    packs, store = queue(), StoreOfRecords([PACKS[0].id])
    packs.take()
    seen = Progress(packs, store, [PACKS[0].id])  # type: ignore[arg-type]
    store.records = {PACKS[0].id: {"phase": "train", "step": 75, "steps": 100}}
    first = seen.look()
    assert (first.steps, first.remaining_seconds) == (0, None)
    store.records = {PACKS[0].id: {"phase": "train", "step": 100, "steps": 100}}
    second = seen.look()
    assert second.steps == 100
    assert second.work - second.skipped == pytest.approx(0.8)
    done(packs, PACKS[0])
    assert seen.look().steps == 100


def test_speed_is_of_the_last_half_minute() -> None:
    seen = Progress(queue(), StoreOfRecords())  # type: ignore[arg-type]
    counts = Counts(trials=12, packs=3)
    speeds = [
        seen.speed(Snapshot(seconds=float(second), counts=counts, work=0, steps=steps))
        for second, steps in [(10, 1000), (20, 2000), (30, 3000), (60, 3000), (70, 3000)]
    ]
    assert speeds == [100, 100, 100, 0, 0]
    assert seen.speed(Snapshot(seconds=80.0, counts=counts, work=0, steps=0)) is None


def test_the_line_tells_failures_and_that_it_is_stopping() -> None:
    counts = Counts(trials=12, packs=3, packs_done=1, statuses={"completed": 2, "diverged": 1, "out_of_memory": 1})
    seen = Snapshot(seconds=60.0, counts=counts, work=6.0, steps=1234)
    told_now = line(seen, 1234.4)
    assert told_now == (
        "4/12 trials, 1/3 packs, 1,234 trial-steps/s, about 1 min 0 s left, 1 diverged, 1 failed (out of memory)"
    )
    stopping = Snapshot(seconds=60.0, counts=counts, work=6.0, steps=0, stopping=True)
    assert line(stopping, None).split(", ")[2:4] == ["stopping", "what runs saves a checkpoint"]
    assert last_line(seen) == "4/12 trials in 1 min 0 s, 21 trial-steps/s, 1 diverged, 1 failed (out of memory)"
    assert told({"evaluated": 3, "completed": 1}) == []


def test_the_line_tells_what_is_evaluated_apart_and_its_part_of_the_time_left() -> None:
    counts = Counts(trials=12, packs=6, packs_done=3, statuses={"completed": 12}, to_evaluate=12, evaluated=3)
    seen = Snapshot(seconds=60.0, counts=counts, work=counts.work, steps=0)
    assert line(seen, None) == "12/12 trials, 3/12 evaluated, 3/6 packs, about 36 s left"
    assert seen.remaining_seconds == pytest.approx(60 * 9 / 15)
    ended = dataclasses.replace(counts, evaluated=12)
    assert line(dataclasses.replace(seen, counts=ended, work=24), None) == "12/12 trials, 12/12 evaluated, 3/6 packs"


def test_plain_lines_elsewhere_than_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.02)
    stream, packs = io.StringIO(), queue()
    with watch(packs, StoreOfRecords(), stream):  # type: ignore[arg-type]
        packs.take()
        time.sleep(0.1)
        done(packs, PACKS[0])
    lines = stream.getvalue().splitlines()
    assert len(lines) > 2
    assert lines[0].startswith("0/12 trials, 0/3 packs")
    assert lines[-1].startswith("4/12 trials in 0 s")
    assert "\x1b" not in stream.getvalue()
    assert "\r" not in stream.getvalue()


def test_one_line_on_a_terminal_and_a_last_one_that_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOOK_SECONDS", 0.02)
    monkeypatch.setenv("TERM", "xterm")
    stream, packs = Terminal(), queue()
    with watch(packs, StoreOfRecords(), stream):  # type: ignore[arg-type]
        time.sleep(0.1)
    *refreshed, last = stream.getvalue().split(ERASE)
    assert len(refreshed) > 2
    assert all(part == "" or part.startswith("0/12 trials") for part in refreshed)
    assert all(len(part) < 80 and "\n" not in part for part in refreshed)
    assert last.startswith("0/12 trials in 0 s")
    assert stream.getvalue().count("\n") == 1


def test_an_exception_leaves_a_clean_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOOK_SECONDS", 0.02)
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()

    def interrupted() -> None:
        with watch(queue(), StoreOfRecords(), stream):  # type: ignore[arg-type]
            time.sleep(0.05)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert stream.getvalue().endswith(ERASE)


def test_a_reader_that_is_gone_stops_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.01)
    with watch(queue(), StoreOfRecords(), Closed()):  # type: ignore[arg-type]
        time.sleep(0.05)


def test_a_look_takes_a_few_milliseconds_at_most() -> None:
    packs, store = queue(), StoreOfRecords()
    packs.take()
    seen = Progress(packs, store)  # type: ignore[arg-type]
    begun = time.perf_counter()
    for _ in range(100):
        seen.look()
    assert (time.perf_counter() - begun) / 100 < 0.003
