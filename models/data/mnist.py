"""MNIST and Fashion-MNIST: grey, thresholded, or binarised by a draw from each pixel's intensity.

Of the official 60,000 training images the first 50,000 are trained on and the last 10,000 validate; a trial's cuts take
the first of each split. An image may be shrunk by the mean of square blocks; the mean itself is what is thresholded or
drawn from, and an intensity of 0..255 is the mean rounded, halves up.

A static binarisation is the same for all trials: the noise stream at key(0), step 0, one site for every thousand images
of a split, so that an image's bits do not depend on how many images a trial takes.
"""

from __future__ import annotations

import functools

import numpy as np
import torch

from models.data import idx
from models.data.dataset import Dataset, Split
from models.data.download import DataError, ensure
from models.data.sources import (
    MNIST,
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    OfficialSet,
    files_of,
)
from models.kinds import BinaryMnist, IdxImages, StochasticMnist, ThresholdedMnist
from models.noise import Noise, key

OFFICIAL_TRAIN, OFFICIAL_TEST = 60_000, 10_000
TRAIN = 50_000
SIDE = 28
WHITE = 255
THRESHOLD = 127  # of 255: Seybold et al. 2019, section 4
PART = 1_000  # images drawn at once: what bounds the memory of a draw


@functools.lru_cache(maxsize=2)
def load(data: IdxImages) -> Dataset:
    """The splits, from official files that are in place or downloaded now; raises DataError. The last two are kept."""
    official = files_of(type(data))
    if official is None:
        raise DataError(f"{data.kind}: no official files are known for it, nor for a kind that it refines")
    return prepared(data, *_official(official))


@functools.lru_cache(maxsize=2)
def load_binary(data: BinaryMnist) -> Dataset:
    """All 60,000 training images and the test images, rounded to 0 and 1; raises DataError."""
    train, test = _official(MNIST)
    return Dataset(spec=data, train=_rounded(train, data.train_images), test=_rounded(test, data.test_images))


def _rounded(source: Split, count: int) -> Split:
    """round(x / 255) of the first images; no x / 255 is a half."""
    return Split(images=(source.images[:count] > THRESHOLD).to(torch.uint8), labels=source.labels[:count].clone())


def _official(official: OfficialSet) -> tuple[Split, Split]:
    """The official training and test images, 28×28 in 0..255, and their labels."""
    folder = ensure(official).folder
    train = _split(
        idx.read(folder / TRAIN_IMAGES, (OFFICIAL_TRAIN, SIDE, SIDE)),
        idx.read(folder / TRAIN_LABELS, (OFFICIAL_TRAIN,)),
    )
    test = _split(
        idx.read(folder / TEST_IMAGES, (OFFICIAL_TEST, SIDE, SIDE)),
        idx.read(folder / TEST_LABELS, (OFFICIAL_TEST,)),
    )
    return train, test


def _split(images: np.ndarray, labels: np.ndarray) -> Split:
    return Split(images=torch.tensor(images)[:, None], labels=torch.tensor(labels, dtype=torch.int64))


def prepared(data: IdxImages, train: Split, test: Split) -> Dataset:
    """The data set of a specification from the official training and test images."""
    dynamic = isinstance(data, StochasticMnist) and data.binarisation == "dynamic"
    return Dataset(
        spec=data,
        train=_made(data, "train", train, 0, data.train_images, grey=dynamic),
        validation=_made(data, "validation", train, TRAIN, data.test_images),
        test=_made(data, "test", test, 0, data.test_images),
        dynamic=dynamic,
    )


def _made(data: IdxImages, name: str, source: Split, start: int, count: int, *, grey: bool = False) -> Split:
    """`count` images from `start` as a trial sees them, or their intensities where they are drawn in every step."""
    images = source.images[start : start + count]
    parts = []
    for at in range(0, len(images), PART):
        sums, size = block_sums(images[at : at + PART], data.downsample)
        if isinstance(data, ThresholdedMnist):
            parts.append((sums > THRESHOLD * size).to(torch.uint8))
        elif isinstance(data, StochasticMnist) and not grey:
            noise = Noise(key(0), 0)
            uniform = noise.uniform(f"data/stochastic-mnist/{name}/{at // PART}", tuple(sums.shape))
            parts.append((uniform < sums.to(uniform.dtype) / (WHITE * size)).to(torch.uint8))
        else:
            parts.append(((2 * sums + size) // (2 * size)).to(torch.uint8))
    return Split(images=torch.cat(parts), labels=source.labels[start : start + count].clone())


def block_sums(images: torch.Tensor, side: int) -> tuple[torch.Tensor, int]:
    """Sums over blocks of side × side pixels, int32 (N, C, H / side, W / side), and the pixels in a block."""
    count, channels, height, width = images.shape
    blocks = images.to(torch.int32).reshape(count, channels, height // side, side, width // side, side)
    return blocks.sum((3, 5), dtype=torch.int32), side * side
