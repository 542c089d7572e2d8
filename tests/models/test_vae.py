"""The flat autoencoder against the linear-Gaussian model, whose posterior and marginal are known in closed form.

x = W z + b + σ ε with orthogonal columns of W, so that the posterior covariance (I + WᵀW/σ²)⁻¹ is diagonal and a
diagonal posterior can be exact; log p(x) = log N(x; b, W Wᵀ + σ² I).
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from models import kinds
from models.build import build_network
from models.families import Data
from models.full_normal import FLOOR
from models.initialise import initialise
from models.likelihoods import Gaussian
from models.noise import Noise, key
from models.posteriors import FullNormalPosterior, NormalPosterior
from models.priors import StandardNormal
from models.vae import VariationalAutoencoder

SIGMA = 0.6
PIXELS, LATENT = 4, 2


class Flat(Data):
    """2×2 images of real numbers."""

    shape: ClassVar[tuple[int, int, int]] = (1, 2, 2)
    levels: ClassVar[int] = 1
    classes: ClassVar[int] = 2


class Reshape(nn.Module):
    """(B, 4) -> (B, 1, 2, 2)."""

    def forward(self, flat: Tensor) -> Tensor:
        return flat.reshape(-1, 1, 2, 2)


class LinearGaussian(NamedTuple):
    network: VariationalAutoencoder
    weight: Tensor  # W, (4, 2)
    bias: Tensor
    std: Tensor  # of the exact posterior, (2,)


@pytest.fixture
def exact() -> LinearGaussian:
    noise = Noise(key(5), 0, torch.float64)
    orthonormal, _ = torch.linalg.qr(noise.normal("weight", (PIXELS, LATENT)))
    weight = orthonormal * torch.tensor([1.5, 0.7], dtype=torch.float64)
    bias = noise.normal("bias", (PIXELS,))
    precision = 1.0 + (weight**2).sum(0) / SIGMA**2
    std = precision.rsqrt()

    posterior = NormalPosterior(PIXELS, LATENT)
    linear = nn.Linear(LATENT, PIXELS)
    network = VariationalAutoencoder(
        data=Flat(),
        encoder=nn.Flatten(),
        posterior=posterior,
        prior=StandardNormal(LATENT),
        decoder=nn.Sequential(linear, Reshape()),
        likelihood=Gaussian(kinds.Gaussian(sigma=SIGMA), Flat()),
    ).double()
    mean_map = weight.T / SIGMA**2 / precision[:, None]  # posterior mean = mean_map (x - b)
    with torch.no_grad():
        linear.weight.copy_(weight)
        linear.bias.copy_(bias)
        posterior.linear.weight.copy_(torch.cat((mean_map, torch.zeros_like(mean_map))))
        posterior.linear.bias.copy_(torch.cat((-mean_map @ bias, torch.log(torch.expm1(std)))))
    network.requires_grad_(False)
    return LinearGaussian(network, weight, bias, std)


def _log_marginal(model: LinearGaussian, x: Tensor) -> Tensor:
    covariance = model.weight @ model.weight.T + SIGMA**2 * torch.eye(PIXELS, dtype=torch.float64)
    return MultivariateNormal(model.bias, covariance).log_prob(x.flatten(1))


def _estimate(network: VariationalAutoencoder, x: Tensor, draws: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rate, and mean distortion with its standard error, of each of N images by `draws` samples."""
    terms = network.terms(x.repeat_interleave(draws, 0), Noise(key(0), 0, torch.float64))
    assert terms.rate.shape == (1, len(x) * draws)
    assert terms.auxiliary == {}
    distortion = terms.distortion.reshape(len(x), draws)
    return terms.rate.reshape(len(x), draws)[:, 0], distortion.mean(1), distortion.std(1) / draws**0.5


def _expected_distortion(model: LinearGaussian, x: Tensor) -> Tensor:
    """E_q[−log p(x|z)] = −log p(x|μ) + tr(W diag(s²) Wᵀ) / 2σ² for a diagonal normal q."""
    code = model.network.codes(x, Noise(key(0), 0, torch.float64))["z1"]
    output = model.network.decoder(code.mean)
    spread = (code.std**2 * (model.weight**2).sum(0)).sum(1) / (2 * SIGMA**2)
    return spread - model.network.likelihood.log_prob(x, output)


@pytest.fixture
def x() -> Tensor:
    return Noise(key(9), 0, torch.float64).normal("x", (6, 1, 2, 2))


def test_at_the_exact_posterior_rate_plus_distortion_is_minus_log_marginal(exact: LinearGaussian, x: Tensor) -> None:
    rate = exact.network.terms(x, Noise(key(0), 0, torch.float64)).rate[0]
    torch.testing.assert_close(rate + _expected_distortion(exact, x), -_log_marginal(exact, x))


def test_sampled_distortion_estimates_its_expectation(exact: LinearGaussian, x: Tensor) -> None:
    # 6 images, bounds of 5 standard errors: a right estimator passes with probability above 1 - 1e-5.
    _, distortion, error = _estimate(exact.network, x, 40_000)
    assert bool(((distortion - _expected_distortion(exact, x)).abs() < 5 * error).all())


def test_any_other_posterior_pays_its_divergence_from_the_exact_one(exact: LinearGaussian, x: Tensor) -> None:
    truth = exact.network.codes(x, Noise(key(0), 0, torch.float64))["z1"]
    best = -_log_marginal(exact, x)
    for trial in range(5):
        noise = Noise(key(trial), 0, torch.float64)
        linear = exact.network.posterior.linear
        linear.weight.add_(noise.normal("weight", tuple(linear.weight.shape)) * 0.3)
        linear.bias.add_(noise.normal("bias", tuple(linear.bias.shape)) * 0.3)
        terms = exact.network.terms(x, noise)
        bound = terms.rate[0] + _expected_distortion(exact, x)
        assert bool((terms.rate >= 0).all())
        assert bool((bound >= best).all())
        q = exact.network.codes(x, noise)["z1"]
        gap = torch.distributions.kl_divergence(
            torch.distributions.Normal(q.mean, q.std), torch.distributions.Normal(truth.mean, truth.std)
        ).sum(1)
        torch.testing.assert_close(bound - best, gap)


def test_codes_are_the_samples_that_the_terms_decode(exact: LinearGaussian, x: Tensor) -> None:
    noise = Noise(key(2), 7, torch.float64)
    code = exact.network.codes(x, noise)["z1"]
    torch.testing.assert_close(code.sample, code.mean + code.std * noise.normal("posterior/z1", (6, LATENT)))
    torch.testing.assert_close(code.std, exact.std.expand(6, LATENT))
    decoded = exact.network.decoder(code.sample)
    torch.testing.assert_close(exact.network.terms(x, noise).distortion, -exact.network.likelihood.log_prob(x, decoded))


def test_reconstructions_decode_the_posteriors_mode(exact: LinearGaussian, x: Tensor) -> None:
    code = exact.network.codes(x, Noise(key(0), 0, torch.float64))["z1"]
    expected = (code.mean @ exact.weight.T + exact.bias).reshape(6, 1, 2, 2)
    torch.testing.assert_close(exact.network.reconstruct(x), expected)


def test_generated_images_have_the_models_moments(exact: LinearGaussian) -> None:
    # The decoder's mean has covariance W Wᵀ. 100,000 draws; an entry's standard error is below 0.011, bound 0.055.
    images = exact.network.generate(100_000, Noise(key(4), 0, torch.float64)).flatten(1)
    assert bool(((images.mean(0) - exact.bias).abs() < 0.03).all())
    torch.testing.assert_close(images.T.cov(), exact.weight @ exact.weight.T, atol=0.055, rtol=0.0)


def test_methods_are_reached_through_forward(exact: LinearGaussian, x: Tensor) -> None:
    torch.testing.assert_close(exact.network("reconstruct", x), exact.network.reconstruct(x))


@pytest.mark.parametrize("parts", ["dense", "convolutional"])
def test_shapes_of_a_built_model(parts: str) -> None:
    data = kinds.Digits()
    model = kinds.FlatModel.model_validate(
        {"latent": 3, "encoder": {"kind": parts}, "decoder": {"kind": parts}, "likelihood": kinds.Binomial(total=16)}
    )
    network = build_network(model, data)
    parameters = initialise(network, key(0)[None], torch.float32, torch.zeros(1, 1, 8, 8, dtype=torch.uint8))
    network.load_state_dict({name: value[0] for name, value in parameters.items()})
    noise = Noise(key(0), 0)
    images = noise.uniform("x", (5, 1, 8, 8)).mul(16).round()
    terms = network.terms(images, noise)
    assert terms.rate.shape == (1, 5)
    assert terms.distortion.shape == (5,)
    assert network.reconstruct(images).shape == (5, 1, 8, 8)
    samples = network.generate(7, noise).detach()
    assert samples.shape == (7, 1, 8, 8)
    assert 0 <= float(samples.min()) <= float(samples.max()) <= 1


@pytest.fixture
def correlated() -> VariationalAutoencoder:
    """A linear-Gaussian model with any W: its posterior N(S Wᵀ(x − b)/σ², S), S = (I + WᵀW/σ²)⁻¹, has correlations."""
    noise = Noise(key(6), 0, torch.float64)
    weight, bias = noise.normal("weight", (PIXELS, LATENT)), noise.normal("bias", (PIXELS,))
    covariance = torch.linalg.inv(torch.eye(LATENT, dtype=torch.float64) + weight.T @ weight / SIGMA**2)
    tril = torch.linalg.cholesky(covariance)
    posterior, linear = FullNormalPosterior(PIXELS, LATENT), nn.Linear(LATENT, PIXELS)
    network = VariationalAutoencoder(
        data=Flat(),
        encoder=nn.Flatten(),
        posterior=posterior,
        prior=StandardNormal(LATENT),
        decoder=nn.Sequential(linear, Reshape()),
        likelihood=Gaussian(kinds.Gaussian(sigma=SIGMA), Flat()),
    ).double()
    mean_map = covariance @ weight.T / SIGMA**2
    raw = tril.tril(-1) + torch.diag(torch.log(torch.expm1(tril.diagonal() - FLOOR)))
    with torch.no_grad():
        linear.weight.copy_(weight)
        linear.bias.copy_(bias)
        posterior.linear.weight.zero_()[:LATENT] = mean_map
        # The head fills row by row with its numbers but the first two, and then all of them backwards: a row of its
        # third and one above the diagonal, then its second and its first.
        posterior.linear.bias.copy_(torch.cat((-mean_map @ bias, raw[1, 1:], raw[1, :1], raw[0, :1])))
    return network.requires_grad_(False)


def test_a_full_posterior_can_be_exact_where_latents_are_correlated(
    correlated: VariationalAutoencoder, x: Tensor
) -> None:
    """Then log p(x|z) + log p(z) − log q(z|x) is log p(x) at every z, not only in the mean."""
    noise = Noise(key(0), 0, torch.float64)
    weight, bias = correlated.decoder[0].weight, correlated.decoder[0].bias
    marginal = MultivariateNormal(bias, weight @ weight.T + SIGMA**2 * torch.eye(PIXELS, dtype=torch.float64))
    code = correlated.codes(x, noise)["z1"]
    scale = correlated.scales(x, noise)["z1"]
    assert bool((scale[:, 1, 0].abs() > 0.01).all())
    torch.testing.assert_close((scale @ scale.mT).diagonal(dim1=1, dim2=2), code.std**2)
    posterior = MultivariateNormal(code.mean, scale_tril=scale)
    prior = MultivariateNormal(torch.zeros(LATENT, dtype=torch.float64), torch.eye(LATENT, dtype=torch.float64))
    terms = correlated.terms(x, noise)
    rate_of_sample = posterior.log_prob(code.sample) - prior.log_prob(code.sample)
    torch.testing.assert_close(rate_of_sample + terms.distortion, -marginal.log_prob(x.flatten(1)))
    torch.testing.assert_close(terms.rate[0], torch.distributions.kl_divergence(posterior, prior))
