"""Resources: what one pack takes of its node."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

_SLACK = 1e-6  # thirds of a GPU add up to a little less than one


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one pack takes.

    gpus: of one that is packed for CUDA, also a fraction; memory: bytes of the host, 0 for as many as it needs. They
    are admission only: nothing keeps a pack from taking more, so a fraction of a GPU has that fraction of its memory by
    agreement, which packs are sized for.
    """

    cpus: float = 1.0
    gpus: float = 1.0
    memory: int = 0

    def bundle(self, device: str) -> dict[str, float]:
        """By the names that Ray has for them, for a pack on 'cpu' or 'cuda'."""
        bundle = {"CPU": self.cpus} | ({"GPU": self.gpus} if device == "cuda" else {})
        return bundle | ({"memory": float(self.memory)} if self.memory else {})

    def fitting(self, device: str, node: Mapping[str, float]) -> int:
        """How many packs a node with these resources has room for at once."""
        counts = [
            _fitting_gpus(self.gpus, node.get("GPU", 0.0)) if name == "GPU" else _whole(node.get(name, 0.0) / amount)
            for name, amount in self.bundle(device).items()
            if amount
        ]
        return min(counts, default=0)

    def devices(self, device: str) -> float:
        """What a pack occupies of what is paid for: GPUs, or on 'cpu' CPUs."""
        return self.gpus if device == "cuda" else self.cpus


def _fitting_gpus(each: float, offered: float) -> int:
    """Packs that take a part of a GPU share it whole or not at all: two of 0.6 need two."""
    return _whole(offered / each) if each >= 1 else int(offered) * _whole(1.0 / each)


def _whole(count: float) -> int:
    return math.floor(count + _SLACK)
