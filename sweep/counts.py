"""Counts: how far a launch is, in numbers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Counts:
    """How far a launch is. statuses: trials by final status; reasons: failed ones by 'status: reason'; steps: training
    steps of finished packs.

    A trial that is evaluated apart is done when it is trained; what could not be measured of it replaces its status
    then. to_evaluate: how many there are, evaluated: how many of them have been seen to. deaths: of workers; lost: of
    these, with their node; left: packs that were asked to leave their place; narrowed: packs that memory made narrower.
    """

    trials: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    packs: int = 0
    packs_done: int = 0
    steps: int = 0
    to_evaluate: int = 0
    evaluated: int = 0
    deaths: int = 0
    lost: int = 0
    left: int = 0
    narrowed: int = 0

    @property
    def done(self) -> int:
        return sum(self.statuses.values())

    @property
    def work(self) -> int:
        """Trials done, where to evaluate one apart is as much again."""
        return self.done + self.evaluated

    @property
    def planned(self) -> int:
        return self.trials + self.to_evaluate
