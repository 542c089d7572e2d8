"""CIFAR-10, binary version: records of a label and 3 × 32 × 32 pixels, in five training batches and a test batch."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import torch

from models.data.archive import provide
from models.data.dataset import Dataset, Split
from models.data.download import DataError
from models.data.sources import CIFAR10, needed_by
from models.kinds import Cifar10

SHAPE = (3, 32, 32)


@functools.lru_cache(maxsize=2)
def load(data: Cifar10) -> Dataset:
    """The splits, from the batches that they need alone: in place, or unpacked now; raises DataError. The last two are
    kept."""
    official = needed_by(data) or CIFAR10
    folder = provide(official).folder
    *train, test = (read(folder / part.name, part.needed) for part in official.parts)
    return Dataset(
        spec=data,
        train=Split(
            images=torch.cat([batch.images for batch in train]), labels=torch.cat([batch.labels for batch in train])
        ),
        test=test,
    )


def read(path: Path, first: int) -> Split:
    """The first images of a file; raises DataError where it has fewer, or a label above 9."""
    size = 1 + int(np.prod(SHAPE))
    try:
        raw = np.fromfile(path, np.uint8, first * size)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    if len(raw) < first * size:
        raise DataError(f"{path} holds {len(raw) // size:,} records of {size:,} bytes, not {first:,}")
    records = raw.reshape(first, size)
    labels = records[:, 0]
    if labels.max() > 9:
        at = int(labels.argmax())
        raise DataError(f"{path} is no CIFAR-10: record {at:,} has the label {labels[at]}, and labels are 0..9")
    images = records[:, 1:].reshape(first, *SHAPE)
    return Split(images=torch.tensor(images), labels=torch.tensor(labels, dtype=torch.int64))
