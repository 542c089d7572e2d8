"""A linear-Gaussian model with known answers, small data, and views of hand-made codes."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.data.dataset import Dataset, Split
from models.families import Data
from models.network import Code, Network, Terms
from models.noise import Draws


class Tiny(Data):
    """Images of 1×2×3 pixels of 0..4 in three classes."""

    shape = (1, 2, 3)
    levels = 4
    classes = 3


class LinearGaussian(Network):
    """p(z) = N(0, I), p(x|z) = N(Wz, σ²I) on pixels in [0, 1], with its exact posterior.

    The columns of W are orthogonal, so the posterior is diagonal: precision 1 + |w|²/σ², mean W'x/σ² over that. The
    lower group z1 is a copy of z2 with unit noise, for models of two groups; it does not bear on x.
    """

    groups = ("z1", "z2")

    def __init__(self, pixels: int = 6, latent: int = 2, sigma: float = 0.5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(pixels, latent))
        self.sigma = sigma

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        variance = 1 / (1 + self.weight.square().sum(0) / self.sigma**2)
        return x.flatten(1) / 4 @ self.weight / self.sigma**2 * variance, variance.sqrt().expand(len(x), -1)

    def _sample(self, mean: Tensor, std: Tensor, noise: Draws, group: str) -> Tensor:
        return mean + std * noise.normal(f"posterior/{group}", tuple(mean.shape))

    def terms(self, x: Tensor, noise: Draws) -> Terms:
        mean, std = self._posterior(x)
        rate = 0.5 * (mean**2 + std**2 - 1 - 2 * std.log()).sum(-1)
        residual = x.flatten(1) / 4 - self._sample(mean, std, noise, "z2") @ self.weight.T
        density = 0.5 * (residual**2).sum(-1) / self.sigma**2
        constant = residual.shape[1] * math.log(self.sigma * math.sqrt(2 * math.pi))
        return Terms(torch.stack((torch.zeros_like(rate), rate)), density + constant, {})

    def codes(self, x: Tensor, noise: Draws) -> dict[str, Code]:
        mean, std = self._posterior(x)
        upper = self._sample(mean, std, noise, "z2")
        one = torch.ones_like(upper)
        return {
            "z1": Code(upper, one, self._sample(upper, one, noise, "z1")),
            "z2": Code(mean, std, upper),
        }

    def scales(self, x: Tensor, noise: Draws) -> dict[str, Tensor]:
        return {group: torch.diag_embed(code.std) for group, code in self.codes(x, noise).items()}

    def resample(self, x: Tensor, noise: Draws) -> Tensor:
        """Each pixel one of 0..4: the mean at a sampled z2, rounded up or down by chance."""
        mean, std = self._posterior(x)
        means = 4 * (self._sample(mean, std, noise, "z2") @ self.weight.T).reshape(len(x), 1, 2, 3).sigmoid()
        return (means + noise.uniform("pixels", tuple(means.shape))).floor().clamp(0, 4)

    def reconstruct(self, x: Tensor) -> Tensor:
        mean, _ = self._posterior(x)
        return (mean @ self.weight.T).reshape(len(x), 1, 2, 3).sigmoid()

    def generate(self, count: int, noise: Draws) -> Tensor:
        z = noise.normal("prior/z2", (count, self.weight.shape[1]))
        return (z @ self.weight.T).reshape(count, 1, 2, 3).sigmoid()


class Brightness(Network):
    """A classifier of three classes, the share of the first two pixels and the rest: logits w · (x1, x2, 2)."""

    groups = ()
    supervised = True

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, dtype=torch.float64))

    def logits(self, x: Tensor) -> Tensor:
        pixels = x.flatten(1)[:, :2]
        return torch.cat((pixels, torch.full_like(pixels[:, :1], 2.0)), 1) * self.weight


def tiny_data(count: int = 150) -> Dataset:
    """Random images whose labels go round the three classes."""
    rng = np.random.default_rng(5)
    split = Split(
        images=torch.from_numpy(rng.integers(0, 5, (count, 1, 2, 3), dtype=np.uint8)),
        labels=torch.arange(count) % 3,
    )
    return Dataset(spec=Tiny(), train=split, test=split)


def orthogonal_weights(count: int) -> dict[str, Tensor]:
    """Different W for each member, columns orthogonal: (count, 6, 2) in float64."""
    generator = torch.Generator().manual_seed(3)
    weight, _ = torch.linalg.qr(torch.randn(count, 6, 2, generator=generator, dtype=torch.float64))
    return {"weight": weight * torch.linspace(0.3, 2.0, count, dtype=torch.float64)[:, None, None]}


@pytest.fixture
def linear() -> SimpleNamespace:
    return SimpleNamespace(
        network=LinearGaussian, classifier=Brightness, data=tiny_data, weights=orthogonal_weights, spec=Tiny
    )


@pytest.fixture
def view_of() -> Any:
    """A view with given posteriors of groups, labels, images, …, for families that need no network."""

    def make(codes: dict[str, Any] | None = None, **rest: Any) -> SimpleNamespace:
        known = codes or {}
        groups = rest.pop("groups", tuple(known))
        return SimpleNamespace(groups=groups, codes=lambda group: known[group], **rest)

    return make
