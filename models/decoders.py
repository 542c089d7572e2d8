"""Decoders: latents to the natural parameters of a likelihood.

A decoder is built by `(spec, data, latent, channels)` and maps z, (B, latent), to (B, channels · C, H, W), where
`channels` is what the likelihood asks for each channel of the image.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn

from models.encoders import KERNEL, PADDING, STRIDE
from models.families import Data
from models.kinds import ConvolutionalDecoder, DenseDecoder
from models.layers import ACTIVATIONS, dense


class Dense(nn.Module):
    """Fully connected layers, the last one linear, to the flattened image."""

    def __init__(self, spec: DenseDecoder, data: Data, latent: int, channels: int) -> None:
        super().__init__()
        colours, height, width = data.shape
        self.shape = (channels * colours, height, width)
        self.layers = dense(latent, spec.widths, spec.activation)
        self.output = nn.Linear(spec.widths[-1], math.prod(self.shape))

    def forward(self, z: Tensor) -> Tensor:
        return torch.unflatten(self.output(self.layers(z)), -1, self.shape)


class Convolutional(nn.Module):
    """The mirror of the convolutional encoder: a dense layer to the smallest image, then transposed convolutions.

    `channels` of the specification are read in the encoder's order: (16, 32) starts from 32 channels at a quarter of
    the image's size.
    """

    def __init__(self, spec: ConvolutionalDecoder, data: Data, latent: int, channels: int) -> None:
        super().__init__()
        colours, height, width = data.shape
        factor = 2 ** len(spec.channels)
        self.shape = (spec.channels[-1], height // factor, width // factor)
        self.input = nn.Linear(latent, math.prod(self.shape))
        sizes = [*reversed(spec.channels), channels * colours]
        layers: list[nn.Module] = []
        for inside, outside in itertools.pairwise(sizes):
            layers += [
                ACTIVATIONS[spec.activation](),
                nn.ConvTranspose2d(inside, outside, KERNEL, STRIDE, PADDING),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        small = torch.unflatten(self.input(z), -1, self.shape)
        output: Tensor = self.layers(small)
        return output
