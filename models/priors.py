"""Priors p(z) and p(z_l|z_{l+1}): what a posterior's rate is measured against."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from models.layers import dense
from models.noise import Draws
from models.normal import Normal, NormalHead, kl_to_standard


class StandardNormal(nn.Module):
    """p(z) = N(0, I) in `size` dimensions."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def rate(self, q: Normal) -> Tensor:
        """KL[q ‖ p], nats: (B,)."""
        return kl_to_standard(q)

    def sample(self, count: int, noise: Draws, site: str) -> Tensor:
        """(count, size)."""
        return noise.normal(site, (count, self.size))


class ConditionalNormal(nn.Module):
    """p(z_l|z_{l+1}): a diagonal normal given by dense layers (Xiao & Bamler 2023, Eq. 1): (B, upper) -> Normal."""

    def __init__(self, upper: int, widths: Sequence[int], activation: str, size: int) -> None:
        super().__init__()
        self.layers = dense(upper, widths, activation)
        self.head = NormalHead(widths[-1], size)

    def forward(self, upper: Tensor) -> Normal:
        normal: Normal = self.head(self.layers(upper))
        return normal
