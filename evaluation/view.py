"""View: what the families of quantities see of one trained trial, and PackView, which produces it for a pack at once.

The test split passes through the networks in chunks whose size is a multiple of 64, the last one filled up with
repeated rows, so that every number of a trial takes the same vectorised path: its bits depend neither on its slot nor
on its neighbours. Each pass (terms, codes, reconstructions, samples) happens on first use, once for the whole pack.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.func import functional_call, vmap

from evaluation.errors import EvaluationError
from models.data.dataset import Dataset
from models.network import Network
from models.noise import ALIGN, Draws, Noise
from models.spec import nearest

CHUNK = 256

Floats = npt.NDArray[np.floating]


class CodeArrays(NamedTuple):
    """The posterior of one latent group at every test datum: mean, std and one sample, each (N, d)."""

    mean: Floats
    std: Floats
    sample: Floats


class RowNoise(Draws):
    """The noise of consecutive data from row `first` on: site "posterior/z1" becomes "evaluation/posterior/z1/<block>".

    A block is 64 rows with a site of its own, so a datum's numbers do not depend on how the rows are cut into chunks.
    Draws have one row a datum; any other shape raises EvaluationError.
    """

    def __init__(self, noise: Noise, first: int, rows: int) -> None:
        self._noise = noise
        self._rows = rows
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
        return torch.cat([draw(f"evaluation/{site}/{block}", (ALIGN, *shape[1:])) for block in self._blocks])


class PackView:
    """The trained networks of a pack on the test split of their data.

    network: the module of one trial. parameters: by name, stacked (K, *shape), all on one device. keys: (K, 2) int64,
    the noise keys of the trials. fused: all members at once by vmap; otherwise one after another, for networks too big
    for that. chunk: rows at a time, a multiple of 64. prerequisites: trained networks that the trials are measured
    with, by role, on the same device and of the same floating type.
    """

    def __init__(
        self,
        network: Network,
        parameters: Mapping[str, Tensor],
        data: Dataset,
        keys: Tensor,
        dtype: torch.dtype = torch.float32,
        *,
        fused: bool = True,
        chunk: int = CHUNK,
        prerequisites: Mapping[str, Network] = MappingProxyType({}),
    ) -> None:
        if chunk < ALIGN or chunk % ALIGN:
            raise ValueError(f"chunk must be a multiple of {ALIGN}, not {chunk}")
        lengths = {name: len(tensor) for name, tensor in parameters.items() if len(tensor) != len(keys)}
        if lengths:
            raise ValueError(f"parameters are stacked (K, *shape) with K = {len(keys)} keys, got {lengths}")
        self.network = network
        self.data = data
        self.groups = network.groups
        self.size = len(keys)
        self.rows = len(data.test)
        self.labels: npt.NDArray[np.int64] = data.test.labels.cpu().numpy()
        self.images: npt.NDArray[np.uint8] = data.test.images.cpu().numpy()
        self._parameters = dict(parameters)
        self._device = next(iter(self._parameters.values())).device
        self._keys = keys.to(self._device)
        self._dtype = dtype
        self._fused = fused
        self._chunk = chunk
        self.prerequisites = dict(prerequisites)
        self._samples: dict[int, Floats] = {}

    def trial(self, slot: int) -> View:
        """The trial in slot 0..K-1."""
        if not 0 <= slot < self.size:
            raise IndexError(f"this pack has slots 0..{self.size - 1}, not {slot}")
        return View(self, slot)

    @functools.cached_property
    def terms(self) -> tuple[Floats, Floats]:
        """Rates (K, N, G) and distortion (K, N) in nats, from one posterior sample a datum."""
        rate, distortion = self._over_test("terms", lambda terms: (terms.rate.T, terms.distortion))
        return rate, distortion

    @functools.cached_property
    def codes(self) -> dict[str, tuple[Floats, ...]]:
        """Mean, std and sample, each (K, N, d), by group; the samples are those behind `terms`."""
        arrays = self._over_test(
            "codes", lambda codes: tuple(itertools.chain(*(codes[group] for group in self.groups)))
        )
        return {group: arrays[3 * index : 3 * index + 3] for index, group in enumerate(self.groups)}

    @functools.cached_property
    def reconstructions(self) -> Floats:
        """The likelihood's mean at the modes of the posteriors, in [0, 1]: (K, N, C, H, W)."""
        return self._over_rows("reconstruct", self.rows, lambda first, rows, _: (self._batch(first, rows),), _alone)[0]

    def samples(self, count: int) -> Floats:
        """The likelihood's mean at latents drawn from the prior, in [0, 1]: (K, count, C, H, W)."""
        if count not in self._samples:
            self._samples[count] = self._over_rows("generate", count, lambda _, rows, noise: (rows, noise), _alone)[0]
        return self._samples[count]

    def _batch(self, first: int, rows: int) -> Tensor:
        """Test images first..first+rows-1, going round at the end of the split."""
        index = torch.arange(first, first + rows) % self.rows
        return self.data.test.images[index].to(self._device, self._dtype)

    def _over_test(self, method: str, unpack: Callable[[Any], tuple[Tensor, ...]]) -> tuple[Floats, ...]:
        return self._over_rows(method, self.rows, lambda first, rows, noise: (self._batch(first, rows), noise), unpack)

    @torch.no_grad()
    def _over_rows(
        self,
        method: str,
        count: int,
        arguments: Callable[[int, int, RowNoise], tuple[Any, ...]],
        unpack: Callable[[Any], tuple[Tensor, ...]],
    ) -> tuple[Floats, ...]:
        """Calls a method of every member's network on chunks of rows; unpacked (rows, ...) become (K, count, ...)."""
        padded = -(-count // ALIGN) * ALIGN
        chunks = []
        for first in range(0, padded, self._chunk):
            rows = min(self._chunk, padded - first)

            def member(parameters: dict[str, Tensor], key: Tensor, first: int = first, rows: int = rows) -> Any:
                noise = RowNoise(Noise(key, 0, self._dtype), first, rows)
                return unpack(functional_call(self.network, parameters, (method, *arguments(first, rows, noise))))

            chunks.append([tensor.cpu().numpy() for tensor in self._over_members(member)])
        return tuple(np.concatenate(parts, axis=1)[:, :count] for parts in zip(*chunks, strict=True))

    def _over_members(self, member: Callable[[dict[str, Tensor], Tensor], Any]) -> tuple[Tensor, ...]:
        if self._fused:
            stacked: tuple[Tensor, ...] = vmap(member)(self._parameters, self._keys)
            return stacked
        each = [
            member({name: tensor[slot] for name, tensor in self._parameters.items()}, self._keys[slot])
            for slot in range(self.size)
        ]
        return tuple(torch.stack(tensors) for tensors in zip(*each, strict=True))


def _alone(tensor: Tensor) -> tuple[Tensor, ...]:
    return (tensor,)


class View:
    """One trained trial on the test split of its data, N images with labels; produced with the rest of its pack."""

    def __init__(self, pack: PackView, slot: int) -> None:
        self._pack = pack
        self._slot = slot

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the latent groups, bottom-up."""
        return self._pack.groups

    @property
    def data(self) -> Dataset:
        return self._pack.data

    @property
    def images(self) -> npt.NDArray[np.uint8]:
        """(N, C, H, W) in 0..levels."""
        return self._pack.images

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """(N,) in 0..classes-1."""
        return self._pack.labels

    @property
    def rates(self) -> dict[str, Floats]:
        """KL of each group to its prior, nats: (N,) by group, bottom-up."""
        rate, _ = self._pack.terms
        return {group: rate[self._slot, :, index] for index, group in enumerate(self.groups)}

    @property
    def distortion(self) -> Floats:
        """−log p(x|z) with all constants at one posterior sample, nats: (N,)."""
        distortion: Floats = self._pack.terms[1][self._slot]
        return distortion

    def codes(self, group: str) -> CodeArrays:
        """The posterior of `group`; a lower group's is conditional on the sample of the group above."""
        if group not in self.groups:
            raise EvaluationError(f"no latent group {group!r}; {nearest(group, self.groups)}")
        return CodeArrays(*(array[self._slot] for array in self._pack.codes[group]))

    def reconstructions(self) -> Floats:
        """The likelihood's mean at the modes of the posteriors, in [0, 1]: (N, C, H, W)."""
        means: Floats = self._pack.reconstructions[self._slot]
        return means

    def prerequisite(self, role: str) -> Network:
        """The trained network that stands in that role for this trial, such as the classifier of original images."""
        known = self._pack.prerequisites
        if role not in known:
            raise EvaluationError(f"no prerequisite {role!r} of this quantity; {nearest(role, known)}")
        return known[role]

    def samples(self, count: int) -> Floats:
        """The likelihood's mean at latents drawn from the prior, in [0, 1]: (count, C, H, W)."""
        means: Floats = self._pack.samples(count)[self._slot]
        return means
