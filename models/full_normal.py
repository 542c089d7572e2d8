"""The normal distribution of full covariance LLᵀ, given by its lower-triangular factor L, in nats.

What keeps it finite: the diagonal of L is softplus(·) + FLOOR, so that its logarithm is bounded below and L has an
inverse; densities subtract the mean before they solve with L by substitution, which is backward stable, and form
neither the covariance nor an inverse.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.noise import Draws
from models.normal import LOG_TWO_PI

FLOOR = 1e-5  # the least entry on the diagonal of L


class FullNormal(NamedTuple):
    """N(mean, LLᵀ) for each datum of a batch: mean (B, d), tril = L (B, d, d), zero above its positive diagonal."""

    mean: Tensor
    tril: Tensor

    @property
    def std(self) -> Tensor:
        """Marginal standard deviations, the norms of L's rows: (B, d)."""
        norms: Tensor = torch.linalg.vector_norm(self.tril, dim=-1)
        return norms

    def scale(self) -> Tensor:
        """L itself: (B, d, d)."""
        return self.tril

    def sample(self, noise: Draws, site: str) -> Tensor:
        """One reparametrised draw a datum, mean + L ε: (B, d)."""
        epsilon = noise.normal(site, tuple(self.mean.shape))
        with torch.autocast(epsilon.device.type, enabled=False):  # a draw is no layer: in full precision always
            return self.mean + (self.tril @ epsilon[..., None])[..., 0]

    def log_prob(self, z: Tensor) -> Tensor:
        """log N(z; mean, LLᵀ) = −½ |L⁻¹(z − μ)|² − log det L − ½ d log 2π, nats: (..., B) for z (..., B, d)."""
        white = torch.linalg.solve_triangular(self.tril, (z - self.mean)[..., None], upper=False)
        return self._log_density(white.square().sum((-2, -1)))

    def log_prob_each(self, z: Tensor) -> Tensor:
        """The log density of each of N points under each of the B normals: z (N, d) -> (N, B).

        One substitution a normal, with all points as its right-hand sides: as many operations as applying inverses
        would take, without the inverses.
        """
        white = torch.linalg.solve_triangular(self.tril, (z - self.mean[:, None]).mT, upper=False)  # (B, d, N)
        return self._log_density(white.square().sum(-2).mT)

    def kl_to_standard(self) -> Tensor:
        """KL[q ‖ N(0, I)] = ½ (|L|² + |μ|² − d) − log det L, nats: (B,)."""
        square = self.tril.square().sum((-2, -1)) + self.mean.square().sum(-1)
        return 0.5 * (square - self.mean.shape[-1]) - self._log_determinant()

    def _log_determinant(self) -> Tensor:
        """log det L: (B,)."""
        return self.tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def _log_density(self, square: Tensor) -> Tensor:
        """From the squared Mahalanobis distances (..., B)."""
        return -0.5 * (square + self.mean.shape[-1] * LOG_TWO_PI) - self._log_determinant()


class FullNormalHead(nn.Module):
    """A linear layer to d + d(d+1)/2 numbers, the mean and L: (B, features) -> FullNormal of size d.

    The diagonal of L is softplus(·) + FLOOR, what is below it enters as it is.
    """

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.linear = nn.Linear(features, size + size * (size + 1) // 2)

    def forward(self, features: Tensor) -> FullNormal:
        numbers = self.linear(features).to(self.linear.weight.dtype)  # of layers in bfloat16: back to float32
        mean, packed = numbers.tensor_split([self.size], dim=-1)
        raw = _fill(packed, self.size)
        diagonal = F.softplus(raw.diagonal(dim1=-2, dim2=-1)) + FLOOR
        return FullNormal(mean, raw.tril(-1) + torch.diag_embed(diagonal))


def _fill(packed: Tensor, size: int) -> Tensor:
    """d(d+1)/2 numbers as a square whose lower triangle holds each of them once: (B, d(d+1)/2) -> (B, d, d).

    The numbers after the first d and then all of them backwards are d² in row order. Above the diagonal stand copies.
    """
    square = torch.cat((packed[..., size:], packed.flip(-1)), dim=-1)
    return square.reshape(*square.shape[:-1], size, size)
