"""Auxiliary decoders: distortions against torch.distributions, one observation at a time, and targets by counting."""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical
from torch.func import functional_call, vmap

from models import auxiliaries, kinds
from models.build import build_network, implementation
from models.families import Auxiliary, Data
from models.initialise import initialise
from models.logistic_mixture import QuantisedMixture
from models.noise import Noise, key

NOISE = Noise(key(0), 0, torch.float64)
LATENT = 3
BINARY, GREY = kinds.ThresholdedMnist(downsample=2), kinds.Mnist(downsample=2)
LIKELIHOODS = {1: kinds.Bernoulli(), 255: kinds.LogisticMixture(components=2)}
SPECS: tuple[Auxiliary, ...] = (
    kinds.ConvolutionalAuxiliary(filters=2, halvings=1),
    kinds.GradientAuxiliary(filters=2, halvings=1),
    kinds.MarginalsAuxiliary(widths=(6, 5)),
    kinds.HistogramAuxiliary(widths=(6, 5)),
)


class Tiny(Data):
    """2×3 images of 0..2."""

    shape: ClassVar[tuple[int, int, int]] = (1, 2, 3)
    levels: ClassVar[int] = 2
    classes: ClassVar[int] = 2


class Colour(Data):
    """14×14 images of three channels of 0..4."""

    shape: ClassVar[tuple[int, int, int]] = (3, 14, 14)
    levels: ClassVar[int] = 4
    classes: ClassVar[int] = 2


def _auxiliary(spec: Auxiliary, data: Data) -> Any:
    """With weights large enough that its distributions are far from uniform."""
    likelihood = None
    if data.levels in LIKELIHOODS:
        likelihood = implementation(LIKELIHOODS[data.levels])(LIKELIHOODS[data.levels], data)
    module = implementation(spec)(spec, data, LATENT, likelihood).double()
    for name, parameter in module.named_parameters():
        fan_in = max(1, parameter.numel() // max(parameter.shape))
        parameter.data = NOISE.normal(name, tuple(parameter.shape)) * (2.0 / fan_in) ** 0.5
    return module


def _batch(data: Data, count: int = 4) -> tuple[Tensor, Tensor]:
    """z and x; runs of equal pixels, as images have them."""
    x = (NOISE.uniform("x", (count, *data.shape)) * (data.levels + 1)).floor()
    x[..., 3:9] = x[..., 3:4]
    return NOISE.normal("z", (count, LATENT)), x


@pytest.mark.parametrize("data", [BINARY, GREY], ids=lambda data: data.kind)
def test_convolutional_is_the_models_likelihood_of_a_second_decoder(data: Data) -> None:
    module = _auxiliary(SPECS[0], data)
    z, x = _batch(data)
    expected = -module.likelihood.log_prob(x, module.decoder(z))
    torch.testing.assert_close(module.distortion(z, x), expected)
    assert [tuple(layer.weight.shape) for layer in module.decoder.layers[::2]][-1][0] == module.likelihood.channels


def test_gradient_of_binary_images_is_a_categorical_of_each_change() -> None:
    module = _auxiliary(SPECS[1], BINARY)
    z, x = _batch(BINARY, 2)
    logits = module.decoder(z).reshape(2, 2, 3, 14, 14)
    expected = torch.zeros(2, dtype=torch.float64)
    for datum, row, column in itertools.product(range(2), range(14), range(14)):
        here = x[datum, 0, row, column]
        if column < 13:
            change = x[datum, 0, row, column + 1] - here
            expected[datum] -= Categorical(logits=logits[datum, 0, :, row, column]).log_prob(change + 1)
        if row < 13:
            change = x[datum, 0, row + 1, column] - here
            expected[datum] -= Categorical(logits=logits[datum, 1, :, row, column]).log_prob(change + 1)
    torch.testing.assert_close(module.distortion(z, x), expected)


def test_gradient_of_grey_images_is_a_mixture_over_all_changes() -> None:
    module = _auxiliary(SPECS[1], GREY)
    z, x = _batch(GREY)
    output = module.decoder(z).detach()
    assert output.shape == (4, 2 * 15, 14, 14)
    right, down = x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]
    log_prob = QuantisedMixture(output[:, :15, :, :-1], -255, 255).log_masses(right).sum((1, 2, 3))
    log_prob += QuantisedMixture(output[:, 15:, :-1], -255, 255).log_masses(down).sum((1, 2, 3))
    torch.testing.assert_close(module.distortion(z, x), -log_prob)
    every = torch.arange(-255, 256, dtype=torch.float64).reshape(1, 1, 1, -1)
    for place in output[..., 3, 4]:
        masses = QuantisedMixture(place[:15].reshape(1, 15, 1, 1).expand(-1, -1, 1, 511), -255, 255).log_masses(every)
        assert abs(float(masses.exp().sum()) - 1) < 1e-12


def test_gradients_see_no_pixel_but_in_a_change() -> None:
    """−log d' is the same for images that differ by a constant."""
    module = _auxiliary(SPECS[1], GREY)
    z, x = _batch(GREY)
    x = (x / 2).floor()
    torch.testing.assert_close(module.distortion(z, x), module.distortion(z, x + 100))


@pytest.mark.parametrize("data", [BINARY, GREY], ids=lambda data: data.kind)
@pytest.mark.parametrize("spec", SPECS[2:], ids=lambda spec: spec.kind)
def test_counts_are_a_categorical_of_each_pixel(spec: Auxiliary, data: Data) -> None:
    module = _auxiliary(spec, data)
    z, x = _batch(data, 2)
    logits = module.output(module.hidden(z)).reshape(2, -1, data.levels + 1)
    assert logits.shape[1] == (1 if spec.kind == "histogram" else 28)
    if spec.kind == "histogram":
        of_each = [Categorical(logits=logits[:, :1, None]).log_prob(x[:, 0])]
    else:
        of_each = [
            Categorical(logits=logits[:, :14, None]).log_prob(x[:, 0]),  # a distribution for each row
            Categorical(logits=logits[:, None, 14:]).log_prob(x[:, 0]),  # for each column
        ]
    expected = -torch.stack([one.sum((1, 2)) for one in of_each]).sum(0)
    torch.testing.assert_close(module.distortion(z, x), expected)


def test_histograms_masses_of_all_images_sum_to_one() -> None:
    module = _auxiliary(SPECS[3], Tiny())
    images = torch.tensor(list(itertools.product(range(3), repeat=6)), dtype=torch.float64).reshape(-1, 1, 2, 3)
    z = NOISE.normal("z", (1, LATENT)).expand(len(images), -1)
    assert abs(float((-module.distortion(z, images).detach()).exp().sum()) - 1) < 1e-12


def test_targets_by_counting() -> None:
    _, x = _batch(GREY, 2)
    pixels = x[:, 0].numpy().astype(int)
    histogram = auxiliaries.Histogram.target(GREY)
    marginals = auxiliaries.Marginals.target(GREY)
    assert (histogram.shape, histogram.levels) == ((1, 1, 256), 1)
    assert (marginals.shape, marginals.levels) == ((1, 1, 28 * 256), 1)
    for datum in range(2):
        expected = np.bincount(pixels[datum].ravel(), minlength=256) / 196
        np.testing.assert_array_equal(histogram.inputs(x)[datum, 0, 0].numpy(), expected)
        lines = [*pixels[datum], *pixels[datum].T]
        expected = np.stack([np.bincount(line, minlength=256) / 14 for line in lines])
        np.testing.assert_array_equal(marginals.inputs(x)[datum].numpy().reshape(28, 256), expected)


@pytest.mark.parametrize("data", [BINARY, GREY, Colour()], ids=lambda data: data.shape)
def test_the_gradients_target_is_an_image_of_changes(data: Data) -> None:
    _, x = _batch(data, 2)
    channels, levels = data.shape[0], data.levels
    target = auxiliaries.Gradient.target(data)
    seen = target.inputs(x)
    assert seen.shape[1:] == target.shape == (2 * channels, 14, 14)
    assert target.levels == levels
    assert 0 <= float(seen.min()) <= float(seen.max()) <= levels
    right = torch.from_numpy(np.diff(x.numpy(), axis=3))
    down = torch.from_numpy(np.diff(x.numpy(), axis=2))
    torch.testing.assert_close(seen[:, :channels, :, :-1], (right + levels) / 2)
    torch.testing.assert_close(seen[:, channels:, :-1], (down + levels) / 2)
    assert bool((seen[:, :channels, :, -1] == levels / 2).all())
    assert bool((seen[:, channels:, -1] == levels / 2).all())


def test_colours_are_described_channel_by_channel() -> None:
    data = Colour()
    z, x = _batch(data)
    for spec in SPECS[1:]:
        module = _auxiliary(spec, data)
        assert module.distortion(z, x).shape == (4,)
    module = _auxiliary(SPECS[1], data)
    output = module.decoder(z).reshape(4, 3, 2, 15, 14, 14)
    expected = torch.zeros(4, dtype=torch.float64)
    for channel in range(3):
        one = x[:, channel : channel + 1]
        right, down = output[:, channel, 0, :, :, :-1], output[:, channel, 1, :, :-1]
        expected -= QuantisedMixture(right, -4, 4).log_masses(one[..., 1:] - one[..., :-1]).sum((1, 2, 3))
        expected -= QuantisedMixture(down, -4, 4).log_masses(one[..., 1:, :] - one[..., :-1, :]).sum((1, 2, 3))
    torch.testing.assert_close(module.distortion(z, x), expected)


@pytest.mark.parametrize("data", [BINARY, GREY], ids=lambda data: data.kind)
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
def test_a_flat_model_has_it_and_packs_agree_with_each_alone(spec: Auxiliary, data: Data) -> None:
    likelihood = LIKELIHOODS[data.levels]
    model = kinds.FlatModel(latent=LATENT, likelihood=likelihood, auxiliary=spec)
    model.check(data)
    network = build_network(model, data).double()
    parameters = initialise(network, torch.stack([key(0), key(1)]), torch.float64, torch.empty(0))
    _, x = _batch(data)

    def extra(own: dict[str, Tensor]) -> Tensor:
        terms = functional_call(network, own, ("terms", x, NOISE))
        distortion: Tensor = terms.auxiliary["auxiliary"]
        return distortion

    def gradient(own: dict[str, Tensor]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = torch.func.grad(lambda one: extra(one).mean())(own)
        return found

    together, gradients = vmap(extra)(parameters), vmap(gradient)(parameters)
    assert together.shape == (2, 4)
    for slot in range(2):
        own = {name: value[slot] for name, value in parameters.items()}
        torch.testing.assert_close(together[slot], extra(own))
        alone = gradient(own)
        for name in own:
            torch.testing.assert_close(gradients[name][slot], alone[name])
        assert float(alone["encoder.layers.0.weight"].abs().max()) > 0, "the target shapes the latents"
