"""The transposed convolution that doubles maps, for few output channels, by an algorithm that is fast on CPUs.

oneDNN computes a transposed convolution as the gradient of a convolution, which for one or three output channels leaves
most of each vector idle. Its outputs of one phase (even or odd row, even or odd column) are an ordinary convolution of
kernel 2, so that all four phases are one convolution with four times the channels, and a rearrangement. Its gradients
are ordinary convolutions already. What this brings is in BENCHMARKS.md.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_weight

KERNEL, STRIDE, PADDING = 4, 2, 1


class Doubling(nn.ConvTranspose2d):
    """(B, inputs, H, W) -> (B, outputs, 2H, 2W): kernel 4, stride 2, padding 1."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, KERNEL, STRIDE, PADDING)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        if x.device.type != "cpu" or self.bias is None or torch.is_autocast_enabled("cpu"):
            return super().forward(x, output_size)
        spread: Tensor = _Spread.apply(x, self.weight)  # type: ignore[no-untyped-call]
        return spread + self.bias[:, None, None]


class _Spread(torch.autograd.Function):
    """x (B, I, H, W) and weight (I, O, 4, 4) -> (B, O, 2H, 2W)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, weight: Tensor) -> Tensor:
        """Row 2m + α − 1 of the output is Σ_q x[m − q] weight[α + 2q], α and q in {0, 1}; columns likewise."""
        batch, inputs, height, width = x.shape
        outputs = weight.shape[1]
        halves = weight.reshape(inputs, outputs, 2, 2, 2, 2).flip(2, 4)  # (I, O, q, α, q', α'), last first in q
        kernels = halves.permute(3, 5, 1, 0, 2, 4).reshape(4 * outputs, inputs, 2, 2)
        phases = F.conv2d(x, kernels, padding=1)  # (B, (α, α', O), H + 1, W + 1)
        maps = torch.unflatten(phases, 1, (2, 2, outputs)).permute(0, 4, 1, 5, 2, 3)  # (B, m, α, m', α', O)
        whole = maps.reshape(batch, 2 * height + 2, 2 * width + 2, outputs)
        return whole[:, 1:-1, 1:-1].permute(0, 3, 1, 2)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x: Tensor
        weight: Tensor
        x, weight = ctx.saved_tensors
        to_x = F.conv2d(gradient, weight, stride=STRIDE, padding=PADDING)
        to_weight = conv2d_weight(gradient, weight.shape, x, STRIDE, PADDING)  # type: ignore[no-untyped-call]
        return to_x, to_weight
