"""The small convolutional classifier of MNIST of Xiao & Bamler (2023), as an encoder; from their code."""

from __future__ import annotations

from torch import Tensor, nn

from models.families import Data
from models.kinds import DropoutCnnEncoder
from models.noise import Draws

KERNEL = 3


class DropoutCnn(nn.Module):
    """Two convolutions without padding, each with a ReLU, the maximum of 2×2 and a dense layer with a ReLU.

    Pixels enter as x / levels. Dropout, scaled so that the mean stays, acts where there is noise: in training.
    """

    stochastic = True

    def __init__(self, spec: DropoutCnnEncoder, data: Data) -> None:
        super().__init__()
        colours, height, width = data.shape
        self.features = spec.width
        self.scale = 1.0 / data.levels
        self.dropout = spec.dropout
        layers: list[nn.Module] = []
        size = colours
        for channels in spec.channels:
            layers += [nn.Conv2d(size, channels, KERNEL), nn.ReLU()]
            size = channels
        lost = len(spec.channels) * (KERNEL - 1)
        self.convolutions = nn.Sequential(*layers, nn.MaxPool2d(2), nn.Flatten())
        self.dense = nn.Sequential(
            nn.Linear(size * ((height - lost) // 2) * ((width - lost) // 2), spec.width), nn.ReLU()
        )

    def forward(self, x: Tensor, noise: Draws | None = None) -> Tensor:
        hidden = dropped(self.convolutions(x * self.scale), self.dropout[0], noise, "dropout/convolutions")
        return dropped(self.dense(hidden), self.dropout[1], noise, "dropout/dense")


def dropped(features: Tensor, rate: float, noise: Draws | None, site: str) -> Tensor:
    """Each number 0 with probability `rate`, and otherwise grown by 1 / (1 − rate) (Srivastava et al. 2014)."""
    if noise is None or rate == 0.0:
        return features
    kept = noise.uniform(site, tuple(features.shape)) >= rate
    return features * kept.to(features.dtype) * (1.0 / (1.0 - rate))
