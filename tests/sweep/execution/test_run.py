"""run_pack, without Ray: what a worker does with one pack, held to the same trials undisturbed."""

from __future__ import annotations

import itertools
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil
import pytest

from results.store import ResultStore
from sweep.run import run_pack
from sweep.task import PackRecord

Outcomes = Callable[[ResultStore], dict[str, Any]]
PATHS = ("fused", "sequential")


def model(toy: Any, path: str) -> Any:
    return toy.Shift() if path == "fused" else toy.SlowShift()


@pytest.mark.parametrize("path", PATHS)
def test_a_pack_becomes_rows_values_weights_and_curves(toy: Any, store: ResultStore, path: str) -> None:
    trials = toy.trials(1, 2, 3, model=model(toy, path))
    record = run_pack(toy.task(store, trials))
    assert record == PackRecord(
        pack=record.pack,
        counts={"completed": 3},
        trial_steps=3 * 32,
        seconds=record.seconds,
        memory=psutil.virtual_memory().total,
    )
    assert PackRecord.from_json(record.to_json()) == record
    rows = {row["trial"]: row for row in store.trials().to_pylist()}
    assert rows.keys() == {trial.id for trial in trials}
    values = {row["trial"]: row["value"] for row in store.scan("metrics").to_pylist()}
    for slot, trial in enumerate(trials):
        row = rows[trial.id]
        assert (row["status"], row["step"], row["slot"], row["width"], row["path"]) == ("completed", 32, slot, 8, path)
        assert (row["pack"], row["source"], row["launch"]) == (record.pack, toy.module.sha256, "test")
        (mean,) = store.weights(trial.id)["mean"]
        assert values[trial.id] == pytest.approx(0.5 * mean**2, rel=1e-6)  # the KL of N(μ, 1) to N(0, 1)
        steps, losses = store.curves(trial.id)["loss"]
        assert steps.tolist() == list(range(1, 33))
        assert losses[-1] < losses[0]
    assert toy.starts() == {1: 1, 2: 1, 3: 1}
    assert store.inflight() == {}
    assert store.checkpoints() == []


def test_a_task_unpickles_where_the_users_file_was_never_loaded(toy: Any, store: ResultStore) -> None:
    """What travels is text and plain values: the worker loads the file itself, and torch only when it runs the pack."""
    task = toy.task(store, toy.trials(1, 2))
    program = (
        "import pickle, sys\n"
        "task = pickle.load(sys.stdin.buffer)\n"
        "assert 'torch' not in sys.modules and not [name for name in sys.modules if name.startswith('study_file')]\n"
        "from sweep.run import run_pack\n"
        "print(run_pack(task).counts)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], input=pickle.dumps(task), capture_output=True, check=False)
    assert (done.returncode, done.stdout.decode().strip()) == (0, "{'completed': 2}"), done.stderr.decode()


def test_a_quantity_that_fails_costs_its_own_trial_that_quantity_and_nothing_else(
    toy: Any,
    store: ResultStore,
    another_store: ResultStore,
    outcome_of: Outcomes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trials = toy.trials(5, 6, 7, 8, steps=64, rate=0.2)
    quantities = (toy.named(toy.HALF_RATE), toy.named(toy.MEAN), toy.quantity)
    record = run_pack(toy.task(store, trials, quantities=quantities))
    assert record.counts == {"completed": 3, "evaluation_failed": 1}
    (row,) = store.trials(None, [trials[2].id]).to_pylist()
    assert (row["status"], row["reason"], row["traceback"]) == ("completed", None, None)
    rows = {row["quantity"]: row for row in store.scan("metrics", None, [trials[2].id]).to_pylist()}
    for name in ("rate", "half_rate"):
        assert (rows[name]["value"], rows[name]["version"], rows[name]["unit"]) == (None, 1, "nats")
        assert rows[name]["error"] == "ArithmeticError: a rate of N cannot be measured"
        assert "in rates" in rows[name]["traceback"]
    assert (rows["mean"]["error"], rows["mean"]["traceback"]) == (None, None)
    assert rows["mean"]["value"] == pytest.approx(store.weights(trials[2].id)["mean"][0])
    monkeypatch.setenv("RATESWEEP_TEST_MENDED", "1")
    assert run_pack(toy.task(another_store, trials, quantities=quantities)).counts == {"completed": 4}
    disturbed, calm = outcome_of(store), outcome_of(another_store)
    for trial in trials[:2] + trials[3:]:
        assert disturbed[trial.id] == calm[trial.id]
    assert disturbed[trials[2].id][3:] == calm[trials[2].id][3:]  # curves and weights


def test_beside_trials_that_raise_the_others_are_trained_to_the_end_once(
    toy: Any, store: ResultStore, another_store: ResultStore, outcome_of: Outcomes
) -> None:
    """One commit for all innocents, one for each culprit: no innocent waits for the others' halves."""
    calm = toy.trials(*range(1, 15))
    early, late = toy.trials(20, fault=toy.RAISE), toy.trials(21, fault=toy.RAISE, at=20.0)
    trials = [*calm[:5], *early, *calm[5:], *late]
    record = run_pack(toy.task(store, trials, width=32))
    assert (record.counts, record.trial_steps) == ({"completed": 14, "error": 2}, 14 * 32)
    assert record.reasons == {"error: RuntimeError: number N will not train": 2}
    assert len(store.files.names("trials")) == 3
    run_pack(toy.task(another_store, calm, width=32))
    disturbed = outcome_of(store)
    for trial in (*early, *late):
        assert disturbed.pop(trial.id)[0] == "error"
    assert disturbed == outcome_of(another_store)


@pytest.mark.parametrize("path", PATHS)
def test_a_trial_whose_training_raises_is_found_and_the_others_keep_their_bits(
    toy: Any, store: ResultStore, another_store: ResultStore, outcome_of: Outcomes, path: str
) -> None:
    calm = toy.trials(*range(1, 8), model=model(toy, path))
    (culprit,) = toy.trials(9, fault=toy.RAISE, model=model(toy, path))
    record = run_pack(toy.task(store, [*calm[:5], culprit, *calm[5:]]))
    assert record.counts == {"completed": 7, "error": 1}
    assert record.fault == ""
    (row,) = store.trials(None, [culprit.id]).to_pylist()
    assert (row["status"], row["reason"]) == ("error", "RuntimeError: number N will not train")
    assert "in act" in row["traceback"]
    assert store.weighted() == {trial.id for trial in calm}
    run_pack(toy.task(another_store, calm))
    disturbed = outcome_of(store)
    del disturbed[culprit.id]
    assert disturbed == outcome_of(another_store)


@pytest.mark.parametrize("path", PATHS)
def test_a_diverged_trial_is_a_result_with_its_step(
    toy: Any, store: ResultStore, another_store: ResultStore, outcome_of: Outcomes, path: str
) -> None:
    calm = toy.trials(1, 2, 3, model=model(toy, path))
    (diverging,) = toy.trials(4, diverges=21.0, model=model(toy, path))
    assert run_pack(toy.task(store, [calm[0], diverging, *calm[1:]])).counts == {"completed": 3, "diverged": 1}
    (row,) = store.trials(None, [diverging.id]).to_pylist()
    assert (row["status"], row["reason"], row["step"]) == ("diverged", "the loss was not finite", 21)
    assert store.curves(diverging.id)["loss"][0].tolist() == list(range(1, 22))
    run_pack(toy.task(another_store, calm))
    disturbed = outcome_of(store)
    del disturbed[diverging.id]
    assert disturbed == outcome_of(another_store)


@pytest.fixture
def stop_at_look(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes the pack look for a stop at every occasion, and find one the n-th time (counted from 1), and only then."""
    monkeypatch.setattr("sweep.pulse.LOOK_SECONDS", 0.0)

    def stop_at(look: int) -> None:
        looks = itertools.count(1)
        monkeypatch.setattr(ResultStore, "stop_requested", lambda store, of: of == "test" and next(looks) == look)

    return stop_at


@pytest.mark.parametrize(
    ("path", "ema", "look", "steps"),
    [
        ("fused", None, 1, [16, 16, 16]),
        ("fused", 0.9, 1, [16, 16, 16]),
        ("sequential", None, 3, [32, 16, 0]),
        ("sequential", 0.9, 1, [16, 0, 0]),
        ("fused", None, 3, [32, 32, 32]),  # trained, not yet evaluated
        ("sequential", None, 8, [32, 32, 32]),
    ],
)
def test_a_stopped_pack_leaves_a_checkpoint_and_goes_on_bit_for_bit(
    toy: Any,
    store: ResultStore,
    another_store: ResultStore,
    outcome_of: Outcomes,
    stop_at_look: Callable[[int], None],
    path: str,
    ema: float | None,
    look: int,
    steps: list[int],
) -> None:
    trials = toy.trials(1, 2, 3, model=model(toy, path), ema=ema)
    task = toy.task(store, trials, settings={"checkpoint_seconds": 1e-3})
    stop_at_look(look)
    record = run_pack(task)
    assert (record.stopped, record.counts) == (True, {})
    assert (store.trials().num_rows, store.inflight(), store.checkpoints()) == (0, {}, [task.pack])
    loaded = store.load_checkpoint(task.pack)
    assert loaded is not None
    assert loaded[1]["trials"] == ",".join(trial.id for trial in trials)
    assert loaded[0]["step"][:3].tolist() == steps
    assert run_pack(task).counts == {"completed": 3}
    assert (store.inflight(), store.checkpoints()) == ({}, [])
    stop_at_look(0)
    assert run_pack(toy.task(another_store, trials)).counts == {"completed": 3}
    assert outcome_of(store) == outcome_of(another_store)


def test_a_stop_before_anything_was_done_leaves_nothing(toy: Any, store: ResultStore) -> None:
    store.request_stop("test")
    assert run_pack(toy.task(store, toy.trials(1, 2))).stopped
    assert (store.trials().num_rows, store.checkpoints(), store.inflight()) == (0, [], {})


def test_a_checkpoint_of_other_code_is_not_used(
    toy: Any, store: ResultStore, another_store: ResultStore, outcome_of: Outcomes
) -> None:
    task = toy.task(store, toy.trials(1, 2))
    store.save_checkpoint(task.pack, {"rows": np.zeros((2, 3))}, {"trials": ""})
    assert run_pack(task).counts == {"completed": 2}
    run_pack(toy.task(another_store, toy.trials(1, 2)))
    assert outcome_of(store) == outcome_of(another_store)


def test_a_smaller_pack_of_the_same_width_has_the_same_bits(
    toy: Any, store: ResultStore, another_store: ResultStore, outcome_of: Outcomes
) -> None:
    trials = toy.trials(*range(1, 9))
    assert run_pack(toy.task(store, trials)).counts == {"completed": 8}
    assert run_pack(toy.task(another_store, trials[4:7])).counts == {"completed": 3}
    whole = outcome_of(store)
    assert outcome_of(another_store) == {trial.id: whole[trial.id] for trial in trials[4:7]}


def test_the_moving_average_is_what_is_measured_and_kept(toy: Any, store: ResultStore) -> None:
    trials = toy.trials(1, ema=0.99) + toy.trials(2, ema=0.99)
    run_pack(toy.task(store, trials))
    for row in store.scan("metrics").to_pylist():
        (mean,) = store.weights(row["trial"])["mean"]
        assert row["weights"] == "ema"
        assert row["value"] == pytest.approx(0.5 * mean**2, rel=1e-6)
        last = store.curves(row["trial"])["rate_z1"][1][-1]
        assert abs(row["value"] - last) > 0.01  # the weights of the last step have moved on


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("ema", [None, 0.9])
def test_a_new_quantity_is_measured_without_training(
    toy: Any, store: ResultStore, another_store: ResultStore, path: str, ema: float | None
) -> None:
    trials = toy.trials(1, 2, 3, model=model(toy, path), ema=ema)
    run_pack(toy.task(store, trials))
    half = toy.named(toy.HALF_RATE)
    record = run_pack(toy.task(store, trials, task="evaluate", quantities=(half,)))
    assert (record.counts, record.stopped) == ({"evaluated": 3}, False)
    assert toy.starts() == {1: 1, 2: 1, 3: 1}
    at_once = toy.task(another_store, trials, quantities=(toy.quantity, half))
    run_pack(at_once)
    columns = ["trial", "quantity", "version", "weights", "value", "unit", "goal"]
    order = [("trial", "ascending"), ("quantity", "ascending")]
    later, together = (one.scan("metrics", columns).sort_by(order) for one in (store, another_store))
    assert later.equals(together)


def test_a_new_version_stands_beside_the_old(toy: Any, store: ResultStore) -> None:
    trials = toy.trials(1, 2)
    run_pack(toy.task(store, trials))
    run_pack(toy.task(store, trials, task="evaluate", quantities=(toy.named(toy.RATE, version=2),)))
    rows = store.scan("metrics", ["trial", "quantity", "version"]).to_pylist()
    assert sorted((row["trial"], row["version"]) for row in rows) == sorted(
        (trial.id, version) for trial in trials for version in (1, 2)
    )


def test_an_evaluation_that_fails_leaves_the_trial_finished(toy: Any, store: ResultStore) -> None:
    trials = toy.trials(6, 7, steps=64, rate=0.2)
    run_pack(toy.task(store, trials, quantities=()))
    assert run_pack(toy.task(store, trials, task="evaluate")).counts == {"evaluated": 1, "evaluation_failed": 1}
    assert store.scan("trials", ["status"])["status"].to_pylist() == ["completed", "completed"]
    told = {row["trial"]: row["error"] for row in store.evaluations().to_pylist()}
    assert told == {trials[0].id: None, trials[1].id: "ArithmeticError: a rate of N cannot be measured"}
    (row,) = store.scan("metrics", None, [trials[1].id]).to_pylist()
    assert (row["value"], row["error"]) == (None, "ArithmeticError: a rate of N cannot be measured")


def test_a_retried_pack_trains_only_what_was_not_committed(toy: Any, store: ResultStore) -> None:
    """A worker may die after its commit; then its pack comes again."""
    trials = toy.trials(1, 2, 3)
    run_pack(toy.task(store, trials[:2]))
    record = run_pack(toy.task(store, trials, tries=1))
    assert record.counts == {"completed": 3}
    assert toy.starts() == {1: 1, 2: 1, 3: 1}
    assert store.scan("trials").num_rows == 3


def test_a_pack_that_cannot_be_set_up_says_so_under_its_name(toy: Any, store: ResultStore) -> None:
    task = toy.task(store, toy.trials(1, 2), device="cuda")
    record = run_pack(task)
    assert record.pack == task.pack
    host = socket.gethostname()
    assert record.fault == f"the pack was decided for CUDA, and the worker on {host} has no CUDA device"


def test_an_exception_outside_of_trials_keeps_its_traceback(
    toy: Any, store: ResultStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.run.prepare", lambda threads: 1 / 0)
    record = run_pack(toy.task(store, toy.trials(1, 2)))
    assert (record.counts, record.fault, record.stopped) == ({}, "", False)
    assert record.traceback.startswith("Traceback")
    assert record.traceback.rstrip().endswith("ZeroDivisionError: division by zero")
    assert store.scan("trials").num_rows == 0


def test_a_store_that_is_gone_is_a_fault(toy: Any, store: ResultStore) -> None:
    task = toy.task(store, toy.trials(1, 2))
    (store.root / "store.json").unlink()
    record = run_pack(task)
    assert (record.pack, record.counts) == (task.pack, {})
    assert "no store at" in record.fault


@pytest.mark.parametrize("task", ["train", "evaluate"])
def test_an_image_set_that_cannot_be_had_stops_the_launch_and_is_no_failure_of_a_trial(
    toy: Any, store: ResultStore, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    from models.data.download import DataError

    trials = toy.trials(1, 2)
    if task == "evaluate":
        run_pack(toy.task(store, trials, quantities=()))

    def missing(spec: Any) -> Any:
        raise DataError("mnist: 4 files are not in /data/mnist, and --offline forbids to download them")

    before = store.trials().num_rows
    monkeypatch.setattr(sys.modules[toy.module.name], "load_points", missing)
    record = run_pack(toy.task(store, trials, task=task))
    assert record.fault == "mnist: 4 files are not in /data/mnist, and --offline forbids to download them"
    assert (record.counts, record.traceback, record.stopped) == ({}, "", False)
    assert (store.trials().num_rows, store.scan("metrics").num_rows) == (before, 0)


def test_a_worker_looks_for_image_sets_where_the_launch_says(
    toy: Any, store: ResultStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.data.download import cache_folder, is_offline

    monkeypatch.setenv("RATESWEEP_DATA", "/there")
    monkeypatch.setenv("RATESWEEP_OFFLINE", "0")
    monkeypatch.setenv("RATESWEEP_MIRROR", "http://there")
    run_pack(toy.task(store, toy.trials(1)))
    assert (str(cache_folder()), is_offline(), os.environ["RATESWEEP_MIRROR"]) == ("/there", False, "http://there")
    run_pack(toy.task(store, toy.trials(2), settings={"data": "/here", "offline": True, "mirror": "http://here"}))
    assert (str(cache_folder()), is_offline(), os.environ["RATESWEEP_MIRROR"]) == ("/here", True, "http://here")
