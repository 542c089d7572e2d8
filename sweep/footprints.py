"""Footprints: what packs have been seen to take of a device's memory, and how wide the next ones may be for it.

Pure: a worker tells what it saw, the launch stores it, and the queue asks before it hands out a pack.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sweep.pack import Pack

FILLED = 0.9  # of a device's memory that a pack is sized for: allocators round up, and contexts take some


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """One observation. memory: bytes of the device that the pack might use; fits: whether it did.

    used: the most bytes that it held at once, 0 where that was not measured.
    """

    shape: str
    device: str
    width: int
    memory: int
    fits: bool
    used: int = 0

    @classmethod
    def of(cls, pack: Pack, *, memory: int, width: int = 0, fits: bool = True, used: int = 0) -> Footprint:
        """Of a pack at its width, or at another that it had before. memory: 0 for that of a host."""
        decision = pack.decision
        return cls(
            shape=decision.shape,
            device=decision.device,
            width=width or decision.width,
            memory=memory,
            fits=fits,
            used=used,
        )


@dataclass
class Footprints:
    """All observations so far."""

    seen: dict[tuple[str, str], list[Footprint]] = field(default_factory=dict)

    @classmethod
    def of(cls, observations: Iterable[Footprint]) -> Footprints:
        made = cls()
        for one in observations:
            made.add(one)
        return made

    def add(self, one: Footprint) -> bool:
        """Takes an observation in; False where it says nothing new."""
        known = self.seen.setdefault((one.shape, one.device), [])
        if any((one.width, one.fits, one.memory) == (old.width, old.fits, old.memory) for old in known):
            return False
        known.append(one)
        return True

    def fits(self, pack: Pack, memory: int | None) -> bool:
        """Whether a pack can be expected to fit into so much memory; without an observation it can."""
        decision = pack.decision
        for one in self.seen.get((decision.shape, decision.device), ()):
            if not one.fits and decision.width >= one.width and (memory is None or memory <= one.memory):
                return False
            if memory is not None and one.used and one.used / one.width * decision.width > FILLED * memory:
                return False
        return True

    def sized(self, pack: Pack, memory: int | None) -> list[Pack]:
        """The pack, or its trials in packs as narrow as they must be.

        Trials one after another take the memory of one, which is tried, whatever was seen.
        """
        if pack.decision.path == "sequential" or self.fits(pack, memory):
            return [pack]
        parts = pack.narrowed()
        return [sized for part in parts for sized in self.sized(part, memory)] if parts else [pack]
