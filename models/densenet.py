"""DenseNet-121 for small images (Huang et al. 2017) as an encoder, with group for batch normalisation."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.families import Data
from models.kinds import DenseNet121Encoder

BLOCKS = (6, 12, 24, 16)  # layers each
STEM, BOTTLENECK = 2, 4  # channels, in growths
COMPRESSION = 2  # a transition leaves one of so many channels
GROUP = 8  # channels; it divides the growth, so that no group of a concatenation holds features of two layers


class DenseNet121(nn.Module):
    """DenseNet-BC of 121 layers before its last: (B, C, H, W) -> (B, 32 · growth).

    A convolution of kernel 3, four dense blocks with a transition that halves the image after all but the last, a
    normalisation, a ReLU and the mean over all positions. Pixels enter as x / levels, as in the code of Xiao & Bamler
    (2023).
    """

    def __init__(self, spec: DenseNet121Encoder, data: Data) -> None:
        super().__init__()
        self.scale = 1.0 / data.levels
        size = STEM * spec.growth
        layers: list[nn.Module] = [nn.Conv2d(data.shape[0], size, 3, padding=1, bias=False)]
        for block, count in enumerate(BLOCKS):
            if block > 0:
                layers.append(_transition(size))
                size //= COMPRESSION
            layers += [Layer(size + index * spec.growth, spec.growth) for index in range(count)]
            size += count * spec.growth
        self.layers = nn.Sequential(*layers, _norm(size), nn.ReLU())
        self.features = size

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.layers(x * self.scale)
        return hidden.mean((2, 3))


class Layer(nn.Module):
    """x, with `growth` more channels: conv3(relu(norm(conv1(relu(norm(x)))))), between them 4 · growth channels."""

    def __init__(self, size: int, growth: int) -> None:
        super().__init__()
        self.normalise1 = _norm(size)
        self.convolution1 = nn.Conv2d(size, BOTTLENECK * growth, 1, bias=False)
        self.normalise2 = _norm(BOTTLENECK * growth)
        self.convolution2 = nn.Conv2d(BOTTLENECK * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        narrow = self.convolution1(F.relu(self.normalise1(x)))
        return torch.cat((x, self.convolution2(F.relu(self.normalise2(narrow)))), 1)


def _transition(size: int) -> nn.Module:
    return nn.Sequential(_norm(size), nn.ReLU(), nn.Conv2d(size, size // COMPRESSION, 1, bias=False), nn.AvgPool2d(2))


def _norm(size: int) -> nn.GroupNorm:
    return nn.GroupNorm(size // GROUP, size)
