"""Feed: between the queue of a launch and an executor that calls back from a thread of its own."""

from __future__ import annotations

import contextlib
import json
import queue as queues
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from sweep.executor import ExecutorError
from sweep.pack_queue import PackQueue
from sweep.task import PackRecord, PackTask

RUNNING_PER_STAGED = 4  # one pack waits, its worker ready, for so many that run


def places(devices: Collection[str], *, cpus: int, gpus: int) -> dict[str, int]:
    """How many packs Tune may have of each kind of device: those that run, and some that wait with their worker.

    Beside packs on GPUs, which take a CPU each, those that take CPUs alone get the rest, and none waits: it would wait
    for the CPU that the next pack on a GPU needs.
    """
    if "cuda" not in devices:
        return {"cpu": _staged(cpus)}
    if gpus == 0:
        raise ExecutorError("Ray has no GPU to offer; launch with --device cpu")
    return {"cuda": _staged(gpus), "cpu": max(1, cpus - gpus)}


def _staged(slots: int) -> int:
    return slots + max(1, slots // RUNNING_PER_STAGED)


class Feed:
    """The driver's side of a run: packs go out to Tune, records and deaths come back from it, in Tune's thread."""

    def __init__(self, queue: PackQueue, first: PackTask) -> None:
        self.queue = queue
        self.records: queues.SimpleQueue[PackRecord | None] = queues.SimpleQueue()
        self.error: BaseException | None = None
        self.places: Mapping[str, int] | None = None  # how many packs Tune may have of each kind of device
        self._first: PackTask | None = first

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles what it is given, for a restoration that never happens."""
        return {}

    def next(self) -> PackTask | None:
        task, self._first = self._first or self.queue.take(self.places), None
        return task

    def completed(self, pack: str, result: Mapping[str, Any]) -> None:
        if "record" not in result:
            self.died(pack, "its worker reported nothing")
            return
        record = PackRecord(**json.loads(result["record"]))
        self.queue.done(record)
        self.records.put(record)

    def died(self, pack: str, why: str) -> None:
        self.queue.died(pack, why)

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """An error of ours ends the run instead of being taken, by Tune, for one of a trial."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised again where the records are read
            self.error = self.error or error
            self.queue.stop()
