"""What is drawn of a launch, and how it gets to a terminal, whose screen a small emulator keeps."""

from __future__ import annotations

import dataclasses
import io
import os
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from sweep.counts import Counts
from sweep.progress import display
from sweep.progress.display import Canvas, Display, watch
from sweep.progress.drawing import amount, bar, clipped, duration, failures, last_line, line, panel, told
from sweep.progress.looking import Look, Snapshot, progress_of
from sweep.progress.pace import Left
from sweep.task import PackRecord

Make = Callable[..., Any]
COUNTS = Counts(
    trials=12,
    packs=3,
    packs_done=1,
    statuses={"completed": 2, "diverged": 1, "out_of_memory": 1},
    reasons={"diverged: the loss was not finite": 1, "out_of_memory: CUDA out of memory": 1},
)
SEEN = Snapshot(
    seconds=60.0,
    counts=COUNTS,
    work=6.0,
    running=2,
    lost=1,
    hours=0.5,
    steps=1234,
    trials_per_second=0.2,
    steps_per_second=1234.4,
    left=Left(60.0),
)


class Terminal(io.StringIO):
    """A terminal of some size that keeps its screen; lines wrap, and the cursor may be moved up and down."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        super().__init__()
        self.columns, self.rows = columns, rows

    def isatty(self) -> bool:
        return True

    def screen(self) -> list[str]:
        lines, row, column = [""], 0, 0
        for part in re.findall(r"\x1b\[\d*[A-Za-z]|[\r\n]|[^\x1b\r\n]", self.getvalue()):
            if part == "\r":
                column = 0
            elif part == "\n":
                row, column = row + 1, 0
            elif part.startswith("\x1b"):
                number, code = int(part[2:-1] or 1), part[-1]
                assert code in "AJK", part
                if code == "A":
                    row = max(0, row - number)
                else:
                    lines[row] = lines[row][:column]
                    lines[row + 1 :] = lines[row + 1 :] if code == "K" else []
            else:
                row, column = (row + 1, 0) if column == self.columns else (row, column)
                lines += [""] * (row + 1 - len(lines))
                lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + 1 :]
                column += 1
            lines += [""] * (row + 1 - len(lines))
        return [text.rstrip() for text in lines]


class Closed(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(display, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(Canvas, "size", lambda canvas: (canvas.stream.columns, canvas.stream.rows))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.6, "1 min 0 s"),
        (125, "2 min 5 s"),
        (3599.7, "1 h 0 min"),
        (12_345, "3 h 26 min"),
        (200_000, "2 d 8 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_amounts_and_bars() -> None:
    assert [amount(one) for one in (0.044, 3.21, 47.3, 12345.0)] == ["0.044", "3.2", "47", "12,345"]
    assert [bar(one, 4) for one in (-1.0, 0.0, 0.5, 1.0, 2.0)] == ["░░░░", "░░░░", "██░░", "████", "████"]


@pytest.mark.parametrize(
    ("record", "part", "steps"),
    [
        ({}, 0.0, 0),
        ({"phase": "train", "step": 0, "steps": 1000}, 0.0, 0),
        ({"phase": "train", "step": 500, "steps": 1000}, 0.4, 2000),
        ({"phase": "evaluate", "done": 0, "trials": 4}, 0.8, 4000),
        ({"phase": "evaluate", "done": 3, "trials": 4}, 0.95, 4000),
    ],
)
def test_a_running_pack_counts_by_the_part_that_is_done(pack: Make, record: Any, part: float, steps: int) -> None:
    assert progress_of(pack(1), record, 0.8) == (pytest.approx(part), steps)


def test_the_line_and_the_panel_tell_all(monkeypatch: pytest.MonkeyPatch) -> None:
    assert line(SEEN) == (
        "4/12 trials, 1/3 packs (2 running), about 1 min 0 s left, 0.2 trials/s, 1,234 trial-steps/s, "
        "0.5 CPU-hours, 1 worker lost, 1 diverged, 1 failed (out of memory)"
    )
    assert panel(SEEN, 30) == [
        "trials    4 of 12  ████████████░░░░░░░░░░░░ 50 %",
        "packs     1 done, 2 running, 0 waiting",
        "workers   2 at work, 1 lost, 0.5 CPU-hours so far",
        "pace      0.2 trials/s, 1,234 trial-steps/s",
        "time      1 min 0 s so far, about 1 min 0 s left",
        "diverged  1",
        "failed    1",
        "  1 × out of memory: CUDA out of memory",
    ]
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    later = dataclasses.replace(SEEN, left=Left(3600.0, at_least=True), on_gpus=True)
    assert "time      1 min 0 s so far, at least 1 h 0 min left, until 01:00" in panel(later, 30, 0.0)
    assert "workers   2 at work, 1 lost, 0.5 GPU-hours so far" in panel(later, 30)
    assert len(panel(SEEN, 3)) == 3


def test_what_is_not_known_is_not_told() -> None:
    unknown = dataclasses.replace(SEEN, left=None, trials_per_second=None, steps_per_second=None, hours=0.0, lost=0)
    assert line(unknown) == "4/12 trials, 1/3 packs (2 running), 1 diverged, 1 failed (out of memory)"
    starting = Snapshot(seconds=5.0, idle=5.0, counts=Counts(trials=12, packs=3))
    assert line(starting) == "0/12 trials, 0/3 packs, starting"
    assert "stopping, what runs saves a checkpoint" in line(dataclasses.replace(SEEN, stopping=True))
    assert last_line(SEEN).startswith("4/12 trials in 1 min 0 s, 21 trial-steps/s, 0.5 CPU-hours, 1 worker lost, ")
    assert told({"evaluated": 3, "completed": 1}) == []


def test_failures_are_told_by_reason_the_most_frequent_first() -> None:
    reasons = {f"error: reason {i}": i for i in range(1, 8)}
    seen = dataclasses.replace(SEEN, counts=Counts(trials=40, packs=3, statuses={"error": 28}, reasons=reasons))
    assert list(failures(seen).values()) == [7, 6, 5, 4, 3, 2, 1]
    assert panel(seen, 30)[-6:] == [
        "failed    28",
        *(f"  {i} × error: reason {i}" for i in (7, 6, 5, 4)),
        "  and for 3 other reasons",
    ]


def test_nothing_that_a_terminal_obeys_comes_through_and_no_line_is_too_long() -> None:
    assert clipped("a\x1b[2Jb\n", 80) == "a?[2Jb?"
    assert [clipped("abcdef", columns) for columns in (6, 5, 1, 0)] == ["abcdef", "abcd…", "…", ""]
    assert clipped("日本語", 6) == "日本語"
    assert clipped("日本語", 5) == "日本…"


@pytest.mark.parametrize(("spend", "rare"), [(lambda: time.sleep(0.3), False), (lambda: busy(0.3), True)])
def test_looks_are_rare_where_they_take_a_core_and_not_where_they_wait(spend: Callable[[], None], rare: bool) -> None:
    """Waiting for a bucket takes nothing from work; a pause a hundred times as long would look like a standstill."""
    pauses: list[float] = []

    class Looking(Look):
        def __init__(self) -> None:
            """Sees nothing of its own."""

        def look(self) -> Snapshot:
            spend()
            return SEEN

    class Ended(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0.0)
            return len(pauses) > 1

    shown = Display(Looking(), Terminal())
    shown.ended = Ended()
    shown.run()
    first, second = pauses
    assert first == 0.01
    assert (second >= 30) is rare


def busy(seconds: float) -> None:
    """Keeps a core busy."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_frames_replace_each_other_in_place(queue: Make, pack: Make, marks: Make) -> None:
    stream, packs = Terminal(), queue([pack(i) for i in range(3)])
    shown = Display(Look(packs, marks()), stream)
    stream.write("above\n")
    for lines in (panel(SEEN, 23), panel(SEEN, 23)[:4], panel(SEEN, 23)):
        shown.canvas.draw(lines)
        assert stream.screen() == ["above", *lines, ""]
    stream.columns = 30  # the user makes the window narrow: what stood there is wrapped by the terminal
    shown.canvas.draw(["short"])
    assert stream.screen()[-2:] == ["short", ""]
    shown.canvas.clear()
    assert stream.screen()[0] == "above"


@pytest.mark.parametrize(("columns", "rows", "lines"), [(80, 24, 4), (59, 24, 1), (80, 11, 1), (200, 12, 4)])
def test_the_size_of_the_terminal_is_respected(
    queue: Make, pack: Make, marks: Make, columns: int, rows: int, lines: int
) -> None:
    stream, packs = Terminal(columns, rows), queue([pack(i) for i in range(3)])
    with watch(packs, marks(), stream):
        time.sleep(0.1)
        screen = [text for text in stream.screen() if text]
    assert len(screen) == lines
    assert all(len(text) < columns for text in screen)
    assert stream.screen() == ["0/12 trials in 0 s", ""]


def test_the_cursor_and_the_colours_of_the_terminal_are_left_alone(queue: Make, pack: Make, marks: Make) -> None:
    """However the process ends there is nothing to restore: only upwards, erase below, erase to the end of the line."""
    stream = Terminal()

    def interrupted() -> None:
        with watch(queue([pack(1)]), marks(), stream):
            time.sleep(0.05)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert set(re.findall(r"\x1b\[?[\d?;]*(.)", stream.getvalue())) == {"A", "J", "K"}
    assert stream.screen() == [""]


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_plain_lines_elsewhere_than_on_a_terminal(
    queue: Make, pack: Make, marks: Make, monkeypatch: pytest.MonkeyPatch, term: str
) -> None:
    monkeypatch.setattr(display, "PLAIN_SECONDS", 0.03)
    monkeypatch.setenv("TERM", term)
    stream: io.StringIO = Terminal() if term == "dumb" else io.StringIO()
    packs, begun = queue([pack(i) for i in range(3)]), time.monotonic()
    with watch(packs, marks(), stream):
        packs.take()
        while stream.getvalue().count("\n") < 3:
            time.sleep(0.01)
        packs.done(PackRecord(pack=pack(0).id, counts={"completed": 4}, trial_steps=400))
    lines = stream.getvalue().splitlines()
    assert len(lines) <= (time.monotonic() - begun) / 0.03 + 2  # the first, and the last
    assert lines[0].startswith("0/12 trials, 0/3 packs")
    assert lines[-1].startswith("4/12 trials in ")
    assert not set(stream.getvalue()) & {"\x1b", "\r"}


def test_a_failure_is_told_at_once_and_each_reason_once(queue: Make, pack: Make, marks: Make) -> None:
    stream, packs = io.StringIO(), queue([pack(i) for i in range(4)])
    with watch(packs, marks(), stream):
        for number, reason in enumerate(("RuntimeError: no", "RuntimeError: no", "ValueError: odd")):
            packs.take()
            counts, reasons = {"completed": 3, "error": 1}, {f"error: {reason}": 1}
            packs.done(PackRecord(pack=pack(number).id, counts=counts, reasons=reasons))
            time.sleep(0.05)
    lines = stream.getvalue().splitlines()
    assert [text for text in lines if text.startswith("failed")] == [
        "failed: error: RuntimeError: no",
        "failed: error: ValueError: odd",
    ]
    assert lines[1].startswith("4/16 trials")  # what that means for the whole, before ten seconds have passed
    assert lines[-1].endswith("3 failed (error)")


def test_a_reader_that_is_gone_stops_no_work(queue: Make, pack: Make, marks: Make) -> None:
    with watch(queue([pack(1)]), marks(), Closed()):
        time.sleep(0.05)


def test_a_stream_without_the_characters_gets_others() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    Canvas(stream).write(bar(0.5, 4))
    assert raw.getvalue() == b"????"


def test_it_knows_the_size_of_a_real_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    leader, follower = os.openpty()
    with os.fdopen(follower, "w") as stream:
        os.set_blocking(leader, False)
        assert Canvas(stream).size() == (80, 24)  # a new one says 0 × 0
        os.system(f"stty -F {os.ttyname(follower)} cols 132 rows 43")
        assert Canvas(stream).size() == (132, 43)
    os.close(leader)
