"""The encoder and the decoder of Tables 5 and 6: the layers, the parameters and the sizes of the published networks."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, vmap

from models import pyramid
from models.families import Data
from models.kinds import Mnist, PyramidDecoder, PyramidEncoder, ThresholdedMnist
from models.noise import Noise, key


class Colour(Data):
    """14×14 images of three channels."""

    shape: ClassVar[tuple[int, int, int]] = (3, 14, 14)
    levels: ClassVar[int] = 255
    classes: ClassVar[int] = 2


DATA = {1: ThresholdedMnist(downsample=2), 2: ThresholdedMnist()}


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("latent", "total"), [(2, 659_205), (16, 678_168), (64, 935_136)])
def test_the_encoder_has_the_parameters_of_table_5(latent: int, total: int) -> None:
    encoder = pyramid.Encoder(PyramidEncoder(), Mnist())
    head = nn.Linear(encoder.features, latent + latent * (latent + 1) // 2)
    assert _count(encoder) == 658_560
    assert _count(encoder) + _count(head) == total


@pytest.mark.parametrize(
    ("latent", "channels", "total"),
    [
        (2, 1, 1_191_489),
        (16, 1, 1_279_297),
        (64, 1, 1_580_353),
        (2, 15, 1_202_703),
        (16, 15, 1_290_511),
        (64, 15, 1_591_567),
    ],
)
def test_the_decoder_has_the_parameters_of_table_6(latent: int, channels: int, total: int) -> None:
    assert _count(pyramid.Decoder(PyramidDecoder(), Mnist(), latent, channels)) == total


def _kernels(module: nn.Module) -> list[tuple[int, int, int, int]]:
    """(in, out, kernel, stride) of each convolution."""
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    return [(layer.in_channels, layer.out_channels, layer.kernel_size[0], layer.stride[0]) for layer in layers]


def test_the_layers_are_those_of_the_tables() -> None:
    encoder, decoder = pyramid.Encoder(PyramidEncoder(), Mnist()), pyramid.Decoder(PyramidDecoder(), Mnist(), 16, 15)
    assert _kernels(encoder) == [(1, 32, 5, 1), (32, 64, 5, 2), (64, 64, 5, 1), (64, 64, 5, 2)]
    assert [tuple(layer.weight.shape) for layer in encoder.modules() if isinstance(layer, nn.Linear)] == [(128, 3136)]
    assert tuple(decoder.layers[0].weight.shape) == (16, 7, 7, 128)
    assert _kernels(decoder) == [
        *((128, 128, 5, 1), (128, 128, 5, 2), (128, 64, 5, 1)),
        *((64, 64, 5, 2), (64, 32, 5, 1), (32, 15, 5, 1)),
    ]


def test_small_images_take_one_halving() -> None:
    encoder = pyramid.Encoder(PyramidEncoder(filters=8, halvings=1), DATA[1])
    decoder = pyramid.Decoder(PyramidDecoder(filters=8, halvings=1), DATA[1], 3, 1)
    assert _kernels(encoder) == [(1, 4, 5, 1), (4, 8, 5, 2)]
    assert _kernels(decoder) == [(16, 16, 5, 1), (16, 8, 5, 2), (8, 4, 5, 1), (4, 1, 5, 1)]


@pytest.mark.parametrize("data", [*DATA.values(), Colour()], ids=lambda data: str(data.shape))
def test_shapes(data: Data) -> None:
    halvings = data.shape[1] // 14
    encoder = pyramid.Encoder(PyramidEncoder(filters=4, halvings=halvings), data)
    decoder = pyramid.Decoder(PyramidDecoder(filters=4, halvings=halvings), data, 3, 5)
    channels, height, width = data.shape
    assert encoder(torch.ones(2, *data.shape)).shape == (2, encoder.features) == (2, 8)
    assert decoder(torch.ones(2, 3)).shape == (2, 5 * channels, height, width)


def test_pixels_enter_on_minus_one_to_one_and_every_layer_has_a_relu() -> None:
    data = Mnist(downsample=2)
    encoder = pyramid.Encoder(PyramidEncoder(filters=4, halvings=1), data)
    x = Noise(key(0), 0).uniform("x", (3, *data.shape)).mul(255).round()
    first, second, core = encoder.layers[0], encoder.layers[2], encoder.layers[5]
    hidden = first(x / 127.5 - 1).relu()
    hidden = second(hidden).relu()
    as_convolution = F.conv2d(hidden, core.weight.view(8, 4, 7, 7), core.bias)
    assert as_convolution.shape == (3, 8, 1, 1)
    torch.testing.assert_close(encoder(x), as_convolution.flatten(1).relu())


def test_the_first_layer_of_the_decoder_is_a_transposed_convolution_of_one_pixel() -> None:
    spread = pyramid.Spread(3, 6)
    values = spread.initialise(Noise(key(0)[None], torch.zeros(1, dtype=torch.int64)), "init/first")
    weight, bias = values["weight"][0], values["bias"][0]
    assert float(weight.abs().max()) <= 3**-0.5
    assert float(weight.abs().max()) > 0.99 * 3**-0.5
    z = Noise(key(1), 0).normal("z", (4, 3))
    found = functional_call(spread, {"weight": weight, "bias": bias}, (z,))
    expected = F.conv_transpose2d(z[..., None, None], weight.permute(0, 3, 1, 2), bias)
    torch.testing.assert_close(found, expected)
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("halvings", [1, 2])
def test_a_pack_of_networks_gives_what_each_gives_alone(halvings: int) -> None:
    """Under vmap over stacked parameters, as the fused engine runs them."""
    data = DATA[halvings]
    encoder = pyramid.Encoder(PyramidEncoder(filters=2, halvings=halvings), data).double()
    decoder = pyramid.Decoder(PyramidDecoder(filters=2, halvings=halvings), data, 4, 1).double()
    noise = Noise(key(0), 0, torch.float64)
    x = noise.uniform("x", (2, 3, *data.shape)).round()
    for module, inputs in ((encoder, x), (decoder, noise.normal("z", (2, 3, 4)))):
        stacked = {
            name: noise.normal(name, (2, *parameter.shape)) * 0.2 for name, parameter in module.named_parameters()
        }
        together = vmap(lambda own, one, module=module: functional_call(module, own, (one,)))(stacked, inputs)
        for slot in range(2):
            alone = functional_call(module, {name: value[slot] for name, value in stacked.items()}, (inputs[slot],))
            torch.testing.assert_close(together[slot], alone)


def _glorot(module: pyramid.Encoder | pyramid.Decoder, seeds: tuple[int, ...] = (0, 1)) -> dict[str, torch.Tensor]:
    keys = torch.stack([key(seed) for seed in seeds])
    return module.initialise(Noise(keys, torch.zeros(len(seeds), dtype=torch.int64), torch.float64), "init/part")


@pytest.mark.parametrize("halvings", [1, 2])
def test_layers_start_with_glorots_weights_and_no_biases(halvings: int) -> None:
    """Uniform of variance 2/(fan in + fan out), a fan being the channels times the pixels of the kernel."""
    encoder = pyramid.Encoder(PyramidEncoder(filters=16, halvings=halvings), DATA[halvings])
    decoder = pyramid.Decoder(PyramidDecoder(filters=16, halvings=halvings), DATA[halvings], 4, 1)
    for module in (encoder, decoder):
        values = _glorot(module)
        assert {name: tuple(value.shape) for name, value in values.items()} == {
            name: (2, *parameter.shape) for name, parameter in module.named_parameters()
        }
        for index, layer in enumerate(module.layers):
            if isinstance(layer, nn.Linear):
                fans = layer.in_features + layer.out_features
            elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                fans = (layer.in_channels + layer.out_channels) * 25
            else:
                continue
            weight, bias = values[f"layers.{index}.weight"], values[f"layers.{index}.bias"]
            assert not bias.any()
            bound = (6 / fans) ** 0.5
            assert 0.97 * bound < float(weight.abs().max()) <= bound
            several = weight[0].numel() ** -0.5  # relative standard errors of a mean and of a variance, about
            assert float(weight.mean()) == pytest.approx(0, abs=3 * several * bound)
            assert float(weight.var()) == pytest.approx(2 / fans, rel=4 * several)


def test_a_spread_starts_by_its_own_rule_and_every_layer_from_numbers_of_its_own() -> None:
    decoder = pyramid.Decoder(PyramidDecoder(filters=4, halvings=1), DATA[1], 3, 1)
    values = _glorot(decoder)
    first = decoder.layers[0]
    assert isinstance(first, pyramid.Spread)
    keys = torch.stack([key(0), key(1)])
    own = first.initialise(Noise(keys, torch.zeros(2, dtype=torch.int64), torch.float64), "init/part.layers.0")
    for name, value in own.items():
        assert torch.equal(values[f"layers.0.{name}"], value)
    assert values["layers.0.bias"].abs().max() > 0
    drawn = [value[slot].flatten()[:3] for value in values.values() for slot in range(2) if value.any()]
    assert len({tuple(start.tolist()) for start in drawn}) == len(drawn) == 2 * 6


def test_a_trial_starts_alike_in_every_company() -> None:
    encoder = pyramid.Encoder(PyramidEncoder(filters=4, halvings=1), DATA[1])
    pack, alone = _glorot(encoder, (5, 6, 7)), _glorot(encoder, (6,))
    assert all(torch.equal(pack[name][1], value[0]) for name, value in alone.items())
