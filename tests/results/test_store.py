"""What is committed is read back, as the schemas say, by us and by anyone."""

from __future__ import annotations

import datetime
import io
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from results import schema
from results.files import StoreError
from results.store import ResultStore

Row = Callable[..., dict[str, Any]]


def a_pack(attempt: Row, metric: Row, moment: Callable[[float], datetime.datetime]) -> dict[str, list[dict[str, Any]]]:
    picture = {"trial": "t1", "attempt": "a1", "name": "samples", "version": 1, "shape": [2, 1, 3, 4], "levels": 16}
    return {
        "trials": [attempt("t1", "a1"), attempt("t2", "a2", status="diverged", step=4)],
        "metrics": [metric("t1", "a1", "rate", 3.5, standard_error=0.25), metric("t2", "a2", "rate", float("nan"))],
        "curves": [{"trial": "t1", "attempt": "a1", "name": "loss", "step": [0, 5], "value": np.array([9.0, 7.5])}],
        "images": [picture | {"values": np.arange(24, dtype=np.uint8).reshape(2, 1, 3, 4), "evaluated": moment(1)}],
        "codes": [
            {"trial": "t1", "attempt": "a1", "name": "modes@z1", "version": 1, "shape": [2, 2]}
            | {"values": np.array([0.5, -1, 2, 3], dtype=np.float32), "evaluated": moment(1)}
        ],
    }


def test_what_is_committed_is_read_back(store: ResultStore, attempt: Row, metric: Row, moment: Any) -> None:
    pack = a_pack(attempt, metric, moment)
    weights = {"t1/decoder.weight": np.arange(6.0).reshape(2, 3).T, "t1/scale": np.array(2.0, dtype=np.float32)}
    commit = store.commit(pack, weights)

    trials = store.trials().to_pylist()
    assert [row["status"] for row in trials] == ["completed", "diverged"]
    assert [row["weights"] for row in trials] == [f"{commit}.safetensors", None]
    for name, value in pack["trials"][1].items():
        assert trials[1][name] == value
    assert trials[0]["traceback"] is None
    assert store.scan("metrics", ["trial", "value", "standard_error"])["value"].to_pylist()[0] == 3.5
    steps, values = store.curves("t1")["loss"]
    assert (steps.tolist(), values.tolist()) == ([0, 5], [9.0, 7.5])
    pictures = store.image("t1", "samples")
    assert pictures is not None
    assert pictures.dtype == np.uint8
    np.testing.assert_array_equal(pictures, np.arange(24).reshape(2, 1, 3, 4))
    np.testing.assert_array_equal(store.codes("t1", "modes@z1"), [[0.5, -1], [2, 3]])
    assert store.image("t2", "samples") is None
    assert store.image("t1", "samples", version=2) is None
    # A transposed array comes back as it was, not as its memory lay.
    kept = store.weights("t1")
    np.testing.assert_array_equal(kept["decoder.weight"], np.arange(6.0).reshape(2, 3).T)
    assert kept["scale"].shape == ()
    assert kept["scale"].dtype == np.float32
    assert store.weighted() == {"t1"}
    assert store.damaged == {}
    keys = {(row["trial"], row["key"]) for row in store.evaluations().to_pylist() if row["error"] is None}
    assert keys == {("t1", "rate@v1"), ("t1", "samples@v1"), ("t1", "modes@z1@v1"), ("t2", "rate@v1")}


def test_anyone_can_read_it(folder_store: ResultStore, attempt: Row, metric: Row, moment: Any) -> None:
    store = folder_store
    for _ in range(2):
        store.commit(a_pack(attempt, metric, moment), {"t1/w": np.ones(2)})
    store.beat("launch-1")
    for table in ("trials", "metrics", "curves", "images", "codes"):
        frame = pd.read_parquet(store.root / table)
        assert list(frame.columns) == schema.TABLES[table].names
    metrics = pd.read_parquet(store.root / "metrics")
    assert metrics["value"].tolist()[0] == 3.5
    assert str(metrics["evaluated"].dtype) == "datetime64[us, UTC]"
    assert json.loads((store.root / "store.json").read_text())["format"] == schema.FORMAT
    part = next((store.root / "trials").iterdir())
    assert pq.read_schema(part).metadata[schema.FORMAT_KEY] == b"1"


def test_a_store_is_itself_again_after_pickling(store: ResultStore, attempt: Row) -> None:
    store.commit({"trials": [attempt("t", "a")]})
    assert len(pickle.loads(pickle.dumps(store)).trials()) == 1


def test_importing_the_store_is_quick() -> None:
    heavy = "print([name for name in ('pandas', 'torch', 'ray', 'plotly') if name in sys.modules])"
    code = f"import sys; import results.store; {heavy}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_columns_and_trials_are_chosen(store: ResultStore, attempt: Row, metric: Row) -> None:
    for number in range(4):
        row = attempt(f"t{number}", f"a{number}")
        store.commit({"trials": [row], "metrics": [metric(f"t{number}", f"a{number}", "rate", float(number))]})
    chosen = store.scan("metrics", ["value"], trials=["t1", "t3", "none"])
    assert chosen.column_names == ["value"]
    assert sorted(chosen["value"].to_pylist()) == [1.0, 3.0]
    assert store.trials(["trial"], ["t2"]).to_pylist() == [{"trial": "t2"}]
    assert len(store.scan("metrics", trials=[])) == 0
    with pytest.raises(StoreError, match="no column 'valeu'; did you mean value"):
        store.scan("metrics", ["valeu"])
    with pytest.raises(StoreError, match="no table 'metric' in a store; did you mean metrics"):
        store.scan("metric")


def test_the_earliest_finished_attempt_wins(store: ResultStore, attempt: Row, metric: Row) -> None:
    store.commit({"trials": [attempt("t", "late", 9)], "metrics": [metric("t", "late", "rate", 9.0)]})
    store.commit({"trials": [attempt("t", "failed", 1, status="error", reason="boom")]})
    store.commit({"trials": [attempt("t", "early", 5)], "metrics": [metric("t", "early", "rate", 5.0)]})
    store.commit({"trials": [attempt("u", "first", 1, status="error", reason="one")]})
    store.commit({"trials": [attempt("u", "second", 2, status="timeout", reason="two")]})
    counted = {row["trial"]: row for row in store.trials().to_pylist()}
    assert counted["t"]["attempt"] == "early"
    assert counted["u"]["reason"] == "two"
    assert store.winning("metrics", ["value"])["value"].to_pylist() == [5.0]
    assert sorted(store.scan("metrics")["value"].to_pylist()) == [5.0, 9.0]
    assert store.attempts("t")["attempt"].to_pylist() == ["failed", "early", "late"]
    # A failure after the success changes nothing.
    store.commit({"trials": [attempt("t", "last", 99, status="crashed")]})
    assert store.trials(["attempt"], ["t"])["attempt"].to_pylist() == ["early"]


def test_a_later_evaluation_replaces_a_value_and_a_new_version_stands_beside_it(
    store: ResultStore, attempt: Row, metric: Row
) -> None:
    store.commit({"trials": [attempt("t", "a")], "metrics": [metric("t", "a", "rate", 1.0)]})
    store.append("metrics", [metric("t", "a", "rate", 2.0, 10), metric("t", "a", "rate", 3.0, 5)])
    store.append("metrics", [metric("t", "a", "rate", 4.0, 20, version=2)])
    store.append("metrics", [metric("t", "never committed", "rate", 5.0, 30)])
    values = {row["version"]: row["value"] for row in store.scan("metrics").to_pylist()}
    assert values == {1: 2.0, 2: 4.0}


def test_the_latest_word_on_a_quantity_is_a_value_or_a_failure(
    store: ResultStore, attempt: Row, metric: Row, moment: Any
) -> None:
    """Number, picture: failed before and after it was measured; only versions and finished attempts that count."""

    def failure(trial: str, name: str, at: float, **more: Any) -> dict[str, Any]:
        return metric(trial, f"a-{trial}", name, None, at, error="ValueError: none", traceback="in full", **more)

    def picture(trial: str, at: float) -> dict[str, Any]:
        plain = {"trial": trial, "attempt": f"a-{trial}", "name": "samples", "version": 1, "shape": [1, 1, 1, 1]}
        return plain | {"levels": 16, "values": [7], "evaluated": moment(at)}

    trials = [attempt("before", "a-before"), attempt("after", "a-after"), attempt("bad", "a-bad", status="error")]
    store.commit({"trials": trials, "metrics": [failure("bad", "rate", 9)]})
    store.append("metrics", [failure("before", "rate", 1), failure("before", "samples", 1)])
    store.append("metrics", [metric("before", "a-before", "rate", 2.0, 2), metric("after", "a-after", "rate", 3.0, 1)])
    store.append("images", [picture("before", 2), picture("after", 1)])
    store.append("metrics", [failure("after", "rate", 2), failure("after", "samples", 2)])
    store.append("metrics", [failure("after", "rate", 2, version=2), metric("after", "a-after", "psnr", 1.0)])
    told = {(row["trial"], row["key"]): row["error"] for row in store.evaluations().to_pylist()}
    failed = {("after", key) for key in ("rate@v1", "rate@v2", "samples@v1")}
    sound = {("before", "rate@v1"), ("before", "samples@v1"), ("after", "psnr@v1")}
    assert told == dict.fromkeys(failed, "ValueError: none") | dict.fromkeys(sound)
    before = store.evaluations().sort_by([("trial", "ascending"), ("key", "ascending")])
    assert "metrics" in store.compact(minimum=2).merged
    assert store.evaluations().sort_by([("trial", "ascending"), ("key", "ascending")]).equals(before)


def test_metrics_of_the_time_before_failures_were_stored_are_values(
    store: ResultStore, attempt: Row, metric: Row
) -> None:
    store.commit({"trials": [attempt("t", "a")], "metrics": [metric("t", "a", "rate", 2.0)]})
    (part,) = store.files.names("metrics")
    older = pq.read_table(io.BytesIO(store.files.read(part))).drop_columns(["error", "traceback"])
    assert older.schema.metadata[schema.FORMAT_KEY] == b"1"
    made = io.BytesIO()
    pq.write_table(older, made)
    store.files.write(part, made.getvalue())
    assert store.evaluations().to_pylist() == [{"trial": "t", "key": "rate@v1", "error": None}]
    assert store.scan("metrics", ["value", "error"]).to_pylist() == [{"value": 2.0, "error": None}]
    assert store.damaged == {}


def test_the_first_decision_holds(store: ResultStore, moment: Any) -> None:
    plain = {"shape": "s", "path": "fused", "threads": 1, "source": "rule"}
    assert store.decisions().get(("s", "cpu")) is None
    store.decide([plain | {"device": "cpu", "width": 8, "decided": moment(5)}])
    store.decide([plain | {"device": "cpu", "width": 4, "decided": moment(2)}])
    store.decide([plain | {"device": "cuda", "width": 64, "decided": moment(9)}])
    held = store.decisions().get(("s", "cpu"))
    assert held is not None
    assert held["width"] == 4
    assert {key: row["width"] for key, row in store.decisions().items()} == {("s", "cpu"): 4, ("s", "cuda"): 64}


def test_launches_are_appended(store: ResultStore, moment: Any) -> None:
    store.append("launches", [{"launch": "l", "study": "digits/hvae", "event": "started", "at": moment(0)}])
    store.append(
        "launches", [{"launch": "l", "study": "digits/hvae", "event": "ended", "at": moment(9), "exit_code": 0}]
    )
    assert store.scan("launches", ["event", "exit_code"]).to_pylist() == [
        {"event": "started", "exit_code": None},
        {"event": "ended", "exit_code": 0},
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stetp": 3}, "no column 'stetp'; did you mean step"),
        ({"step": 3.7}, "trials.step holds int64: 3.7 is not of integers"),
        ({"step": "three"}, "'three' is not of integers"),
        ({"reason": 5}, "trials.reason holds string"),
        ({"train_seconds": "long"}, "trials.train_seconds holds double"),
        ({"finished": datetime.datetime(2026, 1, 1)}, "needs a time with its zone"),
        ({"finished": None}, "every row of trials needs a value of 'finished'"),
        ({"status": "done"}, "no status 'done'; known: completed, crashed"),
        ({"status": "evaluation_failed"}, "no status 'evaluation_failed'; known: completed, crashed"),
        ({"width": 2**40}, "trials.width holds int32"),
    ],
)
def test_rows_that_do_not_fit_are_refused(store: ResultStore, attempt: Row, change: Any, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        store.commit({"trials": [attempt("t", "a") | change]})
    assert len(store.trials()) == 0
    assert store.files.names("trials") == []


def test_a_commit_is_whole(store: ResultStore, attempt: Row, metric: Row, moment: Any) -> None:
    with pytest.raises(StoreError, match="attempt 'b' is not among the trials of this commit"):
        store.commit({"trials": [attempt("t", "a")], "metrics": [metric("t", "b", "rate", 1.0)]})
    with pytest.raises(StoreError, match="needs rows of trials"):
        store.commit({"metrics": [metric("t", "a", "rate", 1.0)]})
    with pytest.raises(StoreError, match="no part of a commit"):
        store.commit({"trials": [attempt("t", "a")], "launches": [{"attempt": "a"}]})
    with pytest.raises(StoreError, match="weights are named <trial>/<tensor>"):
        store.commit({"trials": [attempt("t", "a")]}, {"u/w": np.ones(1)})
    with pytest.raises(StoreError, match="not appended"):
        store.append("trials", [attempt("t", "a")])
    wrong = a_pack(attempt, metric, moment)
    wrong["images"][0]["shape"] = [2, 1, 4, 4]
    with pytest.raises(StoreError, match=r"'samples' of shape .* cannot have 24 values"):
        store.commit(wrong)


def test_weights_that_are_not_there_say_why(store: ResultStore, attempt: Row, tmp_path: Path) -> None:
    store.commit({"trials": [attempt("t", "a")]})
    commit = store.commit({"trials": [attempt("u", "b")]}, {"u/w": np.ones(9)})
    with pytest.raises(StoreError, match="no trial x in"):
        store.weights("x")
    with pytest.raises(StoreError, match="no weights were kept of trial t"):
        store.weights("t")
    name = f"weights/{commit}.safetensors"
    store.files.write(name, store.files.read(name)[:-8])
    with pytest.raises(StoreError, match=f"{commit}.safetensors: not a whole safetensors file"):
        store.weights("u")
    assert store.files.delete(name)
    with pytest.raises(StoreError, match="have been pruned"):
        store.weights("u")
    assert store.weighted() == frozenset()


def test_each_weights_file_is_read_once_for_all_trials(
    folder_store: ResultStore, attempt: Row, files_read: list[str]
) -> None:
    store = folder_store
    kinds = {"pack": 8, "torn": 2, "gone": 1}
    names = {kind: [f"{kind}{slot}" for slot in range(count)] for kind, count in kinds.items()}
    files = {}
    for kind, trials in names.items():
        weights = {f"{trial}/w": np.full(3, slot) for slot, trial in enumerate(trials)}
        files[kind] = f"weights/{store.commit({'trials': [attempt(one, f'a-{one}') for one in trials]}, weights)}"
    store.commit({"trials": [attempt("bare", "a")]})
    torn, gone = (f"{files[kind]}.safetensors" for kind in ("torn", "gone"))
    store.files.write(torn, store.files.read(torn)[:-8])
    store.files.delete(gone)
    asked = [*names["pack"], *names["torn"], *names["gone"], "bare", "unknown"]
    files_read.clear()
    found = store.weights_of(asked)
    assert found.keys() == set(asked)
    assert sorted(name for name in files_read if name.startswith("weights/")) == sorted(
        f"{name}.safetensors" for name in files.values()
    )
    assert sorted(name for name in files_read if name.startswith("trials/")) == store.files.names("trials")
    for slot, trial in enumerate(names["pack"]):
        held = found[trial]
        assert not isinstance(held, StoreError)
        assert held.keys() == {"w"}
        np.testing.assert_array_equal(held["w"], np.full(3, slot))
    told = dict.fromkeys(names["torn"], "not a whole safetensors file")
    told |= {
        "gone0": "of trial gone0 have been pruned",
        "bare": "were kept of trial bare",
        "unknown": "no trial unknown",
    }
    for trial, words in told.items():
        with pytest.raises(StoreError, match=words):
            store.weights(trial)
        assert words in str(found[trial])
