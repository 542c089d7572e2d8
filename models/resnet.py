"""ResNet-18 for small images (He et al. 2016) as an encoder, with group normalisation for batch normalisation."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from models.families import Data
from models.kinds import ResNet18Encoder

STAGES = (1, 2, 4, 8)  # channels of each stage, in widths; all but the first halve the image
BLOCKS = 2  # a stage
GROUPS = 8  # of the group normalisation (Wu & He 2018); it divides every width


class ResNet18(nn.Module):
    """ResNet-18 before its last layer: (B, C, H, W) -> (B, 8 · width).

    A convolution of kernel 3 in place of the 7 for large images, without their pooling; four stages of two blocks; the
    mean over all positions. Pixels enter as x / levels, as in the code of Xiao & Bamler (2023).
    """

    def __init__(self, spec: ResNet18Encoder, data: Data) -> None:
        super().__init__()
        self.scale = 1.0 / data.levels
        self.stem = _convolution(data.shape[0], spec.width)
        self.normalise = nn.GroupNorm(GROUPS, spec.width)
        blocks: list[nn.Module] = []
        size = spec.width
        for stage, widths in enumerate(STAGES):
            for block in range(BLOCKS):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(Block(size, widths * spec.width, stride))
                size = widths * spec.width
        self.blocks = nn.Sequential(*blocks)
        self.features = size

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.blocks(F.relu(self.normalise(self.stem(x * self.scale))))
        return hidden.mean((2, 3))


class Block(nn.Module):
    """relu(x + norm(conv(relu(norm(conv(x)))))), convolutions of kernel 3, the first with the stride (their Fig. 2).

    Where channels or size change, norm(conv(x)) of kernel 1 stands for x (their option B).
    """

    def __init__(self, size: int, channels: int, stride: int) -> None:
        super().__init__()
        self.convolution1 = _convolution(size, channels, stride)
        self.normalise1 = nn.GroupNorm(GROUPS, channels)
        self.convolution2 = _convolution(channels, channels)
        self.normalise2 = nn.GroupNorm(GROUPS, channels)
        changes = size != channels or stride != 1
        projection = (nn.Conv2d(size, channels, 1, stride, bias=False), nn.GroupNorm(GROUPS, channels))
        self.shortcut = nn.Sequential(*projection) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.relu(self.normalise1(self.convolution1(x)))
        straight = x if self.shortcut is None else self.shortcut(x)
        return F.relu(straight + self.normalise2(self.convolution2(hidden)))


def _convolution(size: int, channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(size, channels, 3, stride, padding=1, bias=False)
