"""Network: what the trainer and the evaluation ask of every model, and Terms, what they get.

A network is an ordinary torch module for *one* trial; the pack engines call it functionally, over stacked parameters.
So it must be pure: no stored values, no in-place writes, no Python branch on a tensor's value, no random draw but from
the noise that it is handed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from models.noise import Draws


class Terms(NamedTuple):
    """Nats per datum, never scaled by β or λ.

    rate: (G, B), the KL groups bottom-up, each ≥ 0 in the mean. distortion: (B,), −log p(x|z) with all constants.
    auxiliary: further losses by name, each (B,), such as an auxiliary decoder's distortion.
    """

    rate: Tensor
    distortion: Tensor
    auxiliary: Mapping[str, Tensor]


class Code(NamedTuple):
    """A normal posterior over one latent group: mean, marginal standard deviations and one sample, each (B, d)."""

    mean: Tensor
    std: Tensor
    sample: Tensor


class Labelled(NamedTuple):
    """A batch for a supervised network: x (B, C, H, W), the raw integers in the floating dtype, and y (B,) int64."""

    x: Tensor
    y: Tensor


class Network(nn.Module):
    """A model of one trial. `x` is (B, C, H, W), the raw integers 0..levels in the floating dtype.

    supervised: `terms` takes a `Labelled` batch in place of x. autoregressive: images are sampled pixel by pixel, with
    caches, so `resample` and `generate` are not called under vmap.
    """

    groups: tuple[str, ...]
    supervised: bool = False
    autoregressive: bool = False

    def terms(self, x: Any, noise: Draws) -> Terms:
        """One-sample estimate of rate and distortion (analytic KL where there is one)."""
        raise NotImplementedError

    def codes(self, x: Tensor, noise: Draws) -> dict[str, Code]:
        """The posterior of each group; a lower group's is conditional on the *sample* of the group above."""
        raise NotImplementedError

    def scales(self, x: Tensor, noise: Draws) -> dict[str, Tensor]:
        """The lower-triangular factor L of each group's posterior covariance LLᵀ: (B, d, d), of the codes above."""
        raise NotImplementedError

    def modes(self, x: Tensor) -> dict[str, Tensor]:
        """The mode of each posterior, a lower group's given the *mode* of the group above: (B, d) by group."""
        raise NotImplementedError

    def reconstruct(self, x: Tensor) -> Tensor:
        """The likelihood's mean, scaled to [0, 1], at the modes of the posteriors: (B, C, H, W)."""
        raise NotImplementedError

    def resample(self, x: Tensor, noise: Draws) -> Tensor:
        """One sampled reconstruction a datum, z ~ q(z|x) and x' ~ p(x|z): (B, C, H, W), integers 0..levels."""
        raise NotImplementedError

    def generate(self, count: int, noise: Draws) -> Tensor:
        """What the likelihood says at latents drawn from the prior, scaled to [0, 1]: (count, C, H, W).

        Its mean; of an autoregressive likelihood, which has none, a sample.
        """
        raise NotImplementedError

    def logits(self, x: Tensor) -> Tensor:
        """Of a classifier: log p(y|x) up to a constant, (B, classes)."""
        raise NotImplementedError

    def forward(self, method: str, *args: Any) -> Any:
        """Calls a method by name: torch's functional calls go through `forward` alone."""
        return getattr(self, method)(*args)
