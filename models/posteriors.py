"""Posteriors q(z|x) and q(z_l|z_{l+1}, x): normals, diagonal or of full covariance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from models.full_normal import FullNormalHead
from models.layers import dense
from models.noise import Draws
from models.normal import Normal, NormalHead


class Distribution(Protocol):
    """What models and priors ask of q(z|x), one a datum: `Normal` and `FullNormal`. Densities in nats."""

    @property
    def mean(self) -> Tensor:
        """(B, d)."""

    @property
    def std(self) -> Tensor:
        """Marginal standard deviations: (B, d)."""

    def scale(self) -> Tensor:
        """The lower-triangular factor L of the covariance LLᵀ: (B, d, d)."""

    def sample(self, noise: Draws, site: str) -> Tensor:
        """One reparametrised draw a datum: (B, d)."""

    def log_prob(self, z: Tensor) -> Tensor:
        """The log density of each point under the datum's own normal: (..., B) for z (..., B, d)."""

    def log_prob_each(self, z: Tensor) -> Tensor:
        """The log density of each of N points under each of the B normals: z (N, d) -> (N, B)."""

    def kl_to_standard(self) -> Tensor:
        """KL[q ‖ N(0, I)]: (B,)."""


class NormalPosterior(NormalHead):
    """q(z|x) = N(μ(h), diag σ(h)²) from the features h of an encoder: (B, features) -> Normal of (B, d)."""


class FullNormalPosterior(FullNormalHead):
    """q(z|x) = N(μ(h), L(h) L(h)ᵀ) from the features h of an encoder: (B, features) -> FullNormal of (B, d)."""


POSTERIORS: dict[str, type[NormalPosterior | FullNormalPosterior]] = {
    "diagonal": NormalPosterior,
    "full": FullNormalPosterior,
}


class ConditionalPosterior(nn.Module):
    """q(z_l|z_{l+1}, x): the features of x beside z_{l+1}, through dense layers (Xiao & Bamler 2023, Eq. 4)."""

    def __init__(self, features: int, upper: int, widths: Sequence[int], activation: str, size: int) -> None:
        super().__init__()
        self.layers = dense(features + upper, widths, activation)
        self.head = NormalHead(widths[-1], size)

    def forward(self, features: Tensor, upper: Tensor) -> Normal:
        normal: Normal = self.head(self.layers(torch.cat((features, upper), dim=-1)))
        return normal
