"""Blame: who is to blame when the worker of a pack dies, so that a poisoned trial takes none of its neighbours with it.

Pure: no process is watched here and nothing is stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from sweep.pack import Pack

DIED = "the worker process died"
SAME_PLACE = 3  # deaths of a trial by itself at one place in its training that make it the culprit
MOST_LOST = 10  # of a pack's deaths that are put down to its nodes
ANY_PLACE = 6  # or so many wherever: by then it matters little whether the trial or its surroundings are to blame
NEAR = 0.1  # of the training: deaths so near to each other are at one place


@dataclass(frozen=True, kw_only=True)
class Death:
    """The end of a worker process. lost: with its node, or as it was announced, so that no trial is to blame.

    hung: it was ended since it had shown no sign of life for too long. starved: since its node had no memory left.
    """

    why: str = DIED
    lost: bool = False
    hung: bool = False
    starved: bool = False

    @property
    def status(self) -> str:
        """Of a trial that is to blame for it."""
        return "timeout" if self.hung else "out_of_memory" if self.starved else "crashed"


@dataclass
class Blame:
    """Who is to blame when the worker of a pack dies (a signal, a segmentation fault, an exit, a hang).

    A first death is forgiven, and so are all that come with the loss of a node: these may meet anybody. A pack that
    dies again for want of memory is made narrower. A trial that was being evaluated at three deaths is the culprit.
    Else the pack is halved, at its second death, and its halves at their first, until one trial by itself has died
    thrice at one place. Innocents are trained again, never marked.
    """

    deaths: Counter[str] = field(default_factory=Counter)
    _lost: Counter[str] = field(default_factory=Counter)
    _starved: Counter[str] = field(default_factory=Counter)
    _suspected: set[str] = field(default_factory=set)
    _evaluating: Counter[str] = field(default_factory=Counter)
    _places: dict[str, list[float]] = field(default_factory=dict)

    def died(
        self, pack: Pack, inflight: Mapping[str, object] | None, death: Death = Death()
    ) -> tuple[list[Pack], list[str]]:
        """(packs to run instead, ids of trials to mark as failed); inflight: what the worker last said it was doing."""
        self.deaths[pack.id] += 1
        self._lost[pack.id] += death.lost
        if death.lost and self._lost[pack.id] <= MOST_LOST:
            return [pack], []
        self._starved[pack.id] += death.starved
        if death.starved and (parts := pack.narrowed()):  # its neighbours may have taken the memory the first time
            return ([pack], []) if self._starved[pack.id] == 1 else (parts, [])
        suspect = inflight.get("trial") if inflight else None
        if isinstance(suspect, str):
            self._evaluating[suspect] += 1
            if self._evaluating[suspect] < SAME_PLACE:
                return [pack], []
            rest = [trial for trial in pack.trials if trial.id != suspect]
            return ([pack.keep(rest)] if rest else []), [suspect]
        places = self._places.setdefault(pack.id, [])
        places.append(_part_done(inflight or {}))
        if len(pack.trials) == 1:
            near = sum(abs(place - places[-1]) <= NEAR for place in places)
            return ([], [pack.trials[0].id]) if near >= SAME_PLACE or len(places) >= ANY_PLACE else ([pack], [])
        if len(places) == 1 and pack.id not in self._suspected:
            return [pack], []
        halves = pack.halves()
        self._suspected |= {half.id for half in halves}
        return list(halves), []


def _part_done(inflight: Mapping[str, object]) -> float:
    """How far a pack's training was, from 0 to 1."""
    step, steps = inflight.get("step", 0), inflight.get("steps", 1)
    return step / max(1, steps) if isinstance(step, int) and isinstance(steps, int) else 0.0
