"""CIFAR-10 in its binary version: whole, in part, and unpacked from its archive."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.build import load_data
from models.data import cifar10
from models.data.archive import provide
from models.data.download import PARTIAL, DataError
from models.data.sources import BY_KIND, CIFAR10, OfficialFile, OfficialSet, Part, needed_by
from models.kinds import Cifar10

INSIDE = "cifar-10-batches-bin"
TEST, TRAIN = "test_batch.bin", tuple(f"data_batch_{number}.bin" for number in range(1, 6))
SMALL = 20  # images of a file of the small set
ARCHIVE = CIFAR10.files[0].name


def records(count: int, seed: int = 0) -> np.ndarray:
    """So many records of a label and 3,072 pixels."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 10, (count, 1), np.uint8)
    return np.concatenate([labels, random.integers(0, 256, (count, 3072), np.uint8)], axis=1)


BODIES = {name: records(SMALL, seed).tobytes() for seed, name in enumerate((*TRAIN, TEST))}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where unpacked batches lie in an empty cache."""
    monkeypatch.setenv("RATESWEEP_DATA", str(tmp_path))
    cifar10.load.cache_clear()
    made = tmp_path / "cifar10" / INSIDE
    made.mkdir(parents=True)
    return made


def packed(bodies: Mapping[str, bytes]) -> bytes:
    """An archive with the layout of the official one, beside its batches a text and a page."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        inside = tarfile.TarInfo(INSIDE)
        inside.type = tarfile.DIRTYPE
        archive.addfile(inside)
        for name, body in {"batches.meta.txt": b"airplane\n", **bodies, "readme.html": b"<html>"}.items():
            member = tarfile.TarInfo(f"{INSIDE}/{name}")
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return gzip.compress(raw.getvalue(), 1)


def published(body: bytes, *bases: str) -> OfficialSet:
    """The set in small: an archive, whose files have 20 images each."""
    file = OfficialFile(name=ARCHIVE, bytes=len(body), md5=hashlib.md5(body).hexdigest())
    parts: tuple[Part, ...] = tuple(dataclasses.replace(part, records=SMALL, needed=SMALL) for part in CIFAR10.parts)
    return dataclasses.replace(CIFAR10, bases=bases, files=(file,), parts=parts)


@pytest.fixture
def small(folder: Path, file_server: Any, monkeypatch: pytest.MonkeyPatch) -> OfficialSet:
    """The small set, served and known as the official one."""
    body = packed(BODIES)
    file_server.serve(f"/{ARCHIVE}", body)
    official = published(body, file_server.address)
    monkeypatch.setitem(BY_KIND, "cifar10", official)
    return official


def refused(data: Cifar10, *words: object) -> None:
    with pytest.raises(DataError) as caught:
        load_data(data)
    for word in words:
        assert str(word) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_batch_1_and_some_test_images_alone_are_enough_for_a_trial_of_these(folder: Path) -> None:
    train, test = records(10_000), records(1_200, seed=1)
    train.tofile(folder / TRAIN[0])
    test.tofile(folder / TEST)
    found = load_data(Cifar10(batches=1, test_images=1_000))
    assert (len(found.train), len(found.test), found.validation) == (10_000, 1_000, None)
    for split, source in ((found.train, train), (found.test, test[:1_000])):
        assert split.labels.tolist() == source[:, 0].tolist()
        for image, channel, row, column in ((0, 0, 0, 0), (1, 0, 0, 31), (2, 1, 31, 0), (999, 2, 31, 31)):
            at = 1 + channel * 1024 + row * 32 + column  # red, green and blue planes, each row by row
            assert int(split.images[image, channel, row, column]) == source[image, at]
    assert {path.name for path in folder.parent.iterdir()} == {INSIDE}  # no lock, no archive
    refused(
        Cifar10(),
        f"{folder} lacks data_batch_2.bin, data_batch_3.bin, data_batch_4.bin, data_batch_5.bin, "
        "8,800 of the 10,000 images of test_batch.bin",
        "what is there is enough for --set data.batches=1 --set data.test_images=1200",
    )
    refused(Cifar10(batches=1, test_images=1_201), "1 of the 1,201 images", "for --set data.test_images=1200")


def test_what_is_there_is_counted_from_the_first_batch_on(folder: Path, small: OfficialSet, offline: None) -> None:
    for name in (TRAIN[0], TRAIN[1], TRAIN[3], TEST):
        (folder / name).write_bytes(BODIES[name])
    refused(Cifar10(test_images=SMALL), "lacks data_batch_3.bin, data_batch_5.bin; ", "enough for --set data.batches=2")
    assert len(load_data(Cifar10(batches=2, test_images=SMALL)).train) == 2 * SMALL
    (folder / TRAIN[0]).unlink()
    with pytest.raises(DataError) as caught:
        load_data(Cifar10(batches=3, test_images=3))
    assert "enough" not in str(caught.value)
    assert f"{ARCHIVE} not in {folder.parent}, and --offline" in str(caught.value)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, small: OfficialSet) -> None:
    monkeypatch.setenv("RATESWEEP_OFFLINE", "1")


def test_the_archive_is_downloaded_and_unpacked_once(folder: Path, small: OfficialSet, file_server: Any) -> None:
    data = Cifar10(batches=2, test_images=7)
    told: list[str] = []
    provided = provide(needed_by(data) or small, told.append)
    assert (provided.folder, provided.downloaded) == (folder.parent, small.files)
    assert told == [f"downloading cifar10/{ARCHIVE} (0.4 MB) from {file_server.address}"]
    needed = {name: BODIES[name] for name in (*TRAIN[:2], TEST)}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == needed
    found = load_data(data)
    assert (len(found.train), len(found.test)) == (2 * SMALL, 7)
    assert found.train.labels[SMALL:].tolist() == list(BODIES[TRAIN[1]][:: 1 + 3072])
    assert len(load_data(Cifar10(test_images=SMALL)).train) == 5 * SMALL  # the rest, from the same archive
    (folder.parent / ARCHIVE).unlink()
    cifar10.load.cache_clear()
    assert len(load_data(Cifar10(test_images=SMALL)).test) == SMALL
    assert file_server.asked == [f"/{ARCHIVE}"]


def test_an_archive_in_place_is_unpacked_without_a_network(folder: Path, small: OfficialSet, offline: None) -> None:
    (folder.parent / ARCHIVE).write_bytes(packed(BODIES))
    assert torch.equal(
        load_data(Cifar10(batches=1, test_images=SMALL)).test.images.flatten(1),
        torch.frombuffer(bytearray(BODIES[TEST]), dtype=torch.uint8).reshape(SMALL, 3073)[:, 1:],
    )


def test_a_batch_in_place_is_never_overwritten(folder: Path, small: OfficialSet, file_server: Any) -> None:
    own = records(SMALL, seed=99).tobytes()
    (folder / TRAIN[0]).write_bytes(own)
    load_data(Cifar10(test_images=SMALL))
    assert (folder / TRAIN[0]).read_bytes() == own
    (folder / TEST).write_bytes(BODIES[TEST][: 3073 * 5])
    refused(Cifar10(test_images=6), "1 of the 6 images of test_batch.bin", "move that file away", "data.test_images=5")
    assert len(file_server.asked) == 1
    assert (folder / TEST).stat().st_size == 3073 * 5


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (BODIES[TEST][:-1], ["it has 61,459 bytes, not a multiple of 3,073 up to 61,460", "move that file away"]),
        (BODIES[TEST] + bytes(3073), ["it has 64,533 bytes"]),
        (b"", ["20 of the 20 images of test_batch.bin"]),
        (b"\x0a" + BODIES[TEST][1:], ["record 0 has the label 10, and labels are 0..9"]),
    ],
    ids=["torn", "longer", "empty", "label"],
)
def test_a_wrong_file_in_place_is_refused(folder: Path, small: OfficialSet, body: bytes, words: list[str]) -> None:
    for name in TRAIN:
        (folder / name).write_bytes(BODIES[name])
    (folder / TEST).write_bytes(body)
    refused(Cifar10(test_images=SMALL), folder if "label" not in words[0] else folder / TEST, *words)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (packed({name: BODIES[name] for name in TRAIN}), [f"does not hold {INSIDE}/{TEST} at the official size"]),
        (packed(BODIES | {TEST: BODIES[TEST][:-3073]}), [f"does not hold {INSIDE}/{TEST}"]),
        (packed(BODIES)[:200_000], ["is no whole archive"]),
        (b"<html>log in here</html>", ["is no whole archive"]),
    ],
    ids=["without", "smaller", "cut", "a page"],
)
def test_an_archive_of_something_else_leaves_nothing_half_done(
    folder: Path, monkeypatch: pytest.MonkeyPatch, body: bytes, words: list[str]
) -> None:
    monkeypatch.setitem(BY_KIND, "cifar10", published(body))  # whose digest was right
    (folder.parent / ARCHIVE).write_bytes(body)
    refused(Cifar10(test_images=SMALL), ARCHIVE, *words)
    for path in folder.iterdir():
        assert path.read_bytes() == BODIES[path.name]
        assert path.suffix != PARTIAL


def test_members_that_are_links_or_lie_elsewhere_are_not_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        link = tarfile.TarInfo(f"{INSIDE}/{TEST}")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        for name in (f"../{TEST}", f"/{TEST}", f"../{INSIDE}/{TRAIN[0]}"):
            member = tarfile.TarInfo(name)
            member.size = len(BODIES[TEST])
            archive.addfile(member, io.BytesIO(BODIES[TEST]))
    monkeypatch.setitem(BY_KIND, "cifar10", published(raw.getvalue()))
    (folder.parent / ARCHIVE).write_bytes(raw.getvalue())
    refused(Cifar10(batches=1, test_images=SMALL), f"does not hold {INSIDE}/{TRAIN[0]}, {INSIDE}/{TEST}")
    assert list(folder.iterdir()) == []
    assert {path.name for path in folder.parents[1].rglob("*.bin")} == set()


def test_an_archive_that_is_not_to_be_had(folder: Path, small: OfficialSet, file_server: Any) -> None:
    (folder / TRAIN[0]).write_bytes(BODIES[TRAIN[0]])
    (folder / TEST).write_bytes(BODIES[TEST])
    file_server.serve(f"/{ARCHIVE}", b"", status=404)
    refused(Cifar10(test_images=9), "404 Not Found", "lacks data_batch_2.bin", "enough for --set data.batches=1")


def test_real_images_in_part(real_set: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATESWEEP_DATA", str(real_set("cifar10", f"{INSIDE}/{TRAIN[0]}", f"{INSIDE}/{TEST}")))
    cifar10.load.cache_clear()
    found = load_data(Cifar10(batches=1, test_images=1_000))
    assert found.train.labels[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]  # a frog, a truck, a truck, a deer, …
    assert found.train.labels.bincount().tolist() == [1005, 974, 1032, 1016, 999, 937, 1030, 1001, 1025, 981]
    assert found.test.labels[:10].tolist() == [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]
    assert found.train.images[0, :, 0, 0].tolist() == [59, 62, 63]  # as the Python version has it
    assert found.test.images[0, :, 0, 0].tolist() == [158, 112, 49]
    ships, frogs = (found.train.images[found.train.labels == label].double().mean((0, 2, 3)) for label in (8, 6))
    assert ships[2] > ships[0]  # seas are blue
    assert frogs[2] < frogs[0]
