"""MNIST and Fashion-MNIST: splits, cuts, blocks and binarisations, on made images and on the official ones."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from models.build import load_data
from models.data import mnist
from models.data.dataset import Dataset, Split
from models.data.download import DataError
from models.data.mnist import block_sums, prepared
from models.data.sources import BY_KIND, CIFAR10, FASHION_MNIST, MNIST, SVHN, OfficialSet, files_of, needed_by
from models.families import Data
from models.kinds import (
    BinaryMnist,
    Cifar10,
    Digits,
    FashionMnist,
    IdxImages,
    Mnist,
    StochasticMnist,
    Svhn,
    ThresholdedMnist,
)
from models.spec import Kind, SpecificationError, kinds

ALL = (Mnist, FashionMnist, ThresholdedMnist, StochasticMnist)
SMALL = {"train_images": 3_000, "test_images": 1_200}


@pytest.fixture(scope="module")
def official() -> tuple[Split, Split]:
    """Random images in the numbers of the official ones."""
    random = np.random.default_rng(0)
    splits = []
    for count in (60_000, 10_000):
        images = torch.from_numpy(random.integers(0, 256, (count, 1, 28, 28), np.uint8))
        splits.append(Split(images=images, labels=torch.from_numpy(random.integers(0, 10, count))))
    return splits[0], splits[1]


def splits_of(dataset: Dataset) -> dict[str, Split]:
    assert dataset.validation is not None
    return {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}


def means(images: torch.Tensor, side: int) -> np.ndarray:
    """Mean intensities of blocks, another way: strided views, in double precision."""
    pixels = images.numpy().astype(np.float64)
    return sum(pixels[:, :, i::side, j::side] for i in range(side) for j in range(side)) / side**2


def test_the_first_50_000_train_and_the_last_10_000_validate(official: tuple[Split, Split]) -> None:
    train, test = official
    found = splits_of(prepared(Mnist(), train, test))
    assert {name: len(split) for name, split in found.items()} == {
        "train": 50_000,
        "validation": 10_000,
        "test": 10_000,
    }
    for name, images, labels in (
        ("train", train.images[:50_000], train.labels[:50_000]),
        ("validation", train.images[50_000:], train.labels[50_000:]),
        ("test", test.images, test.labels),
    ):
        assert torch.equal(found[name].images, images)
        assert torch.equal(found[name].labels, labels)


@pytest.mark.parametrize("side", [1, 2])
@pytest.mark.parametrize("kind", ALL)
def test_shapes_levels_and_cuts(official: tuple[Split, Split], kind: type[IdxImages], side: int) -> None:
    data = kind.model_validate({"downsample": side} | SMALL)
    found = prepared(data, *official)
    assert not found.dynamic
    for split, count in zip(splits_of(found).values(), (3_000, 1_200, 1_200), strict=True):
        assert tuple(split.images.shape) == (count, 1, 28 // side, 28 // side)
        assert split.images.dtype == torch.uint8
        assert split.labels.dtype == torch.int64
        assert int(split.images.min()) < 0.05 * kind.levels + 1
        assert 0.95 * kind.levels < int(split.images.max()) <= kind.levels


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("side", [1, 2])
def test_a_cut_takes_the_first_images_as_they_are(
    official: tuple[Split, Split], kind: type[IdxImages], side: int
) -> None:
    more = splits_of(prepared(kind.model_validate({"downsample": side} | SMALL), *official))
    less = kind.model_validate({"downsample": side, "train_images": 1_001, "test_images": 7})
    for name, split in splits_of(prepared(less, *official)).items():
        count = 1_001 if name == "train" else 7
        assert torch.equal(split.images, more[name].images[:count])
        assert torch.equal(split.labels, more[name].labels[:count])


@pytest.mark.parametrize("side", [1, 2])
def test_intensities_are_block_means_rounded_half_up(official: tuple[Split, Split], side: int) -> None:
    found = prepared(Mnist(downsample=side, **SMALL), *official)
    expected = np.floor(means(official[0].images[:3_000], side) + 0.5)
    np.testing.assert_array_equal(found.train.images.numpy(), expected)


def test_halves_are_rounded_up() -> None:
    blocks = torch.tensor([[[[0, 0, 0, 1], [0, 1, 1, 0], [255, 255, 2, 3], [255, 254, 3, 3]]]], dtype=torch.uint8)
    sums, size = block_sums(blocks, 2)
    assert (sums.flatten().tolist(), size) == ([1, 2, 1019, 11], 4)
    assert ((2 * sums + size) // (2 * size)).flatten().tolist() == [0, 1, 255, 3]  # means 0.25, 0.5, 254.75, 2.75


@pytest.mark.parametrize("side", [1, 2])
def test_a_threshold_is_on_the_mean_itself(official: tuple[Split, Split], side: int) -> None:
    found = prepared(ThresholdedMnist(downsample=side, **SMALL), *official)
    expected = means(official[1].images[:1_200], side) > 127
    np.testing.assert_array_equal(found.test.images.numpy(), expected)
    rounded = np.floor(means(official[1].images[:1_200], side) + 0.5) > 127
    assert (rounded != expected).any() == (side == 2)  # a mean of 127.25 is white; 127 rounded from 126.5 is not


@pytest.mark.parametrize("side", [1, 2])
def test_a_static_draw_has_the_probabilities_of_the_intensities(official: tuple[Split, Split], side: int) -> None:
    found = splits_of(prepared(StochasticMnist(downsample=side, **SMALL), *official))
    sources = {
        "train": official[0].images[:3_000],
        "validation": official[0].images[50_000:51_200],
        "test": official[1].images[:1_200],
    }
    for name, split in found.items():
        probabilities = means(sources[name], side) / 255
        bits = split.images.numpy()
        # In ten bands of intensity: Bernoulli means within 4.5 standard errors; 60 of them fail once in 2,500.
        for low in np.arange(0, 1, 0.1):
            band = (probabilities >= low) & (probabilities <= low + 0.1)
            if not band.any():
                continue
            error = (bits[band] - probabilities[band]).mean()
            assert abs(error) < 4.5 * np.sqrt((probabilities * (1 - probabilities))[band].mean() / band.sum())
        assert not bits[probabilities == 0].any()
        assert bits[probabilities == 1].all()


def alike(image: torch.Tensor) -> Split:
    """60,000 times the same image, in the memory of one."""
    return Split(images=image.to(torch.uint8).expand(60_000, 1, 28, 28), labels=torch.zeros(60_000).long())


def test_splits_are_drawn_apart() -> None:
    grey = alike(torch.tensor(128))
    found = prepared(StochasticMnist(train_images=2_000, test_images=2_000), grey, grey)
    drawn = torch.stack([split.images for split in splits_of(found).values()]).reshape(6, -1).double()
    correlations = torch.corrcoef(drawn) - torch.eye(6)  # splits, and within each the two parts of 1,000 images
    assert float(correlations.abs().max()) < 4.5 / np.sqrt(784_000)


def test_the_static_draw_never_changes() -> None:
    # Stored results belong to these bits; others would be another data set.
    ramp = alike(torch.arange(784).reshape(1, 28, 28) // 3)
    for side, expected in ((1, "3db791883309b5ad"), (2, "bce033d77d0d422f")):
        found = splits_of(prepared(StochasticMnist(downsample=side, **SMALL), ramp, ramp))
        raw = b"".join(split.images.numpy().tobytes() for split in found.values())
        assert hashlib.sha256(raw).hexdigest()[:16] == expected


def test_dynamic_training_images_stay_grey(official: tuple[Split, Split]) -> None:
    still = prepared(StochasticMnist(downsample=2, **SMALL), *official)
    moving = prepared(StochasticMnist(downsample=2, binarisation="dynamic", **SMALL), *official)
    grey = prepared(Mnist(downsample=2, **SMALL), *official)
    assert moving.dynamic
    assert torch.equal(moving.train.images, grey.train.images)
    for name in ("validation", "test"):
        assert torch.equal(splits_of(moving)[name].images, splits_of(still)[name].images)


def test_pixels_above_the_levels_are_refused_except_where_they_will_be_drawn() -> None:
    data = ThresholdedMnist(train_images=1, test_images=1)
    grey = Split(images=torch.full((1, 1, 28, 28), 9, dtype=torch.uint8), labels=torch.zeros(1).long())
    black = Split(images=torch.zeros_like(grey.images), labels=grey.labels)
    Dataset(spec=data, train=grey, test=black, validation=black, dynamic=True)
    for splits in ({"train": grey}, {"validation": grey, "dynamic": True}, {"test": grey, "dynamic": True}):
        with pytest.raises(SpecificationError, match=r"pixels must lie in 0\.\.1, got 9"):
            Dataset(**({"spec": data, "train": black, "test": black} | splits))
    small = Split(images=torch.zeros(1, 1, 14, 14, dtype=torch.uint8), labels=grey.labels)
    with pytest.raises(SpecificationError, match="validation images must be uint8"):
        Dataset(spec=data, train=black, validation=small, test=black)


def test_every_kind_of_data_that_ships_has_its_official_files() -> None:
    ours = {tag: kind for tag, kind in kinds(Data).items() if kind.__module__ == Mnist.__module__}
    assert set(ours) - {"digits"} == set(BY_KIND)  # the digits come inside scikit-learn's package
    known: dict[type[Kind], OfficialSet] = {FashionMnist: FASHION_MNIST, Svhn: SVHN, Cifar10: CIFAR10}
    for tag, kind in ours.items():
        assert issubclass(kind, Data)
        assert files_of(kind) == (None if tag == "digits" else known.get(kind, MNIST))
    assert files_of(IdxImages) is None
    assert files_of(type("Refined", (FashionMnist,), {"kind": "test-refined"})) == FASHION_MNIST


def test_what_a_trial_needs_is_what_it_sees() -> None:
    assert needed_by(BinaryMnist(train_images=5)) == MNIST
    assert needed_by(Svhn(test_images=5)) == SVHN
    assert needed_by(Digits()) is None
    assert needed_by(Cifar10()) == CIFAR10
    part = needed_by(Cifar10(batches=2, test_images=1_000))
    assert part is not None
    found = [(one.name.rpartition("/")[2], one.records, one.needed) for one in part.parts]
    assert found == [
        ("data_batch_1.bin", 10_000, 10_000),
        ("data_batch_2.bin", 10_000, 10_000),
        ("test_batch.bin", 10_000, 1_000),
    ]
    assert (CIFAR10.bytes, part.bytes) == (60_000 * 3_073, 21_000 * 3_073)


def test_without_its_files_a_set_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mnist.load.cache_clear()
    monkeypatch.setenv("RATESWEEP_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"fashion-mnist: train-images-idx3-ubyte\.gz, .* not in"):
        load_data(FashionMnist())


@pytest.fixture
def afresh(data_folder: Path) -> Path:
    mnist.load.cache_clear()
    mnist.load_binary.cache_clear()
    return data_folder


COUNTS = {  # test images a class, as published
    "mnist": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
    "fashion-mnist": [1000] * 10,
}


@pytest.mark.parametrize(("kind", "mean"), [(Mnist, 0.1307), (FashionMnist, 0.2860)])
def test_the_official_images_are_themselves(afresh: Path, kind: type[IdxImages], mean: float) -> None:
    found = splits_of(load_data(kind()))
    pixels = torch.cat([found["train"].images, found["validation"].images])
    assert pixels.sum(dtype=torch.int64).item() / pixels.numel() / 255 == pytest.approx(
        mean, abs=5e-5
    )  # as torchvision
    assert found["test"].labels.bincount().tolist() == COUNTS[kind.kind]
    labels = torch.cat([found["train"].labels, found["validation"].labels])
    assert labels[:5].tolist() == ([5, 0, 4, 1, 9] if kind is Mnist else [9, 0, 0, 3, 0])
    assert load_data(kind()) is load_data(kind())  # kept by the process


def test_official_digits_thresholded_and_shrunk(afresh: Path) -> None:
    grey = load_data(Mnist())
    black_and_white = load_data(ThresholdedMnist())
    for name, split in splits_of(black_and_white).items():
        assert torch.equal(split.images.bool(), splits_of(grey)[name].images > 127)
    small = load_data(ThresholdedMnist(downsample=2, **SMALL))
    expected = means(grey.train.images[:3_000], 2) > 127
    np.testing.assert_array_equal(small.train.images.numpy(), expected)


def test_binary_digits_are_intensities_rounded_of_all_60_000(afresh: Path) -> None:
    grey, binary = load_data(Mnist()), load_data(BinaryMnist())
    assert (len(binary.train), len(binary.test), binary.validation) == (60_000, 10_000, None)
    assert grey.validation is not None
    images = torch.cat([grey.train.images, grey.validation.images])
    rounded = torch.from_numpy(np.round(np.arange(256) / 255).astype(np.uint8))  # no x / 255 is a half
    assert torch.equal(binary.train.images, rounded[images.int()])
    assert torch.equal(binary.test.images, rounded[grey.test.images.int()])
    assert torch.equal(binary.train.labels, torch.cat([grey.train.labels, grey.validation.labels]))
    assert torch.equal(binary.test.labels, grey.test.labels)
    cut = load_data(BinaryMnist(train_images=55_000, test_images=3))
    assert torch.equal(cut.train.images, binary.train.images[:55_000])
    assert torch.equal(cut.test.images, binary.test.images[:3])


def test_the_official_static_draw_never_changes(afresh: Path) -> None:
    found = splits_of(load_data(StochasticMnist(**SMALL)))
    raw = b"".join(split.images.numpy().tobytes() for split in found.values())
    assert hashlib.sha256(raw).hexdigest()[:16] == "c63d9e784ad7d13c"
