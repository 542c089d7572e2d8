"""Augmentation of training images: random crops and flips, by a trial's own draws."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from models.noise import Draws

PADDING = 4  # black pixels on each side, of which a crop sees some


def crop_and_flip(x: Tensor, noise: Draws) -> Tensor:
    """Each image moved by up to four pixels either way and mirrored half of the time (He et al. 2016, Sec. 4.2).

    x: (B, C, H, W). A crop at one of the 9 × 9 places in the image with a black frame, each as likely.
    """
    batch, _, height, width = x.shape
    top, left = (_place(noise, f"augmentation/{side}", batch) for side in ("top", "left"))
    mirrored = noise.uniform("augmentation/flip", (batch,)) < 0.5
    rows = top[:, None] + torch.arange(height, device=x.device)
    across = torch.arange(width, device=x.device)
    columns = left[:, None] + torch.where(mirrored[:, None], width - 1 - across, across)
    framed = F.pad(x, (PADDING,) * 4)
    cut = framed.gather(2, rows[:, None, :, None].expand(-1, x.shape[1], -1, framed.shape[3]))
    return cut.gather(3, columns[:, None, None, :].expand(-1, x.shape[1], height, -1))


def _place(noise: Draws, site: str, batch: int) -> Tensor:
    """0..2·PADDING, each as likely: (B,) int64."""
    return (noise.uniform(site, (batch,)) * (2 * PADDING + 1)).to(torch.int64)
