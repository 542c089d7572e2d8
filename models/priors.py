"""Priors p(z) and p(z_l|z_{l+1}): what a posterior's rate is measured against."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from models import kinds
from models.families import Data
from models.layers import dense
from models.noise import Draws
from models.normal import Normal, NormalHead
from models.posteriors import Distribution


class Prior(nn.Module):
    """What a flat model asks of p(z).

    A prior may be made of posteriors: those at the images that it gives as `inputs`, which the model encodes together
    with the data and hands back as `components`.
    """

    def inputs(self) -> Tensor | None:
        """Images (C, ch, H, W) on the raw scale 0..levels whose posteriors the prior is made of; None without any."""
        return None

    def rate(self, q: Distribution, z: Tensor, components: Distribution | None) -> Tensor:
        """KL[q ‖ p], nats: (B,); where it has no closed form, its estimate at the sample z (B, d) of q."""
        raise NotImplementedError

    def sample(self, count: int, noise: Draws, site: str, components: Distribution | None) -> Tensor:
        """(count, d)."""
        raise NotImplementedError


class StandardNormal(Prior):
    """p(z) = N(0, I) in `size` dimensions."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def rate(self, q: Distribution, z: Tensor, components: Distribution | None) -> Tensor:
        """In closed form: z and components play no part."""
        return q.kl_to_standard()

    def sample(self, count: int, noise: Draws, site: str, components: Distribution | None) -> Tensor:
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


def standard_normal(spec: kinds.StandardNormalPrior, data: Data, latent: int) -> StandardNormal:
    """The standard normal prior of a model with `latent` dimensions."""
    return StandardNormal(latent)
