"""Which launches are alive, which are gone, and when one is believed to be at work."""

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

from results.liveness import kernel, seconds_since
from results.store import ResultStore
from sweep.launches import WATCH_SECONDS, gone_launches, silent, surely_at_work_on, where

HERE = socket.gethostname()
NOW = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore.open(tmp_path / "runs", create=True)


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


@pytest.mark.parametrize("said", [None, "yesterday", 7])
def test_a_time_that_is_none_has_no_age(said: object) -> None:
    assert seconds_since(said, NOW) is None
    assert silent({"at": said}, NOW) is None


def test_silence_begins_after_two_minutes() -> None:
    assert silent({"at": (NOW - datetime.timedelta(seconds=110)).isoformat()}, NOW) is None
    assert silent({"at": (NOW - datetime.timedelta(seconds=240)).isoformat()}, NOW) == 240.0


def test_launches_that_are_gone_are_those_that_beat_and_are_not_alive(store: ResultStore) -> None:
    for launch in ("a", "b"):
        store.files.write(f"heartbeats/{launch}.json", b'{"time": "2026-01-01T00:00:00+00:00", "launch": "x"}\n')
    assert [one["seconds"] > 0 for one in gone_launches(store, {"a"})] == [True]


def test_a_launch_is_named_by_its_process_and_host() -> None:
    assert where({"process": 12, "host": "node7"}) == "process 12 on node7"


class Hours:
    """A clock that moves by being slept on, and what happens at its seconds; `told` is why one waits."""

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
        before = len(self.told)
        told, waited = surely_at_work_on(store, ["wide"], self.told.append, self.now, self.sleep)
        assert len(self.told) - before == waited
        return None if told is None else str(told["launch"])


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
    (told,) = hours.told
    assert told.startswith(
        f"process 1 on elsewhere, alive {age:.0f} s ago, was at work on wide, deep and may have been"
    )
    assert hours.found(store) is None  # and nobody waits again
    assert len(hours.told) == 1


def test_a_launch_elsewhere_is_believed_when_it_beats_again(store: ResultStore) -> None:
    beat(store, "alive", -15)
    hours = Hours({5.0: lambda: beat(store, "alive", 5)})
    assert hours.found(store) == "alive"
    assert hours.seconds <= 5 + WATCH_SECONDS
    assert len(hours.told) == 1


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


def test_a_launch_on_this_host_is_told_by_its_process_at_once(store: ResultStore, ended_process: int) -> None:
    beat(store, "ended", 0, host=HERE, process=ended_process)
    hours = Hours()
    assert hours.found(store) is None
    beat(store, "alive", -110, host=HERE, process=os.getpid())
    assert hours.found(store) == "alive"
    assert (hours.seconds, hours.told) == (0.0, [])


@pytest.mark.parametrize("other", ["another boot pid:[4026531836]", f"{kernel()} of a container"])
def test_a_process_number_of_another_kernel_or_container_is_not_believed(store: ResultStore, other: str) -> None:
    beat(store, "elsewhere", 0, host=HERE, process=os.getpid(), kernel=other)
    hours = Hours()
    assert hours.found(store) is None  # watched, though there is a process of that number here
    assert len(hours.told) == 1
