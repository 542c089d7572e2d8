"""Auxiliary decoders d'(t(x)|z): a second likelihood of the latents, of a target t(x), that shapes them in training.

Seybold et al. (2019), Sec. 4.4 and Table 3, give the targets; their likelihoods are our reading: each counts every
pixel, or every pair of neighbours, as one independent observation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from models import kinds
from models.families import Data
from models.likelihoods import Likelihood
from models.pyramid import Decoder


@dataclass(frozen=True, kw_only=True)
class Target:
    """What of an image an auxiliary decoder reconstructs, as a classifier sees it; to its encoder it stands for data.

    inputs: x (B, C, H, W), raw integers in the floating dtype -> (B, *shape), numbers in 0..levels.
    """

    shape: tuple[int, int, int]
    levels: int
    inputs: Callable[[Tensor], Tensor]


class Auxiliary(nn.Module):
    """What a model asks of an auxiliary decoder, built by `(spec, data, latent, likelihood)`."""

    @staticmethod
    def target(data: Data) -> Target:
        """What it reconstructs of the images of `data`."""
        raise NotImplementedError

    def distortion(self, z: Tensor, x: Tensor) -> Tensor:
        """−log d'(t(x)|z), nats: (B,) from z (B, latent) and x (B, C, H, W), raw integers in the floating dtype."""
        raise NotImplementedError


class Convolutional(Auxiliary):
    """t(x) = x: independent pixels from the decoder of Table 6, under the model's own likelihood."""

    def __init__(self, spec: kinds.ConvolutionalAuxiliary, data: Data, latent: int, likelihood: Likelihood) -> None:
        super().__init__()
        self.likelihood = likelihood
        self.decoder = Decoder(spec, data, latent, likelihood.channels)

    @staticmethod
    def target(data: Data) -> Target:
        return Target(shape=data.shape, levels=data.levels, inputs=lambda x: x)

    def distortion(self, z: Tensor, x: Tensor) -> Tensor:
        return -self.likelihood.log_prob(x, self.decoder(z))
