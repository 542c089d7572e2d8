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
    """What a model asks of p(x|z).

    channels: the decoder's outputs for each channel of the image. uniforms: the uniform numbers that a draw of one
    pixel, all its channels, takes.
    """

    channels = 1
    uniforms: int

    def log_prob(self, x: Tensor, output: Tensor) -> Tensor:
        """log p(x|z), nats: (B,)."""
        raise NotImplementedError

    def mean(self, output: Tensor) -> Tensor:
        """E[x|z] scaled to [0, 1]: (B, C, H, W)."""
        raise NotImplementedError

    def draw(self, output: Tensor, uniforms: Tensor) -> Tensor:
        """A sample of p(x|z), integers 0..levels: (B, C, H, W), each pixel from its own output and its own numbers.

        uniforms: (B, self.uniforms, H, W), uniform on (0, 1). H and W may be a part of the image, such as one pixel.
        """
        raise NotImplementedError


class Bernoulli(Likelihood):
    """x ∈ {0, 1} with p(1) = sigmoid(output): log p = x·output − softplus(output)."""

    def __init__(self, spec: kinds.Bernoulli, data: Data) -> None:
        super().__init__()
        self.uniforms = data.shape[0]

    def log_prob(self, x: Tensor, output: Tensor) -> Tensor:
        return (x * output - F.softplus(output)).sum(PIXELS)

    def mean(self, output: Tensor) -> Tensor:
        return output.sigmoid()

    def draw(self, output: Tensor, uniforms: Tensor) -> Tensor:
        return (uniforms < output.sigmoid()).to(output.dtype)


class Binomial(Likelihood):
    """x ∈ 0..n, n draws of probability sigmoid(output): log p = log C(n, x) + x·output − n·softplus(output)."""

    log_coefficients: Tensor

    def __init__(self, spec: kinds.Binomial, data: Data) -> None:
        super().__init__()
        self.uniforms = data.shape[0]
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

    def draw(self, output: Tensor, uniforms: Tensor) -> Tensor:
        """By inversion of the distribution function."""
        counts = torch.arange(self.total + 1, dtype=output.dtype, device=output.device)
        kernel = counts * output[..., None] - self.total * F.softplus(output)[..., None]
        below = (kernel + self.log_coefficients.to(output.dtype)).exp().cumsum(-1)  # P(x ≤ count)
        return (uniforms[..., None] > below[..., :-1]).sum(-1).to(output.dtype)


class Gaussian(Likelihood):
    """x / levels ~ N(output, σ²) with a fixed σ: a density on [0, 1]-scaled pixels (Xiao & Bamler 2023: σ = 0.71)."""

    def __init__(self, spec: kinds.Gaussian, data: Data) -> None:
        super().__init__()
        self.uniforms = data.shape[0]
        self.levels = data.levels
        self.sigma = spec.sigma
        self.scale = 1.0 / data.levels
        self.precision = 1.0 / spec.sigma**2
        self.constant = math.prod(data.shape) * (math.log(spec.sigma) + 0.5 * math.log(2.0 * math.pi))

    def log_prob(self, x: Tensor, output: Tensor) -> Tensor:
        error = (x * self.scale - output).square().sum(PIXELS)
        return error * (-0.5 * self.precision) - self.constant

    def mean(self, output: Tensor) -> Tensor:
        return output

    def draw(self, output: Tensor, uniforms: Tensor) -> Tensor:
        """The nearest of the integers 0..levels to a draw of the density."""
        drawn = torch.add(output, torch.special.ndtri(uniforms), alpha=self.sigma)
        return (drawn * self.levels).round().clamp(0.0, self.levels)
