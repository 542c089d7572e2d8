"""A frame has one row a planned trial, with the values that count and no others."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from results.files import LocalFiles, StoreError
from results.frame import Frame, build_frame
from results.quantity import Quantity
from results.store import ResultStore

Row = Callable[..., dict[str, Any]]

RATE = Quantity(name="rate", unit="nats", goal="none", family="tests:none", version=2)
ACCURACY = Quantity(name="accuracy_knn@z2", unit="fraction", goal="maximise", family="tests:none")
PICTURES = Quantity(name="samples", unit="pixels", goal="none", family="tests:none", form="images")
QUANTITIES = (RATE, ACCURACY, PICTURES)
BETA = "objective.beta[0]"


@pytest.fixture
def store(folder_store: ResultStore) -> ResultStore:
    return folder_store


def plan(*trials: str) -> pd.DataFrame:
    size = len(trials)
    return pd.DataFrame(
        {
            "trial": list(trials),
            "setting": [f"s-{trial}" for trial in trials],
            "seed": [0] * size,
            BETA: [0.1 * (number + 1) for number in range(size)],
            "model": ["flat"] * size,
        }
    )


def build(store: ResultStore, planned: pd.DataFrame, **more: Any) -> Frame:
    return build_frame("digits/test", "Why?", [BETA, "model"], QUANTITIES, planned, store, **more)


@pytest.fixture
def filled(store: ResultStore, attempt: Row, metric: Row, moment: Any) -> ResultStore:
    """Trials: c completed after a failure, d diverged, e failed, x of another study; m is missing."""
    picture = {"trial": "c", "attempt": "c2", "name": "samples", "shape": [1, 1, 2, 2], "levels": 16}
    picture |= {"evaluated": moment(3)}
    store.commit({"trials": [attempt("c", "c1", 1, status="error", reason="lost")]})
    store.commit(
        {
            "trials": [attempt("c", "c2", 2, step=1000, train_seconds=1.5, width=8, path="fused", code="abc")],
            "metrics": [
                metric("c", "c2", "rate", 20.0, 3, version=2, standard_error=0.5),
                metric("c", "c2", "rate", 10.0, 9, version=1),
                metric("c", "c2", "accuracy_knn@z2", 0.75, 3),
                metric("c", "c2", "unasked", 1.0, 3),
            ],
            "images": [picture | {"version": 1, "values": [1, 2, 3, 4]}, picture | {"version": 2, "values": [9] * 4}],
        }
    )
    store.commit({"trials": [attempt("c", "c3", 5)], "metrics": [metric("c", "c3", "rate", 99.0, 9, version=2)]})
    store.commit(
        {
            "trials": [
                attempt("d", "d1", status="diverged", step=7),
                attempt("e", "e1", status="error", reason="boom"),
            ],
            "metrics": [metric("e", "e1", "rate", 66.0, version=2)],
        }
    )
    store.commit({"trials": [attempt("x", "x1")], "metrics": [metric("x", "x1", "rate", 1.0, version=2)]})
    return store


def test_one_row_a_planned_trial_in_order(filled: ResultStore) -> None:
    frame = build(filled, plan("m", "e", "c", "d"))
    rows = frame.trials
    assert list(rows.columns) == [
        *("trial", "setting", "seed", "status", "reason", "attempt", "step", "train_seconds", "evaluate_seconds"),
        *("code", "width", "path", BETA, "model", "rate", "rate.se", "accuracy_knn@z2", "accuracy_knn@z2.se"),
    ]
    assert rows["trial"].tolist() == ["m", "e", "c", "d"]
    assert rows["status"].tolist() == ["missing", "error", "completed", "diverged"]
    assert rows["reason"].tolist() == ["", "boom", "", ""]
    assert rows["attempt"].tolist() == ["", "e1", "c2", "d1"]
    assert rows["step"].tolist() == [pd.NA, 10, 1000, 7]
    assert rows["train_seconds"].tolist()[2] == 1.5
    assert rows[BETA].tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4])
    # Of the right version and the winning attempt only; a failed trial has no values.
    np.testing.assert_array_equal(rows["rate"], [np.nan, np.nan, 20.0, np.nan])
    np.testing.assert_array_equal(rows["rate.se"], [np.nan, np.nan, 0.5, np.nan])
    np.testing.assert_array_equal(rows["accuracy_knn@z2"], [np.nan, np.nan, 0.75, np.nan])
    assert rows["rate"].dtype == np.float64
    assert str(frame.coverage) == "2/4 trials (1 diverged, 1 failed, 1 missing)"
    assert (frame.coverage.planned, frame.coverage.finished) == (4, 2)
    assert frame.measured("rate") == 1
    with pytest.raises(StoreError, match="measures no 'psnr'; known: rate, accuracy_knn@z2"):
        frame.measured("psnr")


def test_pictures_are_of_the_quantity_s_version(filled: ResultStore) -> None:
    frame = build(filled, plan("c", "m"))
    np.testing.assert_array_equal(frame.arrays("c", "samples"), [[[[1, 2], [3, 4]]]])
    assert frame.arrays("m", "samples") is None
    assert frame.arrays("c", "originals") is None


def test_a_frame_of_nothing_is_whole_too(store: ResultStore) -> None:
    frame = build(store, plan("a", "b"), reduced="2 of 441 trials")
    assert frame.trials["status"].tolist() == ["missing", "missing"]
    assert frame.trials["rate"].isna().all()
    assert str(frame.coverage) == "0/2 trials (2 missing)"
    assert frame.reduced == "2 of 441 trials"
    assert str(build(store, plan()).coverage) == "0/0 trials"


def test_the_later_of_last_and_averaged_weights_counts(store: ResultStore, attempt: Row, metric: Row) -> None:
    values = [
        metric("t", "a", "rate", 1.0, 5, version=2, weights="last"),
        metric("t", "a", "rate", 2.0, 6, version=2, weights="ema"),
    ]
    store.commit({"trials": [attempt("t", "a")], "metrics": values})
    assert build(store, plan("t")).trials["rate"].tolist() == [2.0]


def test_a_trial_of_which_something_could_not_be_measured_says_so_and_keeps_the_rest(
    store: ResultStore, attempt: Row, metric: Row, moment: Any
) -> None:
    def failure(trial: str, name: str, error: str, at: float = 5, **more: Any) -> dict[str, Any]:
        return metric(trial, f"a-{trial}", name, None, at, error=error, **more)

    trials = [attempt(name, f"a-{name}") for name in ("number", "picture", "old", "other", "mended")]
    values = [metric(row["trial"], row["attempt"], "accuracy_knn@z2", 0.5) for row in trials]
    values += [metric(name, f"a-{name}", "rate", 9.0, 3, version=2) for name in ("old", "other", "picture")]
    failures = [
        failure("number", "rate", "ValueError: none", version=2),
        failure("number", "samples", "ValueError: none"),
        failure("picture", "samples", "OSError: torn"),
        failure("old", "rate", "of an older version", version=1),
        failure("other", "unasked", "of another study"),
        failure("mended", "rate", "then", 3, version=2),
    ]
    store.commit({"trials": trials, "metrics": values + failures})
    store.append("metrics", [metric("mended", "a-mended", "rate", 8.0, 4, version=2)])
    frame = build(store, plan("number", "picture", "old", "other", "mended"))
    rows = frame.trials
    assert rows["status"].tolist() == ["evaluation_failed"] * 2 + ["completed"] * 3
    assert rows["reason"].tolist() == ["ValueError: none", "OSError: torn", "", "", ""]
    np.testing.assert_array_equal(rows["rate"], [np.nan, 9, 9, 9, 8])
    assert rows["accuracy_knn@z2"].tolist() == [0.5] * 5
    assert str(frame.coverage) == "3/5 trials (2 failed)"


def test_a_subset_says_that_it_is_one(filled: ResultStore) -> None:
    frame = build(filled, plan("m", "e", "c", "d"), reduced="@small")
    chosen = frame.subset(frame.trials[BETA] > 0.25, "objective.beta[0]>0.25")
    assert chosen.trials["trial"].tolist() == ["c", "d"]
    assert chosen.trials.index.tolist() == [0, 1]
    assert chosen.reduced == "@small; objective.beta[0]>0.25"
    assert chosen.coverage.planned == 2
    assert chosen.incomparable == chosen.reduced
    assert len(frame.trials) == 4
    with pytest.raises(StoreError, match=r"one truth value for each of 4 trials, not int64 values of shape \(3,\)"):
        frame.subset(np.array([0, 1, 2]), "some")


def test_whole_data_sets_stay_comparable_until_something_else_is_cut(store: ResultStore) -> None:
    frame = build(store, plan("a", "b"), reduced="only data=mnist", comparable=True)
    assert (frame.reduced, frame.incomparable) == ("only data=mnist", "")
    assert frame.subset([True, False], "").incomparable == ""
    assert frame.subset([True, False], "the first").incomparable == "only data=mnist; the first"
    assert build(store, plan("a")).incomparable == ""


def test_columns_that_clash_or_lack_are_refused(store: ResultStore) -> None:
    with pytest.raises(StoreError, match="has a column 'data'"):
        build_frame("s", "?", ["data"], QUANTITIES, plan("t"), store)
    with pytest.raises(StoreError, match="names each trial once, not 't' twice"):
        build(store, plan("t", "t"))
    clash = Quantity(name="width", unit="pixels", goal="none", family="tests:none")
    with pytest.raises(StoreError, match="would be called 'width'"):
        build_frame("s", "?", [BETA], [clash], plan("t"), store)
    assert build_frame("s", "?", ["seed"], [], plan("t"), store).trials.columns.tolist().count("seed") == 1


def test_an_export_reads_back_the_same(filled: ResultStore, tmp_path: Path) -> None:
    frame = build(filled, plan("m", "e", "c", "d"))
    frame.trials["model"] = pd.Series([1.5, "flat", 2, True], dtype=object)
    parquet = pd.read_parquet(frame.export(tmp_path / "out" / "wide.parquet"))
    numbers = frame.trials.drop(columns="model")
    pd.testing.assert_frame_equal(parquet.drop(columns="model"), numbers)
    assert parquet["model"].tolist() == ["1.5", "flat", "2", "True"]
    text = pd.read_csv(frame.export(tmp_path / "wide.csv"), dtype={"step": "Int64", "width": "Int64"})
    assert text.columns.tolist() == frame.trials.columns.tolist()
    for column in (BETA, "rate", "rate.se", "step", "width", "train_seconds"):
        pd.testing.assert_series_equal(text[column], frame.trials[column])
    with pytest.raises(StoreError, match=r"a .parquet or .csv file, not 'wide.xlsx'"):
        frame.export(tmp_path / "wide.xlsx")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write .*/file/wide.csv: .*/file is a file, not a folder"):
        frame.export(tmp_path / "file" / "wide.csv")
    assert sorted(os.listdir(tmp_path)) == ["file", "out", "runs", "wide.csv"]


def test_a_commit_that_lands_while_a_frame_is_built_shows_whole_or_not_at_all(
    store: ResultStore, attempt: Row, metric: Row
) -> None:
    class Overtaken(LocalFiles):
        """Another process commits after this one has listed its first table."""

        def __init__(self, root: Path) -> None:
            super().__init__(root)
            self.listed: list[str] = []

        def names(self, folder: str) -> list[str]:
            found = super().names(folder)
            if not self.listed:
                store.commit({"trials": [attempt("t", "a")], "metrics": [metric("t", "a", "rate", 1.0, version=2)]})
            self.listed.append(folder)
            return found

    files = Overtaken(store.root)
    assert build(ResultStore(files), plan("t")).trials["status"].tolist() == ["missing"]
    assert files.listed == ["trials", "metrics"]
    assert build(ResultStore(files), plan("t")).trials["rate"].tolist() == [1.0]


def test_a_large_frame_takes_a_moment(store: ResultStore, attempt: Row, metric: Row) -> None:
    """A generous bound, which a step per trial over all trials would break."""
    ids = [f"t{number:05d}" for number in range(4000)]
    rows = [attempt(trial, f"a-{trial}") for trial in ids]
    values = [metric(trial, f"a-{trial}", "rate", float(number), version=2) for number, trial in enumerate(ids)]
    store.commit({"trials": rows, "metrics": values})
    start = time.perf_counter()
    frame = build(store, plan(*reversed(ids)))
    assert time.perf_counter() - start < 5
    assert frame.trials["rate"].tolist() == [float(number) for number in reversed(range(4000))]


MODES = Quantity(name="modes", unit="1", goal="none", family="tests:none", form="codes", version=2)


def test_codes_are_of_the_quantity_s_version(store: ResultStore, attempt: Row, moment: Any) -> None:
    points = {"trial": "c", "attempt": "c1", "name": "modes", "shape": [2, 3], "evaluated": moment(3)}
    old, new = np.zeros(6, np.float32), np.arange(6, dtype=np.float32) / 4
    picture = points | {"version": 2, "shape": [1, 1, 1, 2], "levels": 16, "values": [7, 8]}
    codes = [points | {"version": 2, "values": new}, points | {"version": 3, "values": old}]
    store.commit({"trials": [attempt("c", "c1")], "codes": codes, "images": [picture]})
    frame = build_frame("s", "?", [BETA], [MODES], plan("c", "m"), store)
    found = frame.arrays("c", "modes")
    assert found is not None
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, new.reshape(2, 3))
    assert frame.arrays("m", "modes") is None
    unversioned = build_frame("s", "?", [BETA], [replace(MODES, version=1)], plan("c"), store)
    assert unversioned.arrays("c", "modes") is None
    assert "modes" not in frame.trials


def test_training_curves_are_those_of_the_winning_attempt(store: ResultStore, attempt: Row) -> None:
    curve = {"trial": "c", "name": "distortion", "step": [10, 20]}
    store.commit(
        {"trials": [attempt("c", "c1", 1, status="error")], "curves": [{**curve, "attempt": "c1", "value": [9.0, 9.0]}]}
    )
    kept = [
        {**curve, "attempt": "c2", "value": [3.0, 1.5]},
        {**curve, "attempt": "c2", "name": "rate_z1", "value": [0.5, 2.0]},
    ]
    store.commit({"trials": [attempt("c", "c2", 2)], "curves": kept})
    frame = build(store, plan("c", "m"))
    curves = frame.curves("c")
    assert set(curves) == {"distortion", "rate_z1"}
    for name, values in (("distortion", [3.0, 1.5]), ("rate_z1", [0.5, 2.0])):
        np.testing.assert_array_equal(curves[name][0], [10, 20])
        np.testing.assert_array_equal(curves[name][1], values)
    assert frame.curves("m") == {}
    assert frame.subset([True, False], "one").curves("c").keys() == curves.keys()


def test_a_frame_made_by_hand_has_neither_pictures_nor_curves() -> None:
    frame = Frame(study="s", question="?", axes=(), quantities=(), trials=plan("t").assign(status="missing"))
    assert frame.arrays("t", "samples") is None
    assert frame.curves("t") == {}
