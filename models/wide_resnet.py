"""Wide residual networks (Zagoruyko & Komodakis 2016) as encoders, with group normalisation for batch normalisation."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from models.families import Data
from models.kinds import WideResNetEncoder

STEM = 16  # channels of the first convolution
STAGES = (16, 32, 64)  # channels of each stage before they are widened; the second and the third halve the image
GROUPS = 8  # of the group normalisation (Wu & He 2018); it divides every number of channels above


class WideResNet(nn.Module):
    """WRN-depth-width before its last layer: (B, C, H, W) -> (B, 64 · width).

    A convolution, three stages of (depth − 4) / 6 blocks, a normalisation, a ReLU and the mean over all positions.
    Pixels enter as 2x/levels − 1.
    """

    def __init__(self, spec: WideResNetEncoder, data: Data) -> None:
        super().__init__()
        self.scale = 2.0 / data.levels
        self.stem = _convolution(data.shape[0], STEM)
        blocks: list[nn.Module] = []
        size = STEM
        for stage, channels in enumerate(STAGES):
            for block in range((spec.depth - 4) // 6):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(Block(size, channels * spec.width, stride))
                size = channels * spec.width
        self.blocks = nn.Sequential(*blocks)
        self.normalise = nn.GroupNorm(GROUPS, size)
        self.features = size

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.normalise(self.blocks(self.stem(x * self.scale - 1.0)))
        return hidden.relu().mean((2, 3))


class Block(nn.Module):
    """x + conv(relu(norm(conv(relu(norm(x)))))), convolutions of kernel 3, the first with the stride (their Fig. 1b).

    Where channels or size change, a convolution of kernel 1 on relu(norm(x)) stands for x.
    """

    def __init__(self, size: int, channels: int, stride: int) -> None:
        super().__init__()
        self.normalise1 = nn.GroupNorm(GROUPS, size)
        self.convolution1 = _convolution(size, channels, stride)
        self.normalise2 = nn.GroupNorm(GROUPS, channels)
        self.convolution2 = _convolution(channels, channels)
        changes = size != channels or stride != 1
        self.shortcut = nn.Conv2d(size, channels, 1, stride, bias=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        active = F.relu(self.normalise1(x))
        hidden = F.relu(self.normalise2(self.convolution1(active)))
        straight = x if self.shortcut is None else self.shortcut(active)
        total: Tensor = straight + self.convolution2(hidden)
        return total


def _convolution(size: int, channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(size, channels, 3, stride, padding=1, bias=False)
