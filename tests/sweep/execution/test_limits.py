"""What bounds a launch: packs at once, its time, a request in the store, another launch, and failures all alike."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from results.store import ResultStore
from studies.paths import StudyError
from sweep.cli.main import main
from sweep.executor import Executor
from sweep.on_ray.executor import RayExecutor

Launching = Callable[..., Any]
Outcomes = Callable[[ResultStore], dict[str, Any]]
PATIENCE = 120.0


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.01)


class Beside(threading.Thread):
    """A launch in a thread of its own. outcome: what it gave, or the error that it raised."""

    def __init__(self, launched: Callable[[], Any]) -> None:
        super().__init__()
        self.launched = launched
        self.outcome: Any = None
        self.start()

    def run(self) -> None:
        try:
            self.outcome = self.launched()
        except Exception as error:  # noqa: BLE001 - for whoever joins
            self.outcome = error


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_more_packs_run_at_once_than_are_asked_for(
    toy: Any, store: ResultStore, launch: Launching, ray_executor: Executor
) -> None:
    """On a Ray with room for two."""
    entry = toy.study(toy.trials(1, 2, 3, 4, 5, 6, steps=32, pause=0.02))
    beside = Beside(lambda: launch(store, entry, executor=RayExecutor(most=1), width=1))
    seen = []
    while beside.is_alive():
        seen.append(len(store.inflight()))
        time.sleep(0.005)
    assert (beside.outcome.exit_code, beside.outcome.statuses) == (0, {"completed": 6})
    assert set(seen) == {0, 1}
    started = sorted(row["started"] for row in store.trials().to_pylist())
    finished = sorted(row["finished"] for row in store.trials().to_pylist())
    assert all(ended <= begun for ended, begun in zip(finished, started[1:], strict=False))


@pytest.mark.slow
def test_a_launch_ends_after_its_time_and_the_next_goes_on(
    toy: Any,
    store: ResultStore,
    another_store: ResultStore,
    launch: Launching,
    launch_calmly: Launching,
    outcome_of: Outcomes,
) -> None:
    entry = toy.study(toy.trials(1, 2, 3, 4, steps=96, pause=0.03))
    assert launch_calmly(another_store, entry, width=4).exit_code == 0
    toy.forget()
    outcome = launch(store, entry, width=4, seconds=1.0, checkpoint_seconds=0.3)
    assert (outcome.exit_code, outcome.statuses, outcome.interrupted) == (75, {}, True)
    assert len(store.checkpoints()) == 1
    assert store.scan("launches")["event"].to_pylist() == ["started", "interrupted"]
    assert launch(store, entry, width=4).exit_code == 0
    first, again = (step for number, step in toy.first_steps() if number == 1)
    assert first == 0 < again
    assert outcome_of(store) == outcome_of(another_store)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_launch_can_be_stopped_from_wherever_its_store_is_seen(
    toy: Any,
    store: ResultStore,
    another_store: ResultStore,
    launch: Launching,
    launch_calmly: Launching,
    outcome_of: Outcomes,
    ray_executor: Executor,
) -> None:
    entry = toy.study(toy.trials(1, 2, 3, 4, 5, 6, steps=96, pause=0.02))
    options: dict[str, Any] = {"width": 2, "checkpoint_seconds": 0.1}
    beside = Beside(lambda: launch(store, entry, executor=RayExecutor(), **options))
    until(lambda: bool(store.checkpoints()))
    (identity,) = store.beating()
    store.request_stop(identity)
    beside.join(PATIENCE)
    assert beside.outcome.exit_code == 75
    assert (store.inflight(), store.beating(), store.stop_requested(identity)) == ({}, {}, False)
    assert store.checkpoints()
    assert launch(store, entry, executor=RayExecutor(), **options).exit_code == 0
    assert any(step > 0 for _, step in toy.first_steps())
    assert launch_calmly(another_store, entry, width=2).exit_code == 0
    assert outcome_of(store) == outcome_of(another_store)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_second_launch_is_refused_and_one_that_is_forced_neither_loses_nor_doubles(
    toy: Any,
    store: ResultStore,
    another_store: ResultStore,
    launch: Launching,
    launch_calmly: Launching,
    outcome_of: Outcomes,
    ray_executor: Executor,
) -> None:
    entry = toy.study(toy.trials(1, 2, 3, 4, 5, 6, steps=64, pause=0.02))
    other = toy.study(toy.trials(7), name="toy/other")
    beside = Beside(lambda: launch(store, entry, executor=RayExecutor(), width=2))
    until(lambda: bool(store.inflight()))
    with pytest.raises(StudyError, match=r"toy/some is being launched by process \d+ on .*--force"):
        launch(store, entry, width=2)
    assert launch(store, other, width=2).exit_code == 0  # no study in common
    forced = launch(store, entry, width=2, beside=True)
    beside.join(PATIENCE)
    assert (forced.exit_code, beside.outcome.exit_code) == (0, 0)
    finished = store.scan("trials", ["trial", "status"]).to_pylist()
    assert {row["status"] for row in finished} == {"completed"}
    assert store.trials().num_rows == len({row["trial"] for row in finished}) == 7
    assert max(toy.starts().values()) <= 2
    assert launch_calmly(another_store, entry, width=2).exit_code == 0
    found = outcome_of(store)
    assert {trial: found[trial] for trial in outcome_of(another_store)} == outcome_of(another_store)


def test_a_launch_whose_first_dozen_trials_fail_alike_is_stopped_and_says_why(
    write_toy: Callable[..., Path],
    started: Callable[[Path], list[tuple[float, int]]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = write_toy(tmp_path / "toy.py", tmp_path / "starts", "hopeless", trials=40)
    arguments = ["launch", f"{file}:hopeless", "--store", str(tmp_path / "store"), "--executor", "local", "--pack", "4"]
    assert main(arguments) == 3
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    assert "the trials that ended first all failed alike" in told.err
    assert "RuntimeError: number N will not train" in told.err
    store = ResultStore.open(tmp_path / "store")
    rows = store.scan("trials", ["status", "reason"]).to_pylist()
    assert len(rows) == 12
    assert {(row["status"], row["reason"]) for row in rows} == {("error", "RuntimeError: number N will not train")}
    assert len({number for number, _ in started(tmp_path / "starts")}) == 12
    assert (store.inflight(), store.beating()) == ({}, {})
    assert main([*arguments, "--first-failures", "0"]) == 3
    assert store.scan("trials").num_rows == 40
