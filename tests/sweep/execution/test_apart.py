"""What is trained and then evaluated by packs of their own: the same values, whatever ends the launch in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from results.store import ResultStore
from studies.catalogue import find
from sweep.executor import Executor
from sweep.plan import plan_study
from sweep.run import run_pack

Launching = Callable[..., Any]
Outcomes = Callable[[ResultStore], dict[str, Any]]
MENDED = "RATESWEEP_TEST_MENDED"


@pytest.mark.parametrize("path", ["fused", "sequential"])
def test_everything_is_as_if_it_had_been_evaluated_where_it_was_trained(
    toy: Any,
    store: ResultStore,
    another_store: ResultStore,
    launch: Launching,
    outcome_of: Outcomes,
    executor: Executor,
    path: str,
) -> None:
    """Whole packs and one that is not full, trials that diverge, raise, or cannot be measured, and prerequisites."""
    model = toy.Shift() if path == "fused" else toy.SlowShift()
    trials = [
        *toy.trials(1, 2, 3, 10, 11, steps=64, rate=0.2, model=model),
        *toy.trials(4, diverges=9.0, model=model),
        *toy.trials(5, fault=toy.RAISE, model=model),
        *toy.trials(7, steps=64, rate=0.2, model=model),
    ]
    entry = toy.study(trials, toy.quantity, toy.named(toy.MEAN), toy.named(toy.DISTANCE))
    apart = launch(store, entry, executor=executor, width=3, evaluate="apart")
    within = launch(another_store, entry, width=3)
    assert (apart.exit_code, apart.fault, apart.traceback) == (3, "", "")
    assert apart.statuses == within.statuses
    assert apart.statuses == {"completed": 6, "diverged": 1, "error": 2, "evaluation_failed": 2}
    assert outcome_of(store) == outcome_of(another_store)
    assert (store.inflight(), store.checkpoints()) == ({}, [])
    plan = plan_study(entry.study, store)
    assert (plan.pending, plan.unevaluated) == ((), {})
    again = launch(store, entry, executor=executor, width=3, evaluate="apart")
    assert (again.exit_code, again.statuses) == (3, {})


def test_what_was_trained_is_in_the_store_before_any_of_it_is_evaluated(
    toy: Any, store: ResultStore, launch: Launching, executor: Executor
) -> None:
    """Packs that train wait for no prerequisites: only to measure needs them."""
    entry = toy.study(toy.trials(1, 2, 3), toy.named(toy.MEAN), toy.named(toy.DISTANCE))
    assert launch(store, entry, executor=executor, width=2, evaluate="apart").exit_code == 0
    rows = store.trials().to_pylist()
    assert {row["evaluate_seconds"] for row in rows} == {0.0}
    metrics = store.scan("metrics").to_pylist()
    trained = {row["trial"]: row["finished"] for row in rows}
    assert len(metrics) == 6
    assert all(trained[row["trial"]] <= row["evaluated"] for row in metrics)
    assert all(trained[row["prerequisite"]] <= row["evaluated"] for row in metrics if row["prerequisite"])


@pytest.mark.slow
@pytest.mark.parametrize("resumed", ["apart", "within"])
def test_a_launch_that_is_killed_in_between_is_ended_by_the_next(
    write_toy: Callable[..., Path],
    tmp_path: Path,
    store: ResultStore,
    another_store: ResultStore,
    launch: Launching,
    outcome_of: Outcomes,
    monkeypatch: pytest.MonkeyPatch,
    resumed: str,
) -> None:
    """The local executor's process, which has no workers, dies by what it evaluates."""
    path = write_toy(tmp_path / "toy.py", tmp_path / "starts", f"killed-{resumed}")
    command = [sys.executable, "-m", "sweep", "launch", f"{path}:doomed", "--store", store.root, "--executor", "local"]
    killed = subprocess.run(
        [*command, "--device", "cpu", "--evaluate", "apart"], capture_output=True, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert store.trials(["status"])["status"].to_pylist() == ["completed"] * 4
    assert store.scan("metrics").num_rows == 0
    (entry,) = find([f"{path}:doomed"])
    monkeypatch.setenv(MENDED, "1")
    outcome = launch(store, entry, evaluate=resumed)
    assert (outcome.exit_code, outcome.statuses) == (0, {"evaluated": 4})
    assert len(list((tmp_path / "starts").iterdir())) == 4
    assert launch(another_store, entry).exit_code == 0
    assert outcome_of(store) == outcome_of(another_store)


def test_a_stop_in_between_leaves_what_was_trained_to_be_evaluated(
    toy: Any,
    store: ResultStore,
    another_store: ResultStore,
    launch: Launching,
    outcome_of: Outcomes,
    executor: Executor,
) -> None:
    """A signal as soon as a pack is trained; in this process the next one stops at a checkpoint, and none evaluates."""
    entry = toy.study(toy.trials(1, 2, 3, 4, steps=64, pause=0.01))

    def interrupt_after_a_commit() -> None:
        while not any((store.root / "trials").glob("*.parquet")):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=interrupt_after_a_commit)
    thread.start()
    outcome = launch(store, entry, executor=executor, width=1, checkpoint_seconds=0.01, evaluate="apart")
    thread.join()
    assert (outcome.interrupted, outcome.exit_code) == (True, 75)
    done = store.trials().num_rows
    assert 1 <= done < 4
    assert outcome.statuses == {"completed": done}
    if executor.name == "local":
        assert store.scan("metrics").num_rows == 0
    assert store.inflight() == {}
    ended = launch(store, entry, executor=executor, width=1, evaluate="apart")
    assert ended.exit_code == 0
    assert ended.statuses["completed"] == 4 - done
    assert store.scan("trials").num_rows == store.scan("metrics").num_rows == 4
    assert launch(another_store, entry, width=1).exit_code == 0
    assert outcome_of(store) == outcome_of(another_store)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("quantity", ["fatal", "losing"])
def test_a_trial_that_kills_the_worker_that_evaluates_it_stays_trained(
    toy: Any, store: ResultStore, launch: Launching, ray_executor: Executor, quantity: str
) -> None:
    """By a signal, or because its device fails: a worker whose GPU is lost ends itself, lest others fail for it."""
    from sweep.on_ray.executor import RayExecutor

    measured = toy.named(getattr(toy, quantity.upper()))
    entry = toy.study(toy.trials(1, 2, 8, 3, steps=64, rate=0.2), toy.quantity, measured)
    outcome = launch(store, entry, executor=RayExecutor(), width=4, evaluate="apart")
    assert (outcome.exit_code, outcome.statuses) == (3, {"completed": 3, "crashed": 1})
    assert store.trials(["status"])["status"].to_pylist() == ["completed"] * 4
    assert store.scan("trials").num_rows == 4
    culprit = entry.study.trials()[2]
    plan = plan_study(entry.study, store)
    assert list(plan.unmeasured) == [culprit.id]
    assert plan.unmeasured[culprit.id].startswith("the worker process died")
    errors = {row["quantity"]: row["error"] for row in store.winning("metrics").to_pylist() if row["error"]}
    assert list(errors) == ["rate", quantity]


def test_trials_that_were_not_trained_are_not_evaluated(toy: Any, store: ResultStore) -> None:
    trials = [*toy.trials(1, 2), *toy.trials(4, diverges=9.0), *toy.trials(5, fault=toy.RAISE), *toy.trials(6)]
    assert run_pack(toy.task(store, trials, quantities=())).counts == {"completed": 3, "diverged": 1, "error": 1}
    assert store.scan("metrics").num_rows == 0
    assert run_pack(toy.task(store, trials, task="evaluate")).counts == {"evaluated": 3}
    rows = store.scan("metrics", ["trial", "value", "error"]).to_pylist()
    assert [row["trial"] for row in rows] == [trials[0].id, trials[1].id, trials[4].id]
    means = [store.weights(row["trial"])["mean"][0] for row in rows]
    np.testing.assert_allclose([row["value"] for row in rows], 0.5 * np.square(means), rtol=1e-6)
    assert run_pack(toy.task(store, trials[2:4], task="evaluate")).counts == {}
