"""The hierarchical autoencoder: layer-wise rates in closed form, conditioning on samples, order of the groups."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from models import kinds
from models.build import build_network
from models.families import Data
from models.hierarchical import HierarchicalAutoencoder
from models.initialise import initialise
from models.likelihoods import Gaussian
from models.network import Network
from models.noise import Noise, key
from models.normal import Normal, kl_divergence
from models.posteriors import ConditionalPosterior, NormalPosterior
from models.priors import ConditionalNormal, StandardNormal

PIXELS, LOWER, UPPER = 4, 3, 2
OFFSET = 100.0  # keeps rectified units in their linear part


class Flat(Data):
    """2×2 images of real numbers."""

    shape: ClassVar[tuple[int, int, int]] = (1, 2, 2)
    levels: ClassVar[int] = 1
    classes: ClassVar[int] = 2


class Decode(nn.Module):
    """z1 -> its first three numbers and their sum, as an image."""

    def forward(self, z: Tensor) -> Tensor:
        return torch.cat((z, z.sum(1, keepdim=True)), 1).reshape(-1, 1, 2, 2)


def _make_linear(layers: nn.Sequential, head: nn.Linear, weight: Tensor, bias: Tensor) -> None:
    """Sets one hidden rectified layer and a head to the map h -> weight h + bias, exact while |h| < OFFSET."""
    hidden = layers[0]
    assert isinstance(hidden, nn.Linear)
    with torch.no_grad():
        hidden.weight.copy_(torch.eye(len(hidden.weight)))
        hidden.bias.fill_(OFFSET)
        head.weight.copy_(weight)
        head.bias.copy_(bias - weight.sum(1) * OFFSET)


@pytest.fixture
def linear() -> HierarchicalAutoencoder:
    """Two layers whose conditional means are linear and whose standard deviations are constant."""
    noise = Noise(key(8), 0, torch.float64)
    conditional = ConditionalPosterior(PIXELS, UPPER, (PIXELS + UPPER,), "relu", LOWER)
    prior = ConditionalNormal(UPPER, (UPPER,), "relu", LOWER)
    network = HierarchicalAutoencoder(
        groups=("z1", "z2"),
        encoders=[nn.Flatten(), nn.Flatten()],
        posterior=NormalPosterior(PIXELS, UPPER),
        conditional_posteriors=[conditional],
        prior=StandardNormal(UPPER),
        conditional_priors=[prior],
        decoder=Decode(),
        likelihood=Gaussian(kinds.Gaussian(sigma=1.0), Flat()),
    ).double()
    with torch.no_grad():
        top = network.posterior.linear
        top.weight.copy_(noise.normal("top", (2 * UPPER, PIXELS)))
        top.bias.copy_(noise.normal("top/bias", (2 * UPPER,)))
    for name, layers, head in (
        ("posterior", conditional.layers, conditional.head.linear),
        ("prior", prior.layers, prior.head.linear),
    ):
        weight = noise.normal(name, tuple(head.weight.shape))
        weight[LOWER:] = 0.0  # the raw standard deviation is a constant
        _make_linear(layers, head, weight, noise.normal(f"{name}/bias", (2 * LOWER,)))
    network.requires_grad_(False)
    return network


def _linear_map(layers: nn.Module, head: nn.Linear, inputs: int) -> Tensor:
    """The matrix (LOWER, inputs) of a conditional mean, read off by differences."""
    basis = torch.eye(inputs, dtype=torch.float64)
    zero = head(layers(torch.zeros(1, inputs, dtype=torch.float64)))[:, :LOWER]
    return (head(layers(basis))[:, :LOWER] - zero).T


def test_rates_equal_their_closed_forms(linear: HierarchicalAutoencoder) -> None:
    """R(z2) is analytic; R(z1|z2) = KL at E[z2] + ½ Σ_i ((B−C) diag(s²) (B−C)ᵀ)_ii / σ_p,i², B, C the maps of z2."""
    count = 100_000
    x = Noise(key(1), 0, torch.float64).normal("x", (3, 1, 2, 2))
    terms = linear.terms(x.repeat_interleave(count, 0), Noise(key(0), 0, torch.float64))
    assert terms.rate.shape == (2, 3 * count)
    lower, upper = terms.rate.reshape(2, 3, count)

    q2: Normal = linear.posterior(x.flatten(1))
    torch.testing.assert_close(upper, q2.kl_to_standard()[:, None].expand(3, count))

    below, above = linear.conditional_posteriors[0], linear.conditional_priors[0]
    q1: Normal = below(x.flatten(1), q2.mean)
    p1: Normal = above(q2.mean)
    posterior_map = _linear_map(below.layers, below.head.linear, PIXELS + UPPER)[:, PIXELS:]
    prior_map = _linear_map(above.layers, above.head.linear, UPPER)
    difference = posterior_map - prior_map
    spread = (q2.std**2) @ (difference**2).T  # (3, LOWER)
    expected = kl_divergence(q1, p1) + 0.5 * (spread / p1.std**2).sum(1)
    # Bounds of 5 standard errors on 3 means: passed by chance with probability above 1 - 1e-5.
    error = lower.std(1) / count**0.5
    assert bool(((lower.mean(1) - expected).abs() < 5 * error).all())
    assert bool((error < 0.01 * expected).all())  # so that the bound says something


def test_lower_posterior_is_conditional_on_the_sample_above(linear: HierarchicalAutoencoder) -> None:
    x = Noise(key(1), 0, torch.float64).normal("x", (5, 1, 2, 2))
    noise = Noise(key(3), 2, torch.float64)
    codes = linear.codes(x, noise)
    assert tuple(codes) == ("z1", "z2")
    q2: Normal = linear.posterior(x.flatten(1))
    z2 = q2.mean + q2.std * noise.normal("posterior/z2", (5, UPPER))
    q1: Normal = linear.conditional_posteriors[0](x.flatten(1), z2)
    torch.testing.assert_close(codes["z2"].sample, z2)
    torch.testing.assert_close(codes["z1"].mean, q1.mean)
    torch.testing.assert_close(codes["z1"].std, q1.std)
    z1 = q1.mean + q1.std * noise.normal("posterior/z1", (5, LOWER))
    torch.testing.assert_close(codes["z1"].sample, z1)
    distortion = -linear.likelihood.log_prob(x, linear.decoder(z1))
    torch.testing.assert_close(linear.terms(x, noise).distortion, distortion)


def test_reconstructions_take_the_mode_at_every_layer(linear: HierarchicalAutoencoder) -> None:
    x = Noise(key(1), 0, torch.float64).normal("x", (5, 1, 2, 2))
    q2: Normal = linear.posterior(x.flatten(1))
    q1: Normal = linear.conditional_posteriors[0](x.flatten(1), q2.mean)
    torch.testing.assert_close(linear.reconstruct(x), linear.decoder(q1.mean))


def test_samples_descend_from_the_prior(linear: HierarchicalAutoencoder) -> None:
    noise = Noise(key(6), 0, torch.float64)
    p1: Normal = linear.conditional_priors[0](noise.normal("prior/z2", (4, UPPER)))
    z1 = p1.mean + p1.std * noise.normal("prior/z1", (4, LOWER))
    torch.testing.assert_close(linear.generate(4, noise), linear.decoder(z1))


def _built(latents: tuple[int, ...], parts: str = "dense") -> Network:
    model = kinds.HierarchicalModel.model_validate(
        {
            "latents": latents,
            "encoder": {"kind": parts},
            "decoder": {"kind": parts},
            "conditional": (24, 16),
            "likelihood": kinds.Binomial(total=16),
        }
    )
    network = build_network(model, kinds.Digits())
    parameters = initialise(network, key(0)[None], torch.float32, torch.zeros(1, 1, 8, 8, dtype=torch.uint8))
    network.load_state_dict({name: value[0] for name, value in parameters.items()})
    return network


@pytest.mark.parametrize("latents", [(5, 2), (5, 3, 2), (6, 5, 3, 2)])
def test_groups_and_shapes_bottom_up(latents: tuple[int, ...]) -> None:
    network = _built(latents)
    noise = Noise(key(0), 0)
    x = noise.uniform("x", (4, 1, 8, 8)).mul(16).round()
    terms = network.terms(x, noise)
    assert terms.rate.shape == (len(latents), 4)
    codes = network.codes(x, noise)
    assert {group: code.mean.shape[1] for group, code in codes.items()} == {
        f"z{layer + 1}": size for layer, size in enumerate(latents)
    }
    assert network.reconstruct(x).shape == (4, 1, 8, 8)
    assert network.generate(3, noise).shape == (3, 1, 8, 8)
    top = codes[f"z{len(latents)}"]
    torch.testing.assert_close(terms.rate[-1], Normal(top.mean, top.std).kl_to_standard())


def test_convolutional_parts_fit_in() -> None:
    network = _built((5, 2), "convolutional")
    x = Noise(key(0), 0).uniform("x", (4, 1, 8, 8)).mul(16).round()
    assert network.terms(x, Noise(key(0), 0)).distortion.shape == (4,)


def test_each_layer_reads_the_image_through_an_encoder_of_its_own() -> None:
    network = _built((5, 3, 2)).requires_grad_(False)
    noise = Noise(key(0), 0)
    x = noise.uniform("x", (4, 1, 8, 8)).mul(16).round()
    before = network.codes(x, noise)
    for layer, group in enumerate(network.groups):
        changed = _built((5, 3, 2)).requires_grad_(False)
        for name, parameter in changed.named_parameters():
            if name.startswith(f"encoders.{layer}."):
                parameter.add_(0.1)
        after = changed.codes(x, noise)
        # A layer's encoder moves its own codes and those below it, never those above.
        moved = [not torch.equal(before[other].mean, after[other].mean) for other in network.groups]
        assert moved == [below <= layer for below in range(3)], group


def test_scales_are_those_of_the_codes() -> None:
    network = _built((5, 2)).requires_grad_(False)
    noise = Noise(key(0), 0)
    x = noise.uniform("x", (4, 1, 8, 8)).mul(16).round()
    codes, scales = network.codes(x, noise), network.scales(x, noise)
    assert list(scales) == ["z1", "z2"]
    for group, scale in scales.items():
        assert torch.equal(scale, torch.diag_embed(codes[group].std))


def test_sampled_reconstructions_are_those_of_the_likelihood_at_the_lowest_sample() -> None:
    # 20,000 images, 64 means within 5 standard errors: a right sampler passes with probability above 1 - 1e-4.
    network = _built((5, 2)).requires_grad_(False)
    count, noise = 20_000, Noise(key(3), 2)
    x = noise.uniform("x", (1, 1, 8, 8)).mul(16).round().expand(count, 1, 8, 8)
    images = network.resample(x, noise)
    assert images.shape == (count, 1, 8, 8)
    assert torch.equal(images, images.round().clamp(0, 16))
    z = network.codes(x, noise)["z1"].sample
    decoded = network.get_submodule("decoder")(z).sigmoid().mean(0) * 16
    assert bool(((images.mean(0) - decoded).abs() < 5 * images.std(0) / count**0.5).all())
