"""The diagonal normal distribution: its head, its sample and its Kullback-Leibler divergences, in nats.

A training step of a small network is bound by the number of operations, not by their size; the formulas are arranged
for few of them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.noise import Draws


class Normal(NamedTuple):
    """N(mean, diag(std²)) for each datum of a batch: mean and std are (B, d)."""

    mean: Tensor
    std: Tensor

    def sample(self, noise: Draws, site: str) -> Tensor:
        """One reparametrised draw a datum, mean + std · ε: (B, d) (Kingma & Welling 2014, Eq. 4)."""
        return torch.addcmul(self.mean, self.std, noise.normal(site, tuple(self.mean.shape)))


class NormalHead(nn.Module):
    """A linear layer to mean and standard deviation: (B, features) -> Normal of size d.

    std = softplus(·) without a floor, as in the reference code of Xiao & Bamler (2023). One layer gives both, which is
    the same function (and, by fan-in, the same initial distribution) as one layer each.
    """

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 2 * size)

    def forward(self, features: Tensor) -> Normal:
        mean, raw = self.linear(features).chunk(2, dim=-1)
        return Normal(mean, F.softplus(raw))


def kl_to_standard(q: Normal) -> Tensor:
    """KL[q ‖ N(0, I)] = ½ Σ (μ² + σ² − 2 log σ − 1), nats: (B,) (Kingma & Welling 2014, App. B)."""
    inner = torch.sub(q.mean.square() + q.std.square(), q.std.log(), alpha=2.0)
    return (inner.sum(-1) - q.mean.shape[-1]) * 0.5


def kl_divergence(q: Normal, p: Normal) -> Tensor:
    """KL[q ‖ p] = ½ Σ (r² + ((μ_q − μ_p)/σ_p)² − 2 log r − 1) with r = σ_q/σ_p, nats: (B,)."""
    ratio = q.std / p.std
    shift = (q.mean - p.mean) / p.std
    inner = torch.sub(ratio.square() + shift.square(), ratio.log(), alpha=2.0)
    return (inner.sum(-1) - q.mean.shape[-1]) * 0.5
