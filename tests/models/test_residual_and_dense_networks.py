"""ResNet-18 and DenseNet-121: their sizes, their wiring by hand, their normalisation, and their purity under vmap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, vmap

from models import densenet
from models.build import build_network
from models.densenet import DenseNet121
from models.families import Data, Encoder
from models.initialise import initialise
from models.kinds import Cifar10, ClassifierModel, DenseNet121Encoder, FashionMnist, ResNet18Encoder
from models.network import Labelled
from models.noise import Noise, key
from models.resnet import Block, ResNet18

NOISE = Noise(key(0), 0, torch.float64)
NARROW: tuple[Encoder, ...] = (ResNet18Encoder(width=8), DenseNet121Encoder(growth=8))


class Colour(Data):
    """8×8 images of three channels."""

    shape: ClassVar[tuple[int, int, int]] = (3, 8, 8)
    levels: ClassVar[int] = 255
    classes: ClassVar[int] = 10


@pytest.mark.parametrize(
    ("encoder", "features", "count"),
    [(ResNet18Encoder(), 512, 11_173_962), (DenseNet121Encoder(), 1024, 6_956_298)],
    ids=["resnet-18", "densenet-121"],
)
def test_parameters(encoder: Encoder, features: int, count: int) -> None:
    """With a last layer of ten classes, those of the networks for CIFAR-10 that the authors took."""
    with torch.device("meta"):
        network = build_network(ClassifierModel(encoder=encoder), Cifar10())
    assert network.output.in_features == features
    assert sum(parameter.numel() for parameter in network.parameters()) == count


@pytest.mark.parametrize("encoder", NARROW, ids=lambda encoder: encoder.kind)
def test_they_are_for_images_that_halve_three_times(encoder: Encoder) -> None:
    encoder.check(Cifar10())
    with pytest.raises(ValueError, match="each of 3 layers halves the image; 28×28 allows fewer"):
        encoder.check(FashionMnist())


def _norm(x: Tensor, own: Mapping[str, Tensor], name: str, groups: int) -> Tensor:
    """Mean 0 and variance 1 over each group of channels and all positions, then the affine map."""
    parts = x.reshape(len(x), groups, -1)
    deviation = (parts.var(2, correction=0, keepdim=True) + 1e-5).sqrt()
    normal = ((parts - parts.mean(2, keepdim=True)) / deviation).reshape(x.shape)
    return normal * own[f"{name}.weight"][:, None, None] + own[f"{name}.bias"][:, None, None]


def _random(module: nn.Module) -> dict[str, Tensor]:
    """Values for all of its parameters, none of them special, and small."""
    return {
        name: NOISE.normal(name, tuple(value.shape)) * 0.2 + (value.dim() == 1)
        for name, value in module.named_parameters()
    }


def test_resnet_is_wired_as_the_paper_says() -> None:
    network = ResNet18(ResNet18Encoder(width=8), Colour()).double()
    own = _random(network)
    x = NOISE.uniform("x", (2, *Colour.shape)).mul(255).round()
    hidden = _norm(F.conv2d(x / 255, own["stem.weight"], padding=1), own, "normalise", 8).relu()
    for index, stride in enumerate((1, 1, 2, 1, 2, 1, 2, 1)):
        block = f"blocks.{index}"
        inner = F.conv2d(hidden, own[f"{block}.convolution1.weight"], stride=stride, padding=1)
        inner = _norm(inner, own, f"{block}.normalise1", 8).relu()
        inner = _norm(F.conv2d(inner, own[f"{block}.convolution2.weight"], padding=1), own, f"{block}.normalise2", 8)
        if f"{block}.shortcut.0.weight" in own:
            hidden = F.conv2d(hidden, own[f"{block}.shortcut.0.weight"], stride=stride)
            hidden = _norm(hidden, own, f"{block}.shortcut.1", 8)
        hidden = (hidden + inner).relu()
    assert hidden.shape == (2, 64, 1, 1)
    torch.testing.assert_close(functional_call(network, own, (x,)), hidden.mean((2, 3)))


def test_a_block_adds_to_its_input() -> None:
    """With nothing from its last normalisation: the input itself, or its projection."""
    x = NOISE.normal("x", (2, 16, 8, 8))
    for block in (Block(16, 16, 1).double(), Block(16, 32, 2).double()):
        nn.init.zeros_(block.normalise2.weight)
        expected = x if block.shortcut is None else block.shortcut(x)
        torch.testing.assert_close(block(x), expected.relu())
    assert expected.shape == (2, 32, 4, 4)


def test_densenet_is_wired_as_the_paper_says() -> None:
    network = DenseNet121(DenseNet121Encoder(growth=8), Colour()).double()
    own = _random(network)
    x = NOISE.uniform("x", (2, *Colour.shape)).mul(255).round()

    def norm(x: Tensor, name: str) -> Tensor:
        return _norm(x, own, name, x.shape[1] // 8).relu()

    hidden = F.conv2d(x / 255, own["layers.0.weight"], padding=1)
    index = 1
    for block, layers in enumerate((6, 12, 24, 16)):
        if block:
            hidden = F.conv2d(norm(hidden, f"layers.{index}.0"), own[f"layers.{index}.2.weight"])
            hidden = hidden.unflatten(2, (-1, 2)).unflatten(4, (-1, 2)).mean((3, 5))
            index += 1
        for _ in range(layers):
            layer = f"layers.{index}"
            narrow = F.conv2d(norm(hidden, f"{layer}.normalise1"), own[f"{layer}.convolution1.weight"])
            assert narrow.shape[1] == 32
            more = F.conv2d(norm(narrow, f"{layer}.normalise2"), own[f"{layer}.convolution2.weight"], padding=1)
            hidden = torch.cat((hidden, more), 1)
            index += 1
    assert hidden.shape == (2, 256, 1, 1)
    torch.testing.assert_close(functional_call(network, own, (x,)), norm(hidden, f"layers.{index}").mean((2, 3)))


def test_no_group_of_a_concatenation_holds_features_of_two_layers() -> None:
    """A layer's features are normalised the same for whoever reads them, as batch normalisation's statistics are."""
    layer = densenet.Layer(96, 32)
    pieces = [NOISE.normal(f"piece/{index}", (2, 32, 4, 4)).float() * (index + 1) for index in range(3)]
    alone = [F.group_norm(piece, 32 // densenet.GROUP) for piece in pieces]
    torch.testing.assert_close(layer.normalise1(torch.cat(pieces, 1)), torch.cat(alone, 1))


@pytest.mark.parametrize("encoder", NARROW, ids=lambda encoder: encoder.kind)
def test_a_pack_of_classifiers_gives_what_each_gives_alone(encoder: Encoder) -> None:
    network = build_network(ClassifierModel(encoder=encoder), Colour()).double()
    parameters = initialise(network, torch.stack([key(0), key(1)]), torch.float64, torch.empty(0))
    x, y = NOISE.uniform("x", (2, 3, *Colour.shape)).mul(255).round(), torch.tensor([[0, 4, 9], [1, 1, 2]])

    def surprise(own: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        distortion: Tensor = functional_call(network, own, ("terms", Labelled(x, y), NOISE)).distortion
        return distortion

    together = vmap(surprise)(parameters, x, y)
    for slot in range(2):
        own = {name: value[slot] for name, value in parameters.items()}
        torch.testing.assert_close(together[slot], surprise(own, x[slot], y[slot]))
