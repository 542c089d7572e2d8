"""Feed: between the queue of a launch and an executor that calls back from a thread of its own."""

from __future__ import annotations

import contextlib
import queue as queues
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sweep.blame import Death
from sweep.pack_queue import PackQueue
from sweep.places import Place
from sweep.task import PackRecord, PackTask


class Feed:
    """The driver's side of a run: packs go out to Tune, records and deaths come back from it, in Tune's thread.

    look: says where packs may run now, for a cluster grows and shrinks; most: how many at once.
    """

    def __init__(self, queue: PackQueue, look: Callable[[], Sequence[Place]], most: int | None = None) -> None:
        self.queue = queue
        self.look = look
        self.most = most
        self.records: queues.SimpleQueue[PackRecord | None] = queues.SimpleQueue()
        self.error: BaseException | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles what it is given, for a restoration that never happens."""
        return {}

    def next(self) -> PackTask | None:
        return self.queue.take(self.look(), self.most)

    def completed(self, pack: str, result: Mapping[str, Any]) -> None:
        if "record" not in result:
            self.died(pack, Death(why="its worker reported nothing"))
            return
        record = PackRecord.from_json(result["record"])
        self.queue.done(record)
        self.records.put(record)

    def died(self, pack: str, death: Death) -> None:
        self.queue.died(pack, death)

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """An error of ours ends the run instead of being taken, by Tune, for one of a trial."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised again where the records are read
            self.error = self.error or error
            self.queue.stop()
