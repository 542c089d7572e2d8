"""What is removed of launches that look dead, and what is spared."""

from __future__ import annotations

import datetime
import json
import os
import socket
from pathlib import Path

import pytest

from results.liveness import kernel
from results.store import ResultStore
from sweep.launches import live_launches
from sweep.leftovers import TIDY_SECONDS, tidy
from sweep.worker_log import FOLDER

HERE = socket.gethostname()


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore.open(tmp_path / "runs", create=True)


def leave(store: ResultStore, launch: str, host: str, process: int, age: float, **more: str) -> None:
    """What a launch has in the store while it runs a pack, its heartbeat so many seconds old by this host's clock."""
    at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age)
    beat = {"launch": launch, "studies": [], "host": host, "process": process, "time": at.isoformat()}
    store.files.write(f"heartbeats/{launch}.json", json.dumps(beat | more).encode())
    store.request_stop(launch)
    store.request_stop(f"{launch}.pack")
    store.mark_inflight(launch, {"launch": launch})
    log = {"log": launch, "pack": launch, "launch": launch, "host": host, "process": process, "trials": ["t"]}
    header = json.dumps(log | {"started": at.isoformat()})
    store.files.write(f"{FOLDER}/{launch}.log", f"{header}\nwords\n".encode())


def left(store: ResultStore) -> list[str]:
    return [name for folder in ("heartbeats", "stops", "inflight", FOLDER) for name in store.files.names(folder)]


@pytest.mark.parametrize("age", [0.0, 119.0, 121.0, 0.95 * TIDY_SECONDS, -121.0, -0.95 * TIDY_SECONDS])
def test_a_launch_on_a_host_whose_clock_differs_keeps_all_that_it_has(store: ResultStore, age: float) -> None:
    leave(store, "far", "elsewhere", 1, age)
    leave(store, "near", HERE, os.getpid(), age)
    before = left(store)
    assert len(before) == 10
    tidy(store)
    assert left(store) == before
    assert store.scan("logs").num_rows == 0
    assert sorted(live_launches(store)) == (["far", "near"] if abs(age) < 120 else [])


@pytest.mark.parametrize(("host", "age"), [("elsewhere", 1.05), ("elsewhere", -1.05), (HERE, 0.0), (HERE, 0.5)])
def test_of_a_launch_that_is_surely_dead_its_words_alone_are_kept(
    store: ResultStore, ended_process: int, host: str, age: float
) -> None:
    leave(store, "dead", host, ended_process, age * TIDY_SECONDS)
    assert live_launches(store) == {}
    tidy(store)
    assert left(store) == []
    assert store.scan("logs", ["launch", "text"]).to_pylist() == [{"launch": "dead", "text": "words\n"}]


@pytest.mark.parametrize("other", ["another boot pid:[4026531836]", f"{kernel()} of a container"])
def test_a_process_number_of_another_kernel_or_container_says_nothing(
    store: ResultStore, ended_process: int, other: str
) -> None:
    """As that of a pod in its host's network, which has the host's name and numbers of its own."""
    leave(store, "elsewhere", HERE, ended_process, 5.0, kernel=other)
    leave(store, "ended", HERE, ended_process, 5.0, kernel=kernel())
    before = left(store)
    assert list(live_launches(store)) == ["elsewhere"]
    tidy(store)
    assert left(store) == [name for name in before if "elsewhere" in name] != []
