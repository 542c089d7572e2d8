"""The diagonal normal distribution: its head, its sample, its density and its Kullback-Leibler divergences, in nats.

A training step of a small network is bound by the number of operations, not by their size; the formulas are arranged
for few of them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.noise import Draws

LOG_TWO_PI = math.log(2.0 * math.pi)


class Normal(NamedTuple):
    """N(mean, diag(std²)) for each datum of a batch: mean and std are (B, d)."""

    mean: Tensor
    std: Tensor

    def scale(self) -> Tensor:
        """The lower-triangular factor of the covariance, here diag(std): (B, d, d)."""
        return torch.diag_embed(self.std)

    def sample(self, noise: Draws, site: str) -> Tensor:
        """One reparametrised draw a datum, mean + std · ε: (B, d) (Kingma & Welling 2014, Eq. 4)."""
        return torch.addcmul(self.mean, self.std, noise.normal(site, tuple(self.mean.shape)))

    def log_prob(self, z: Tensor) -> Tensor:
        """log N(z; mean, diag(std²)), nats: (..., B) for z (..., B, d)."""
        square = ((z - self.mean) / self.std).square().sum(-1)
        return -0.5 * (square + self.mean.shape[-1] * LOG_TWO_PI) - self.std.log().sum(-1)

    def log_prob_each(self, z: Tensor) -> Tensor:
        """The log density of each of N points under each of the B normals: z (N, d) -> (N, B)."""
        return self.log_prob(z[:, None])

    def kl_to_standard(self) -> Tensor:
        """KL[q ‖ N(0, I)] = ½ Σ (μ² + σ² − 2 log σ − 1), nats: (B,) (Kingma & Welling 2014, App. B)."""
        inner = torch.sub(self.mean.square() + self.std.square(), self.std.log(), alpha=2.0)
        return (inner.sum(-1) - self.mean.shape[-1]) * 0.5


class NormalHead(nn.Module):
    """A linear layer to mean and standard deviation: (B, features) -> Normal of size d.

    std = softplus(·) without a floor, as in the reference code of Xiao & Bamler (2023). One layer gives both, which is
    the same function (and, by fan-in, the same initial distribution) as one layer each.
    """

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 2 * size)

    def forward(self, features: Tensor) -> Normal:
        numbers = self.linear(features).to(self.linear.weight.dtype)  # of layers in bfloat16: back to float32
        mean, raw = numbers.chunk(2, dim=-1)
        return Normal(mean, F.softplus(raw))


def kl_divergence(q: Normal, p: Normal) -> Tensor:
    """KL[q ‖ p] = ½ Σ (r² + ((μ_q − μ_p)/σ_p)² − 2 log r − 1) with r = σ_q/σ_p, nats: (B,)."""
    ratio = q.std / p.std
    shift = (q.mean - p.mean) / p.std
    inner = torch.sub(ratio.square() + shift.square(), ratio.log(), alpha=2.0)
    return (inner.sum(-1) - q.mean.shape[-1]) * 0.5
