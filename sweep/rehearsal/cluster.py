"""Cluster: the simulated machines of a rehearsal, and what goes wrong on them at which rates."""

from __future__ import annotations

import hashlib
import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from sweep.executor import ExecutorError

HOUR = 3600.0


@dataclass(frozen=True, kw_only=True)
class Node:
    """One machine. slots: packs that run at once, by kind of device; memory: bytes of each device, None for enough."""

    slots: Mapping[str, int]
    memory: int | None = None

    def kind(self, device: str) -> str:
        """A name for its slots of a kind of device, which those of other nodes with as much memory share."""
        return device if self.memory is None else f"{device}:{self.memory}"


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Nodes, and how long one that was lost stays away, in seconds."""

    nodes: tuple[Node, ...]
    away: float = 1800.0

    @property
    def slots(self) -> dict[str, int]:
        """Packs that run at once, by kind of device."""
        total: Counter[str] = Counter()
        for node in self.nodes:
            total.update(node.slots)
        return dict(total)

    def each(self) -> Iterator[Slot]:
        """Every slot, node by node."""
        for number, node in enumerate(self.nodes):
            for device, count in node.slots.items():
                for index in range(count):
                    yield Slot(node=number, device=device, index=index)


@dataclass(frozen=True, order=True)
class Slot:
    """One slot of a cluster: node by number, kind of device, and which of them."""

    node: int
    device: str
    index: int


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What goes wrong, as shares between 0 and 1; which trial, pack or hour is hit follows from the seed alone.

    deaths: of attempts at a pack, whose worker dies at a random moment. node_loss: of nodes, lost within an hour.
    errors: of trials, that always raise an exception; poisons: that always kill their worker; divergences: whose loss
    becomes infinite. out_of_memory: of shapes, whose packs do not fit a device at the width that was decided.
    """

    deaths: float = 0.0
    node_loss: float = 0.0
    errors: float = 0.0
    poisons: float = 0.0
    divergences: float = 0.0
    out_of_memory: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for one in fields(self):
            rate = getattr(self, one.name)
            if one.name != "seed" and not 0 <= rate < 1:
                raise ExecutorError(f"{one.name.replace('_', ' ')} is a share from 0 and below 1, not {rate:g}")

    def hits(self, kind: str, name: str) -> bool:
        """Whether a trial, pack or attempt of this name is one of those that `kind` befalls."""
        rate: float = getattr(self, kind)
        return rate > 0 and self.draw(kind, name) < rate

    def draw(self, kind: str, name: str) -> float:
        """A number in [0, 1) that depends on the seed, the kind of fault and the name alone."""
        text = f"{self.seed}:{kind}:{name}".encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) / 2**64

    def losses(self, node: int) -> Iterator[float]:
        """Seconds that a node is up before it is lost, one time after another; none where nodes are not lost."""
        if self.node_loss == 0:
            return
        rate = -math.log1p(-self.node_loss) / HOUR
        draws = random.Random(f"{self.seed}:node:{node}")
        while True:
            yield draws.expovariate(rate)
