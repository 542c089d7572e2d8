"""Posteriors q(z|x) and q(z_l|z_{l+1}, x): diagonal normals."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.layers import dense
from models.normal import Normal, NormalHead


class NormalPosterior(NormalHead):
    """q(z|x) = N(μ(h), σ(h)²) from the features h of an encoder: (B, features) -> Normal of (B, d)."""


class ConditionalPosterior(nn.Module):
    """q(z_l|z_{l+1}, x): the features of x beside z_{l+1}, through dense layers (Xiao & Bamler 2023, Eq. 4)."""

    def __init__(self, features: int, upper: int, widths: Sequence[int], activation: str, size: int) -> None:
        super().__init__()
        self.layers = dense(features + upper, widths, activation)
        self.head = NormalHead(widths[-1], size)

    def forward(self, features: Tensor, upper: Tensor) -> Normal:
        normal: Normal = self.head(self.layers(torch.cat((features, upper), dim=-1)))
        return normal
