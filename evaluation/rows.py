"""Rows: how data pass through a network when it is evaluated, so that a datum's numbers depend on nothing around it.

Data go in chunks whose size is a multiple of 64, the last one filled up with repeated rows, so that every number of a
trial takes the same vectorised path. Noise comes in blocks of 64 rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from evaluation.errors import EvaluationError
from models.network import Network
from models.noise import ALIGN, Draws, Noise

CHUNK = 256

Floats = npt.NDArray[np.floating]
Pictures = npt.NDArray[np.uint8]


class RowNoise(Draws):
    """The noise of consecutive data from row `first` on: site "posterior/z1" becomes "evaluation/posterior/z1/<block>".

    A block is 64 rows with a site of its own, so a datum's numbers do not depend on how the rows are cut into chunks.
    place: stands before the sites, for passes that are to be independent of each other. Draws have one row a datum; any
    other shape raises EvaluationError.
    """

    def __init__(self, noise: Noise, first: int, rows: int, place: str = "evaluation") -> None:
        self._noise = noise
        self._rows = rows
        self._place = place
        self._blocks = range(first // ALIGN, (first + rows) // ALIGN)

    def normal(self, site: str, shape: tuple[int, ...]) -> Tensor:
        return self._draw(self._noise.normal, site, shape)

    def uniform(self, site: str, shape: tuple[int, ...]) -> Tensor:
        return self._draw(self._noise.uniform, site, shape)

    def _draw(self, draw: Callable[[str, tuple[int, ...]], Tensor], site: str, shape: tuple[int, ...]) -> Tensor:
        if not shape or shape[0] != self._rows:
            raise EvaluationError(
                f"evaluation noise has one row a datum: {site!r} asked for {shape}, not {self._rows} rows"
            )
        return torch.cat([draw(f"{self._place}/{site}/{block}", (ALIGN, *shape[1:])) for block in self._blocks])


def chunks(count: int, size: int) -> Iterator[tuple[int, int]]:
    """(first row, number of rows) of each chunk of `count` rows, filled up to a multiple of 64."""
    padded = -(-count // ALIGN) * ALIGN
    for first in range(0, padded, size):
        yield first, min(size, padded - first)


def batch(images: Tensor, first: int, rows: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Images first..first+rows-1 as a network takes them, going round at the end: (rows, C, H, W)."""
    index = torch.arange(first, first + rows, device=images.device) % len(images)
    return images[index].to(device, dtype)


def joined(parts: Iterable[tuple[Tensor, ...]], count: int, axis: int) -> tuple[Floats, ...]:
    """The chunks' tensors put together along the axis of the rows, without those that filled up the last chunk.

    They go to the host one by one, so that the device holds no more than one chunk.
    """
    whole: tuple[Floats, ...] = ()
    before, first = (slice(None),) * axis, 0
    for tensors in parts:
        chunk = [tensor.cpu().numpy() for tensor in tensors]
        rows = chunk[0].shape[axis]
        whole = whole or tuple(np.empty((*one.shape[:axis], count, *one.shape[axis + 1 :]), one.dtype) for one in chunk)
        for array, one in zip(whole, chunk, strict=True):
            array[(*before, slice(first, first + rows))] = one[(*before, slice(count - first))]
        first += rows
    return whole


@torch.no_grad()
def logits(network: Network, images: Tensor, size: int = CHUNK) -> Floats:
    """log p(y|x) up to a constant, by a classifier with its weights in place: (N, C, H, W) uint8 -> (N, classes)."""
    weights = next(network.parameters())
    parts = [
        (network.logits(batch(images, first, rows, weights.device, weights.dtype)),)
        for first, rows in chunks(len(images), size)
    ]
    return joined(parts, len(images), 0)[0]
