"""What a worker prints while it runs a pack, kept in the store: stdout, stderr, warnings, native code's last words.

While a pack runs, the file descriptors 1 and 2 lead into a log, so that what native code writes and faulthandler's dump
of a segmentation fault are kept too. In a folder the log is a file of the store, which outlives the process that wrote
it; object storage has no files to append to, so there its tail is uploaded every few seconds. When the pack is done,
what was printed becomes a row of the table `logs`, and nothing stays where nothing was printed.

Only workers of Ray are captured. The local executor runs packs in the process of the launch, whose output the user
sees as it is.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from results.commit import new_identity, now
from results.files import LocalFiles, StoreError
from results.store import ResultStore
from sweep.task import PackRecord, PackTask

FOLDER = "livelogs"
KEPT_BYTES = 64 * 1024
LONGEST_BYTES = 4 * KEPT_BYTES  # a live file is cut back to its end when it is longer
PARTIAL_BYTES = 256  # of a line whose beginning was cut off, at most, are left out with it
TEND_SECONDS = 1.0
UPLOAD_SECONDS = 5.0
CUT = "[earlier output was left out]\n"


class WorkerLog:
    """The log of one run of a pack: a descriptor to print into, and the live file of the store.

    outcome: how the pack ended, in words; to be set before the log is closed.
    """

    def __init__(self, store: ResultStore, task: PackTask) -> None:
        self.store = store
        self.outcome = ""
        self.started = now()
        identity = new_identity()
        self.name = f"{FOLDER}/{task.pack}-{identity}.log"
        self.row: dict[str, object] = {
            "log": identity,
            "pack": task.pack,
            "launch": task.settings.launch,
            "host": socket.gethostname(),
            "process": os.getpid(),
            "trials": list(task.ids),
        }
        self.header = (json.dumps(self.row | {"started": self.started.isoformat()}) + "\n").encode()
        files: object = store.files
        self.local = isinstance(files, LocalFiles)
        self.descriptor = _file_at(files.root / self.name) if isinstance(files, LocalFiles) else _unnamed_file()
        os.write(self.descriptor, self.header)
        self._uploaded, self._next_upload = len(self.header), 0.0

    def text(self) -> str:
        """The end of what was printed."""
        begin, size = len(self.header), os.fstat(self.descriptor).st_size
        start = max(begin, size - KEPT_BYTES)
        printed = os.pread(self.descriptor, size - start, start)
        if start == begin:
            return printed.decode(errors="replace")
        # The rest of a line goes too, but where it is long: progress that is drawn in place is a single endless line.
        return CUT + printed[printed.find(b"\n", 0, PARTIAL_BYTES) + 1 :].decode(errors="replace")

    def tend(self) -> None:
        """Cuts a long file back to its end, and uploads what is new where the store has no files to append to."""
        size = os.fstat(self.descriptor).st_size
        if size > LONGEST_BYTES:
            end = self.text().encode()
            os.ftruncate(self.descriptor, len(self.header))
            os.write(self.descriptor, end)
            size, self._uploaded = len(self.header) + len(end), 0
        if not self.local and size != self._uploaded and time.monotonic() >= self._next_upload:
            self._uploaded, self._next_upload = size, time.monotonic() + UPLOAD_SECONDS
            self.store.files.write(self.name, self.header + self.text().encode(), durable=False)

    def close(self) -> None:
        """Stores what was printed, if anything was, as a row, and removes the live file."""
        text = self.text()
        os.close(self.descriptor)
        if text.strip():
            self.store.append("logs", [log_row(self.row, self.started, now(), self.outcome, text)])
        if self.local or self._next_upload:
            self.store.files.delete(self.name)


def log_row(
    told: dict[str, object], started: datetime.datetime, ended: datetime.datetime, outcome: str, text: str
) -> dict[str, object]:
    """A row of the table `logs`."""
    return told | {"started": started, "ended": ended, "outcome": outcome, "text": text}


def _file_at(path: Path) -> int:
    """A new file of the store, where whatever is written to it stands at once, whoever else looks at it."""
    path.parent.mkdir(exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)


def _unnamed_file() -> int:
    """A file for this process alone, gone when it ends."""
    with tempfile.TemporaryFile() as file:
        descriptor = os.dup(file.fileno())
    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_APPEND)
    return descriptor


@contextlib.contextmanager
def captured(task: PackTask) -> Iterator[WorkerLog | None]:
    """Leads all that this process prints in the block into a log of the task's store.

    None, and nothing is captured, where no log can be made: what is wrong with the store then stops the pack itself,
    and is told by its record.
    """
    log = None
    with contextlib.suppress(StoreError, OSError):
        log = WorkerLog(ResultStore.open(task.settings.store), task)
    if log is None:
        yield None
        return
    ended = threading.Event()
    tending = threading.Thread(target=_tend, args=(log, ended), daemon=True)
    with _printing_into(log.descriptor):
        tending.start()
        try:
            yield log
        finally:
            ended.set()
            tending.join()
    with contextlib.suppress(StoreError, OSError):  # trials are not to fail for their log; the driver finds what stays
        log.close()


@contextlib.contextmanager
def _printing_into(descriptor: int) -> Iterator[None]:
    """Points the descriptors 1 and 2 to another file."""
    kept = {number: os.dup(number) for number in (1, 2)}
    try:
        _flush()
        for number in kept:
            os.dup2(descriptor, number)
        yield
    finally:
        _flush()
        for number, original in kept.items():
            os.dup2(original, number)
            os.close(original)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or none at all
            stream.flush()


def _tend(log: WorkerLog, ended: threading.Event) -> None:
    while not ended.wait(TEND_SECONDS):
        with contextlib.suppress(StoreError, OSError):
            log.tend()


def outcome_of(record: PackRecord) -> str:
    """How a pack ended, in words."""
    if record.fault or record.traceback:
        return f"stopped: {record.fault or 'a bug of ours'}"
    told = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in record.counts.items())
    return ", ".join(part for part in (told, "stopped" if record.stopped else "") if part)
