"""Likelihoods: masses sum to one by enumeration; values against scipy.stats."""

from __future__ import annotations

import itertools
from typing import ClassVar

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from models import kinds, likelihoods
from models.families import Data
from models.noise import Noise, key


class Binary(Data):
    """2×2 binary images."""

    shape: ClassVar[tuple[int, int, int]] = (1, 2, 2)
    levels: ClassVar[int] = 1
    classes: ClassVar[int] = 2


class Counts(Data):
    """1×3 images of 0..4."""

    shape: ClassVar[tuple[int, int, int]] = (1, 1, 3)
    levels: ClassVar[int] = 4
    classes: ClassVar[int] = 2


def _images(data: Data) -> Tensor:
    """All images there are: ((levels + 1)^pixels, C, H, W)."""
    pixels = int(np.prod(data.shape))
    every = list(itertools.product(range(data.levels + 1), repeat=pixels))
    return torch.tensor(every, dtype=torch.float64).reshape(-1, *data.shape)


def _output(data: Data, count: int) -> Tensor:
    return Noise(key(0), 0, torch.float64).normal("output", (count, *data.shape)) * 2.0


DISCRETE = [
    (likelihoods.Bernoulli(kinds.Bernoulli(), Binary()), Binary()),
    (likelihoods.Binomial(kinds.Binomial(total=4), Counts()), Counts()),
]


@pytest.mark.parametrize(("likelihood", "data"), DISCRETE)
def test_masses_sum_to_one(likelihood: likelihoods.Likelihood, data: Data) -> None:
    images = _images(data)
    for output in _output(data, 5):
        mass = likelihood.log_prob(images, output.expand(len(images), *data.shape)).exp().sum()
        assert abs(float(mass) - 1.0) < 1e-12


@pytest.mark.parametrize(("likelihood", "data"), DISCRETE)
def test_draws_have_the_masses(likelihood: likelihoods.Likelihood, data: Data) -> None:
    """χ² of each pixel by itself at 20,000 draws: fails once in 10,000 seeds, for each of at most four pixels."""
    count = 20_000
    output = _output(data, 1)
    uniforms = Noise(key(0), 0, torch.float64).uniform("draws", (count, likelihood.uniforms, *data.shape[1:]))
    drawn = likelihood.draw(output.expand(count, *data.shape), uniforms).flatten(1)
    every = torch.arange(data.levels + 1, dtype=torch.float64)
    for pixel in range(drawn.shape[1]):
        observed = torch.bincount(drawn[:, pixel].long(), minlength=data.levels + 1)
        alone = every.reshape(-1, 1, 1, 1), output.flatten()[pixel].expand(len(every), 1, 1, 1)
        expected = likelihood.log_prob(*alone).exp() * count
        assert scipy.stats.chisquare(observed.numpy(), expected.numpy()).pvalue > 1e-4


@pytest.mark.parametrize(("likelihood", "data"), DISCRETE)
def test_a_pixel_is_drawn_from_its_own_output_and_numbers(likelihood: likelihoods.Likelihood, data: Data) -> None:
    output = _output(data, 3)
    uniforms = Noise(key(0), 0, torch.float64).uniform("pixel", (3, likelihood.uniforms, *data.shape[1:]))
    alone = likelihood.draw(output[..., :1, 1:2], uniforms[..., :1, 1:2])
    torch.testing.assert_close(alone, likelihood.draw(output, uniforms)[..., :1, 1:2], rtol=0, atol=0)


def test_gaussian_draws_lie_on_the_grid_with_the_masses_of_its_cells() -> None:
    data, count, sigma = Counts(), 20_000, 0.3
    likelihood = likelihoods.Gaussian(kinds.Gaussian(sigma=sigma), data)
    uniforms = Noise(key(0), 0, torch.float64).uniform("draws", (count, 1, 1, 3))
    drawn = likelihood.draw(torch.full((count, 1, 1, 3), 0.4, dtype=torch.float64), uniforms)
    below = scipy.stats.norm.cdf((np.arange(4) + 0.5) / 4, 0.4, sigma)
    expected = np.diff(below, prepend=0, append=1) * 3 * count
    observed = torch.bincount(drawn.flatten().long(), minlength=5).numpy()
    assert scipy.stats.chisquare(observed, expected).pvalue > 1e-4  # fails once in 10,000 seeds


@pytest.mark.parametrize(("likelihood", "data"), DISCRETE)
def test_mean_is_the_expected_image_scaled(likelihood: likelihoods.Likelihood, data: Data) -> None:
    images = _images(data)
    output = _output(data, 1)
    mass = likelihood.log_prob(images, output.expand(len(images), *data.shape)).exp()
    expected = torch.einsum("n,nchw->chw", mass, images) / data.levels
    torch.testing.assert_close(likelihood.mean(output)[0], expected)


def test_bernoulli_equals_scipy() -> None:
    images = _images(Binary())
    output = _output(Binary(), len(images))
    expected = scipy.stats.bernoulli.logpmf(images.numpy(), output.sigmoid().numpy()).sum((1, 2, 3))
    found = likelihoods.Bernoulli(kinds.Bernoulli(), Binary()).log_prob(images, output)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


def test_binomial_of_sixteen_equals_scipy() -> None:
    digits = kinds.Digits()
    counts = torch.arange(128).remainder(17).to(torch.float64).reshape(2, 1, 8, 8)
    output = _output(digits, 2)
    expected = scipy.stats.binom.logpmf(counts.numpy(), 16, output.sigmoid().numpy()).sum((1, 2, 3))
    found = likelihoods.Binomial(kinds.Binomial(total=16), digits).log_prob(counts, output)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


def test_binomial_keeps_the_floating_dtype() -> None:
    likelihood = likelihoods.Binomial(kinds.Binomial(total=4), Counts())
    x = torch.zeros(2, 1, 1, 3)
    assert likelihood.log_prob(x, x).dtype == torch.float32
    assert list(likelihood.state_dict()) == []  # the table is no part of what is stored


def test_gaussian_equals_scipy_on_scaled_pixels() -> None:
    data = Counts()
    images = _images(data)
    output = _output(data, len(images))
    expected = scipy.stats.norm.logpdf(images.numpy() / 4.0, output.numpy(), 0.71).sum((1, 2, 3))
    likelihood = likelihoods.Gaussian(kinds.Gaussian(sigma=0.71), data)
    np.testing.assert_allclose(likelihood.log_prob(images, output).numpy(), expected, rtol=1e-12)
    torch.testing.assert_close(likelihood.mean(output), output)


def test_extreme_logits_stay_finite_where_the_mass_is() -> None:
    likelihood = likelihoods.Binomial(kinds.Binomial(total=4), Counts())
    x = torch.full((1, 1, 1, 3), 4.0)
    assert float(likelihood.log_prob(x, torch.full_like(x, 1e4))) == 0.0
    assert float(likelihood.log_prob(x, torch.full_like(x, -1e4))) == pytest.approx(-12e4)
