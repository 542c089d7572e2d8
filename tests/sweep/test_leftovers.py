"""What is removed of launches that look dead, and what is spared."""

from __future__ import annotations

import datetime
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from results.liveness import kernel
from results.store import ResultStore
from sweep.leftovers import TIDY_SECONDS, WATCH_SECONDS, live_launches, surely_at_work_on, tidy
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


@pytest.mark.parametrize("other", ["another boot pid:[4026531836]", f"{kernel()} of a container"])
def test_a_process_number_of_another_kernel_or_container_says_nothing(store: ResultStore, other: str) -> None:
    """As that of a pod in its host's network, which has the host's name and numbers of its own."""
    leave(store, "elsewhere", HERE, ended_process(), 5.0, kernel=other)
    leave(store, "ended", HERE, ended_process(), 5.0, kernel=kernel())
    before = left(store)
    assert list(live_launches(store)) == ["elsewhere"]
    tidy(store)
    assert left(store) == [name for name in before if "elsewhere" in name] != []
    beat(store, "elsewhere", 0, host=HERE, process=os.getpid(), kernel=other)
    hours = Hours()
    assert hours.found(store) is None  # watched, though there is a process of that number here
    assert hours.told == ["elsewhere"]


def test_a_heartbeat_says_of_which_kernel_its_process_is(store: ResultStore) -> None:
    store.beat("mine")
    told = subprocess.run(
        [sys.executable, "-c", "from results.liveness import kernel; print(kernel())"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert store.beating()["mine"]["kernel"] == told.stdout.rstrip("\n") == kernel()
    assert bool(kernel()) == sys.platform.startswith("linux")


# Whether another launch is at work on a study


class Hours:
    """A clock that moves by being slept on, and what happens at its seconds; `told` is what one waits for."""

    def __init__(self, events: dict[float, Callable[[], None]] | None = None) -> None:
        self.seconds = 0.0
        self.events = events or {}
        self.told: list[str] = []

    def now(self) -> datetime.datetime:
        return NOW + datetime.timedelta(seconds=self.seconds)

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        for when in [when for when in self.events if when <= self.seconds]:
            self.events.pop(when)()

    def found(self, store: ResultStore) -> str | None:
        """Who is surely at work on the study "wide"."""
        told = surely_at_work_on(store, ["wide"], lambda one: self.told.append(one["launch"]), self.now, self.sleep)
        return None if told is None else str(told["launch"])


NOW = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)


def beat(store: ResultStore, launch: str, at: float, **more: Any) -> None:
    """A heartbeat of a launch elsewhere, so many seconds after noon."""
    time = NOW + datetime.timedelta(seconds=at)
    record = {"launch": launch, "studies": ["wide", "deep"], "host": "elsewhere", "process": 1}
    store.files.write(f"heartbeats/{launch}.json", json.dumps(record | {"time": time.isoformat()} | more).encode())


@pytest.mark.parametrize("age", [3.0, 100.0, -30.0])
def test_a_launch_elsewhere_that_was_killed_holds_up_the_next_until_its_heartbeat_is_old(
    store: ResultStore, age: float
) -> None:
    beat(store, "killed", -age)
    hours = Hours()
    assert hours.found(store) is None
    assert 0 <= hours.seconds - (120 - age) <= WATCH_SECONDS
    assert hours.told == ["killed"]
    assert hours.found(store) is None  # and nobody waits again
    assert hours.told == ["killed"]


def test_a_launch_elsewhere_is_believed_when_it_beats_again(store: ResultStore) -> None:
    beat(store, "alive", -15)
    hours = Hours({5.0: lambda: beat(store, "alive", 5)})
    assert hours.found(store) == "alive"
    assert hours.seconds <= 5 + WATCH_SECONDS
    assert hours.told == ["alive"]


def test_nobody_waits_for_a_launch_that_ends_or_is_of_other_studies(store: ResultStore) -> None:
    beat(store, "other", -15, studies=["narrow"])
    hours = Hours({7.0: lambda: store.clear_beat("ending")})
    assert (hours.found(store), hours.told) == (None, [])
    beat(store, "ending", -15)
    assert hours.found(store) is None
    assert hours.seconds <= 7 + WATCH_SECONDS


def test_a_launch_that_begins_meanwhile_is_watched_too(store: ResultStore) -> None:
    beat(store, "killed", -15)
    hours = Hours({95.0: lambda: beat(store, "new", 95), 115.0: lambda: beat(store, "new", 115)})
    assert hours.found(store) == "new"
    assert hours.seconds <= 115 + WATCH_SECONDS


def test_a_launch_on_this_host_is_told_by_its_process_at_once(store: ResultStore) -> None:
    beat(store, "ended", 0, host=HERE, process=ended_process())
    hours = Hours()
    assert hours.found(store) is None
    beat(store, "alive", -110, host=HERE, process=os.getpid())
    assert hours.found(store) == "alive"
    assert (hours.seconds, hours.told) == (0.0, [])
