"""Street View House Numbers, cropped digits: the official files of MATLAB 5, with the label 10 for the digit 0."""

from __future__ import annotations

import functools
import zlib
from pathlib import Path

import numpy as np
import scipy.io
import torch
from scipy.io.matlab import MatReadError

from models.data.dataset import Dataset, Split
from models.data.download import DataError, ensure
from models.data.sources import SVHN, TEST_MAT, TRAIN_MAT
from models.kinds import Svhn
from models.specification.data import SVHN_TEST_IMAGES, SVHN_TRAIN_IMAGES

SIDE, CHANNELS = 32, 3
ZERO = 10  # the label of the digit 0
# What scipy raises for a file that is none, or is cut short. A changed one is never read: its MD5 was compared before.
_NOT_MATLAB = (MatReadError, OSError, ValueError, TypeError, LookupError, NotImplementedError, zlib.error)


@functools.lru_cache(maxsize=2)
def load(data: Svhn) -> Dataset:
    """The splits, from official files that are in place or downloaded now; raises DataError. The last two are kept."""
    folder = ensure(SVHN).folder
    return Dataset(
        spec=data,
        train=read(folder / TRAIN_MAT, SVHN_TRAIN_IMAGES, data.train_images),
        test=read(folder / TEST_MAT, SVHN_TEST_IMAGES, data.test_images),
    )


def read(path: Path, count: int, first: int) -> Split:
    """The first images of a file of `count`; raises DataError where it is damaged or holds anything else.

    X: (32, 32, 3, count) uint8; y: (count, 1), 1..10.
    """
    try:
        content = scipy.io.loadmat(path, variable_names=("X", "y"))
    except _NOT_MATLAB as error:
        raise DataError(f"{path} is no whole MATLAB 5 file: {error}") from None
    images, labels = (
        _array(path, content, *expected) for expected in (("X", (SIDE, SIDE, CHANNELS, count)), ("y", (count, 1)))
    )
    if images.dtype != np.uint8:
        raise DataError(f"{path}: the pixels X are uint8, 0..255, not {images.dtype}")
    if not np.isin(labels, range(1, ZERO + 1)).all():
        raise DataError(f"{path}: a label y is 1..9, or {ZERO} for the digit 0, not {labels.min()}..{labels.max()}")
    pixels = np.ascontiguousarray(images[..., :first].transpose(3, 2, 0, 1))
    digits = labels[:first, 0].astype(np.int64) % ZERO
    return Split(images=torch.from_numpy(pixels), labels=torch.from_numpy(digits))


def _array(path: Path, content: dict[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    if name not in content:
        known = ", ".join(key for key in content if not key.startswith("__")) or "none"
        raise DataError(f"{path} has no array {name}; of X and y it has {known}")
    if content[name].shape != shape:
        raise DataError(f"{path}: {name} has the shape {content[name].shape}, not {shape}")
    return content[name]
