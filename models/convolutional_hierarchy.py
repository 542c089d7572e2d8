"""The two-layer convolutional models of Xiao & Bamler (2023), Tables 2 and 3: GHVAE and LVAE.

Where the tables are garbled or silent their code decides: the merged layer of q(z1|z2, x) is a convolution, z2 reaches
it through a transposed convolution, a ReLU follows every hidden layer, standard deviations are softplus(·) without a
floor, and the ladder's estimate gives softplus(·) as its variance. Pixels enter as x / levels.

Maps shrink from the image's side to half, to a quarter and to 4×4: 32, 16, 8, 4 with strides of 2; 28, 14, 7, 4 where
the last layer has stride 1 and no padding. All kernels are 4, but 3 in the layers that give mean and deviation, which
are one layer here: the same function, and by fan-in the same initial distribution, as one layer each.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.build import implementation
from models.doubling import Doubling
from models.families import Data
from models.hierarchical import HierarchicalAutoencoder, LadderAutoencoder
from models.kinds import ConvolutionalHierarchy
from models.network import Network
from models.normal import Normal
from models.posteriors import NormalPosterior
from models.priors import ConditionalNormal, StandardNormal

KERNEL = 4
CORE = 4  # side of the maps of z1
HALVING = (2, 1)  # stride and padding
REACHING = {32: HALVING, 28: (1, 0)}  # by the image's side: from a quarter of it to the core


class Scaled(nn.Sequential):
    """Layers on raw images, x / levels."""

    def __init__(self, levels: int, *layers: nn.Module) -> None:
        super().__init__(*layers)
        self.scale = 1.0 / levels

    def forward(self, x: Tensor) -> Tensor:
        features = x * self.scale
        for layer in self:
            features = layer(features)
        return features


class Maps(nn.Module):
    """A vector as maps: (B, channels · 16) -> (B, channels, 4, 4)."""

    def forward(self, z: Tensor) -> Tensor:
        return torch.unflatten(z, -1, (-1, CORE, CORE))


class MapHead(nn.Module):
    """Mean and standard deviation as maps, flattened: (B, channels, 4, 4) -> Normal of (B, channels · 16).

    variance: whether softplus(·) gives the variance, and not the standard deviation.
    """

    def __init__(self, channels: int, *, variance: bool = False) -> None:
        super().__init__()
        self.layer = nn.Conv2d(channels, 2 * channels, 3, padding=1)
        self.variance = variance

    def forward(self, maps: Tensor) -> Normal:
        numbers = self.layer(maps).to(self.layer.weight.dtype)  # of layers in bfloat16: back to float32
        mean, raw = numbers.flatten(1).chunk(2, dim=-1)  # the mean's channels come first
        positive = F.softplus(raw)
        return Normal(mean, positive.sqrt() if self.variance else positive)


class Beside(nn.Module):
    """q(z1|z2, x) of the GHVAE: the maps of x beside those of z2, a convolution to 4×4, the head."""

    def __init__(self, channels: int, top: int, side: int) -> None:
        super().__init__()
        self.spread = nn.Sequential(
            nn.Linear(top, channels * CORE**2),
            nn.ReLU(),
            Maps(),
            nn.ConvTranspose2d(channels, channels, KERNEL, *REACHING[side]),
            nn.ReLU(),
        )
        self.merge = nn.Conv2d(2 * channels, channels, KERNEL, *REACHING[side])
        self.head = MapHead(channels)

    def forward(self, features: Tensor, upper: Tensor) -> Normal:
        both = torch.cat((features, self.spread(upper)), dim=1)  # (B, 2 channels, side / 4, side / 4)
        normal: Normal = self.head(self.merge(both).relu())
        return normal


def _quarter(data: Data, channels: int) -> Scaled:
    """(B, C, H, W) -> (B, channels, H / 4, W / 4)."""
    return Scaled(
        data.levels,
        nn.Conv2d(data.shape[0], channels, KERNEL, *HALVING),
        nn.ReLU(),
        nn.Conv2d(channels, channels, KERNEL, *HALVING),
        nn.ReLU(),
    )


def _reach_core(channels: int, side: int) -> list[nn.Module]:
    """(B, channels, side / 4, side / 4) -> (B, channels, 4, 4)."""
    return [nn.Conv2d(channels, channels, KERNEL, *REACHING[side]), nn.ReLU()]


def _decoder(channels: int, outputs: int, side: int) -> nn.Sequential:
    """p(x|z1): (B, channels · 16) -> (B, outputs, H, W)."""
    return nn.Sequential(
        Maps(),
        nn.ConvTranspose2d(channels, channels, KERNEL, *REACHING[side]),
        nn.ReLU(),
        nn.ConvTranspose2d(channels, channels, KERNEL, *HALVING),
        nn.ReLU(),
        Doubling(channels, outputs),
    )


def build(spec: ConvolutionalHierarchy, data: Data) -> Network:
    """The network for `data`; its parameters are set by models/initialise.py."""
    colours, side, _ = data.shape
    likelihood = implementation(spec.likelihood)(spec.likelihood, data)
    size = spec.channels * CORE**2  # of z1
    common = {
        "groups": spec.groups,
        "posterior": NormalPosterior(size, spec.top),
        "prior": StandardNormal(spec.top),
        "conditional_priors": [ConditionalNormal(spec.top, (spec.hidden,), "relu", size)],
        "decoder": _decoder(spec.channels, likelihood.channels * colours, side),
        "likelihood": likelihood,
    }
    closing = [*_reach_core(spec.channels, side), nn.Flatten()]
    if spec.inference == "ladder":
        estimate = nn.Sequential(*_reach_core(spec.channels, side), MapHead(spec.channels, variance=True))
        encoders = [_quarter(data, spec.channels), nn.Sequential(*closing)]
        return LadderAutoencoder(encoders=encoders, conditional_posteriors=[estimate], **common)
    whole = _quarter(data, spec.channels)
    whole.extend(closing)
    return HierarchicalAutoencoder(
        encoders=[_quarter(data, spec.channels), whole],
        conditional_posteriors=[Beside(spec.channels, spec.top, side)],
        **common,
    )
