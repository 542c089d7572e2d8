"""Layout: all parameters of a trial in one row of memory, a pack's in one matrix.

Each parameter starts at a multiple of 64 numbers and the row is padded to one. So every slot of a pack has the same
alignment, and no elementwise kernel meets its scalar tail in one slot and its vectorised body in another: the bits of a
trial do not depend on its slot. One matrix also makes an optimiser's step a handful of calls, and a checkpoint a few
tensors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from models.noise import ALIGN


class Layout:
    """Where each named parameter lies in a row of `size` numbers."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.shapes = dict(shapes)
        self.offsets: dict[str, int] = {}
        self.size = 0
        for name, shape in self.shapes.items():
            self.offsets[name] = self.size
            self.size += -(-math.prod(shape) // ALIGN) * ALIGN

    def views(self, rows: Tensor) -> dict[str, Tensor]:
        """Named views (K, *shape) into rows (K, size), or (*shape) into one row (size,)."""
        named = {}
        for name, shape in self.shapes.items():
            offset = self.offsets[name]
            named[name] = rows[..., offset : offset + math.prod(shape)].view(*rows.shape[:-1], *shape)
        return named

    def rows(self, named: Mapping[str, Tensor]) -> Tensor:
        """(K, size) from named parameters (K, *shape), zeros in the padding."""
        first = next(iter(named.values()))
        rows = torch.zeros(len(first), self.size, dtype=first.dtype, device=first.device)
        for name, view in self.views(rows).items():
            view.copy_(named[name])
        return rows
