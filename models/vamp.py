"""The VampPrior: a mixture of posteriors at learned pseudo-inputs (Tomczak & Welling 2018, Eq. 9).

Pseudo-inputs lie in [0, 1] by a hard tanh of free parameters. They start as in the authors' code for binary images
(jmtomczak/vae_vampprior, utils/load_data.py): near 0.05, or at training images, in either case with normal noise of
standard deviation 0.01.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import kinds
from models.families import Data
from models.noise import Draws, Noise
from models.posteriors import Distribution
from models.priors import Prior
from models.spec import SpecificationError

CONSTANT, SPREAD = 0.05, 0.01  # mean where pseudo-inputs start as noise, and its standard deviation
MARGIN = 3 * SPREAD  # from 0 and 1, where the hard tanh has no gradient, so that black and white pixels start inside
INTENSITIES = 255  # the levels of training images that are binarised anew in every step


class VampPrior(Prior):
    """m(z) = (1/C) Σ_c q(z|u_c), with uniform weights. `weight` is W, (C, ch, H, W), of u = hardtanh(W) · levels."""

    def __init__(self, spec: kinds.VampPrior, data: Data) -> None:
        super().__init__()
        self.components = spec.components
        self.start = spec.start
        self.levels = data.levels
        self.weight = nn.Parameter(torch.empty(spec.components, *data.shape))

    def inputs(self) -> Tensor:
        return F.hardtanh(self.weight, 0.0, 1.0) * self.levels

    def rate(self, q: Distribution, z: Tensor, components: Distribution | None) -> Tensor:
        """log q(z|x) − log m(z), nats: (B,), whose mean over z ~ q is the divergence."""
        return q.log_prob(z) - self.log_prob(z, components)

    def log_prob(self, z: Tensor, components: Distribution | None) -> Tensor:
        """log m(z) = logsumexp_c log q(z|u_c) − log C, nats: (B,)."""
        return torch.logsumexp(_given(components).log_prob_each(z), dim=-1) - math.log(self.components)

    def sample(self, count: int, noise: Draws, site: str, components: Distribution | None) -> Tensor:
        """A component, each as likely as any other, and then a draw from it."""
        given = _given(components)
        position = noise.uniform(f"{site}/component", (count, 1))[:, 0] * self.components
        chosen = position.long().clamp(max=self.components - 1)  # a product just below C may round up to it
        epsilon = noise.normal(site, (count, given.mean.shape[-1]))
        return given.mean[chosen] + (given.scale()[chosen] @ epsilon[..., None])[..., 0]

    def initialise_from(self, noise: Noise, site: str, images: Tensor) -> dict[str, Tensor]:
        """W of K trials, (K, C, ch, H, W): near a constant, or at as many training images (N, ch, H, W), uint8."""
        jitter = noise.normal(site, tuple(self.weight.shape)) * SPREAD
        if self.start == "noise":
            return {"weight": jitter + CONSTANT}
        if len(images) < self.components:
            raise SpecificationError(
                f"model.prior.components = {self.components}: the pseudo-inputs start at as many training images, and "
                f"there are {len(images)}; take fewer, or start = 'noise'"
            )
        # Images above the levels are intensities, of data that are binarised anew in every step.
        top = INTENSITIES if int(images.max()) > self.levels else self.levels
        chosen = noise.permutation(f"{site}/images", len(images))[..., : self.components]
        fractions = images[chosen].to(noise.dtype) / top
        return {"weight": jitter + (MARGIN + (1.0 - 2.0 * MARGIN) * fractions)}


def _given(components: Distribution | None) -> Distribution:
    if components is None:
        raise ValueError("a VampPrior needs the posteriors at its pseudo-inputs")
    return components


def vamp(spec: kinds.VampPrior, data: Data, latent: int) -> VampPrior:
    """The VampPrior of a model for `data`; the number of latents is its posterior's."""
    return VampPrior(spec, data)
