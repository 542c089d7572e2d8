"""What it costs to keep what workers print: milliseconds a pack, where nothing is printed and where a line is.

    .venv/bin/python tests/benchmarks/logs.py

A pack of 32 trials that does nothing else, on a store in a temporary folder. A row is flushed to the disk (fsync),
which is most of what a line costs; packs that print are few, since Python shows a warning once a process.
"""

from __future__ import annotations

import os
import tempfile
import time

from results.store import ResultStore
from sweep.pack import Decision
from sweep.task import PackTask, Settings
from sweep.worker_log import captured

PACKS = 300


def milliseconds(task: PackTask, text: bytes) -> float:
    """Per pack, after some to warm up."""
    for _ in range(20):
        with captured(task):
            pass
    begun = time.perf_counter()
    for _ in range(PACKS):
        with captured(task):
            os.write(1, text)
    return (time.perf_counter() - begun) / PACKS * 1000


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        ResultStore.open(folder, create=True)
        task = PackTask(
            pack="pack",
            trials=(),
            decision=Decision(shape="shape", device="cpu", width=32, path="fused"),
            quantities=(),
            settings=Settings(store=folder, launch="launch"),
            ids=tuple(f"{number:016x}" for number in range(32)),
        )
        silent, line = milliseconds(task, b""), milliseconds(task, b"a line\n")
    print(f"log of a pack: {silent:.2f} ms where nothing is printed, {line:.2f} ms where a line is")


if __name__ == "__main__":
    main()
