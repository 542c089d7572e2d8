"""Watchdog: ends this process when it has shown no sign of life for too long, whatever it hangs in.

Whoever waits for the process sees it die, and the driver tells from the last sign of life that it had hung.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).with_name("watchdog_process.py")


class Watchdog:
    """A small process beside this one, which it ends. It goes when this one does, or at `close`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(PROGRAM), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a signal for the terminal's processes is none for it
        )

    def alive(self, seconds: float) -> None:
        """A sign of life that holds for so many seconds, 0 for ever."""
        pipe = self._process.stdin
        if pipe is not None:
            with contextlib.suppress(OSError):  # a watchdog that has died is no reason to stop
                os.write(pipe.fileno(), f"{seconds}\n".encode())

    def close(self) -> None:
        """Ends the watchdog."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._process.wait()


_ours: tuple[int, Watchdog] | None = None


def watchdog() -> Watchdog:
    """The watchdog of this process, the same for all packs that it runs."""
    global _ours  # noqa: PLW0603 - one a process
    if _ours is None or _ours[0] != os.getpid() or _ours[1]._process.poll() is not None:
        _ours = os.getpid(), Watchdog()
    return _ours[1]
