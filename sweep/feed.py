"""Feed: between the queue of a launch and an executor that calls back from a thread of its own."""

from __future__ import annotations

import contextlib
import json
import queue as queues
from collections.abc import Iterator, Mapping
from typing import Any

from sweep.pack_queue import PackQueue
from sweep.task import PackRecord, PackTask


class Feed:
    """The driver's side of a run: packs go out to Tune, records and deaths come back from it, in Tune's thread."""

    def __init__(self, queue: PackQueue, first: PackTask) -> None:
        self.queue = queue
        self.records: queues.SimpleQueue[PackRecord | None] = queues.SimpleQueue()
        self.error: BaseException | None = None
        self._first: PackTask | None = first

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles what it is given, for a restoration that never happens."""
        return {}

    def next(self) -> PackTask | None:
        task, self._first = self._first or self.queue.take(), None
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
