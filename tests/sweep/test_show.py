"""`sweep show`: a trial with all that is stored of it, and the trials behind a number."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sweep.trial_record import sparkline


def raw(store: Path, table: str) -> pd.DataFrame:
    """A table of a store by pandas alone."""
    return pd.concat([pd.read_parquet(part) for part in sorted((store / table).glob("*.parquet"))])


def one(store: Path, status: str) -> pd.Series:
    trials = raw(store, "trials")
    return trials[trials["status"] == status].sort_values("trial").iloc[0]


def test_a_trial_is_shown_with_all_that_is_stored_of_it(half_done: Path, sweep: Any) -> None:
    row = one(half_done, "completed")
    ended = sweep("show", row["trial"][:10], "--store", half_done)
    assert ended.code == 0
    assert ended.out.startswith(
        f"trial {row['trial']}   setting {row['setting']}   seed {row['seed']}\ncompleted at step 6\n"
    )
    values = raw(half_done, "metrics").set_index(["trial", "quantity"]).loc[row["trial"]]
    for name, measured in values.iterrows():
        assert re.search(rf"^  {name} +{measured['value']:.6g} ± \S+ nats$", ended.out, re.MULTILINE)
    for curve in raw(half_done, "curves").query("trial == @row.trial").itertuples():
        assert re.search(rf"^  {curve.name} +{curve.value[0]:.4g} → {curve.value[-1]:.4g} ", ended.out, re.MULTILINE)
    assert "learning_rate  0.0" in ended.out
    for column in ("code", "host", "device", "path", "pack", "weights"):
        assert re.search(rf"^  {column} +{re.escape(str(row[column]))}$", ended.out, re.MULTILINE)
    assert "attempts (1)" in ended.out
    assert "error" not in ended.out


def test_a_failed_trial_is_shown_with_its_traceback(half_done: Path, sweep: Any) -> None:
    row = one(half_done, "error")
    ended = sweep("show", row["trial"], "--store", half_done)
    assert f"error at step 0: {row['reason']}" in ended.out
    assert "Traceback (most recent call last)" in ended.out
    assert "RuntimeError: no answer from /data/volume7 after 17 tries" in ended.out
    assert "none stored" in ended.out


def test_json_has_the_same_exactly(half_done: Path, sweep: Any) -> None:
    for status in ("completed", "error"):
        row = one(half_done, status)
        shown = json.loads(sweep("show", row["trial"], "--store", half_done, "--json").out)
        assert (shown["trial"], shown["status"], shown["step"]) == (row["trial"], status, row["step"])
        assert shown["specification"] == json.loads(row["specification"])
        values = raw(half_done, "metrics").query("trial == @row.trial").set_index("quantity")["value"]
        assert {one["quantity"]: one["value"] for one in shown["quantities"]} == values.to_dict()
        curves = raw(half_done, "curves").query("trial == @row.trial").set_index("name")["value"]
        assert {name: curve["value"] for name, curve in shown["curves"].items()} == {
            name: value.tolist() for name, value in curves.items()
        }
        assert ("RuntimeError" in (shown["traceback"] or "")) == (status == "error")


def test_all_attempts_are_shown_and_the_one_that_counts(
    store: Path, studies: Path, sweep: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = one(store, "error")
    monkeypatch.setenv("RATESWEEP_TEST_MENDED", "1")
    again = sweep("launch", f"{studies}:half", "--store", store, "--executor", "local", "--retry-failed")
    assert again.code == 0
    ended = sweep("show", failed["trial"], "--store", store)
    told = ended.out.split("attempts (2)\n")[1].splitlines()
    assert told[0].startswith(f"    {failed['attempt']}")
    assert f"error at step 0: {failed['reason']}" in told[0]
    assert told[1].startswith("  * ")
    assert "completed at step 6" in told[1]
    assert "completed at step 6" in ended.out.splitlines()[1]
    assert "Traceback" not in ended.out


@pytest.mark.parametrize("given", ["zzzz", "0123456789abcdef"])
def test_an_unknown_trial_is_a_mistake_in_one_line(given: str, half_done: Path, sweep: Any) -> None:
    ended = sweep("show", given, "--store", half_done)
    assert (ended.code, ended.out) == (2, "")
    assert re.fullmatch(rf"sweep: error: no trial '{given}' in .*\n", ended.err)


def test_a_prefix_of_several_names_them(half_done: Path, sweep: Any) -> None:
    from results.store import ResultStore
    from sweep.trial_record import StoreError, resolve

    ids = sorted(raw(half_done, "trials")["trial"])
    with pytest.raises(StoreError, match=rf"'' begins the ids of 8 trials \({', '.join(ids[:5])}, …\)"):
        resolve(ResultStore.open(half_done), "")
    assert resolve(ResultStore.open(half_done), ids[3]) == ids[3]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "takes one TRIAL"),
        (("a", "b"), "takes one TRIAL"),
        (("a", "--seeds", "2"), "takes no --where, --seeds or --set"),
        (("a", "--set", "training.steps=1"), "takes no --where, --seeds or --set"),
        (("--cell", "objectives:free bits"), "a cell is TABLE:ROW:COLUMN"),
        (("--cell", "objectives::rate"), "a cell is TABLE:ROW:COLUMN"),
        (("--cell", "objective:free bits:rate"), "no table 'objective'; did you mean objectives"),
        (("--cell", "objectives:free bit:rate"), "no row 'free bit'; did you mean free bits"),
        (("--cell", "objectives:free bits:rates", "digits/objectives"), "no column 'rates'; did you mean rate"),
        (("--cell", "optima:vae:psnr", "digits/objectives"), "no table 'optima'"),
    ],
)
def test_bad_requests_are_told_in_one_line(arguments: tuple[str, ...], told: str, half_done: Path, sweep: Any) -> None:
    ended = sweep("show", *arguments, "--store", half_done)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.count("\n") == 1
    assert told in ended.err


def test_a_cell_s_trials_average_to_it(digits_store: Path, sweep: Any) -> None:
    values = raw(digits_store, "metrics").pivot(index="trial", columns="quantity", values="value")
    for row, column, quantity, sign in (
        ("free bits", "rate", "rate", 1),
        ("β = 0.1", "negative_elbo", "elbo", -1),
        ("kl annealing", "5-NN", "accuracy_knn@z1", 1),
    ):
        shown = sweep(
            "show", "--cell", f"objectives:{row}:{column}", "digits/objectives@small", "--store", digits_store, "--json"
        )
        cell = json.loads(shown.out)
        told = {one["trial"]: one["value"] for one in cell["trials"]}
        assert len(told) == cell["n"] == cell["planned"] == 3
        assert told == {trial: sign * values.loc[trial, quantity] for trial in told}
        assert np.mean(list(told.values())) == pytest.approx(cell["mean"], rel=1e-12)
        assert np.std(list(told.values()), ddof=1) == pytest.approx(cell["std"], rel=1e-9)
        assert {one["at"]["objective"].casefold() for one in cell["trials"]} == {row}
        assert "of 1000 steps" in cell["reduced"]


def test_a_cell_reads_well(digits_store: Path, half_done: Path, studies: Path, sweep: Any) -> None:
    ended = sweep("show", "--cell", "optima:vae:psnr", "digits/hvae@small", "--store", digits_store)
    lines = ended.out.splitlines()
    assert lines[0] == "optima: VAE (β₂ = β₁ = 1), PSNR (dB) ↑"
    assert lines[1].endswith(", 1 of 1 planned trials")
    assert re.search(
        r"seed 0  objective.beta\[1\]=1.0, objective.beta\[0\]=1.0  \(completed in digits/hvae@small\)", ended.out
    )
    cell = "own-half-settings:objective=faulty, training.optimiser.learning_rate=0.01:rate"
    missing = sweep("show", "--cell", cell, f"{studies}:half", "--store", half_done)
    assert missing.code == 0
    assert "missing, 0 of 2 planned trials" in missing.out
    assert "no trial stands behind it yet" in missing.out


def test_a_sparkline_follows_its_values() -> None:
    assert sparkline(np.arange(8.0)) == "▁▂▃▄▅▆▇█"
    assert sparkline(np.array([1.0, np.nan, 0.0])) == "█ ▁"
    assert sparkline(np.full(3, 7.0)) == "▁▁▁"
    assert sparkline(np.array([np.nan, np.inf])) == ""
    assert len(sparkline(np.linspace(0, 1, 200))) == 40
