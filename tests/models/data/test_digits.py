"""The embedded digits: counts, classes, a fixed split, and a changed file refused."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import sklearn.datasets
import torch

from models.build import load_data
from models.data.dataset import Dataset
from models.kinds import Digits
from models.spec import SpecificationError


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return load_data(Digits())


def test_counts_shapes_and_levels(dataset: Dataset) -> None:
    assert (len(dataset.train), len(dataset.test)) == (897, 900)
    for split in (dataset.train, dataset.test):
        assert split.images.dtype == torch.uint8
        assert tuple(split.images.shape[1:]) == (1, 8, 8)
        assert (int(split.images.min()), int(split.images.max())) == (0, 16)


def test_every_class_is_well_represented_in_both(dataset: Dataset) -> None:
    for split in (dataset.train, dataset.test):
        assert int(split.labels.bincount(minlength=10).min()) >= 75
        assert len(split.labels.bincount()) == 10


def test_the_splits_are_the_whole_set_without_overlap(dataset: Dataset) -> None:
    images, labels = sklearn.datasets.load_digits(return_X_y=True)
    expected = sorted((*map(int, row), int(label)) for row, label in zip(images, labels, strict=True))
    found = []
    for split in (dataset.train, dataset.test):
        rows = split.images.flatten(1).tolist()
        found += [(*row, label) for row, label in zip(rows, split.labels.tolist(), strict=True)]
    assert sorted(found) == expected
    assert len(set(expected)) == len(expected)  # no image occurs twice, so the splits are disjoint


def test_the_split_never_changes(dataset: Dataset) -> None:
    # Stored results belong to this split; another one would be another data set.
    raw = dataset.train.images.numpy().tobytes() + dataset.train.labels.numpy().astype(np.uint8).tobytes()
    assert hashlib.sha256(raw).hexdigest()[:16] == "ee6d5bd3d1601035"


def test_a_changed_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = sklearn.datasets.load_digits(return_X_y=True)
    images[5, 5] += 1
    monkeypatch.setattr(sklearn.datasets, "load_digits", lambda return_X_y: (images, labels))
    with pytest.raises(SpecificationError, match="not those of the known file"):
        load_data(Digits())
