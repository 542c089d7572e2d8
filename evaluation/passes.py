"""Passes: what the networks of a pack make of rows of data or of noise, held for as many members as a budget allows.

The worker asks for one trial after another, so only the window of members that was asked for last is kept. How wide it
is follows from the pack and the size of the pass alone, never from the trial that is asked for: a trial's bits do not
depend on who was measured before it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, vmap

from evaluation.rows import Floats, RowNoise, batch, chunks, joined
from models.data.dataset import Dataset
from models.network import Network
from models.noise import ALIGN, Noise
from models.training.slots import slots

BUDGET = 2**30  # bytes of what one pass keeps; there are up to five passes

Unpack = Callable[[Any], tuple[Tensor, ...]]
Arguments = Callable[[int, int, RowNoise], tuple[Any, ...]]


class Passes:
    """Calls of methods of a pack's networks, chunk by chunk, each made once for every window of members.

    network: the module of one trial. parameters: by name, stacked (K, *shape), all on one device. keys: (K, 2), the
    noise keys of the trials. fused: a window at once by vmap; otherwise every member by itself. chunk: rows at a time.
    budget: bytes that the results of a pass may have for a window; one member's are made whatever they take.
    """

    def __init__(
        self,
        network: Network,
        parameters: Mapping[str, Tensor],
        data: Dataset,
        keys: Tensor,
        dtype: torch.dtype,
        *,
        fused: bool,
        chunk: int,
        budget: int = BUDGET,
    ) -> None:
        self._network = network
        self._parameters = dict(parameters)
        self._data = data
        self._device = next(iter(self._parameters.values())).device
        self._keys = keys
        self._dtype = dtype
        self._fused = fused
        self._chunk = chunk
        self._budget = budget
        self._widths: dict[tuple[str, int], int] = {}
        self._kept: dict[tuple[str, int], tuple[int, tuple[Floats, ...]]] = {}

    def over_test(
        self, slot: int, method: str, unpack: Unpack, *, rows: int | None = None, noisy: bool = True
    ) -> tuple[Floats, ...]:
        """Calls a method on the first `rows` test images, all by default, with noise where it takes any."""
        test = self._data.test

        def arguments(first: int, count: int, noise: RowNoise) -> tuple[Any, ...]:
            images = batch(test.images, first, count, self._device, self._dtype)
            return (images, noise) if noisy else (images,)

        return self.over_rows(slot, method, len(test) if rows is None else rows, arguments, unpack)

    def over_rows(self, slot: int, method: str, count: int, arguments: Arguments, unpack: Unpack) -> tuple[Floats, ...]:
        """Calls a method of a member's network on chunks of rows; unpacked (rows, ...) become (count, ...)."""
        key = method, count
        first, arrays = self._kept.get(key, (0, ()))
        if not arrays or not first <= slot < first + len(arrays[0]):
            self._kept.pop(key, None)  # before the next window is made: two would be twice the budget
            arrays = ()
            first, arrays = self._kept[key] = self._window(slot, key, arguments, unpack)
        return tuple(array[slot - first] for array in arrays)

    @torch.no_grad()
    def _window(
        self, slot: int, key: tuple[str, int], arguments: Arguments, unpack: Unpack
    ) -> tuple[int, tuple[Floats, ...]]:
        """(first slot, results) of the window that has this slot, results (members, count, ...)."""
        count = key[1]
        if self._fused and key not in self._widths:
            size = len(self._keys)
            results = self._results(slice(size), key, arguments, unpack)
            head = next(results)
            taken = count * sum(tensor[0, 0].nbytes for tensor in head)
            self._widths[key] = widest(size, self._budget // max(1, taken))
            if self._widths[key] == size:
                return 0, joined(itertools.chain((head,), results), count, 1)
        width = self._widths[key] if self._fused else 1
        first = slot // width * width
        return first, joined(self._results(slice(first, first + width), key, arguments, unpack), count, 1)

    def _results(
        self, members: slice, key: tuple[str, int], arguments: Arguments, unpack: Unpack
    ) -> Iterator[tuple[Tensor, ...]]:
        """What a method gives of each chunk, (members, rows, ...)."""
        method, count = key
        parameters = {name: tensor[members] for name, tensor in self._parameters.items()}
        for first, rows in chunks(count, self._chunk):

            def member(parameters: dict[str, Tensor], key: Tensor, first: int = first, rows: int = rows) -> Any:
                noise = RowNoise(Noise(key, 0, self._dtype), first, rows)
                return unpack(functional_call(self._network, parameters, (method, *arguments(first, rows, noise))))

            if self._fused:
                yield vmap(member)(parameters, self._keys[members])
            else:
                alone = {name: tensor[0] for name, tensor in parameters.items()}
                yield tuple(tensor[None] for tensor in member(alone, self._keys[members][0]))


def widest(size: int, most: int) -> int:
    """The widest equal windows of `size` members, of `most` or of one, in which no bits go by the slot (slots.py)."""
    allowed = (width for width in range(1, size) if not size % width and slots(width, ALIGN) == width)
    return size if size <= most else max((width for width in allowed if width <= most), default=1)
