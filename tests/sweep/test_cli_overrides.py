"""`--set`: a study of which only a part of the data is there, from launch to report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Sweep = Callable[..., Any]
STUDY = """
from models.kinds import *
from studies.axes import axis
from studies.quantities import information
from studies.study import Study
from studies.trial import Trial

study = Study(
    name="own/colour",
    question="?",
    base=Trial(
        data=Cifar10(),
        model=FlatModel(
            latent=2, encoder=DenseEncoder(widths=(4,)), decoder=DenseDecoder(widths=(4,)), likelihood=Gaussian()
        ),
        objective=BetaObjective(),
        training=Training(steps=3, batch_size=4),
    ),
    axes=axis("objective.beta[0]", (0.5, 1.0)),
    quantities=information(("z1",)),
)
"""
PART = ("--set", "data.batches=1", "--set", "data.test_images=40")
NOTE = "data.batches = 1; data.test_images = 40"


@pytest.fixture
def own(sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A study on CIFAR-10, of which batch 1 and 40 test images are there."""
    folder = tmp_path / "data" / "cifar10" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    for name, count in (("data_batch_1.bin", 10_000), ("test_batch.bin", 40)):
        (np.arange(count * 3_073, dtype=np.uint32) % 3_073 % 10).astype(np.uint8).tofile(folder / name)
    monkeypatch.setenv("RATESWEEP_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("RATESWEEP_STORE", str(tmp_path / "runs"))
    (tmp_path / "colour.py").write_text(STUDY)
    return f"{tmp_path / 'colour.py'}:study"


def refused(told: Any, *words: str) -> None:
    assert (told.code, told.err.count("\n")) == (2, 1), told
    for word in words:
        assert word in told.err


def test_a_part_of_the_data_is_trained_on_and_everything_says_so(sweep: Sweep, own: str, tmp_path: Path) -> None:
    missing = sweep("launch", own, "--executor", "local")
    refused(missing, "lacks data_batch_2.bin", "what is there is enough for " + " ".join(PART))
    told = sweep("launch", own, *PART, "--executor", "local")
    assert told.code == 0, told.err
    assert f"own/colour ({NOTE}): 2 trials" in told.out
    assert f"next: sweep report {own} {' '.join(PART)}" in told.out
    assert "2 of 2 trials" in sweep("status", own, *PART).out
    assert sweep("plan", own, *PART).out.startswith(f"own/colour ({NOTE})\n")
    for verb, *to in (("tables", "tables"), ("figures", "figures", "--format", "html"), ("report", "report.html")):
        made = sweep(verb, own, *PART, "--out", tmp_path / to[0], *to[1:])
        assert made.code == 0, made.err
    for path in (*(tmp_path / "tables").glob("*.*"), *(tmp_path / "figures").glob("*.html"), tmp_path / "report.html"):
        assert NOTE in path.read_text().replace("\\", ""), path  # in LaTeX and Markdown, _ is escaped
    assert "not comparable" in sweep("tables", own, *PART, "--out", tmp_path / "tables").out
    assert NOTE in sweep("export", own, tmp_path / "wide.csv", *PART).out
    assert (tmp_path / "wide.csv").read_text().count("completed") == 2
    whole = sweep("status", own).out  # none of these trials is one of the full study
    assert NOTE not in whole
    assert "0 of 2 trials" in whole


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("data.batch=1", ["no data.batch; did you mean data.batches?"]),
        ("data.batches=6", ["data.batches", "less than or equal to 5", "got 6"]),
        ("data.batches", ["a value is set like data.batches=1", "not 'data.batches'"]),
        ("objective.beta[0]=1", ["objective.beta[0] varies", "--where"]),
    ],
)
@pytest.mark.parametrize("verb", ["launch", "plan", "status", "evaluate"])
def test_what_cannot_be_set_is_told_in_one_line(
    sweep: Sweep, own: str, verb: str, value: str, words: list[str]
) -> None:
    refused(sweep(verb, own, "--set", value), *words)


def test_of_several_studies_those_without_the_value_are_left_out(sweep: Sweep, tmp_path: Path) -> None:
    told = sweep("plan", "hvae", "--set", "data.batches=1", "--store", tmp_path)
    assert told.code == 0
    assert told.out.startswith("hvae/cifar10 (data.batches = 1)\n")
    left_out = [line.split()[2] for line in told.err.splitlines()]
    assert left_out == ["hvae/svhn", "hvae/mnist", "hvae/svhn-lvae"]
