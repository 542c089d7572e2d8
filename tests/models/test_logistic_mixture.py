"""The quantised logistic mixture against scipy's logistic, torch.distributions, the reference code and enumeration."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from models import kinds
from models.logistic_mixture import LogisticMixture, QuantisedMixture
from models.noise import Noise, key

DATA = kinds.Mnist(downsample=2)
EVERY = torch.arange(256, dtype=torch.float64).reshape(1, 1, 1, 256)
NOISE = Noise(key(0), 0, torch.float64)


def _likelihood(components: int = 5) -> LogisticMixture:
    return LogisticMixture(kinds.LogisticMixture(components=components), DATA)


def _outputs(count: int, components: int = 5) -> Tensor:
    """(count, 3K, 1, 1): logits, means well beyond −1..1 and log-scales of −9..3."""
    shape = (count, components, 1, 1)
    logits = NOISE.normal("logits", shape) * 2
    means = NOISE.normal("means", shape) * 0.8
    log_scales = NOISE.uniform("scales", shape) * 12 - 9
    return torch.cat((logits, means, log_scales), dim=1)


def _log_masses(output: Tensor) -> Tensor:
    """log P(0..255): (count, 256) from outputs (count, 3K, 1, 1)."""
    return QuantisedMixture(output.expand(-1, -1, 1, 256), 0, 255).log_masses(EVERY.to(output.dtype))[:, 0, 0]


def test_masses_sum_to_one() -> None:
    sums = _log_masses(_outputs(200)).exp().sum(1)
    torch.testing.assert_close(sums, torch.ones_like(sums), rtol=0, atol=1e-12)


@pytest.mark.parametrize("log_scale", [-1e6, -7.0, 0.0, 20.0, 200.0, 600.0])
@pytest.mark.parametrize("mean", [-1e6, -1.0, 0.3, 1e6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extremes_keep_their_masses_and_finite_gradients(mean: float, log_scale: float, dtype: torch.dtype) -> None:
    output = torch.tensor([[0.0, 1e4, mean, -mean, log_scale, log_scale]], dtype=dtype)[..., None, None]
    output.requires_grad_()
    log_masses = _log_masses(output)
    assert abs(float(log_masses.detach().double().exp().sum()) - 1) < (1e-12 if dtype == torch.float64 else 1e-5)
    (gradient,) = torch.autograd.grad(log_masses.sum(), output)
    assert bool(log_masses.isfinite().all())
    assert bool(gradient.isfinite().all())


def test_masses_equal_differences_of_scipys_distribution_function() -> None:
    output = _outputs(50)
    logits, means, log_scales = output[..., 0, 0].numpy().reshape(50, 3, 5).transpose(1, 0, 2)
    weights = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    edges = (np.arange(255) + 0.5) / 127.5 - 1
    below = scipy.stats.logistic.cdf(
        edges, means[..., None], np.exp(np.maximum(log_scales, -7.0))[..., None]
    )  # (50, 5, 255)
    masses = np.diff(below, axis=2, prepend=0.0, append=1.0)
    expected = np.einsum("nk,nkx->nx", weights, masses)
    np.testing.assert_allclose(_log_masses(output).exp().numpy(), expected, rtol=1e-9, atol=1e-14)


def test_masses_equal_those_of_torch_distributions() -> None:
    output = _outputs(20)
    logits, means, log_scales = output.chunk(3, dim=1)
    scales = log_scales.clamp(min=-7).exp()
    normal = torch.distributions.Uniform(torch.zeros_like(means), torch.ones_like(means))
    logistic = torch.distributions.TransformedDistribution(
        normal,
        [
            torch.distributions.SigmoidTransform().inv,
            torch.distributions.AffineTransform(means, scales),
        ],
        validate_args=False,
    )
    n = EVERY[..., 40:41]
    edges = [(n + side) / 127.5 - 1 for side in (-0.5, 0.5)]
    lower, upper = (logistic.cdf(edge.expand_as(means)) for edge in edges)
    expected = ((upper - lower) * logits.softmax(1)).sum(1)
    torch.testing.assert_close(_log_masses(output)[:, 40].exp(), expected[:, 0, 0], rtol=1e-9, atol=1e-14)


def _reference(x: Tensor, output: Tensor) -> Tensor:
    """log P as openai/pixel-cnn computes it (pixel_cnn_pp/nn.py, discretized_mix_logistic_loss), grey: (B,)."""
    x = x / 127.5 - 1
    logits, means, log_scales = output.chunk(3, dim=1)
    log_scales = log_scales.clamp(min=-7.0)
    centred = x - means
    inverse = (-log_scales).exp()
    plus, minus, middle = inverse * (centred + 1 / 255), inverse * (centred - 1 / 255), inverse * centred
    softplus = torch.nn.functional.softplus
    difference = plus.sigmoid() - minus.sigmoid()
    density = middle - log_scales - 2 * softplus(middle) - math.log(127.5)
    inner = torch.where(difference > 1e-5, difference.clamp(min=1e-12).log(), density)
    log_mass = torch.where(x < -0.999, plus - softplus(plus), torch.where(x > 0.999, -softplus(minus), inner))
    return (log_mass + logits.log_softmax(1)).logsumexp(1).sum((-2, -1))


def test_log_prob_equals_the_reference_code_where_no_bin_is_too_light_for_it() -> None:
    output = _outputs(2 * 14 * 14).reshape(2, 14, 14, 15).permute(0, 3, 1, 2).clone()
    output[:, 10:] = output[:, 10:].clamp(min=-2.0)
    x = (NOISE.uniform("x", (2, *DATA.shape)) * 256).floor()
    x[:, :, :2] = torch.tensor([0.0, 255.0], dtype=torch.float64)[:, None]
    torch.testing.assert_close(_likelihood().log_prob(x, output), _reference(x, output), rtol=1e-5, atol=0)


def test_mean_is_the_expected_intensity_scaled() -> None:
    output = _outputs(100)
    expected = (_log_masses(output).exp() * EVERY[0, 0]).sum(1) / 255
    torch.testing.assert_close(_likelihood().mean(output).flatten(), expected)


@pytest.mark.parametrize("row", range(6))
def test_draws_have_the_masses(row: int) -> None:
    """χ² at 20,000 draws; each of these six fails once in 10,000 seeds."""
    count = 20_000
    output = _outputs(6)
    uniforms = NOISE.uniform(f"draws/{row}", (1, 2, 1, count))
    drawn = _likelihood().draw(output[row : row + 1].expand(-1, -1, 1, count), uniforms)
    assert drawn.shape == (1, 1, 1, count)
    masses = _log_masses(output[row : row + 1])[0].exp()
    observed, expected = torch.bincount(drawn.flatten().long(), minlength=256).double(), masses * count
    heavy = expected >= 5
    observed = torch.cat((observed[heavy], observed[~heavy].sum()[None]))
    expected = torch.cat((expected[heavy], expected[~heavy].sum()[None]))
    if float(expected[-1]) < 5:
        observed[-2] += observed[-1]
        expected[-2] += expected[-1]
        observed, expected = observed[:-1], expected[:-1]
    statistic = float(((observed - expected).square() / expected).sum())
    assert scipy.stats.chi2.sf(statistic, len(expected) - 1) > 1e-4


def test_a_pixel_is_drawn_from_its_own_output_and_numbers() -> None:
    output = _outputs(3 * 4).reshape(1, 3, 4, 15).permute(0, 3, 1, 2)
    uniforms = NOISE.uniform("pixel", (1, 2, 3, 4))
    likelihood = _likelihood()
    whole = likelihood.draw(output, uniforms)
    for row, column in ((0, 0), (1, 3), (2, 2)):
        here = (..., slice(row, row + 1), slice(column, column + 1))
        torch.testing.assert_close(likelihood.draw(output[here], uniforms[here]), whole[here], rtol=0, atol=0)


def test_five_components_take_fifteen_outputs_and_three_one() -> None:
    assert (_likelihood().channels, _likelihood().uniforms) == (15, 2)
    one = _outputs(4, components=1)
    drawn = _likelihood(1).draw(one, NOISE.uniform("one", (4, 2, 1, 1)))
    assert _likelihood(1).channels == 3
    assert bool(((drawn >= 0) & (drawn <= 255) & (drawn == drawn.round())).all())
