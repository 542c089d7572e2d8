"""Pace: what a pack costs, learned from packs that have come back and from those that run, and how long the rest takes.

A cost is in seconds of a worker for a unit of work: a step of a trial that is trained (and evaluated with it), or a
trial that is evaluated by itself. It is known for a kind of pack: packs for one task under one decision (shape, device,
width, path).
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from sweep.pack import Decision, Pack, Task
from sweep.waiting import Job

TRAINING_SHARE = 0.8  # of a pack's time, until one of its kind has been seen to evaluate
RECENT = 32  # packs of a kind from which its cost is known
ENOUGH_SECONDS = 3.0  # of work, before anything is said: workers tell of their steps once a second
TELLING_PART = 0.05  # of a running pack, from which on its own pace is one, or
TELLING_SECONDS = 60.0

Kind = tuple[Task, Decision]


def kind_of(pack: Pack) -> Kind:
    return pack.task, pack.decision


def units_of(pack: Pack) -> float:
    """How much work a pack is, in units of its kind."""
    return float(len(pack.trials) if pack.task == "evaluate" else sum(one.training.steps for one in pack.trials))


@dataclass(frozen=True, kw_only=True)
class Running:
    """A pack at a worker that has been heard of.

    seconds: since then. part: what is done of it. made: what of that was done in the last `making` seconds, since it
    was under way: neither from a checkpoint nor while it was set up. silent: seconds since more was heard of.
    """

    pack: Pack
    seconds: float
    part: float
    made: float
    making: float
    silent: float = 0.0

    @property
    def tells(self) -> bool:
        """Whether enough of it was seen to say what the rest takes."""
        return self.making >= ENOUGH_SECONDS and (self.made >= TELLING_PART or self.making >= TELLING_SECONDS)

    @property
    def own_seconds_left(self) -> float:
        """At its own pace, which goes on while nothing is heard."""
        return max(0.0, self.making * (1 - self.part) / self.made - self.silent)


@dataclass(frozen=True)
class Left:
    """Seconds until all is done. at_least: of some of the work nothing is known yet, and it is not counted."""

    seconds: float
    at_least: bool = False


@dataclass
class Pace:
    """What has been seen of each kind of pack: (seconds, units) of those that came back, and their training's share."""

    _finished: dict[Kind, deque[tuple[float, float]]] = field(default_factory=dict)
    _shares: dict[Kind, float] = field(default_factory=dict)

    def finished(self, pack: Pack, seconds: float, skipped: float = 0.0) -> None:
        """A pack was done in so many seconds of a worker, but for the part that a checkpoint had."""
        recent = self._finished.setdefault(kind_of(pack), deque(maxlen=RECENT))
        recent.append((seconds, units_of(pack) * (1 - skipped)))

    def trained(self, pack: Pack, share: float) -> None:
        """Training was seen to take this share of the time of a pack."""
        self._shares[kind_of(pack)] = share

    def knows_share(self, pack: Pack) -> bool:
        return kind_of(pack) in self._shares

    def share(self, pack: Pack) -> float:
        """The part of a pack that is done when it is trained."""
        return self._shares.get(kind_of(pack), TRAINING_SHARE)

    def costs(self, running: Sequence[Running]) -> dict[Kind, float]:
        """Seconds of a worker for a unit of each kind; running packs count, or slow ones would be seen last."""
        seen: dict[Kind, list[tuple[float, float]]] = {kind: list(pairs) for kind, pairs in self._finished.items()}
        for one in running:
            if one.tells and one.made > 0:
                seen.setdefault(kind_of(one.pack), []).append(
                    (one.making + overdue(one), one.made * units_of(one.pack))
                )
        totals = {kind: (sum(a for a, _ in pairs), sum(b for _, b in pairs)) for kind, pairs in seen.items()}
        return {kind: seconds / units for kind, (seconds, units) in totals.items() if units > 0}


def overdue(one: Running) -> float:
    """Seconds that a pack has been silent beyond its end at its own pace: it is slower than it seemed."""
    return max(0.0, one.silent - one.making * (1 - one.part) / one.made)


def expected_seconds(pack: Pack, costs: Mapping[Kind, float]) -> float | None:
    """Of a worker for a pack; as others of its task and device, where its kind is not known; None: not known at all."""
    cost = costs.get(kind_of(pack))
    if cost is None:
        task, decision = kind_of(pack)
        like = [one for kind, one in costs.items() if kind[0] == task and kind[1].device == decision.device]
        if not like:
            return None
        cost = sum(like) / len(like)
    return cost * units_of(pack)


def time_left(
    running: Sequence[Running],
    waiting: Sequence[Job],
    costs: Mapping[Kind, float],
    workers: Mapping[str, int],
    busy: Mapping[str, float] = MappingProxyType({}),
) -> Left | None:
    """When the last pack ends if each free worker takes the next that waits, as the queue hands them out.

    workers: how many work at once on each kind of device. busy: the part of their time for which they have a pack, all
    of it by default. None where nothing is known.
    """
    free: dict[str, list[float]] = {device: [] for device in workers}
    ends: dict[str, float] = {}
    at_least = False
    for one in running:
        known = expected_seconds(one.pack, costs)
        expected = None if known is None else max(0.0, known * (1 - one.part) - one.silent)
        left = one.own_seconds_left if one.tells and one.made > 0 else expected
        at_least |= left is None
        ends[one.pack.id] = left or 0.0
        free.setdefault(one.pack.decision.device, []).append(left or 0.0)
    for device, places in free.items():
        places += [0.0] * max(0, workers.get(device, 0) - len(places))
        heapq.heapify(places)
    last = max(ends.values(), default=0.0)
    awaited = frozenset[str]().union(*(job.after for job in waiting))
    counted = False
    for job in waiting:
        known = expected_seconds(job.pack, costs)
        places = free.get(job.device, [])
        if known is None or not places:
            at_least = True
            continue
        counted = True
        ready = max((ends.get(pack, 0.0) for pack in job.after), default=0.0)
        end = max(heapq.heappop(places), ready) + known / busy.get(job.device, 1.0)
        heapq.heappush(places, end)
        last = max(last, end)
        if job.pack.id in awaited:
            ends[job.pack.id] = end
    told = counted or any(expected_seconds(one.pack, costs) is not None for one in running)
    return Left(last, at_least) if told else None


def recent(seen: deque[tuple[float, float]], seconds: float, now: float, total: float) -> float | None:
    """Adds (now, total) to what was seen and returns the growth of the total per second over the last `seconds`.

    None before two looks. Keeps one look from before the window, so that there is always something to compare with.
    """
    seen.append((now, total))
    while len(seen) > 2 and seen[1][0] <= now - seconds:
        seen.popleft()
    since, before = seen[0]
    return max(0.0, (total - before) / (now - since)) if now > since else None
