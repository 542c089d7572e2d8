"""`sweep fetch`, and launches that need official files: done, or one line that says what is missing and what to do."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from models.data.sources import BY_KIND, CIFAR10, SVHN, OfficialFile

Sweep = Callable[..., Any]
TRAIN_IMAGES = "train-images-idx3-ubyte.gz"
STUDY = """
from models.kinds import *
from studies.axes import axis
from studies.quantities import information
from studies.study import Study
from studies.trial import Trial

study = Study(
    name="own/images",
    question="?",
    base=Trial(
        data=ThresholdedMnist(downsample=2, train_images=64, test_images=32),
        model=FlatModel(
            latent=2, encoder=DenseEncoder(widths=(4,)), decoder=DenseDecoder(widths=(4,)), likelihood=Bernoulli()
        ),
        objective=BetaObjective(),
        training=Training(steps=4, batch_size=8),
    ),
    axes=axis("objective.beta[0]", (0.5, 1.0)),
    quantities=information(("z1",)),
)
"""


@pytest.fixture
def own(tmp_path: Path) -> str:
    (tmp_path / "images.py").write_text(dedent(STUDY))
    return f"{tmp_path / 'images.py'}:study"


@pytest.fixture
def mirror(file_server: Any, official_files: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server with the official files, in place of the official addresses."""
    for path in official_files.glob("*/*.gz"):
        file_server.serve(f"/{path.parent.name}/{path.name}", path.read_bytes())
    monkeypatch.setenv("RATESWEEP_MIRROR", file_server.address)
    return file_server


def settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("RATESWEEP_")}


def refused(told: Any, *words: object) -> None:
    assert (told.code, told.err.count("\n")) == (2, 1), told
    assert told.err.startswith("sweep: error: ")
    for word in words:
        assert str(word) in told.err


def test_files_are_downloaded_once(sweep: Sweep, mirror: Any, tmp_path: Path) -> None:
    data = tmp_path / "data"
    told = sweep("fetch", "thresholded-mnist", "mnist", "--data", data)
    assert told.code == 0, told.err
    published = f"sizes and MD5 as published: {data / 'mnist'}\n"
    assert told.out == f"mnist: 4 files (11.6 MB) are there, 4 of them downloaded now (11.6 MB); {published}"
    assert told.err.splitlines()[0] == (
        f"sweep: note: downloading mnist/{TRAIN_IMAGES} (9.9 MB) from {mirror.address}/mnist"
    )
    assert len(mirror.asked) == len(told.err.splitlines()) == 4
    again = sweep("fetch", "mnist", "--data", data, "--offline")
    assert (again.code, again.out, again.err) == (0, f"mnist: 4 files (11.6 MB) are there; {published}", "")


def test_a_study_means_the_data_that_it_trains_on(sweep: Sweep, data_folder: Path, own: str) -> None:
    told = sweep("fetch", own, "fashion-mnist", "digits")
    assert told.code == 0, told.err
    assert [line.partition(":")[0] for line in told.out.splitlines()] == ["digits", "mnist", "fashion-mnist"]
    assert told.out.startswith("digits: nothing to fetch\n")
    assert str(data_folder / "mnist") in told.out
    assert sweep("fetch", "digits/hvae@small").out == "digits: nothing to fetch\n"


@pytest.fixture
def small_sets(mirror: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """SVHN and CIFAR-10 of few bytes, on the mirror and known as the official ones."""
    served = {"svhn": {"train_32x32.mat": b"train" * 100, "test_32x32.mat": b"test" * 100}}
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        for part in CIFAR10.parts:
            member = tarfile.TarInfo(part.name)
            member.size = part.size * 2
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    served["cifar10"] = {"cifar-10-binary.tar.gz": raw.getvalue()}
    parts = tuple(dataclasses.replace(part, records=2, needed=2) for part in CIFAR10.parts)
    for official in (SVHN, dataclasses.replace(CIFAR10, parts=parts)):
        files = []
        for name, body in served[official.name].items():
            mirror.serve(f"/{official.name}/{name}", body)
            files.append(OfficialFile(name=name, bytes=len(body), md5=hashlib.md5(body).hexdigest()))
        monkeypatch.setitem(BY_KIND, official.name, dataclasses.replace(official, files=tuple(files)))
    return mirror


def test_every_set_of_a_paper_is_fetched_and_then_there(sweep: Sweep, small_sets: Any, tmp_path: Path) -> None:
    names = ("svhn", "cifar10", "binary-mnist")
    told = sweep("fetch", *names, "--data", tmp_path)
    assert told.code == 0, told.err
    assert told.out.splitlines()[:2] == [
        f"svhn: 2 files (1 kB) are there, 2 of them downloaded now (1 kB); sizes and MD5 as published: "
        f"{tmp_path / 'svhn'}",
        f"cifar10: 6 files are there, with the 37 kB that are needed of them, unpacked from cifar-10-binary.tar.gz, "
        f"downloaded now (1 kB); sizes in whole images: {tmp_path / 'cifar10'}",
    ]
    assert len(small_sets.asked) == 7
    (tmp_path / "cifar10" / "cifar-10-binary.tar.gz").unlink()  # what was unpacked is enough
    again = sweep("fetch", *names, "hvae/svhn", "hvae/svhn-lvae@small", "hvae/mnist", "--data", tmp_path, "--offline")
    assert (again.code, again.err) == (0, "")
    assert [line.partition(":")[0] for line in again.out.splitlines()] == ["svhn", "cifar10", "mnist"]


def test_a_twin_needs_a_part_of_cifar10(sweep: Sweep, tmp_path: Path) -> None:
    folder = tmp_path / "cifar10" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    for name, count in (("data_batch_1.bin", 10_000), ("test_batch.bin", 1_000)):
        with (folder / name).open("wb") as file:
            file.truncate(count * 3_073)
    told = sweep("fetch", "hvae/cifar10@small", "--data", tmp_path, "--offline")
    assert (told.code, told.err) == (0, "")
    assert told.out == (
        "cifar10: 2 files are there, with the 33.8 MB that are needed of them; sizes in whole images: "
        f"{tmp_path / 'cifar10'}\n"
    )
    told = sweep("fetch", "hvae/cifar10", "--data", tmp_path, "--offline")
    refused(told, "lacks data_batch_2.bin", "data_batch_5.bin", "--set data.batches=1 --set data.test_images=1000")


@pytest.mark.parametrize("name", ["hvae", "svhn", "hvae/svhn", "cifar10"])
def test_missing_sets_offline_are_told_in_one_line(sweep: Sweep, tmp_path: Path, name: str) -> None:
    official = "cifar10" if name == "cifar10" else "svhn"
    refused(sweep("fetch", name, "--data", tmp_path, "--offline"), str(tmp_path / official), f"sweep fetch {official}")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mnits", ["no data set, study or paper 'mnits'", "did you mean mnist"]),
        ("fashion_mnist", ["did you mean fashion-mnist"]),
        ("digits/hvea", ["did you mean digits/hvae"]),
        ("nowhere.py:study", ["there is no file nowhere.py"]),
        ("digits@tiny", ["@small"]),
    ],
)
def test_unknown_names(sweep: Sweep, name: str, words: list[str]) -> None:
    refused(sweep("fetch", name), *words)


def test_a_data_set_unknown_to_a_file_is_refused(sweep: Sweep, own: str, tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    file.write_text("from models.families import Data\nfrom models.spec import parse\nparse(Data, {'kind': 'mnits'})\n")
    for verb in ("fetch", "launch"):
        refused(sweep(verb, f"{file}:study"), "no data kind 'mnits'", "did you mean mnist")


def test_missing_files_offline(sweep: Sweep, tmp_path: Path) -> None:
    told = sweep("fetch", "mnist", "--data", tmp_path, "--offline")
    refused(told, f"{TRAIN_IMAGES}, ", f"not in {tmp_path / 'mnist'}", "https://ossci-datasets", "sweep fetch mnist")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_file(sweep: Sweep, tmp_path: Path) -> None:
    path = tmp_path / "fashion-mnist" / TRAIN_IMAGES
    path.parent.mkdir()
    with path.open("wb") as file:
        file.truncate(26_421_880)  # the right size
    told = sweep("fetch", "fashion-mnist", "--data", tmp_path)
    refused(told, path, "MD5", "not 8d4fb7e6c68d591d4c3dfef9ec88bf0d", "move it away", "http://fashion-mnist.s3")


def test_a_half_written_file(sweep: Sweep, tmp_path: Path) -> None:
    path = tmp_path / "mnist" / TRAIN_IMAGES
    path.parent.mkdir()
    path.write_bytes(bytes(1_000))
    refused(sweep("fetch", "mnist", "--data", tmp_path), path, "it has 1,000 bytes, not 9,912,422", "move it away")
    assert path.read_bytes() == bytes(1_000)


def test_a_download_cut_short(sweep: Sweep, file_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file_server.serve(f"/mnist/{TRAIN_IMAGES}", bytes(700), length=9_912_422)
    monkeypatch.setenv("RATESWEEP_MIRROR", file_server.address)
    told = sweep("fetch", "mnist", "--data", tmp_path)
    assert (told.code, told.out) == (2, "")
    note, error = told.err.splitlines()
    assert note.startswith("sweep: note: downloading")
    assert f"{file_server.address}/mnist/{TRAIN_IMAGES}: 700 of 9,912,422 bytes" in error
    assert f"put it at {tmp_path / 'mnist' / TRAIN_IMAGES} by hand" in error
    assert [path.name for path in (tmp_path / "mnist").iterdir()] == [".lock"]


@pytest.mark.parametrize("how", ["option", "environment"])
def test_a_launch_without_its_files_does_nothing(
    sweep: Sweep, own: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    from results.store import ResultStore

    where = ["--data", tmp_path / "data", "--offline"] if how == "option" else []
    if not where:
        monkeypatch.setenv("RATESWEEP_DATA", str(tmp_path / "data"))
    told = sweep("launch", own, "--store", tmp_path / "runs", "--executor", "local", *where)
    refused(told, f"not in {tmp_path / 'data' / 'mnist'}", "sweep fetch mnist")
    assert ResultStore.open(tmp_path / "runs").trials(["trial"]).num_rows == 0


def test_a_launch_fetches_and_trains_and_needs_no_network_again(
    sweep: Sweep, own: str, mirror: Any, tmp_path: Path
) -> None:
    before = settings()
    where = ["--store", tmp_path / "runs", "--executor", "local", "--data", tmp_path / "data"]
    told = sweep("launch", own, *where)
    assert told.code == 0, told.err
    assert len(mirror.asked) == 4
    told = sweep("evaluate", own, *where, "--force", "--offline")
    assert told.code == 0, told.err
    assert len(mirror.asked) == 4
    assert settings() == before  # of the command that ended, none holds for the next in this process
    shutil.rmtree(tmp_path / "data")
    refused(sweep("evaluate", own, *where, "--force", "--offline"), "sweep fetch mnist")
    assert sweep("launch", own, *where, "--offline").code == 0  # with nothing to do, nothing is needed


FAR = """
from pathlib import Path
from models.data.digits import load as digits
from models.data.download import DataError
from models.families import Data
from models.kinds import *
from studies.axes import axis
from studies.quantities import information
from studies.study import Study
from studies.trial import Trial


class Far(Data):
    \"\"\"The digits, on a node where a file of theirs is.\"\"\"

    kind = "test-far"
    implementation = ":load"
    shape, levels, classes = (1, 8, 8), 16, 10


def load(spec):
    if not Path("FILE").exists():
        raise DataError("far: FILE is not on this node")
    return digits(Digits())


study = Study(
    name="own/far",
    question="?",
    base=Trial(
        data=Far(),
        model=FlatModel(
            latent=2,
            encoder=DenseEncoder(widths=(4,)),
            decoder=DenseDecoder(widths=(4,)),
            likelihood=Binomial(total=16),
        ),
        objective=BetaObjective(),
        training=Training(steps=4, batch_size=8),
    ),
    axes=axis("objective.beta[0]", (0.5, 1.0)),
    quantities=information(("z1",)),
)
"""


def test_files_that_a_worker_lacks_stop_the_launch_which_then_goes_on(sweep: Sweep, tmp_path: Path) -> None:
    """The files were there where the launch was made; on the worker's node they are not: no trial's failure."""
    from results.store import ResultStore

    file = tmp_path / "far.bin"
    (tmp_path / "far.py").write_text(FAR.replace("FILE", str(file)))
    asked = ("launch", f"{tmp_path / 'far.py'}:study", "--store", tmp_path / "runs", "--executor", "local")
    told = sweep(*asked)
    assert told.code == 75
    assert f"sweep: error: stopped: far: {file} is not on this node\n" in told.err
    assert "own/far: 0 of 2 trials finished, 2 pending\n" in told.out
    assert "stopped; to resume: sweep launch " in told.out
    assert ResultStore.open(tmp_path / "runs").scan("trials").num_rows == 0
    file.touch()
    assert sweep(*asked).code == 0


def test_launch_says_which_missing_files_are_no_failure(sweep: Sweep) -> None:
    page = " ".join(sweep("launch", "--help").out.split())
    assert "files of a data set missing, stops the launch with 75 too: that is no failure of a trial." in page
