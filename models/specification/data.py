"""Data sets: what each is made of, which part of it a trial sees and at what size."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from models.families import Data

TRAIN_IMAGES, VALIDATION_IMAGES, TEST_IMAGES = 50_000, 10_000, 10_000  # of the 60,000 + 10,000 in the official files
SIDE = 28  # pixels


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
