"""What is removed of launches that look dead, and what is spared."""

from __future__ import annotations

import datetime
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from results.store import ResultStore
from sweep.leftovers import TIDY_SECONDS, live_launches, tidy
from sweep.worker_log import FOLDER

HERE = socket.gethostname()


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore.open(tmp_path / "runs", create=True)


def leave(store: ResultStore, launch: str, host: str, process: int, age: float) -> None:
    """What a launch has in the store while it runs a pack, its heartbeat so many seconds old by this host's clock."""
    at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age)
    beat = {"launch": launch, "studies": [], "host": host, "process": process, "time": at.isoformat()}
    store.files.write(f"heartbeats/{launch}.json", json.dumps(beat).encode())
    store.request_stop(launch)
    store.request_stop(f"{launch}.pack")
    store.mark_inflight(launch, {"launch": launch})
    log = {"log": launch, "pack": launch, "launch": launch, "host": host, "process": process, "trials": ["t"]}
    header = json.dumps(log | {"started": at.isoformat()})
    store.files.write(f"{FOLDER}/{launch}.log", f"{header}\nwords\n".encode())


def left(store: ResultStore) -> list[str]:
    return [name for folder in ("heartbeats", "stops", "inflight", FOLDER) for name in store.files.names(folder)]


def ended_process() -> int:
    child = subprocess.Popen([sys.executable, "-S", "-c", ""])
    child.wait()
    return child.pid


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
def test_of_a_launch_that_is_surely_dead_its_words_alone_are_kept(store: ResultStore, host: str, age: float) -> None:
    leave(store, "dead", host, ended_process(), age * TIDY_SECONDS)
    assert live_launches(store) == {}
    tidy(store)
    assert left(store) == []
    assert store.scan("logs", ["launch", "text"]).to_pylist() == [{"launch": "dead", "text": "words\n"}]
