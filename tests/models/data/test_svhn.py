"""SVHN from small files in its official format, and, where they are here, from the official ones."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import savemat

from models.build import load_data
from models.data import svhn
from models.data.download import DataError
from models.data.sources import SVHN, TEST_MAT, TRAIN_MAT, OfficialFile
from models.kinds import Svhn

TRAIN, TEST = 12, 7


def content(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """X (32, 32, 3, N) and y (N, 1) as the official files have them, every label among them."""
    random = np.random.default_rng(seed)
    labels = (np.arange(count, dtype=np.uint8) % 10 + 1)[:, None]
    return {"X": random.integers(0, 256, (32, 32, 3, count), np.uint8), "y": labels}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, np.ndarray]]:
    """Two small files in the cache, known as the official ones, and what is in them."""
    folder = tmp_path / "svhn"
    folder.mkdir()
    made = {TRAIN_MAT: content(TRAIN), TEST_MAT: content(TEST, seed=1)}
    official = []
    for name, arrays in made.items():
        savemat(folder / name, arrays, do_compression=True)
        body = (folder / name).read_bytes()
        official.append(OfficialFile(name=name, bytes=len(body), md5=hashlib.md5(body).hexdigest()))
    monkeypatch.setattr(svhn, "SVHN", dataclasses.replace(SVHN, files=tuple(official)))
    monkeypatch.setattr(svhn, "SVHN_TRAIN_IMAGES", TRAIN)
    monkeypatch.setattr(svhn, "SVHN_TEST_IMAGES", TEST)
    monkeypatch.setenv("RATESWEEP_DATA", str(tmp_path))
    svhn.load.cache_clear()
    return made


def test_every_pixel_and_label_is_where_it_belongs(files: dict[str, dict[str, np.ndarray]]) -> None:
    found = load_data(Svhn())
    assert found.validation is None
    for split, name in ((found.train, TRAIN_MAT), (found.test, TEST_MAT)):
        images, labels = files[name]["X"], files[name]["y"]
        assert tuple(split.images.shape) == (images.shape[3], 3, 32, 32)
        for image, channel, row, column in ((0, 0, 0, 0), (3, 2, 31, 1), (6, 1, 5, 30)):
            assert int(split.images[image, channel, row, column]) == images[row, column, channel, image]
        assert split.images.numpy().sum() == images.sum()
        assert split.labels.tolist() == [0 if label == 10 else label for label in labels[:, 0].tolist()]


def test_a_cut_takes_the_first_images(files: dict[str, dict[str, np.ndarray]]) -> None:
    whole, cut = load_data(Svhn()), load_data(Svhn(train_images=5, test_images=2))
    assert (len(cut.train), len(cut.test)) == (5, 2)
    assert torch.equal(cut.train.images, whole.train.images[:5])
    assert torch.equal(cut.test.labels, whole.test.labels[:2])
    assert cut.train.images.is_contiguous()


def test_a_torn_file_in_the_cache_is_refused(files: dict[str, dict[str, np.ndarray]], tmp_path: Path) -> None:
    path = tmp_path / "svhn" / TEST_MAT
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"is not the official test_32x32\.mat: it has .* bytes, not .*; move it away"):
        load_data(Svhn())


def without(arrays: dict[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    return {key: value for key, value in arrays.items() if key != name}


GOOD = content(4)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (content(5), ["X has the shape (32, 32, 3, 5), not (32, 32, 3, 4)"]),
        (GOOD | {"X": GOOD["X"].transpose(3, 2, 0, 1)}, ["X has the shape (4, 3, 32, 32)"]),
        (GOOD | {"y": GOOD["y"].T}, ["y has the shape (1, 4), not (4, 1)"]),
        (GOOD | {"y": GOOD["y"] - 1}, ["a label y is 1..9, or 10 for the digit 0, not 0..3"]),
        (GOOD | {"y": GOOD["y"] + 7}, ["not 8..11"]),
        (GOOD | {"y": GOOD["y"] + 0.5}, ["not 1.5..4.5"]),
        (GOOD | {"X": GOOD["X"] / 255}, ["X are uint8, 0..255, not float64"]),
        (without(GOOD, "y"), ["has no array y", "has X"]),
        ({"z": GOOD["y"]}, ["has no array X", "has none"]),
    ],
    ids=["more", "turned", "row", "zero", "eleven", "half", "float", "unlabelled", "other"],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray], words: list[str]) -> None:
    path = tmp_path / TRAIN_MAT
    savemat(path, arrays)
    refused(path, *words)


def refused(path: Path, *words: str) -> None:
    with pytest.raises(DataError) as caught:
        svhn.read(path, 4, 4)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("compressed", [True, False])
def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / TRAIN_MAT
    savemat(path, GOOD, do_compression=compressed)
    whole = path.read_bytes()
    for length in (0, 3, 100, 128, 140, 200, 1_000, len(whole) // 2, len(whole) - 40, len(whole) - 1):
        path.write_bytes(whole[:length])
        refused(path)
    path.write_bytes(b"<html>log in here</html>" * 50)
    refused(path, "no whole MATLAB 5 file")


COUNTS = {  # images of the digits 0..9, as counted from the published files
    "train": [4948, 13861, 10585, 8497, 7458, 6882, 5727, 5595, 5045, 4659],
    "test": [1744, 5099, 4149, 2882, 2523, 2384, 1977, 2019, 1660, 1595],
}


def test_the_official_images_are_themselves(real_set: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATESWEEP_DATA", str(real_set("svhn", TRAIN_MAT, TEST_MAT)))
    svhn.load.cache_clear()
    found = load_data(Svhn())
    assert found.train.labels.bincount().tolist() == COUNTS["train"]
    assert found.test.labels.bincount().tolist() == COUNTS["test"]
    means = found.train.images.double().mean((0, 2, 3)) / 255
    assert means.tolist() == pytest.approx([0.4377, 0.4438, 0.4728], abs=5e-5)
