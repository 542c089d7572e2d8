"""Feed: between the queue of a launch and an executor that calls back from a thread of its own."""

from __future__ import annotations

import contextlib
import queue as queues
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sweep.blame import Death
from sweep.pack_queue import PackQueue
from sweep.places import Place, named_places
from sweep.task import PackRecord, PackTask

PENDING_SECONDS = 10.0  # a worker that is there begins a pack sooner


class Feed:
    """The driver's side of a run: packs go out to Tune, records and deaths come back from it, in Tune's thread.

    look: says where packs may run now, for a cluster grows and shrinks; most: how many at once. clock: for tests.
    """

    def __init__(
        self,
        queue: PackQueue,
        look: Callable[[], Sequence[Place]],
        most: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.queue = queue
        self.look = look
        self.most = most
        self._clock = clock
        self._pending: dict[str, tuple[PackTask, float]] = {}  # handed out and not begun yet, since when
        self._withdrawn: set[str] = set()
        self.records: queues.SimpleQueue[PackRecord | None] = queues.SimpleQueue()
        self.error: BaseException | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles what it is given, for a restoration that never happens."""
        return {}

    def next(self) -> PackTask | None:
        task = self.queue.take(self.look(), self.most)
        if task is not None:
            self._pending[task.pack] = (task, self._clock())
        return task

    def began(self, pack: str) -> None:
        """A worker has the pack."""
        self._pending.pop(pack, None)

    def stranded(self) -> list[str]:
        """The packs that no worker will begin: their only place is gone, or the launch stops and no worker comes.

        They wait in the queue again, and whoever asked for them here is to forget them.
        """
        names = {place.name for place in self.look()}
        long_ago = self._clock() - PENDING_SECONDS
        found = [
            pack
            for pack, (task, since) in self._pending.items()
            if since < long_ago and (self.queue.stopping or not names.issuperset(named_places(task.requires)))
        ]
        for pack in found:
            del self._pending[pack]
            self._withdrawn.add(pack)
            self.queue.returned(pack)
        return found

    def completed(self, pack: str, result: Mapping[str, Any]) -> None:
        if pack in self._withdrawn:
            self._withdrawn.remove(pack)
            return
        if "record" not in result:
            self.died(pack, Death(why="its worker reported nothing"))
            return
        record = PackRecord.from_json(result["record"])
        self.queue.done(record)
        self.records.put(record)

    def died(self, pack: str, death: Death) -> None:
        self.began(pack)
        self.queue.died(pack, death)

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """An error of ours ends the run instead of being taken, by Tune, for one of a trial."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised again where the records are read
            self.error = self.error or error
            self.queue.stop()
