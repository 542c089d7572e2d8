"""A launch as a process: how it is asked to stop, and how it says that it is alive."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

from results.store import ResultStore
from sweep.exit_codes import INTERRUPTED

BEAT_SECONDS = 20.0
LOOK_SECONDS = 2.0  # between looks for a request to stop


@contextlib.contextmanager
def stoppable(stop: Callable[[], None]) -> Iterator[None]:
    """SIGINT and SIGTERM call `stop`, once; a second one ends the process at once.

    Enter it after Ray has started, which installs handlers of its own. In another thread than the main one, where
    Python delivers no signals, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = threading.Event()

    def handler(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            os._exit(INTERRUPTED)
        asked.set()
        stop()

    previous = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in previous.items():
            signal.signal(number, old)


@contextlib.contextmanager
def beating(store: ResultStore, launch: str, studies: Sequence[str], look: Callable[[], None]) -> Iterator[None]:
    """Says regularly in the store that a launch is alive; every two seconds `look` sees whether it is to stop.

    So a launch can be stopped from wherever its store is seen.
    """
    ended = threading.Event()

    def beat() -> None:
        last = -BEAT_SECONDS
        while True:
            with contextlib.suppress(Exception):  # a missed beat is no reason to stop
                if time.monotonic() - last >= BEAT_SECONDS:
                    store.beat(launch, studies)
                    last = time.monotonic()
                look()
            if ended.wait(LOOK_SECONDS):
                return

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        store.clear_beat(launch)


@contextlib.contextmanager
def bounded(seconds: float, stop: Callable[[], None]) -> Iterator[None]:
    """Calls `stop` after so many seconds, unless the block is left before; never for 0."""
    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    if seconds:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
