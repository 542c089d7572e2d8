"""Waiting: the jobs of a launch that nobody runs yet, in their order; apart from these, those that wait for others."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from results.quantity import Quantity
from sweep.pack import Pack


@dataclass(frozen=True, kw_only=True)
class Job:
    """A pack with what is measured of it, and the ids of the packs that must be settled before it is handed out.

    apart: another pack trains these trials; this one evaluates those that it has trained. tries: how often it, or a
    pack that it is a part of, has been handed out before.
    """

    pack: Pack
    quantities: tuple[Quantity, ...] = ()
    after: frozenset[str] = frozenset()
    apart: bool = False
    tries: int = 0

    @property
    def device(self) -> str:
        return self.pack.decision.device


_Place = tuple[int, int]  # again or for the first time, and a number that rises
_AGAIN, _FIRST = 0, 1


@dataclass
class Waiting:
    """Jobs by device, first come first served, but that what is done again goes first.

    Taking and adding one costs the logarithm of their number, however many wait for others.
    """

    _ready: dict[str, list[tuple[_Place, Job]]] = field(default_factory=dict)
    _blocked: dict[str, list[tuple[_Place, Job]]] = field(default_factory=dict)  # by the pack that must be settled
    _needs: Counter[_Place] = field(default_factory=Counter)
    _devices: Counter[str] = field(default_factory=Counter)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def add(self, jobs: Iterable[Job], is_open: Callable[[str], bool], again: bool = False) -> None:
        """Jobs in their order; is_open: whether a pack is not settled yet."""
        for job in jobs:
            place = (_AGAIN if again else _FIRST, next(self._numbers))
            self._devices[job.device] += 1
            open_packs = [pack for pack in job.after if is_open(pack)]
            self._needs[place] = len(open_packs)
            for pack in open_packs:
                self._blocked.setdefault(pack, []).append((place, job))
            if not open_packs:
                self._push(place, job)

    def settled(self, pack: str) -> None:
        """Nothing waits for this pack any more."""
        for place, job in self._blocked.pop(pack, ()):
            self._needs[place] -= 1
            if not self._needs[place]:
                self._push(place, job)

    def take(self, devices: Iterable[str] | None = None) -> Job | None:
        """The first job that may run on one of these devices (None: on any)."""
        heaps = [heap for device, heap in self._ready.items() if heap and (devices is None or device in devices)]
        if not heaps:
            return None
        place, job = heapq.heappop(min(heaps, key=lambda heap: heap[0][0]))
        del self._needs[place]
        self._devices[job.device] -= 1
        return job

    @property
    def any_ready(self) -> bool:
        return any(self._ready.values())

    @property
    def devices(self) -> set[str]:
        """Those that jobs wait for, ready or not."""
        return {device for device, count in self._devices.items() if count}

    def __len__(self) -> int:
        return sum(self._devices.values())

    def __iter__(self) -> Iterator[Job]:
        """All that wait, ready or not, in their order."""
        held = dict(itertools.chain(*self._ready.values(), *self._blocked.values()))
        return (held[place] for place in sorted(held))

    def _push(self, place: _Place, job: Job) -> None:
        heapq.heappush(self._ready.setdefault(job.device, []), (place, job))
