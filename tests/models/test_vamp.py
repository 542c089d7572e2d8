"""VampPriors against torch's mixtures, closed-form divergences and the training images that they begin at."""

from __future__ import annotations

import math
from typing import ClassVar

import pytest
import scipy.stats
import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, MultivariateNormal, kl_divergence
from torch.distributions import Normal as TorchNormal

from models import kinds
from models.families import Data
from models.full_normal import FullNormal
from models.noise import Draws, Noise, key
from models.normal import Normal
from models.spec import SpecificationError
from models.vamp import MARGIN, VampPrior, vamp

COMPONENTS, SIZE = 6, 3


class Binary(Data):
    """Binary images of 4×4."""

    shape: ClassVar[tuple[int, int, int]] = (1, 4, 4)
    levels: ClassVar[int] = 1
    classes: ClassVar[int] = 2


def _noise(seed: int = 0) -> Noise:
    return Noise(key(seed), 0, torch.float64)


def _full(count: int, seed: int = 0) -> FullNormal:
    noise = _noise(seed)
    below = noise.normal("below", (count, SIZE, SIZE)).tril(-1)
    diagonal = noise.uniform("diagonal", (count, SIZE)) + 0.2
    return FullNormal(noise.normal("mean", (count, SIZE)), below + torch.diag_embed(diagonal))


def _diagonal(count: int, seed: int = 0) -> Normal:
    noise = _noise(seed)
    return Normal(noise.normal("mean", (count, SIZE)), noise.uniform("std", (count, SIZE)) + 0.2)


def _mixture(components: FullNormal | Normal) -> MixtureSameFamily:
    weights = Categorical(torch.ones(COMPONENTS, dtype=torch.float64))
    if isinstance(components, Normal):
        return MixtureSameFamily(weights, Independent(TorchNormal(components.mean, components.std), 1))
    return MixtureSameFamily(weights, MultivariateNormal(components.mean, scale_tril=components.tril))


def _prior(count: int = COMPONENTS, start: str = "data", data: Data | None = None) -> VampPrior:
    spec = kinds.VampPrior.model_validate({"components": count, "start": start})
    return vamp(spec, data or Binary(), SIZE)


@pytest.mark.parametrize("components", [_full(COMPONENTS), _diagonal(COMPONENTS)], ids=["full", "diagonal"])
def test_the_density_is_the_mixtures(components: FullNormal | Normal) -> None:
    z = _noise().normal("z", (9, SIZE)) * 2.0
    torch.testing.assert_close(_prior().log_prob(z, components), _mixture(components).log_prob(z))


@pytest.mark.parametrize("components", [_full(COMPONENTS), _diagonal(COMPONENTS)], ids=["full", "diagonal"])
def test_samples_are_the_mixtures(components: FullNormal | Normal) -> None:
    # Each marginal against a large sample of torch's own; 3 tests at 1e-4, so a right sampler fails below 1e-3.
    drawn = _prior().sample(20_000, _noise(4), "prior/z1", components)
    assert drawn.shape == (20_000, SIZE)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        expected = _mixture(components).sample((20_000,))
    for own, reference in zip(drawn.T, expected.T, strict=True):
        assert scipy.stats.ks_2samp(own.numpy(), reference.numpy()).pvalue > 1e-4


def test_each_component_is_as_likely_as_any_other() -> None:
    apart = Normal(torch.arange(COMPONENTS).double()[:, None] * 100.0, torch.ones(COMPONENTS, 1, dtype=torch.float64))
    drawn = _prior().sample(12_000, _noise(7), "prior/z1", apart)
    counts = (drawn[:, 0] / 100.0).round().long().bincount(minlength=COMPONENTS)
    assert scipy.stats.chisquare(counts.numpy()).pvalue > 1e-4


class Last(Draws):
    """The largest uniform numbers that there are, and zeros for normal ones."""

    def uniform(self, site: str, shape: tuple[int, ...]) -> Tensor:
        return torch.full(shape, 1.0 - 2.0**-24)

    def normal(self, site: str, shape: tuple[int, ...]) -> Tensor:
        return torch.zeros(shape)


def test_the_last_component_is_within_reach_and_none_beyond_it() -> None:
    count = 280
    components = Normal(torch.arange(float(count))[:, None], torch.ones(count, 1))
    assert _prior(count).sample(3, Last(), "prior/z1", components).flatten().tolist() == [count - 1.0] * 3


@pytest.mark.parametrize("family", [_full, _diagonal])
def test_the_rate_under_one_fixed_component_is_the_divergence_from_it(family: type) -> None:
    # 4 posteriors of 50,000 draws, bounds of 5 standard errors: passed by chance with probability above 1 - 1e-5.
    count, draws = 4, 50_000
    components, q = family(1, seed=1), family(count, seed=2)
    many = type(q)(*(part.repeat_interleave(draws, 0) for part in q))
    z = many.sample(_noise(3), "posterior/z1")
    rate = _prior(1).rate(many, z, components).reshape(count, draws)
    expected = kl_divergence(
        MultivariateNormal(q.mean, scale_tril=q.scale()),
        MultivariateNormal(components.mean, scale_tril=components.scale()),
    )
    error = rate.std(1) / draws**0.5
    assert bool(((rate.mean(1) - expected).abs() < 5 * error).all())
    assert bool((error < 0.02 * expected).all())  # so that the bound says something


def test_the_rate_of_a_component_itself_is_at_most_log_c_and_not_negative_in_the_mean() -> None:
    components = _full(COMPONENTS)
    draws = 5_000
    many = FullNormal(*(part.repeat_interleave(draws, 0) for part in components))
    rate = _prior().rate(many, many.sample(_noise(3), "posterior/z1"), components).reshape(COMPONENTS, draws)
    assert bool((rate <= math.log(COMPONENTS) + 1e-9).all())
    assert bool((rate.mean(1) > 0).all())


def test_without_its_components_it_says_so() -> None:
    with pytest.raises(ValueError, match="posteriors at its pseudo-inputs"):
        _prior().log_prob(torch.zeros(1, SIZE), None)


@pytest.mark.parametrize("levels", [1, 255])
def test_pseudo_inputs_stay_on_the_scale_of_the_images(levels: int) -> None:
    class Levels(Binary):
        pass

    Levels.levels = levels
    prior = _prior(data=Levels())
    weight = torch.tensor([-0.5, 0.25, 1.0, 3.0]).repeat(COMPONENTS * 4).reshape(COMPONENTS, 1, 4, 4)
    prior.weight = torch.nn.Parameter(weight)
    torch.testing.assert_close(prior.inputs(), weight.clamp(0.0, 1.0) * levels)
    assert prior.inputs().shape == (COMPONENTS, 1, 4, 4)


def _images(count: int = 40, top: int = 1) -> Tensor:
    return (Noise(key(1), 0).uniform("images", (count, 1, 4, 4)) * (top + 1)).to(torch.uint8)


def _keys(*seeds: int) -> Noise:
    keys = torch.stack([key(seed) for seed in seeds])
    return Noise(keys, torch.zeros(len(seeds), dtype=torch.int64), torch.float64)


@pytest.mark.parametrize("top", [1, 255])  # images, and intensities that are binarised in every step
def test_pseudo_inputs_begin_at_training_images_of_the_trials_own(top: int) -> None:
    images = _images(top=top)
    weights = _prior().initialise_from(_keys(0, 1, 0), "init/prior", images)["weight"]
    assert weights.shape == (3, COMPONENTS, 1, 4, 4)
    inside = MARGIN + (1 - 2 * MARGIN) * images.double() / top
    for weight, seed in zip(weights, (0, 1, 0), strict=True):
        chosen = _noise(seed).permutation("init/prior/images", len(images))[:COMPONENTS]
        jitter = weight - inside[chosen]
        assert float(jitter.abs().max()) < 0.06  # 6 standard deviations
        assert 0.006 < float(jitter.std()) < 0.014
    assert torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], weights[1])
    # Black and white pixels lie 3 standard deviations from where the hard tanh has no gradient: 1 in 740 is beyond.
    assert float(((weights <= 0) | (weights >= 1)).double().mean()) < 0.02


def test_or_they_begin_near_a_constant() -> None:
    weight = _prior(50, "noise").initialise_from(_keys(0, 1), "init/prior", _images())["weight"]
    assert weight.shape == (2, 50, 1, 4, 4)
    for values in weight:
        assert scipy.stats.kstest(values.flatten().numpy(), scipy.stats.norm(0.05, 0.01).cdf).pvalue > 1e-4


def test_more_pseudo_inputs_than_images_to_begin_at_are_refused() -> None:
    with pytest.raises(SpecificationError, match=r"components = 41: .* there are 40; take fewer, or start = 'noise'"):
        _prior(41).initialise_from(_keys(0), "init/prior", _images())
    assert _prior(41, "noise").initialise_from(_keys(0), "init/prior", _images())["weight"].shape[1] == 41
