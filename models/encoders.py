"""Encoders: images to features, which a posterior reads.

An encoder is a module `(spec, data) -> module` with an attribute `features`, the number of its outputs; it maps x,
(B, C, H, W) raw integers 0..levels, to (B, features). Pixels enter the first layer scaled to [0, 1].
"""

from __future__ import annotations

import math

from torch import Tensor, nn

from models.families import Data
from models.kinds import ConvolutionalEncoder, DenseEncoder
from models.layers import ACTIVATIONS, dense

KERNEL, STRIDE, PADDING = 4, 2, 1  # halves an even height and width exactly


class Dense(nn.Module):
    """Fully connected layers on the flattened image."""

    def __init__(self, spec: DenseEncoder, data: Data) -> None:
        super().__init__()
        self.features = spec.widths[-1]
        self.scale = 1.0 / data.levels
        self.layers = dense(math.prod(data.shape), spec.widths, spec.activation)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.layers(x.flatten(1) * self.scale)
        return features


class Convolutional(nn.Module):
    """Convolutions that halve the image (kernel 4, stride 2, padding 1), then flattened."""

    def __init__(self, spec: ConvolutionalEncoder, data: Data) -> None:
        super().__init__()
        channels, height, width = data.shape
        factor = 2 ** len(spec.channels)
        self.features = spec.channels[-1] * (height // factor) * (width // factor)
        self.scale = 1.0 / data.levels
        layers: list[nn.Module] = []
        for out in spec.channels:
            layers += [nn.Conv2d(channels, out, KERNEL, STRIDE, PADDING), ACTIVATIONS[spec.activation]()]
            channels = out
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.layers(x * self.scale)  # (B, channels, H / 2^n, W / 2^n)
        return features.flatten(1)
