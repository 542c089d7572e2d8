"""What every executor must do, of both: all packs once, true counts, a clean stop, a calibration."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from results.store import ResultStore
from sweep.executor import Executor

Launching = Callable[..., Any]


def test_every_pack_is_run_once(
    toy: Any, store: ResultStore, launch: Launching, statuses: Callable[..., Any], executor: Executor
) -> None:
    entry = toy.study(toy.trials(*range(1, 11)))
    outcome = launch(store, entry, executor=executor, width=4)
    assert (outcome.exit_code, outcome.statuses, outcome.fault) == (0, {"completed": 10}, "")
    assert toy.starts() == dict.fromkeys(range(1, 11), 1)
    assert statuses(store) == dict.fromkeys(range(1, 11), "completed")
    rows = store.trials(["pack", "source", "threads"])
    assert len(set(rows["pack"].to_pylist())) == 3
    assert set(rows["source"].to_pylist()) == {toy.module.sha256}
    assert set(rows["threads"].to_pylist()) == {1}
    assert (store.inflight(), store.checkpoints(), store.beating()) == ({}, [], {})
    assert not (store.root / "tune").exists()
    again = launch(store, entry, executor=executor, width=4)
    assert (again.exit_code, again.statuses) == (0, {})
    assert toy.starts().total() == 10


def test_failures_are_counted_as_the_rows_say(
    toy: Any, store: ResultStore, launch: Launching, statuses: Callable[..., Any], executor: Executor
) -> None:
    trials = [
        *toy.trials(1, 2, 3),
        *toy.trials(4, diverges=9.0),
        *toy.trials(5, fault=toy.RAISE),
        *toy.trials(6),
    ]
    outcome = launch(store, toy.study(trials), executor=executor, width=3)
    assert outcome.exit_code == 3
    assert outcome.statuses == {"completed": 4, "diverged": 1, "error": 1}
    expected = dict.fromkeys((1, 2, 3, 6), "completed") | {4: "diverged", 5: "error"}
    assert statuses(store) == expected
    retried = launch(store, toy.study(trials), executor=executor, width=3, retry=("error",))
    assert (retried.exit_code, retried.statuses) == (3, {"error": 1})
    assert statuses(store) == expected


def test_a_second_study_trains_only_what_the_first_did_not_and_measures_what_it_lacks(
    toy: Any, store: ResultStore, launch: Launching, executor: Executor
) -> None:
    launch(store, toy.study(toy.trials(1, 2, 3)), executor=executor, width=2)
    half = toy.named(toy.HALF_RATE)
    second = toy.study(toy.trials(2, 3, 4), toy.quantity, half, name="toy/second")
    outcome = launch(store, second, executor=executor, width=2)
    assert (outcome.exit_code, outcome.statuses) == (0, {"completed": 1, "evaluated": 2})
    assert toy.starts() == {1: 1, 2: 1, 3: 1, 4: 1}
    names = store.scan("metrics", ["quantity"])["quantity"].to_pylist()
    assert (names.count("rate"), names.count("half_rate")) == (4, 3)


def test_a_signal_stops_cleanly_and_the_next_launch_ends_it(
    toy: Any,
    store: ResultStore,
    another_store: ResultStore,
    launch: Launching,
    outcome_of: Callable[..., Any],
    executor: Executor,
) -> None:
    entry = toy.study(toy.trials(1, 2, 3, 4, 5, 6, steps=48, pause=0.005))

    def interrupt_after_a_commit() -> None:
        while not any((store.root / "trials").glob("*.parquet")):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=interrupt_after_a_commit)
    thread.start()
    outcome = launch(store, entry, executor=executor, width=1, checkpoint_seconds=0.01)
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is before
    assert (outcome.interrupted, outcome.exit_code) == (True, 75)
    done = set(store.trials(["trial"])["trial"].to_pylist())
    assert 1 <= len(done) < 6
    assert outcome.statuses == {"completed": len(done)}
    assert (store.inflight(), store.beating()) == ({}, {})
    assert not list((store.root / "stops").glob("*.json"))
    assert launch(store, entry, executor=executor, width=1).exit_code == 0
    assert store.checkpoints() == []
    assert store.scan("trials").num_rows == 6
    assert launch(another_store, entry, width=1).exit_code == 0
    assert outcome_of(store) == outcome_of(another_store)


def test_a_store_that_cannot_be_written_stops_the_launch(
    toy: Any, store: ResultStore, launch: Launching, executor: Executor
) -> None:
    trials = store.root / "trials"
    trials.write_text("no folder")
    entry = toy.study(toy.trials(1, 2))
    with pytest.raises(Exception, match="trials"):
        launch(store, entry, executor=executor)


def test_calibration_gives_a_decision_that_is_stored_and_used(
    toy: Any, store: ResultStore, launch: Launching, executor: Executor
) -> None:
    trials = toy.trials(*range(1, 5))
    outcome = launch(store, toy.study(trials), executor=executor, calibrate=True)
    assert outcome.exit_code == 0
    decision = store.decisions()[trials[0].shape, "cpu"]
    assert decision["source"] == "calibrated"
    rows = store.trials(["width", "path"]).to_pylist()
    assert all((row["width"], row["path"]) == (decision["width"], decision["path"]) for row in rows)
