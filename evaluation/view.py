"""View: what the families of quantities see of one trained trial, and PackView, which produces it for a pack at once.

Every number's bits depend neither on the trial's slot nor on its neighbours (evaluation/rows.py). Each pass over the
test split (terms, codes, reconstructions, samples) happens on first use, for as much of the pack as its results fit
the memory set apart for them (evaluation/passes.py); what few families ask for, or what is large (draws, sampled
reconstructions), on first use for the trial alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from evaluation.errors import EvaluationError
from evaluation.member import Member, SplitName
from evaluation.passes import BUDGET, Passes, Unpack
from evaluation.rows import CHUNK, Floats, Pictures, logits
from models.data.dataset import Dataset
from models.network import Network
from models.noise import ALIGN, Noise
from models.spec import nearest

NO_PREREQUISITES: Mapping[str, Network] = MappingProxyType({})


class CodeArrays(NamedTuple):
    """The posterior of one latent group at every test datum: mean, std and one sample, each (N, d)."""

    mean: Floats
    std: Floats
    sample: Floats


class PackView:
    """The trained networks of a pack on the splits of their data.

    network: the module of one trial. parameters: by name, stacked (K, *shape), all on one device. keys: (K, 2) int64,
    the noise keys of the trials. fused: members at once by vmap; otherwise one after another, for networks too big for
    that. chunk: rows at a time, a multiple of 64. budget: bytes that one pass may keep of several members.
    prerequisites: by role, the networks that these trials are measured with, their weights in place.
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
        budget: int = BUDGET,
        prerequisites: Mapping[str, Network] = NO_PREREQUISITES,
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
        self.prerequisites = prerequisites
        self._parameters = dict(parameters)
        self._keys = keys.to(next(iter(self._parameters.values())).device)
        self._dtype = dtype
        self._chunk = chunk
        self.passes = Passes(network, parameters, data, self._keys, dtype, fused=fused, chunk=chunk, budget=budget)
        self._judged: dict[str, Floats] = {}

    def trial(self, slot: int) -> View:
        """The trial in slot 0..K-1."""
        if not 0 <= slot < self.size:
            raise IndexError(f"this pack has slots 0..{self.size - 1}, not {slot}")
        return View(self, slot)

    def judged(self, role: str) -> Floats:
        """A prerequisite classifier's log p(y|x) of the test images, up to a constant: (N, classes)."""
        if role not in self._judged:
            self._judged[role] = logits(self.prerequisite(role), self.data.test.images)
        return self._judged[role]

    def prerequisite(self, role: str) -> Network:
        if role not in self.prerequisites:
            raise EvaluationError(f"no prerequisite {role!r} of this quantity; {nearest(role, self.prerequisites)}")
        return self.prerequisites[role]

    def member(self, slot: int) -> Member:
        """The trial in a slot, by itself."""
        parameters = {name: tensor[slot] for name, tensor in self._parameters.items()}
        return Member(self.network, parameters, self.data, Noise(self._keys[slot], 0, self._dtype), self._chunk)


class View:
    """One trained trial on the test split of its data, N images with labels; produced with the rest of its pack."""

    def __init__(self, pack: PackView, slot: int) -> None:
        self._pack = pack
        self._slot = slot
        self._member = pack.member(slot)

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the latent groups, bottom-up."""
        return self._pack.groups

    @property
    def data(self) -> Dataset:
        return self._pack.data

    @property
    def supervised(self) -> bool:
        """Whether it is a classifier."""
        return self._pack.network.supervised

    @property
    def images(self) -> npt.NDArray[np.uint8]:
        """(N, C, H, W) in 0..levels."""
        return self._pack.images

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """(N,) in 0..classes-1."""
        return self._pack.labels

    @property
    def noise(self) -> Noise:
        """The trial's own, on the CPU; the sites of a family begin with "evaluation/"."""
        return Noise(self._member.noise.key.cpu(), 0, self._member.noise.dtype)

    @property
    def rates(self) -> dict[str, Floats]:
        """KL of each group to its prior, nats: (N,) by group, bottom-up."""
        rate, _ = self._terms
        return {group: rate[:, index] for index, group in enumerate(self.groups)}

    @property
    def distortion(self) -> Floats:
        """−log p(x|z) with all constants at one posterior sample, nats: (N,)."""
        return self._terms[1]

    @property
    def _terms(self) -> tuple[Floats, ...]:
        """Rates (N, G) and distortion (N,), from one posterior sample a datum."""
        return self._over_test("terms", lambda terms: (terms.rate.T, terms.distortion))

    def codes(self, group: str) -> CodeArrays:
        """The posterior of `group`; a lower group's is conditional on the sample above. Samples: those of `rates`."""
        place = 3 * self.groups.index(self._known(group))
        arrays = self._over_test("codes", lambda codes: tuple(itertools.chain(*map(codes.get, self.groups))))
        return CodeArrays(*arrays[place : place + 3])

    def modes(self, group: str) -> Floats:
        """The mode of `group`'s posterior, a lower group's given the mode of the group above: (N, d)."""
        place = self.groups.index(self._known(group))
        return self._over_test("modes", lambda modes: tuple(map(modes.get, self.groups)), noisy=False)[place]

    def reconstructions(self) -> Floats:
        """The likelihood's mean at the modes of the posteriors, in [0, 1]: (N, C, H, W)."""
        return self._over_test("reconstruct", _alone, noisy=False)[0]

    def samples(self, count: int) -> Floats:
        """What the likelihood says at latents drawn from the prior, in [0, 1]: (count, C, H, W)."""
        if self._pack.network.autoregressive:
            return self._member.samples(count)
        passes = self._pack.passes
        return passes.over_rows(self._slot, "generate", count, lambda _, rows, noise: (rows, noise), _alone)[0]

    def scales(self, group: str, count: int) -> Floats:
        """Lower-triangular factors L of the covariances LLᵀ of the first `count` codes: (min(count, N), d, d)."""
        place, rows = self.groups.index(self._known(group)), min(count, self._pack.rows)
        return self._over_test("scales", lambda scales: tuple(map(scales.get, self.groups)), rows=rows)[place]

    def draws(self, split: SplitName, group: str, count: int) -> Floats:
        """`count` independent samples of q(z|x) for each datum of a split, of the top group: (count, N, d).

        Raises EvaluationError for a lower group, whose posterior is conditional on the one above, and for a validation
        split that the data have not.
        """
        if self._known(group) != self.groups[-1]:
            raise EvaluationError(f"independent samples are of the top group, {self.groups[-1]}, not of {group}")
        return self._member.draws(split, group, count)

    def resampled(self, indices: npt.NDArray[np.integer]) -> Pictures:
        """A sampled reconstruction, z ~ q(z|x) and x' ~ p(x|z), of each chosen test image: (n, C, H, W) in 0..levels.

        All in one batch, whose noise goes by the place among the chosen; sampled once for the same choice.
        """
        return self._member.resampled(indices)

    def logits(self) -> Floats:
        """Of a classifier: log p(y|x) of the test images up to a constant, (N, classes)."""
        return self._over_test("logits", _alone, noisy=False)[0]

    def prerequisite(self, role: str) -> Network:
        """The trained network that stands in that role for this trial, such as the classifier of original images."""
        return self._pack.prerequisite(role)

    def judged(self, role: str, images: Pictures | None = None) -> Floats:
        """A prerequisite classifier's log p(y|x) up to a constant, of given or of all test images: (n, classes)."""
        if images is None:
            return self._pack.judged(role)
        return logits(self.prerequisite(role), torch.from_numpy(images))

    def judged_samples(self, role: str, count: int) -> Floats:
        """A prerequisite classifier's logits of `count` samples, not rounded and never all held: (count, classes)."""
        return self._member.judged_samples(self.prerequisite(role), count)

    def _over_test(
        self, method: str, unpack: Unpack, *, rows: int | None = None, noisy: bool = True
    ) -> tuple[Floats, ...]:
        return self._pack.passes.over_test(self._slot, method, unpack, rows=rows, noisy=noisy)

    def _known(self, group: str) -> str:
        if group not in self.groups:
            raise EvaluationError(f"no latent group {group!r}; {nearest(group, self.groups)}")
        return group


def _alone(tensor: Tensor) -> tuple[Tensor, ...]:
    return (tensor,)
