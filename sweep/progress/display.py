"""The display of a launch: a panel redrawn in place on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Sequence
from typing import TextIO

from results.files import StoreError
from results.store import ResultStore
from sweep.pack_queue import PackQueue
from sweep.progress.drawing import cells, clipped, failures, last_line, line, panel, worded
from sweep.progress.looking import Look, Snapshot

LOOK_SECONDS = 0.5
PLAIN_SECONDS = 10.0  # between lines where there is no terminal
LARGEST_SHARE = 0.01  # of a core may go into looking and drawing
PANEL_COLUMNS, PANEL_ROWS = 60, 12  # a terminal that is smaller gets one line
UNKNOWN_SIZE = (80, 24)


class Canvas:
    """Lines at the bottom of a terminal that are drawn over again, each time by a single write.

    The cursor stays visible and stands below the lines, so that nothing has to be put right however the process ends.
    A stream that is gone is no reason to stop work.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.encoding = getattr(stream, "encoding", None) or "utf-8"
        self._drawn: list[str] = []

    def size(self) -> tuple[int, int]:
        """(columns, rows)."""
        try:
            found = os.get_terminal_size(self.stream.fileno())
        except (OSError, ValueError):
            return UNKNOWN_SIZE
        return found.columns or UNKNOWN_SIZE[0], found.lines or UNKNOWN_SIZE[1]  # 0: a terminal that does not say

    def draw(self, lines: Sequence[str]) -> None:
        """Replaces what was drawn before."""
        columns, _ = self.size()
        shown = [clipped(line, columns - 1) for line in lines]
        body = "".join(f"{text}\x1b[K\n" for text in shown)
        self.write(f"{self._back(columns)}{body}\x1b[J")
        self._drawn = shown

    def clear(self) -> None:
        """Takes away what was drawn."""
        if self._drawn:
            self.write(f"{self._back(self.size()[0])}\x1b[J")
            self._drawn = []

    def _back(self, columns: int) -> str:
        """To the first column of the first line, also where the terminal has become narrower and wraps them."""
        rows = sum(max(1, -(-sum(map(cells, text)) // columns)) for text in self._drawn)
        return f"\r\x1b[{rows}A" if rows else "\r"

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # a closed pipe, a closed file
            self.stream.write(text.encode(self.encoding, "replace").decode(self.encoding))
            self.stream.flush()


class Display(threading.Thread):
    """Shows what a Look sees, until told to end."""

    def __init__(self, look: Look, stream: TextIO) -> None:
        super().__init__(daemon=True)
        self.look = look
        self.canvas = Canvas(stream)
        self.terminal = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.ended = threading.Event()
        self._shown = 0.0
        self._reasons: set[str] = set()

    def run(self) -> None:
        pause = LOOK_SECONDS
        while not self.ended.wait(pause):
            begun = time.thread_time()  # what is taken from work: to wait for a bucket's answers is free
            with contextlib.suppress(StoreError):
                self.show(self.look.look())
            pause = max(LOOK_SECONDS, (time.thread_time() - begun) / LARGEST_SHARE)

    def show(self, snapshot: Snapshot) -> None:
        if not self.terminal:
            self._plain(snapshot)
            return
        columns, rows = self.canvas.size()
        large = columns >= PANEL_COLUMNS and rows >= PANEL_ROWS
        self.canvas.draw(panel(snapshot, rows - 1) if large else [line(snapshot)])

    def _plain(self, snapshot: Snapshot) -> None:
        """A line now and then, and at once when something fails for a reason that was not told yet."""
        told = self.tell_reasons(snapshot)
        if told or snapshot.seconds - self._shown >= PLAIN_SECONDS:
            self._shown = snapshot.seconds
            self.canvas.write(f"{line(snapshot)}\n")

    def tell_reasons(self, snapshot: Snapshot) -> bool:
        """A line for each reason of a failure that was not told yet; whether there was one."""
        new = [why for why in failures(snapshot) if why not in self._reasons]
        self._reasons.update(new)
        for why in new:
            self.canvas.write(f"failed: {clipped(worded(why), 2 * len(why))}\n")
        return bool(new)


@contextlib.contextmanager
def watch(queue: PackQueue, store: ResultStore, stream: TextIO) -> Iterator[None]:
    """Shows on `stream` how far the packs of `queue` are, until the block is left; then a last line stays."""
    look = Look(queue, store, frozenset(store.checkpoints()))
    display = Display(look, stream)
    display.start()
    ended = False
    try:
        yield
        ended = True
    finally:
        display.ended.set()
        display.join()
        display.canvas.clear()
        if ended:
            with contextlib.suppress(StoreError):
                last = look.look()
                if not display.terminal:
                    display.tell_reasons(last)
                display.canvas.write(f"{last_line(last)}\n")
