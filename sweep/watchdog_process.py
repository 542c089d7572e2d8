"""The watchdog's own program: it ends the process that started it when that has shown no sign of life for too long.

A process that is stopped, or stuck in native code that holds the interpreter, cannot end itself. It is run by its path,
in an interpreter without site-packages, and imports nothing that takes time. Each line that it reads is a sign of life
and says for how many seconds it holds, 0 for ever; the end of its input, that the process which it watches has ended.
"""

from __future__ import annotations

import os
import select
import signal
import sys


def watch(watched: int) -> None:
    """Watches the parent process until it ends."""
    limit = 0.0
    while True:
        ready, _, _ = select.select([0], [], [], limit or None)
        if not ready:
            if os.getppid() == watched:  # else another process may have its number by now
                os.kill(watched, signal.SIGKILL)
            return
        lines = os.read(0, 65536)
        if not lines:
            return
        limit = float(lines.split()[-1])


if __name__ == "__main__":
    watch(int(sys.argv[1]))
