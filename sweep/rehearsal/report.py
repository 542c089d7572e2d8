"""Report: how a rehearsal went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweep.rehearsal.bound import Bound
from sweep.rehearsal.cluster import HOUR


@dataclass(frozen=True, kw_only=True)
class Report:
    """How a rehearsal went. Times in seconds of the simulated clock; by kind of device where there are several.

    picture: when every setting had its first seed, None where some trial has no end. hours: of devices at work, by
    kind; lost: of these, in vain; away: while nodes were gone. innocents: trials marked as crashed that kill nothing.
    halted: why the launch stopped of itself, as the first trials all failed alike. wrong: which invariants do not hold.
    commits: to the store.
    """

    trials: int
    packs: int
    statuses: Mapping[str, int]
    makespan: float
    bound: Bound
    picture: float | None
    slots: Mapping[str, int]
    hours: Mapping[str, float]
    lost: Mapping[str, float]
    away: Mapping[str, float]
    attempts: Mapping[str, int]
    kinds: Mapping[str, int]
    innocents: int
    halted: str
    wrong: Sequence[str]
    commits: int = 0

    @property
    def sound(self) -> bool:
        """Whether all is as it should be: no invariant broken, no innocent marked, and not stopped of itself."""
        return not (self.wrong or self.innocents or self.halted)

    @property
    def ratio(self) -> float:
        """Of makespan to its lower bound; 1 where there was nothing to do."""
        return self.makespan / self.bound.seconds if self.bound.seconds else 1.0

    @property
    def utilisation(self) -> dict[str, float]:
        """The share of the time of devices, while their node was there, in which they were at work."""
        there = {
            device: count * self.makespan / HOUR - self.away.get(device, 0.0) for device, count in self.slots.items()
        }
        return {device: self.hours.get(device, 0.0) / hours for device, hours in there.items() if hours > 0}

    def record(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "trials": self.trials,
            "packs": self.packs,
            "statuses": dict(self.statuses),
            "makespan_seconds": self.makespan,
            "lower_bound_seconds": self.bound.seconds,
            "lower_bound": vars(self.bound),
            "ratio": self.ratio,
            "first_picture_seconds": self.picture,
            "slots": dict(self.slots),
            "device_hours": dict(self.hours),
            "device_hours_lost": dict(self.lost),
            "device_hours_away": dict(self.away),
            "utilisation": self.utilisation,
            "attempts": dict(self.attempts),
            "within_packs": dict(self.kinds),
            "innocents_marked": self.innocents,
            "commits": self.commits,
            "halted": self.halted,
            "violations": list(self.wrong),
        }
