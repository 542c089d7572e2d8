"""Rows as a pack's worker would commit them, and a store to put them in."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore.open(tmp_path / "runs", create=True)
