"""Dataset: what every data family yields. Images stay uint8; a batch is a gather."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from models.families import Data
from models.spec import SpecificationError


@dataclass(frozen=True, kw_only=True)
class Split:
    """images: (N, C, H, W) uint8 in 0..levels; labels: (N,) int64 in 0..classes-1."""

    images: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """The splits of one data specification.

    dynamic: the training images are intensities 0..255 of binary pixels, to be drawn anew in every step.
    """

    spec: Data
    train: Split
    test: Split
    validation: Split | None = None
    dynamic: bool = False

    def __post_init__(self) -> None:
        for name, split in (("train", self.train), ("validation", self.validation), ("test", self.test)):
            if split is None:
                continue
            if split.images.dtype != torch.uint8 or tuple(split.images.shape[1:]) != self.spec.shape:
                raise SpecificationError(
                    f"{self.spec.kind}: {name} images must be uint8 (N, {self.spec.shape}), "
                    f"got {split.images.dtype} {tuple(split.images.shape)}"
                )
            if name == "train" and self.dynamic:
                continue
            if int(split.images.max()) > self.spec.levels:
                raise SpecificationError(
                    f"{self.spec.kind}: pixels must lie in 0..{self.spec.levels}, got {int(split.images.max())}"
                )
