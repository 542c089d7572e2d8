"""Likelihoods p(x|z): independent pixels given the decoder's output, every normalising constant included, in nats.

`x` is (B, C, H, W), raw integers 0..levels in the floating dtype; `output` is (B, channels · C, H, W).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import kinds
from models.families import Data

PIXELS = (-3, -2, -1)


class Likelihood(nn.Module):
    """What a model asks of p(x|z). channels: the decoder's outputs for each channel of the image."""

    channels = 1

    def log_prob(self, x: Tensor, output: Tensor) -> Tensor:
        """log p(x|z), nats: (B,)."""
        raise NotImplementedError

    def mean(self, output: Tensor) -> Tensor:
        """E[x|z] scaled to [0, 1]: (B, C, H, W)."""
        raise NotImplementedError


class Bernoulli(Likelihood):
    """x ∈ {0, 1} with p(1) = sigmoid(output): log p = x·output − softplus(output)."""

    def __init__(self, spec: kinds.Bernoulli, data: Data) -> None:
        super().__init__()

    def log_prob(self, x: Tensor, output: Tensor) -> Tensor:
        return (x * output - F.softplus(output)).sum(PIXELS)

    def mean(self, output: Tensor) -> Tensor:
        return output.sigmoid()


class Binomial(Likelihood):
    """x ∈ 0..n, n draws of probability sigmoid(output): log p = log C(n, x) + x·output − n·softplus(output)."""

    log_coefficients: Tensor

    def __init__(self, spec: kinds.Binomial, data: Data) -> None:
        super().__init__()
        self.total = spec.total
        # A table of log C(n, ·) is one gather, where lgamma would be five operations.
        table = torch.tensor(
            [math.log(math.comb(spec.total, count)) for count in range(spec.total + 1)], dtype=torch.float64
        )
        self.register_buffer("log_coefficients", table, persistent=False)

    def log_prob(self, x: Tensor, output: Tensor) -> Tensor:
        kernel = torch.sub(x * output, F.softplus(output), alpha=self.total)
        return (kernel + self.log_coefficients.to(x.dtype)[x.long()]).sum(PIXELS)

    def mean(self, output: Tensor) -> Tensor:
        return output.sigmoid()


class Gaussian(Likelihood):
    """x / levels ~ N(output, σ²) with a fixed σ: a density on [0, 1]-scaled pixels (Xiao & Bamler 2023: σ = 0.71)."""

    def __init__(self, spec: kinds.Gaussian, data: Data) -> None:
        super().__init__()
        self.scale = 1.0 / data.levels
        self.precision = 1.0 / spec.sigma**2
        self.constant = math.prod(data.shape) * (math.log(spec.sigma) + 0.5 * math.log(2.0 * math.pi))

    def log_prob(self, x: Tensor, output: Tensor) -> Tensor:
        error = (x * self.scale - output).square().sum(PIXELS)
        return error * (-0.5 * self.precision) - self.constant

    def mean(self, output: Tensor) -> Tensor:
        return output
