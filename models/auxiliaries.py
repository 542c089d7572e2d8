"""Auxiliary decoders d'(t(x)|z): a second likelihood of the latents, of a target t(x), that shapes them in training.

Seybold et al. (2019), Sec. 4.4 and Table 3, give the targets; their likelihoods are our reading: each counts every
pixel, or every pair of neighbours, as one independent observation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import kinds
from models.families import Data
from models.layers import dense
from models.likelihoods import PIXELS, Likelihood
from models.logistic_mixture import PARAMETERS, QuantisedMixture
from models.pyramid import Decoder

ACTIVATION = "relu"  # of the dense layers (Seybold et al. 2019, Sec. 4.4)
COMPONENTS = 5  # of the mixtures of changes of intensity, as of their likelihood of intensities


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

    @classmethod
    def target(cls, data: Data) -> Target:
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

    @classmethod
    def target(cls, data: Data) -> Target:
        return Target(shape=data.shape, levels=data.levels, inputs=lambda x: x)

    def distortion(self, z: Tensor, x: Tensor) -> Tensor:
        return -self.likelihood.log_prob(x, self.decoder(z).to(z.dtype))  # of layers in bfloat16: back to float32


class Gradient(Auxiliary):
    """t(x): the changes of intensity from each pixel to the next on its right, and to the next below.

    Each is one independent observation in −levels..levels, given at its first pixel by the decoder of Table 6: of
    binary images a categorical of −1, 0 and 1, of others a mixture of 5 quantised logistics (models/logistic_mixture).
    The decoder's last column has no pixel on its right, its last row none below: what it says there is not used.
    """

    def __init__(self, spec: kinds.GradientAuxiliary, data: Data, latent: int, likelihood: Likelihood) -> None:
        super().__init__()
        self.levels = data.levels
        self.outputs = 3 if data.levels == 1 else PARAMETERS * COMPONENTS
        self.decoder = Decoder(spec, data, latent, 2 * self.outputs)

    @classmethod
    def target(cls, data: Data) -> Target:
        """Both changes as an image of 2C channels, (levels + change) / 2, and 0 for a change where there is none."""
        channels, height, width = data.shape

        def inputs(x: Tensor) -> Tensor:
            right, down = _changes(x)
            right, down = F.pad(right, (0, 1)), F.pad(down, (0, 0, 0, 1))
            return (torch.cat((right, down), dim=1) + data.levels) / 2.0

        return Target(shape=(2 * channels, height, width), levels=data.levels, inputs=inputs)

    def distortion(self, z: Tensor, x: Tensor) -> Tensor:
        output = self.decoder(z).to(z.dtype)  # (B, C · 2 · outputs, H, W)
        channels, height, width = x.shape[1:]
        # Each channel of the image becomes a row of the batch.
        output = output.reshape(len(x) * channels, 2 * self.outputs, height, width)
        right, down = _changes(x.reshape(len(x) * channels, 1, height, width))
        log_masses = self._log_mass(right, output[:, : self.outputs, :, :-1])
        log_masses = log_masses + self._log_mass(down, output[:, self.outputs :, :-1])
        return -log_masses.reshape(len(x), channels).sum(dim=1)

    def _log_mass(self, change: Tensor, output: Tensor) -> Tensor:
        """Σ over positions: (B,) from changes (B, 1, H, W) and outputs (B, outputs, H, W)."""
        if self.levels == 1:
            return output.log_softmax(dim=1).gather(1, (change + 1.0).long()).sum(PIXELS)
        return QuantisedMixture(output, -self.levels, self.levels).log_masses(change).sum(PIXELS)


def _changes(x: Tensor) -> tuple[Tensor, Tensor]:
    """To the right, (B, C, H, W − 1), and down, (B, C, H − 1, W)."""
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


class Counts(Auxiliary):
    """t(x): how often each intensity occurs in each of some sets of pixels, which a subclass names by `sets`.

    Each pixel of a set is one independent observation from a categorical of levels + 1 intensities, given by dense
    layers of ReLU units: −log d' = −Σ_sets Σ_n count(n) log p(n|z), blind to the order of the pixels within a set.
    """

    def __init__(
        self,
        spec: kinds.MarginalsAuxiliary | kinds.HistogramAuxiliary,
        data: Data,
        latent: int,
        likelihood: Likelihood,
    ) -> None:
        super().__init__()
        self.bins = data.levels + 1
        self.count = sum(part.shape[1] for part in self.sets(torch.empty(1, *data.shape)))
        self.hidden = dense(latent, spec.widths, ACTIVATION)
        self.output = nn.Linear(spec.widths[-1], self.count * self.bins)

    @classmethod
    def sets(cls, x: Tensor) -> tuple[Tensor, ...]:
        """The sets of pixels of x (B, C, H, W), those of one size together: (B, sets, pixels) each."""
        raise NotImplementedError

    @classmethod
    def target(cls, data: Data) -> Target:
        """The fraction of a set that each intensity has, all in one flat row."""
        bins = data.levels + 1

        def inputs(x: Tensor) -> Tensor:
            fractions = [_histograms(part, bins) / part.shape[2] for part in cls.sets(x)]
            return torch.cat(fractions, dim=1).reshape(len(x), 1, 1, -1)

        return Target(shape=(1, 1, inputs(torch.zeros(1, *data.shape)).shape[3]), levels=1, inputs=inputs)

    def distortion(self, z: Tensor, x: Tensor) -> Tensor:
        logits = self.output(self.hidden(z)).to(z.dtype)
        log_masses = logits.reshape(len(z), self.count, self.bins).log_softmax(dim=2)
        # By counts, which are exact in any order of adding: a sum of gathered masses would have a gradient that is not.
        counts = torch.cat([_histograms(part, self.bins) for part in self.sets(x)], dim=1)
        log_prob: Tensor = (counts * log_masses).sum((1, 2))
        return -log_prob


def _histograms(pixels: Tensor, bins: int) -> Tensor:
    """How often each of 0..bins − 1 occurs: (B, sets, bins) from (B, sets, pixels)."""
    zeros = pixels.new_zeros((*pixels.shape[:2], bins))
    return zeros.scatter_add(2, pixels.long(), torch.ones_like(pixels))


class Histogram(Counts):
    """t(x): the intensities of the whole image, of each channel by itself."""

    @classmethod
    def sets(cls, x: Tensor) -> tuple[Tensor, ...]:
        return (x.flatten(2),)


class Marginals(Counts):
    """t(x): the intensities of each row and of each column, so that every pixel is counted twice."""

    @classmethod
    def sets(cls, x: Tensor) -> tuple[Tensor, ...]:
        return x.flatten(1, 2), x.transpose(2, 3).flatten(1, 2)  # (B, C · H, W), (B, C · W, H)
