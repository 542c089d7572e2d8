"""Data sets: what each is made of, which part of it a trial sees and at what size."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from models.families import Data

TRAIN_IMAGES, VALIDATION_IMAGES, TEST_IMAGES = 50_000, 10_000, 10_000  # of the 60,000 + 10,000 in the official files
OFFICIAL_TRAIN_IMAGES = 60_000
SIDE = 28  # pixels
SVHN_TRAIN_IMAGES, SVHN_TEST_IMAGES = 73_257, 26_032
CIFAR10_BATCH, CIFAR10_TEST_IMAGES = 10_000, 10_000


class Digits(Data):
    """scikit-learn's 1,797 handwritten digits, 8×8 pixels of 0..16: 897 to train on, 900 to test on."""

    kind = "digits"
    implementation = "models.data.digits:load"
    shape = (1, 8, 8)
    levels = 16
    classes = 10


class IdxImages(Data):
    """28×28 images in the idx format of MNIST: the first 50,000 to train on, the last 10,000 of the 60,000 to validate
    on, 10,000 to test on (Seybold et al. 2019; their 12 and 25 epochs are those of 50,000 images).

    downsample: each pixel the mean of a block of so many by so many, before any binarisation. train_images,
    test_images: only the first so many; validation is cut to as many as test.
    """

    implementation = "models.data.mnist:load"
    classes = 10
    downsample: Literal[1, 2] = 1
    train_images: Annotated[int, Field(strict=True, ge=1, le=TRAIN_IMAGES)] = TRAIN_IMAGES
    test_images: Annotated[int, Field(strict=True, ge=1, le=TEST_IMAGES)] = TEST_IMAGES

    @property
    def shape(self) -> tuple[int, int, int]:  # type: ignore[override]  # of these sets it depends on a field
        side = SIDE // self.downsample
        return (1, side, side)


class StochasticMnist(IdxImages):
    """MNIST with each pixel 1 with a probability of its intensity (Salakhutdinov & Murray 2008).

    binarisation: 'static' draws every image once, the same for all trials; 'dynamic' draws training images anew in
    every step, and validation and test images once.
    """

    kind = "stochastic-mnist"
    levels = 1
    binarisation: Literal["static", "dynamic"] = "static"


class ThresholdedMnist(IdxImages):
    """MNIST with each pixel 1 where its intensity is above 127 of 255, and 0 elsewhere."""

    kind = "thresholded-mnist"
    levels = 1


class Mnist(IdxImages):
    """MNIST (LeCun et al. 2010) with its intensities of 0..255."""

    kind = "mnist"
    levels = 255


class FashionMnist(IdxImages):
    """Fashion-MNIST (Xiao et al. 2017) with its intensities of 0..255."""

    kind = "fashion-mnist"
    levels = 255


class BinaryMnist(Data):
    """MNIST with each pixel its intensity x/255 rounded to 0 or 1: all 60,000 training images, none to validate on
    (Xiao & Bamler 2023, Sec. 5.1; their code).

    train_images, test_images: only the first so many.
    """

    kind = "binary-mnist"
    implementation = "models.data.mnist:load_binary"
    shape = (1, SIDE, SIDE)
    levels = 1
    classes = 10
    train_images: Annotated[int, Field(strict=True, ge=1, le=OFFICIAL_TRAIN_IMAGES)] = OFFICIAL_TRAIN_IMAGES
    test_images: Annotated[int, Field(strict=True, ge=1, le=TEST_IMAGES)] = TEST_IMAGES


class Svhn(Data):
    """Street View House Numbers, cropped digits (Netzer et al. 2011), 32×32 colour of 0..255; no validation split.

    train_images, test_images: only the first so many.
    """

    kind = "svhn"
    implementation = "models.data.svhn:load"
    shape = (3, 32, 32)
    levels = 255
    classes = 10
    train_images: Annotated[int, Field(strict=True, ge=1, le=SVHN_TRAIN_IMAGES)] = SVHN_TRAIN_IMAGES
    test_images: Annotated[int, Field(strict=True, ge=1, le=SVHN_TEST_IMAGES)] = SVHN_TEST_IMAGES


class Cifar10(Data):
    """CIFAR-10 (Krizhevsky 2009), binary version, 32×32 colour of 0..255; no validation split.

    batches: how many of the five training batches of 10,000, the first ones: a trial of fewer is another trial, and
    needs the files of these alone. test_images: only the first so many.
    """

    kind = "cifar10"
    implementation = "models.data.cifar10:load"
    shape = (3, 32, 32)
    levels = 255
    classes = 10
    batches: Annotated[int, Field(strict=True, ge=1, le=5)] = 5
    test_images: Annotated[int, Field(strict=True, ge=1, le=CIFAR10_TEST_IMAGES)] = CIFAR10_TEST_IMAGES

    @property
    def train_images(self) -> int:
        """In the batches."""
        return self.batches * CIFAR10_BATCH
