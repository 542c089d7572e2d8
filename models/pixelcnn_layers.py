"""What a PixelCNN is made of: weights with and without weight normalisation, taps of a causal convolution, the gate.

Images inside the network are (F, H, W, B), the batch innermost: then a convolution is one matrix product over all
positions at once, its taps are slices of whole rows of memory, and the two halves of a gate are contiguous.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.noise import Noise

Resampling = Literal["none", "halve", "double"]


class Tap(NamedTuple):
    """One weight of a convolution's kernel, by the offset of what it reads (or, in a transposed one, writes)."""

    row: int
    column: int


def window(height: int, width: int, row: int, column: int) -> tuple[Tap, ...]:
    """The taps of a height × width kernel whose first tap is at (row, column)."""
    return tuple(Tap(row + i, column + j) for i in range(height) for j in range(width))


class Weight(nn.Module):
    """A weight (rows, columns), started like those of PyTorch's layers: uniform on ±1/√columns."""

    @staticmethod
    def of(normed: bool) -> type[Weight]:
        return WeightNormed if normed else Weight

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__()
        self.direction = nn.Parameter(torch.empty(rows, columns))

    def initialise(self, noise: Noise, site: str) -> dict[str, Tensor]:
        return {"direction": _uniform(noise, f"{site}.direction", self.direction, self.direction.shape[1])}

    def forward(self) -> Tensor:
        return self.direction


class WeightNormed(Weight):
    """A weight as direction and length: w = g v/‖v‖ in each row (Salimans & Kingma 2016, Eq. 2).

    v is started like a plain weight and g at ‖v‖, so that at the start w = v.
    """

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__(columns, rows)
        self.length = nn.Parameter(torch.empty(rows, 1))

    def initialise(self, noise: Noise, site: str) -> dict[str, Tensor]:
        started = super().initialise(noise, site)
        return started | {"length": started["direction"].norm(dim=-1, keepdim=True)}

    def forward(self) -> Tensor:
        weight: Tensor = self.direction * (self.length / self.direction.norm(dim=1, keepdim=True))
        return weight


class Affine(nn.Module):
    """w x + b, (columns, N) -> (rows, N), both started uniform on ±1/√columns like PyTorch's."""

    def __init__(self, weight: type[Weight], columns: int, rows: int) -> None:
        super().__init__()
        self.weight = weight(columns, rows)
        self.bias = nn.Parameter(torch.empty(rows, 1))
        self.columns = columns

    def initialise(self, noise: Noise, site: str) -> dict[str, Tensor]:
        weight = self.weight.initialise(noise, f"{site}.weight")
        bias = _uniform(noise, f"{site}.bias", self.bias, self.columns)
        return {f"weight.{name}": value for name, value in weight.items()} | {"bias": bias}

    def forward(self, x: Tensor) -> Tensor:
        return torch.addmm(self.bias, self.weight(), x)


def _uniform(noise: Noise, site: str, like: Tensor, columns: int) -> Tensor:
    return (noise.uniform(site, tuple(like.shape)) * 2.0 - 1.0) / math.sqrt(columns)


class Gated(nn.Module):
    """A convolution of x, a 1×1 convolution of what comes from elsewhere, a bias that z has set, and the gate
    tanh(a)·sigmoid(b), added to x where `residual`.

    One weight (2F, columns) serves both convolutions: first inputs × taps, tap by tap, then `others`. With 'double' it
    is a transposed convolution of stride 2: a tap is where, relative to the 2×2 outputs of its own, an input is added.
    """

    def __init__(
        self,
        weight: type[Weight],
        inputs: int,
        others: int,
        filters: int,
        taps: tuple[Tap, ...],
        resampling: Resampling,
        residual: bool,
    ) -> None:
        super().__init__()
        self.taps, self.resampling, self.residual = taps, resampling, residual
        self.own, self.others = len(taps) * inputs, others
        self.weight = weight(self.own + others, 2 * filters)

    def forward(self, x: Tensor, others: tuple[Tensor, ...], bias: Tensor) -> Tensor:
        """x (inputs, H, W, B), `others` of the resolution of the result, bias (2F, B) -> (F, H', W', B)."""
        weight = self.weight()
        if self.resampling == "double":
            summed = spread(weight[:, : self.own], x, self.taps)
            if others:
                summed = summed + product(weight[:, self.own :], torch.cat(others))
        else:
            columns = gathered(x, self.taps, 2 if self.resampling == "halve" else 1)
            summed = product(weight, torch.cat((*columns, *others)))
        gate = gated(summed + bias[:, None, None], 0)
        return x + gate if self.residual else gate


def gathered(x: Tensor, taps: tuple[Tap, ...], stride: int) -> list[Tensor]:
    """What each tap reads at each position, zero outside of the image: x (F, H, W, B) -> (F, H/stride, W/stride, B)."""
    height, width = x.shape[1:3]
    top, left = -min(tap.row for tap in taps), -min(tap.column for tap in taps)
    padded = F.pad(x, (0, 0, left, max(0, *(tap.column for tap in taps)), top, 0))
    rows = [slice(top + tap.row, top + tap.row + height, stride) for tap in taps]
    columns = [slice(left + tap.column, left + tap.column + width, stride) for tap in taps]
    return [padded[:, row, column] for row, column in zip(rows, columns, strict=True)]


def spread(weight: Tensor, x: Tensor, taps: tuple[Tap, ...]) -> Tensor:
    """The transposed convolution of stride 2: input (r, c) is added at (2r + tap.row, 2c + tap.column)."""
    inputs, height, width, batch = x.shape
    stacked = torch.unflatten(weight, 1, (len(taps), inputs)).transpose(0, 1)
    products = torch.unflatten(product(stacked.flatten(0, 1), x), 0, (len(taps), len(weight)))
    added = dict(zip(taps, products, strict=True))
    rows = []
    for row in (0, 1):
        even, odd = added[Tap(row, 0)], added[Tap(row, 1)]
        if Tap(row, -1) in added:  # a kernel of width 3 reaches into the outputs on the left
            odd = odd + F.pad(added[Tap(row, -1)], (0, 0, 0, 1))[:, :, 1:]
        rows.append(torch.stack((even, odd), 3))
    return torch.stack(rows, 2).reshape(len(weight), 2 * height, 2 * width, batch)


def gated(summed: Tensor, dim: int) -> Tensor:
    """tanh(a)·sigmoid(b) of the two halves of dimension `dim`.

    As tanh(a) = 2 sigmoid(2a) − 1, which torch computes several times faster than tanh itself on a CPU.
    """
    a, b = summed.chunk(2, dim)
    opened = b.sigmoid()
    return torch.addcmul(-opened, (a + a).sigmoid(), opened, value=2.0)


def product(weight: Tensor, x: Tensor) -> Tensor:
    """A 1×1 convolution: (rows, columns) by (columns, H, W, B)."""
    return torch.unflatten(weight @ x.flatten(1), 1, x.shape[1:])
