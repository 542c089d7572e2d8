"""Ledger: when the packs of a launch were handed out and came back, and which were lost: what progress reckons with."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from sweep.pack import Pack
from sweep.task import PackRecord


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A pack that has left its worker. seconds: that it had the worker. whole: it was done to its end."""

    pack: Pack
    seconds: float
    whole: bool


@dataclass
class Ledger:
    """Kept by the queue, under its lock. entries only ever grows, so that a reader may go on where it was.

    begun: how often a pack has been at a worker that did not do it to its end. A pack whose worker died has its time
    from when it was handed out: only its worker knew when it began.
    """

    clock: Callable[[], float] = time.monotonic
    entries: list[Entry] = field(default_factory=list)
    begun: Counter[str] = field(default_factory=Counter)
    _taken: dict[str, float] = field(default_factory=dict)

    def took(self, pack: Pack) -> None:
        self._taken[pack.id] = self.clock()

    def withdrawn(self, pack: Pack) -> None:
        """No worker had begun it."""
        self._taken.pop(pack.id, None)

    def returned(self, pack: Pack, record: PackRecord) -> None:
        self._taken.pop(pack.id, None)
        whole = not (record.stopped or record.fault or record.traceback)
        self.begun[pack.id] += not whole
        self.entries.append(Entry(pack=pack, seconds=record.seconds, whole=whole))

    def died(self, pack: Pack) -> None:
        self.begun[pack.id] += 1
        now = self.clock()
        self.entries.append(Entry(pack=pack, seconds=now - self._taken.pop(pack.id, now), whole=False))
