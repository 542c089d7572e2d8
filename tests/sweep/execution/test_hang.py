"""Workers that hang, for real: they are ended, their packs run again, and only who hangs each time has timed out."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from results.store import ResultStore
from sweep.executor import Executor
from sweep.on_ray.executor import RayExecutor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
HANG_SECONDS = 5.0  # without a sign of life; they come once a second, and later on a busy machine
Launching = Callable[..., Any]
Outcomes = Callable[[ResultStore], dict[str, Any]]


@pytest.fixture
def executor(ray_executor: Executor) -> Executor:
    return RayExecutor()


def test_a_stopped_worker_is_ended_and_its_pack_goes_on_from_its_checkpoint(
    toy: Any,
    store: ResultStore,
    another_store: ResultStore,
    launch: Launching,
    launch_calmly: Launching,
    outcome_of: Outcomes,
    executor: Executor,
) -> None:
    entry = toy.study(toy.trials(1, 2, 3, 4, steps=96, pause=0.02))
    stopped: list[int] = []

    def stop() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not stopped:
            for mark in store.inflight().values() if store.checkpoints() else ():
                os.kill(mark["process"], signal.SIGSTOP)
                stopped.append(mark["process"])
            time.sleep(0.01)

    thread = threading.Thread(target=stop)
    thread.start()
    outcome = launch(store, entry, executor=executor, width=4, checkpoint_seconds=0.05, hang_seconds=HANG_SECONDS)
    thread.join()
    assert len(stopped) == 1
    assert (outcome.exit_code, outcome.statuses) == (0, {"completed": 4})
    assert store.scan("trials").num_rows == 4
    first, again = (step for number, step in toy.first_steps() if number == 1)
    assert first == 0 < again
    assert (store.checkpoints(), store.inflight()) == ([], {})
    assert not any(process == stopped[0] for process in children())
    assert launch_calmly(another_store, entry, width=4).exit_code == 0
    assert outcome_of(store) == outcome_of(another_store)


def children() -> list[int]:
    import psutil

    return [process.pid for process in psutil.Process().children(recursive=True)]


def test_a_trial_that_hangs_each_time_has_timed_out_and_its_neighbour_completes(
    toy: Any,
    store: ResultStore,
    another_store: ResultStore,
    launch: Launching,
    launch_calmly: Launching,
    outcome_of: Outcomes,
    executor: Executor,
) -> None:
    """An endless loop in native code, which holds the interpreter: nothing in the process could end it."""
    (innocent,), (culprit,) = toy.trials(1), toy.trials(2, fault=toy.HANG)
    entry = toy.study([innocent, culprit])
    outcome = launch(store, entry, executor=executor, width=2, hang_seconds=HANG_SECONDS)
    assert (outcome.exit_code, outcome.statuses) == (3, {"completed": 1, "timeout": 1})
    (row,) = store.trials(None, [culprit.id]).to_pylist()
    assert row["status"] == "timeout"
    assert store.scan("trials").num_rows == 2
    starts = toy.starts()
    assert starts[2] == 5  # twice together, then thrice by itself
    assert starts[1] in (3, 4)  # on a busy machine, it may seem to hang once itself
    assert (store.checkpoints(), store.inflight()) == ([], {})
    assert launch_calmly(another_store, toy.study([innocent]), width=2).exit_code == 0
    assert outcome_of(store)[innocent.id] == outcome_of(another_store)[innocent.id]
    assert launch(store, entry, executor=executor, width=2).statuses == {}
    assert toy.starts() == starts + Counter({1: 1})  # it failed, and is not tried again unasked
