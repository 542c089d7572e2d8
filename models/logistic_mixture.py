"""Mixtures of quantised logistics: masses on a grid of integers (Salimans et al. 2017, Eq. 2), in nats.

The distribution is that of the reference code (openai/pixel-cnn), computed otherwise: there a bin of little mass takes
the density at its middle, so that masses sum to one but nearly; here the logarithm of a difference of two logistic
functions is taken in a form without cancellation, so that they do exactly.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from models import kinds
from models.families import Data
from models.likelihoods import PIXELS, Likelihood

UNIT = 127.5  # grey levels: what means and scales are counted in, so that 0..255 is −1..1
MIN_LOG_SCALE = -7.0  # openai/pixel-cnn
PARAMETERS = 3  # of a component: the logit of its weight, its mean, the logarithm of its scale


class QuantisedMixture:
    """Independent mixtures, one a position, on the integers low..high; the outermost bins reach to infinity.

    output: (B, 3K, H, W), logits, means and log-scales of K components. An integer n stands at (n − centre) / 127.5,
    centre the middle of low..high; log-scales are at least −7.
    """

    def __init__(self, output: Tensor, low: int, high: int) -> None:
        self.low, self.high = low, high
        self.centre = (low + high) / 2.0
        logits, self.means, log_scales = output.chunk(PARAMETERS, dim=1)  # (B, K, H, W) each
        self.log_weights = logits.log_softmax(dim=1)
        self.log_scales = log_scales.clamp(min=MIN_LOG_SCALE)

    def log_masses(self, n: Tensor) -> Tensor:
        """log P(n) at each position: (B, 1, H, W) from n (B, 1, H, W), integers low..high in the floating dtype.

        With a < b the standardised edges of the bin, σ(b) − σ(a) = σ(b) σ(−a) (1 − e^(a − b)); the edge that an
        outermost bin lacks leaves σ(b), or σ(−a), alone.
        """
        inverse = (-self.log_scales).exp()
        place = ((n - self.centre) / UNIT - self.means) * inverse
        half = inverse * (0.5 / UNIT)
        # Scales of e^80 and more would leave 1 − e^−width no bit: their masses in between are zero for all purposes.
        width = (2.0 * half).clamp(min=torch.finfo(n.dtype).tiny)
        log_mass = torch.where(n < self.high, F.logsigmoid(place + half), 0.0)
        log_mass = log_mass + torch.where(n > self.low, F.logsigmoid(half - place), 0.0)
        between = (n > self.low) & (n < self.high)
        log_mass = log_mass + torch.where(between, (-torch.expm1(-width)).log(), 0.0)
        return (self.log_weights + log_mass).logsumexp(dim=1, keepdim=True)

    def mean(self) -> Tensor:
        """E[n] = low + Σ_{m > low} P(n ≥ m): (B, 1, H, W)."""
        inverse = (-self.log_scales).exp()
        above = torch.zeros_like(self.means)
        for m in range(self.low + 1, self.high + 1):
            above = above + ((self.means - (m - 0.5 - self.centre) / UNIT) * inverse).sigmoid()
        return (self.log_weights.exp() * above).sum(dim=1, keepdim=True) + self.low

    def draw(self, uniforms: Tensor) -> Tensor:
        """Integers low..high: (B, 1, H, W) from uniforms (B, 2, H, W): one for the component, one for its value.

        Both by inversion: a logistic's value, rounded to the grid, has the masses of `log_masses`.
        """
        below = self.log_weights.exp().cumsum(dim=1)
        component = (uniforms[:, :1] > below[:, :-1]).sum(dim=1, keepdim=True)
        mean = self.means.gather(1, component)
        scale = self.log_scales.gather(1, component).exp()
        value = mean + scale * uniforms[:, 1:].logit()
        return (value * UNIT + self.centre).round().clamp(self.low, self.high)


class LogisticMixture(Likelihood):
    """Grey pixels 0..255, each from a mixture of K quantised logistics: 3K outputs a pixel."""

    uniforms = 2

    def __init__(self, spec: kinds.LogisticMixture, data: Data) -> None:
        super().__init__()
        self.channels = PARAMETERS * spec.components
        self.levels = data.levels

    def log_prob(self, x: Tensor, output: Tensor) -> Tensor:
        return QuantisedMixture(output, 0, self.levels).log_masses(x).sum(PIXELS)

    def mean(self, output: Tensor) -> Tensor:
        return QuantisedMixture(output, 0, self.levels).mean() / self.levels

    def draw(self, output: Tensor, uniforms: Tensor) -> Tensor:
        return QuantisedMixture(output, 0, self.levels).draw(uniforms)
