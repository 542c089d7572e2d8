"""Rows as a pack's worker would commit them, and a store to put them in."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from results.backoff import Backoff
from results.store import ResultStore

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture
def moment() -> Callable[[float], datetime.datetime]:
    """The instant so many seconds after the start of 2026."""
    return lambda seconds: START + datetime.timedelta(seconds=seconds)


@pytest.fixture
def attempt(moment: Callable[[float], datetime.datetime]) -> Callable[..., dict[str, Any]]:
    """A row of `trials`: attempt(trial, attempt, ended at, **other columns)."""

    def row(trial: str, attempt: str, ended: float = 0.0, **columns: Any) -> dict[str, Any]:
        plain = {"trial": trial, "attempt": attempt, "setting": f"s-{trial}", "seed": 0, "status": "completed"}
        return plain | {"step": 10, "started": moment(-1), "finished": moment(ended)} | columns

    return row


@pytest.fixture
def metric(moment: Callable[[float], datetime.datetime]) -> Callable[..., dict[str, Any]]:
    """A row of `metrics`: metric(trial, attempt, quantity, value, evaluated at, **other columns)."""

    def row(
        trial: str, attempt: str, quantity: str, value: float, evaluated: float = 0.0, **columns: Any
    ) -> dict[str, Any]:
        plain = {"trial": trial, "attempt": attempt, "quantity": quantity, "version": 1, "weights": "last"}
        return plain | {"value": value, "unit": "nats", "goal": "none", "evaluated": moment(evaluated)} | columns

    return row


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest) -> ResultStore:
    """A new store, on every kind of storage in turn."""
    if request.param == "folder":
        return ResultStore.open(request.getfixturevalue("tmp_path") / "runs", create=True)
    storage, bucket = request.getfixturevalue("object_storage"), request.getfixturevalue("bucket")
    return ResultStore.open(storage.address(f"{bucket}/runs"), create=True)


@pytest.fixture
def folder_store(tmp_path: Path) -> ResultStore:
    """A new store in a folder."""
    return ResultStore.open(tmp_path / "runs", create=True)


class Clock:
    """Time that passes only while somebody sleeps. slept: how long, each time."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def backoff(self, **changes: float) -> Backoff:
        """The usual patience, by this clock and without chance."""
        return Backoff(clock=lambda: sum(self.slept), sleep=self.slept.append, chance=lambda: 0.0, **changes)


@pytest.fixture
def clock() -> Clock:
    return Clock()
