"""A hierarchy in which everything is linear and normal: rates, distortion and log p(x) in closed form, both inferences.

    z2 ~ N(0, I), z1|z2 ~ N(A z2 + a, diag v_p), x|z1 ~ N(W z1 + w, σ² I)
    q(z2|x) = N(M x + m, diag v_2), q(z1|z2, x) = N(G z2 + g(x), diag v_q)

The ladder merges an estimate N(E x + e, diag v_e) with p(z1|z2), so that G, g and v_q follow from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, kl_divergence

from models import kinds
from models.families import Data
from models.hierarchical import HierarchicalAutoencoder, LadderAutoencoder
from models.likelihoods import Gaussian
from models.noise import Noise, key
from models.normal import Normal
from models.priors import StandardNormal

PIXELS, LOWER, UPPER = 4, 3, 2
SIGMA = 0.8
DRAWS = 100_000


class Reals(Data):
    """2×2 images of real numbers."""

    shape: ClassVar[tuple[int, int, int]] = (1, 2, 2)
    levels: ClassVar[int] = 1
    classes: ClassVar[int] = 2


def _matrix(name: str, *shape: int) -> Tensor:
    return Noise(key(12), 0, torch.float64).normal(name, shape) * 0.7


class Affine(nn.Module):
    """Inputs, one after another, to N(weight · inputs + bias, diag variance)."""

    def __init__(self, name: str, inputs: int, size: int) -> None:
        super().__init__()
        self.weight, self.bias = _matrix(f"{name}/weight", size, inputs), _matrix(f"{name}/bias", size)
        self.variance = _matrix(f"{name}/variance", size).exp()

    def forward(self, *inputs: Tensor) -> Normal:
        mean = torch.cat(inputs, 1) @ self.weight.T + self.bias
        return Normal(mean, self.variance.sqrt().expand_as(mean))


class Decode(nn.Module):
    """z1 -> W z1 + w as an image."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = _matrix("decoder/weight", PIXELS, LOWER), _matrix("decoder/bias", PIXELS)

    def forward(self, z: Tensor) -> Tensor:
        return (z @ self.weight.T + self.bias).reshape(-1, 1, 2, 2)


@dataclass(frozen=True)
class Hierarchy:
    """The network, and its matrices as the module's docstring has them; `offset` is g(x) of each image."""

    network: HierarchicalAutoencoder
    top: Affine
    prior: Affine
    decoder: Decode
    gain: Tensor
    variance: Tensor
    offset: Tensor


X = Noise(key(1), 0, torch.float64).normal("x", (3, 1, 2, 2))


@pytest.fixture(params=["generalised", "ladder"])
def hierarchy(request: pytest.FixtureRequest) -> Hierarchy:
    flat = X.flatten(1)
    top, prior, decoder = Affine("top", PIXELS, UPPER), Affine("prior", UPPER, LOWER), Decode()
    ladder = request.param == "ladder"
    below = Affine("estimate", PIXELS, LOWER) if ladder else Affine("posterior", PIXELS + UPPER, LOWER)
    if ladder:  # a chain: z2 is read from what z1's estimate is read from
        precision = 1 / below.variance + 1 / prior.variance
        gain = prior.weight / (prior.variance * precision)[:, None]
        estimate = (flat @ below.weight.T + below.bias) / below.variance
        variance, offset = 1 / precision, (estimate + prior.bias / prior.variance) / precision
    else:
        of_x, gain = below.weight[:, :PIXELS], below.weight[:, PIXELS:]
        variance, offset = below.variance, flat @ of_x.T + below.bias
    network = (LadderAutoencoder if ladder else HierarchicalAutoencoder)(
        groups=("z1", "z2"),
        encoders=[nn.Flatten(), nn.Identity() if ladder else nn.Flatten()],
        posterior=top,  # type: ignore[arg-type]
        conditional_posteriors=[below],
        prior=StandardNormal(UPPER),
        conditional_priors=[prior],  # type: ignore[list-item]
        decoder=decoder,
        likelihood=Gaussian(kinds.Gaussian(sigma=SIGMA), Reals()),
    )
    return Hierarchy(network, top, prior, decoder, gain, variance, offset)


def _top(hierarchy: Hierarchy) -> Tensor:
    """Means of q(z2|x): (3, UPPER)."""
    return X.flatten(1) @ hierarchy.top.weight.T + hierarchy.top.bias


def _rates(hierarchy: Hierarchy) -> tuple[Tensor, Tensor]:
    """E KL of z1 and of z2: KL at the mean of z2, and ½ tr(D v_2 Dᵀ / v_p) with D = G − A: (3,) each."""
    top, prior = hierarchy.top, hierarchy.prior
    mean = _top(hierarchy)
    below = MultivariateNormal(mean @ hierarchy.gain.T + hierarchy.offset, torch.diag(hierarchy.variance))
    above = MultivariateNormal(mean @ prior.weight.T + prior.bias, torch.diag(prior.variance))
    difference = hierarchy.gain - prior.weight
    spread = (difference * top.variance @ difference.T).diagonal() / prior.variance
    standard = MultivariateNormal(torch.zeros_like(mean), torch.eye(UPPER, dtype=torch.float64))
    return (
        kl_divergence(below, above) + 0.5 * spread.sum(),
        kl_divergence(MultivariateNormal(mean, torch.diag(top.variance)), standard),
    )


def _distortion(hierarchy: Hierarchy) -> Tensor:
    """E −log p(x|z1) = (|x − W E z1 − w|² + tr W Cov(z1) Wᵀ) / 2σ² + ½ d log 2πσ²: (3,)."""
    gain, weight = hierarchy.gain, hierarchy.decoder.weight
    mean = _top(hierarchy) @ gain.T + hierarchy.offset
    covariance = gain * hierarchy.top.variance @ gain.T + torch.diag(hierarchy.variance)
    error = (X.flatten(1) - mean @ weight.T - hierarchy.decoder.bias).square().sum(1)
    square = error + (weight @ covariance @ weight.T).trace()
    return square / (2 * SIGMA**2) + 0.5 * PIXELS * torch.tensor(2 * torch.pi * SIGMA**2).double().log()


def _images(hierarchy: Hierarchy) -> MultivariateNormal:
    """p(x)."""
    prior, decoder = hierarchy.prior, hierarchy.decoder
    covariance = prior.weight @ prior.weight.T + torch.diag(prior.variance)
    noise = SIGMA**2 * torch.eye(PIXELS, dtype=torch.float64)
    mean = decoder.weight @ prior.bias + decoder.bias
    return MultivariateNormal(mean, decoder.weight @ covariance @ decoder.weight.T + noise)


def _gap(hierarchy: Hierarchy) -> Tensor:
    """KL[q(z1, z2|x) ‖ p(z1, z2|x)], both joint normals in LOWER + UPPER dimensions: (3,)."""
    prior, decoder, top, gain = hierarchy.prior, hierarchy.decoder, hierarchy.top, hierarchy.gain
    identity = torch.eye(UPPER, dtype=torch.float64)
    lower = prior.weight @ prior.weight.T + torch.diag(prior.variance)
    joint = torch.cat((torch.cat((lower, prior.weight), 1), torch.cat((prior.weight.T, identity), 1)))
    mean = torch.cat((prior.bias, torch.zeros(UPPER, dtype=torch.float64)))
    seen = torch.cat((decoder.weight, torch.zeros(PIXELS, UPPER, dtype=torch.float64)), 1)
    images = _images(hierarchy)
    kalman = joint @ seen.T @ torch.linalg.inv(images.covariance_matrix)
    given_x = MultivariateNormal(mean + (X.flatten(1) - images.mean) @ kalman.T, joint - kalman @ seen @ joint)
    scaled = gain * top.variance
    own = torch.cat(
        (
            torch.cat((scaled @ gain.T + torch.diag(hierarchy.variance), scaled), 1),
            torch.cat((scaled.T, torch.diag(top.variance)), 1),
        )
    )
    centre = torch.cat((_top(hierarchy) @ gain.T + hierarchy.offset, _top(hierarchy)), 1)
    return kl_divergence(MultivariateNormal(centre, own), given_x)


def test_rates_and_distortion_equal_their_closed_forms(hierarchy: Hierarchy) -> None:
    """Within 5 standard errors of 100,000 draws, six means: passed by chance with probability above 1 - 4e-6."""
    terms = hierarchy.network.terms(X.repeat_interleave(DRAWS, 0), Noise(key(0), 0, torch.float64))
    lower, upper = _rates(hierarchy)
    found = terms.rate.reshape(2, 3, DRAWS)
    torch.testing.assert_close(found[1], upper[:, None].expand(3, DRAWS))
    for values, expected in ((found[0], lower), (terms.distortion.reshape(3, DRAWS), _distortion(hierarchy))):
        error = values.std(1) / DRAWS**0.5
        assert bool(((values.mean(1) - expected).abs() < 5 * error).all())
        assert bool((error < 0.01 * expected).all())  # so that the bound says something


def test_the_bound_falls_short_of_log_p_by_the_divergence_to_the_posterior(hierarchy: Hierarchy) -> None:
    """ELBO = log p(x) − KL[q(z1, z2|x) ‖ p(z1, z2|x)]: that the closed forms above are those of one model."""
    lower, upper = _rates(hierarchy)
    elbo = -(_distortion(hierarchy) + lower + upper)
    log_p = _images(hierarchy).log_prob(X.flatten(1))
    torch.testing.assert_close(elbo, log_p - _gap(hierarchy))
    assert bool((elbo < log_p).all())


def test_modes_are_means_at_means(hierarchy: Hierarchy) -> None:
    modes = hierarchy.network.modes(X)
    z1 = _top(hierarchy) @ hierarchy.gain.T + hierarchy.offset
    torch.testing.assert_close(modes["z2"], _top(hierarchy))
    torch.testing.assert_close(modes["z1"], z1)
    torch.testing.assert_close(hierarchy.network.reconstruct(X), hierarchy.decoder(z1))


def test_generated_means_have_the_moments_of_p(hierarchy: Hierarchy) -> None:
    """4 means and 10 covariances within 5 standard errors: passed by chance with probability above 1 - 1e-5.

    The decoder's mean has no pixel noise: its covariance is that of x less σ² I, which has 3 dimensions.
    """
    found = hierarchy.network.generate(DRAWS, Noise(key(5), 0, torch.float64)).flatten(1)
    images = _images(hierarchy)
    expected = images.covariance_matrix - SIGMA**2 * torch.eye(PIXELS, dtype=torch.float64)
    variances = expected.diagonal()
    assert bool(((found.mean(0) - images.mean).abs() < 5 * (variances / DRAWS).sqrt()).all())
    error = ((variances[:, None] * variances + expected**2) / DRAWS).sqrt()
    assert bool(((found.T.cov() - expected).abs() < 5 * error).all())
