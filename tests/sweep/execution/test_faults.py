"""Workers that die, for real: who is blamed, who is not, and that the others end with the bits of a calm run."""

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
from sweep.kept_logs import live_logs, stored_logs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
Launching = Callable[..., Any]
Outcomes = Callable[[ResultStore], dict[str, Any]]


@pytest.fixture
def executor(ray_executor: Executor) -> Executor:
    from sweep.on_ray.executor import RayExecutor

    return RayExecutor()


@pytest.mark.parametrize(("fault", "path"), [("EXIT", "fused"), ("SEGFAULT", "sequential")])
def test_a_trial_that_kills_its_worker_is_found_and_the_others_complete(
    toy: Any,
    store: ResultStore,
    another_store: ResultStore,
    launch: Launching,
    launch_calmly: Launching,
    outcome_of: Outcomes,
    executor: Executor,
    capfd: pytest.CaptureFixture[str],
    fault: str,
    path: str,
) -> None:
    model = toy.Shift() if path == "fused" else toy.SlowShift()
    calm = toy.trials(1, 2, 3, 4, 5, 6, 6.5, model=model)
    (culprit,) = toy.trials(9, fault=getattr(toy, fault), model=model)
    entry = toy.study([*calm[:3], culprit, *calm[3:]])
    outcome = launch(store, entry, executor=executor, width=8)
    assert (outcome.exit_code, outcome.statuses) == (3, {"completed": 7, "crashed": 1})
    assert capfd.readouterr() == ("", "")  # Ray would tell of every dead worker at length
    (row,) = store.trials(None, [culprit.id]).to_pylist()
    assert row["status"] == "crashed"
    assert row["reason"].startswith("the worker process died")
    assert store.scan("trials").num_rows == 8
    assert store.inflight() == {}
    assert live_logs(store) == {}
    logs = stored_logs(store, culprit.id)
    if fault == "SEGFAULT":  # heard with its neighbours, and at last alone
        assert [log.trials for log in logs][-1] == (culprit.id,)
        assert all("Fatal Python error: Segmentation fault" in log.text and "in act" in log.text for log in logs)
        assert logs[-1].outcome == row["reason"]
    assert all(culprit.id in log.trials for trial in calm for log in stored_logs(store, trial.id))
    assert launch_calmly(another_store, toy.study(calm), width=8).exit_code == 0
    disturbed = outcome_of(store)
    del disturbed[culprit.id]
    assert disturbed == outcome_of(another_store)
    starts = toy.starts().copy()
    again = launch(store, entry, executor=executor, width=8)
    assert (again.exit_code, again.statuses) == (3, {})
    assert toy.starts() == starts


def test_exceptions_are_rows_with_their_traceback_and_message(
    toy: Any, store: ResultStore, launch: Launching, statuses: Callable[..., Any], executor: Executor
) -> None:
    """Also of one that could not travel between processes, of which Ray would lose the message."""
    trials = [*toy.trials(1, 2), *toy.trials(5, fault=toy.RAISE), *toy.trials(6, fault=toy.UNPICKLABLE)]
    outcome = launch(store, toy.study(trials), executor=executor, width=4)
    assert (outcome.exit_code, outcome.statuses) == (3, {"completed": 2, "error": 2})
    assert statuses(store) == {1: "completed", 2: "completed", 5: "error", 6: "error"}
    for culprit, reason in (
        (trials[2], "RuntimeError: number N will not train"),
        (trials[3], "Unpicklable: number N will not travel"),
    ):
        (row,) = store.trials(None, [culprit.id]).to_pylist()
        assert (row["status"], row["reason"]) == ("error", reason)
        assert "in act" in row["traceback"]


def kill_a_worker(store: ResultStore, when: Callable[[], bool], killed: list[int]) -> threading.Thread:
    """SIGKILL for the worker that the in-flight mark names, as soon as `when` holds."""

    def work() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not killed:
            marks = list(store.inflight().values()) if when() else []
            if marks:
                os.kill(marks[0]["process"], signal.SIGKILL)
                killed.append(marks[0]["process"])
            time.sleep(0.01)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_killed_worker_is_replaced_and_nobody_is_blamed(
    toy: Any,
    store: ResultStore,
    another_store: ResultStore,
    launch: Launching,
    launch_calmly: Launching,
    outcome_of: Outcomes,
    executor: Executor,
    checkpoint: bool,
) -> None:
    entry = toy.study(toy.trials(1, 2, 3, 4, steps=96, pause=0.02))
    killed: list[int] = []
    when = (lambda: bool(store.checkpoints())) if checkpoint else (lambda: toy.starts().total() >= 4)
    thread = kill_a_worker(store, when, killed)
    seconds = 0.05 if checkpoint else 60.0
    outcome = launch(store, entry, executor=executor, width=4, checkpoint_seconds=seconds)
    thread.join()
    assert killed
    assert (outcome.exit_code, outcome.statuses) == (0, {"completed": 4})
    assert store.scan("trials").num_rows == 4
    again = [step for number, step in toy.first_steps() if number == 1]
    assert again == ([0, again[-1]] if checkpoint else [0, 0])
    assert (again[-1] > 0) == checkpoint
    assert (store.checkpoints(), store.inflight()) == ([], {})
    assert launch_calmly(another_store, entry, width=4).exit_code == 0
    assert outcome_of(store) == outcome_of(another_store)


def test_a_worker_killed_while_its_next_pack_waits_loses_nothing(
    toy: Any, store: ResultStore, launch: Launching, executor: Executor
) -> None:
    """With two slots and one staged, any worker that dies has packs running, waiting and still to come beside it."""
    entry = toy.study(toy.trials(*(number / 2 for number in range(1, 9)), steps=64, pause=0.01))
    killed: list[int] = []
    thread = kill_a_worker(store, lambda: store.trials().num_rows >= 2, killed)
    outcome = launch(store, entry, executor=executor, width=1)
    thread.join()
    assert killed
    assert (outcome.exit_code, outcome.statuses) == (0, {"completed": 8})
    assert store.scan("trials").num_rows == 8
    assert toy.starts().total() <= 9
