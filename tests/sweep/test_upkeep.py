"""`sweep export`, `compact` and `prune`: what they write and remove, held to the raw files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest


def raw(store: Path, table: str) -> pd.DataFrame:
    """A table of a store by pandas alone."""
    return pd.concat([pd.read_parquet(part) for part in sorted((store / table).glob("*.parquet"))])


def files(store: Path) -> dict[str, int]:
    """Every file of a store and its size."""
    return {str(path.relative_to(store)): path.stat().st_size for path in store.rglob("*") if path.is_file()}


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_an_export_is_the_join_of_the_raw_tables(
    suffix: str, half_done: Path, studies: Path, tmp_path: Path, sweep: Any
) -> None:
    target = tmp_path / f"wide{suffix}"
    ended = sweep("export", f"{studies}:half", target, "--store", half_done)
    assert ended.code == 0
    assert ended.out.splitlines()[-1] == str(target)
    assert "own/half: 4/8 trials (4 failed), 8 rows of" in ended.out
    wide = pd.read_parquet(target) if suffix == ".parquet" else pd.read_csv(target)
    wide = wide.set_index("trial").sort_index()

    trials = raw(half_done, "trials").set_index("trial").sort_index()
    assert list(wide.index) == list(trials.index)
    for column in ("setting", "seed", "status", "attempt", "step", "train_seconds", "path", "code"):
        assert wide[column].tolist() == trials[column].tolist(), column
    rates = trials["specification"].map(lambda text: json.loads(text)["training"]["optimiser"]["learning_rate"])
    assert wide["training.optimiser.learning_rate"].tolist() == rates.tolist()
    metrics = raw(half_done, "metrics").pivot(index="trial", columns="quantity", values=["value", "standard_error"])
    for quantity in ("rate_z1", "rate", "distortion", "elbo"):
        expected = metrics.reindex(wide.index)
        pd.testing.assert_series_equal(wide[quantity], expected["value", quantity], check_names=False)
        pd.testing.assert_series_equal(wide[f"{quantity}.se"], expected["standard_error", quantity], check_names=False)


def test_an_export_of_a_selection_says_so(half_done: Path, studies: Path, tmp_path: Path, sweep: Any) -> None:
    where = "training.optimiser.learning_rate<0.005"
    ended = sweep("export", f"{studies}:half", tmp_path / "x.csv", "--store", half_done, "--where", where, "--seeds", 1)
    assert "2 rows of" in ended.out
    assert f"reduced: 1 of 2 seeds; only {where}" in ended.out
    assert len(pd.read_csv(tmp_path / "x.csv")) == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("export", "digits", "x.csv"), "an export is of one study; digits has digits/hvae, digits/objectives"),
        (("export", "digits/hvae", "x.xlsx"), "an export ends in .parquet or .csv, not 'x.xlsx'"),
        (("export", "digits/hvae"), "the following arguments are required: FILE"),
        (("prune",), "say what to prune: --weights, --checkpoints or both"),
        (("prune", "--checkpoints", "digits"), "--checkpoints takes no NAME"),
        (("prune", "--weights", "--where", "seed=0"), "give their NAME, too"),
    ],
)
def test_bad_requests_are_told_in_one_line(arguments: tuple[str, ...], told: str, half_done: Path, sweep: Any) -> None:
    before = files(half_done)
    ended = sweep(*arguments, "--store", half_done)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.count("\n") == 1
    assert told in ended.err
    assert files(half_done) == before


def test_compaction_changes_files_and_no_row(store: Path, studies: Path, sweep: Any) -> None:
    assert sweep("launch", f"{studies}:exploding", "--store", store, "--executor", "local").code == 0
    tables = {name: raw(store, name) for name in ("trials", "metrics", "curves", "launches")}
    parts = {name: len(list((store / name).iterdir())) for name in tables}
    ended = sweep("compact", "--store", store)
    assert ended.code == 0
    assert sum(count > 1 for count in parts.values()) >= 3
    for name, before in tables.items():
        if parts[name] > 1:
            assert f"{name}: {parts[name]} files became 1 ({len(before)} rows)" in ended.out
        assert len(list((store / name).iterdir())) == 1
        keys = list(before.columns[:3])
        pd.testing.assert_frame_equal(
            raw(store, name).sort_values(keys).reset_index(drop=True), before.sort_values(keys).reset_index(drop=True)
        )
    assert re.search(r"^[\d.]+ (bytes|kB) became [\d.]+ (bytes|kB)$", ended.out, re.MULTILINE)
    assert sweep("compact", "--store", store).out == "nothing to merge\n"


def test_launches_of_several_studies_survive_compaction(store: Path, studies: Path, sweep: Any) -> None:
    names = (f"{studies}:sound", f"{studies}:extended")
    assert sweep("launch", *names, "--store", store, "--executor", "local").code == 0
    assert sweep("compact", "--store", store).code == 0
    events = raw(store, "launches").groupby(["study", "event"]).size()
    assert events.to_dict() == {
        (study, event): 1 for study in ("own/half", "own/sound", "own/extended") for event in ("started", "ended")
    }


def test_compaction_leaves_a_torn_file_and_names_it(store: Path, sweep: Any) -> None:
    torn = sorted((store / "trials").iterdir())[0]
    torn.write_bytes(b"PAR1")
    ended = sweep("compact", "--store", store)
    assert ended.code == 0
    assert f"trials/{torn.name} was left alone" in ended.err
    assert torn.read_bytes() == b"PAR1"


def test_pruning_weights_frees_what_the_dry_run_said(store: Path, studies: Path, sweep: Any) -> None:
    before = files(store)
    weights = {name: size for name, size in before.items() if name.startswith("weights/")}
    dry = sweep("prune", "--weights", "--dry-run", "--store", store)
    assert files(store) == before
    told = re.fullmatch(r"weights: (\d+) files?, ([\d.]+) (bytes|kB) would be freed\n", dry.out)
    assert told is not None
    assert int(told[1]) == len(weights)
    assert float(told[2]) * {"bytes": 1, "kB": 1000}[told[3]] == pytest.approx(sum(weights.values()), rel=0.02)
    done = sweep("prune", "--weights", "--store", store)
    assert done.out == dry.out.replace("would be freed", "freed")
    assert files(store) == {name: size for name, size in before.items() if name not in weights}
    trial = raw(store, "metrics")["trial"].iloc[0]
    assert "nats" in sweep("show", trial, "--store", store).out
    assert sweep("tables", f"{studies}:half", "--store", store, "--out", store.parent / "out").code == 0


def test_weights_of_other_studies_stay(store: Path, studies: Path, sweep: Any) -> None:
    before = files(store)
    ended = sweep("prune", "--weights", "digits", "--store", store)
    assert "weights: 0 files, 0 bytes freed" in ended.out
    assert "(needed by other trials" in ended.out
    assert files(store) == before
    # The packs of a study are removed as a whole, or not at all.
    seed = sweep("prune", "--weights", f"{studies}:half", "--where", "objective=sound", "--store", store)
    assert "freed" in seed.out
    assert not any(name.startswith("weights/") for name in files(store))


def test_checkpoints_are_pruned_but_for_those_of_running_packs(store: Path, sweep: Any) -> None:
    import numpy as np

    from results.store import ResultStore

    opened = ResultStore.open(store)
    for pack in ("0a", "0b"):
        opened.save_checkpoint(pack, {"x": np.zeros(3)}, {})
    opened.mark_inflight("0b", {"launch": "now"})
    opened.beat("now")
    ended = sweep("prune", "--checkpoints", "--store", store)
    assert ended.code == 0
    assert "checkpoints: 1 file, " in ended.out
    assert "checkpoints: 1 file stays (of packs that run now)" in ended.out
    assert opened.checkpoints() == ["0b"]
