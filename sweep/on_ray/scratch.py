"""Scratch: the folder of an embedded Ray, with its sockets and logs, and what a killed launch left of one.

A launch that is killed cannot clean up. So a scratch folder is locked for as long as its launch lives, and lists the
processes that belong to it: the next launch on the machine removes the folders that nobody holds, and ends what still
runs of them.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psutil

PREFIX = "ratesweep-"
LONGEST = 40  # a socket's path has at most 107 characters, and Ray's own part takes 63 of them
LOCK = "lock"
PROCESSES = "processes.json"


class Scratch:
    """A new folder, held until `remove`."""

    def __init__(self) -> None:
        folder = Path(tempfile.gettempdir())
        if len(str(folder / PREFIX)) + 8 > LONGEST and Path("/tmp").is_dir():
            folder = Path("/tmp")
        remove_abandoned(folder)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder))
        # Locked before it bears the name by which others know it.
        self._lock = open(self.path / "new-lock", "w")  # noqa: SIM115 - held for the life of the folder
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        (self.path / "new-lock").rename(self.path / LOCK)

    def owns(self, processes: list[psutil.Process]) -> None:
        """Notes processes that belong to this folder, to be ended if we cannot."""
        noted = []
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                noted.append((process.pid, process.create_time()))
        (self.path / PROCESSES).write_text(json.dumps(noted))

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def remove_abandoned(folder: Path) -> None:
    """Removes the scratch folders whose launches are gone, and ends the processes that are left of them."""
    for path in folder.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError), _abandoned(path):
            _end_processes(path)
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _abandoned(path: Path) -> Iterator[IO[str]]:
    """Holds a folder of ours that nobody else holds; raises OSError for any other."""
    if path.is_symlink() or path.stat().st_uid != os.getuid():
        raise PermissionError(f"{path} is not ours")
    with open(path / LOCK, "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield lock


def _end_processes(path: Path) -> None:
    try:
        noted = json.loads((path / PROCESSES).read_text())
    except (FileNotFoundError, ValueError):
        return
    for pid, created in noted:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            if process.create_time() == created:
                process.kill()
