"""Member: one trained network of a pack by itself, for passes that are long, large, or asked for by few families."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.func import functional_call

from evaluation.errors import EvaluationError
from evaluation.rows import Floats, Pictures, RowNoise, batch, chunks, joined
from models.data.dataset import Dataset, Split
from models.network import Network
from models.noise import ALIGN, Noise

SplitName = Literal["train", "validation", "test"]


class Member:
    """network: the module; parameters: of this trial, by name; noise: its own, at step 0; chunk: rows at a time.

    Methods are called outside vmap, so that sampling may keep what it has computed for the pixels before.
    """

    def __init__(
        self, network: Network, parameters: Mapping[str, Tensor], data: Dataset, noise: Noise, chunk: int
    ) -> None:
        self.noise = noise
        self._network = network
        self._parameters = dict(parameters)
        self._data = data
        self._device = next(iter(self._parameters.values())).device
        self._dtype = noise.dtype
        self._chunk = chunk
        self._resampled: dict[bytes, Pictures] = {}

    @torch.no_grad()
    def draws(self, split: SplitName, group: str, count: int) -> Floats:
        """`count` independent samples mean + L ε of a group's posterior for each datum of a split: (count, N, d).

        Training images that are drawn anew in every step are drawn once here.
        """
        images = self._split(split).images
        parts = []
        for first, rows in chunks(len(images), self._chunk):
            noise = RowNoise(self.noise, first, rows, f"evaluation/draws/{split}")
            x = batch(images, first, rows, self._device, self._dtype)
            if split == "train" and self._data.dynamic:
                x = (noise.uniform("pixels", tuple(x.shape)) * 255 < x).to(self._dtype)
            mean = self._call("codes", x, noise)[group].mean
            scale = self._call("scales", x, noise)[group]
            normal = noise.normal(f"posterior/{group}", (rows, count, mean.shape[1]))
            parts.append(((mean[:, None] + normal @ scale.mT).transpose(0, 1),))  # (count, rows, d)
        return joined(parts, len(images), 1)[0]

    @torch.no_grad()
    def resampled(self, indices: npt.NDArray[np.integer]) -> Pictures:
        """One sampled reconstruction of each chosen test image, in one batch: (n, C, H, W), kept."""
        choice = np.asarray(indices, np.int64)
        if choice.tobytes() not in self._resampled:
            everything = self._data.test.images
            images = everything[torch.from_numpy(choice).to(everything.device)]
            rows = -(-len(images) // ALIGN) * ALIGN
            noise = RowNoise(self.noise, 0, rows, "evaluation/resample")
            drawn = self._call("resample", batch(images, 0, rows, self._device, self._dtype), noise)[: len(images)]
            levels = self._data.spec.levels
            if not bool(((drawn >= 0) & (drawn <= levels) & (drawn == drawn.round())).all()):
                raise EvaluationError(f"sampled reconstructions must be integers 0..{levels}; the model gave others")
            self._resampled[choice.tobytes()] = drawn.to(torch.uint8).cpu().numpy()
        return self._resampled[choice.tobytes()]

    @torch.no_grad()
    def samples(self, count: int) -> Floats:
        """What the likelihood says at latents drawn from the prior, in one batch, in [0, 1]: (count, C, H, W)."""
        rows = -(-count // ALIGN) * ALIGN
        return joined([(self._call("generate", rows, RowNoise(self.noise, 0, rows)),)], count, 0)[0]

    @torch.no_grad()
    def judged_samples(self, judge: Network, count: int) -> Floats:
        """What a classifier says of `count` samples from the prior, logits: (count, classes)."""
        parts = []
        for first, rows in chunks(count, self._chunk):
            means = self._call("generate", rows, RowNoise(self.noise, first, rows))
            parts.append((judge.logits(means * self._data.spec.levels),))
        return joined(parts, count, 0)[0]

    def _split(self, name: SplitName) -> Split:
        split: Split | None = getattr(self._data, name)
        if split is None:
            raise EvaluationError(f"{self._data.spec.kind} has no {name} split")
        return split

    def _call(self, method: str, *arguments: Any) -> Any:
        return functional_call(self._network, self._parameters, (method, *arguments))
