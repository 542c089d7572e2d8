"""The stored run of the reduced grid: whole, without weights, small, and enough for its tables and figures."""

from __future__ import annotations

import importlib
from pathlib import Path

import pandas as pd
import pytest

from results.frame import Frame
from results.store import ResultStore
from studies.catalogue import find
from studies.hvae.names import BETA1, BETA2, MNIST, RATE, RATE1, RATE2
from studies.hvae.outputs import FIGURES
from sweep.notebook import open_store

STORED = Path(__file__).parents[3] / "studies/hvae/stored/mnist-small"
STUDY = f"{MNIST}@small"


@pytest.fixture(scope="module")
def frame() -> Frame:
    return open_store(STORED).frame(STUDY)


def test_every_cell_was_trained_and_measured(frame: Frame) -> None:
    study = find([STUDY])[0].study
    assert set(frame.trials["trial"]) == {trial.id for trial in study.trials()}
    assert set(frame.trials["status"]) == {"completed"}
    numbers = [quantity.name for quantity in study.quantities if quantity.form == "number"]
    assert not frame.trials[numbers].isna().any().any()


def test_it_is_one_small_file_a_table_and_no_weights() -> None:
    tables = [path for path in STORED.iterdir() if path.is_dir()]
    assert {path.name for path in tables} == {"trials", "metrics", "curves", "images", "decisions", "launches"}
    assert all(len(list(path.iterdir())) == 1 for path in tables)
    assert sum(path.stat().st_size for path in STORED.rglob("*") if path.is_file()) <= 5_000_000


def test_it_was_interrupted_once_and_resumed() -> None:
    """By what the launches say: the second one found pending what the first had left, and nothing was trained twice."""
    events = pd.read_parquet(STORED / "launches")
    trained = events[events["command"].str.contains("launch")].sort_values("at")
    assert trained["event"].tolist() == ["started", "interrupted", "started", "ended"]
    assert trained["pending"].iloc[0] == 441 > trained["pending"].iloc[2] > 0
    trials = pd.read_parquet(STORED / "trials")
    assert trials["trial"].is_unique


def test_its_numbers_keep_what_must_hold(frame: Frame) -> None:
    rows = frame.trials
    assert (rows[[RATE1, RATE2]] >= 0).all().all()
    pd.testing.assert_series_equal(rows[RATE], rows[RATE1] + rows[RATE2], check_names=False, rtol=1e-6)
    pd.testing.assert_series_equal(-rows["elbo"], rows[RATE] + rows["distortion"], check_names=False, rtol=1e-6)
    assert rows["inception_score@1000"].between(1, 10).all()
    heavy, light = (rows[(rows[BETA1] == end) & (rows[BETA2] == end)][RATE].item() for end in (10.0, 0.1))
    assert heavy < light


def test_it_is_readable_without_this_code() -> None:
    assert ResultStore.open(STORED).trials(["trial"]).num_rows == 441 + 1  # the judge of samples is a trial too
    assert len(pd.read_parquet(STORED / "metrics")["trial"].unique()) == 442


@pytest.mark.parametrize("figure", [one for one in FIGURES if one.studies == (MNIST,)], ids=lambda one: one.name)
def test_its_figures_are_drawn_from_it_alone(figure, frame: Frame) -> None:
    module, _, name = figure.build.partition(":")
    drawn = getattr(importlib.import_module(module), name)({MNIST: frame})
    assert drawn.coverage == (441, 441)
