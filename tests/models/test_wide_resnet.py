"""WRN-depth-width: its parameters against the formula, its purity under vmap."""

from __future__ import annotations

import itertools
from typing import ClassVar

import pytest
import torch
from torch import nn
from torch.func import functional_call, vmap

from models.build import build_network
from models.families import Data
from models.initialise import initialise
from models.kinds import ClassifierModel, FashionMnist, WideResNetEncoder
from models.network import Labelled
from models.noise import Noise, key
from models.wide_resnet import Block, WideResNet


class Cifar(Data):
    """32×32 images of three channels."""

    shape: ClassVar[tuple[int, int, int]] = (3, 32, 32)
    levels: ClassVar[int] = 255
    classes: ClassVar[int] = 10


def _sized(depth: int, width: int, data: Data) -> WideResNet:
    """Of sizes alone, without memory."""
    with torch.device("meta"):
        return WideResNet(WideResNetEncoder.model_validate({"depth": depth, "width": width}), data)


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _formula(depth: int, width: int, channels: int) -> int:
    """Convolutions without bias, two normalisations a block, a shortcut where a stage widens; a last one."""
    sizes = [16, *(stage * width for stage in (16, 32, 64))]
    total = 9 * channels * 16
    for before, after in itertools.pairwise(sizes):
        later = (depth - 4) // 6 - 1
        total += 2 * before + 9 * before * after + 2 * after + 9 * after * after
        total += before * after * (before != after)
        total += later * (4 * after + 18 * after * after)
    return total + 2 * sizes[-1]


@pytest.mark.parametrize(("depth", "width"), [(10, 1), (16, 4), (22, 2), (28, 10)])
@pytest.mark.parametrize("data", [FashionMnist(), Cifar()], ids=lambda data: data.shape)
def test_parameters(depth: int, width: int, data: Data) -> None:
    encoder = _sized(depth, width, data)
    assert encoder.features == 64 * width
    assert _count(encoder) == _formula(depth, width, data.shape[0])


@pytest.mark.parametrize(("depth", "width", "millions"), [(16, 8, 11.0), (28, 10, 36.5), (40, 1, 0.6)])
def test_parameters_of_the_paper(depth: int, width: int, millions: float) -> None:
    """Zagoruyko & Komodakis (2016), Table 4 (with the last layer of ten classes)."""
    encoder = _sized(depth, width, Cifar())
    assert round((_count(encoder) + 10 * (encoder.features + 1)) / 1e6, 1) == millions


def test_stages_halve_the_image_twice() -> None:
    encoder = WideResNet(WideResNetEncoder(depth=16, width=1), FashionMnist())
    sizes = []
    hidden = encoder.stem(torch.zeros(1, 1, 28, 28))
    for block in encoder.blocks:
        hidden = block(hidden)
        sizes.append((hidden.shape[1], hidden.shape[2]))
    assert sizes == [(16, 28)] * 2 + [(32, 14)] * 2 + [(64, 7)] * 2


def test_a_block_adds_to_its_input() -> None:
    """With nothing from its last convolution: the input itself, or its shortcut."""
    x = Noise(key(0), 0).normal("x", (2, 16, 8, 8))
    for block in (Block(16, 16, 1), Block(16, 32, 2)):
        nn.init.zeros_(block.convolution2.weight)
        shortcut = block.shortcut
        expected = x if shortcut is None else shortcut(block.normalise1(x).relu())
        torch.testing.assert_close(block(x), expected)
    assert expected.shape == (2, 32, 4, 4)


def test_a_pack_of_classifiers_gives_what_each_gives_alone() -> None:
    data = FashionMnist()
    model = ClassifierModel(encoder=WideResNetEncoder(depth=10, width=1))
    network = build_network(model, data).double()
    parameters = initialise(network, torch.stack([key(0), key(1)]), torch.float64, torch.empty(0))
    noise = Noise(key(0), 0, torch.float64)
    x, y = noise.uniform("x", (2, 3, *data.shape)).mul(255).round(), torch.tensor([[0, 4, 9], [1, 1, 2]])

    def surprise(own: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return functional_call(network, own, ("terms", Labelled(x, y), noise)).distortion

    together = vmap(surprise)(parameters, x, y)
    for slot in range(2):
        own = {name: value[slot] for name, value in parameters.items()}
        torch.testing.assert_close(together[slot], surprise(own, x[slot], y[slot]))
