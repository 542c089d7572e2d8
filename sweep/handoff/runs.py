"""Runs: what other tools are told of a trial, read from the store in portions."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow.compute as pc

from results.store import ResultStore
from studies.study import Study

PORTION = 500  # trials read at a time: curves are the largest part of a store
FAILED_TO_MEASURE = "not measured: "


@dataclass(frozen=True, kw_only=True)
class Run:
    """A trial as another tool knows it: one attempt, the one that counts.

    parameters: the specification, flat: 'objective.beta[0]' -> 1.0. values: quantity -> final value. curves: name ->
    (steps, values). tags: trial, setting, seed, study, status and the like.
    """

    attempt: str
    trial: str
    status: str
    parameters: Mapping[str, str | float | int | bool]
    values: Mapping[str, float]
    curves: Mapping[str, tuple[Sequence[int], Sequence[float]]]
    tags: Mapping[str, str]
    step: int
    started: datetime.datetime
    finished: datetime.datetime

    @property
    def by_step(self) -> dict[int, dict[str, float]]:
        """The curves step by step, in the order of steps."""
        found: dict[int, dict[str, float]] = {}
        for name, (steps, values) in self.curves.items():
            for step, value in zip(steps, values, strict=True):
                found.setdefault(step, {})[name] = value
        return dict(sorted(found.items()))

    def at(self, step: int) -> float:
        """When a step was made, in seconds since the epoch, as if all had taken equally long."""
        begun, ended = self.started.timestamp(), self.finished.timestamp()
        return begun + (ended - begun) * min(1.0, step / self.step if self.step else 1.0)


class Tracker(Protocol):
    """Where runs are written to. A run that is not whole, for its writer was killed, is none and is written again."""

    def known(self) -> Collection[str]:
        """The attempts that are there already."""

    def add(self, run: Run) -> None:
        """Writes a run, whole or not at all."""


class HandoffError(Exception):
    """A hand-off that cannot be: the library is missing, or what it was told to write to does not answer."""


def hand_over(study: Study, store: ResultStore, tracker: Tracker) -> tuple[int, int]:
    """Writes the stored trials of a study that are not there yet; (how many were written, how many were there)."""
    there = frozenset(tracker.known())
    winners = store.trials(["trial", "attempt"], [trial.id for trial in study.trials()])
    missing = [row["trial"] for row in winners.to_pylist() if row["attempt"] not in there]
    written = 0
    for run in runs(study, store, missing):
        tracker.add(run)
        written += 1
    return written, len(winners) - len(missing)


def runs(study: Study, store: ResultStore, trials: Sequence[str]) -> Iterator[Run]:
    """What is stored of these trials, in this order."""
    for start in range(0, len(trials), PORTION):
        portion = trials[start : start + PORTION]
        winners = store.trials(None, portion)
        values, faults = _values(store, portion, winners)
        curves: dict[str, dict[str, tuple[Sequence[int], Sequence[float]]]] = {}
        for row in store.winning("curves", ["trial", "name", "step", "value"], portion, winners=winners).to_pylist():
            curves.setdefault(row["trial"], {})[row["name"]] = (row["step"], row["value"])
        rows = {row["trial"]: row for row in winners.to_pylist()}
        for trial in (one for one in portion if one in rows):
            yield _run(study, rows[trial], values.get(trial, {}), faults.get(trial, {}), curves.get(trial, {}))


def _values(
    store: ResultStore, trials: Sequence[str], winners: Any
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, str]]]:
    """(final values, why others are lacking), each by trial and quantity; of several versions the latest."""
    columns = ["trial", "quantity", "version", "value", "error"]
    rows = store.winning("metrics", columns, trials, winners=winners)
    values: dict[str, dict[str, float]] = {}
    faults: dict[str, dict[str, str]] = {}
    for row in rows.take(pc.sort_indices(rows, sort_keys=[("version", "ascending")])).to_pylist():
        if row["error"] is None:
            values.setdefault(row["trial"], {})[row["quantity"]] = row["value"]
        else:
            faults.setdefault(row["trial"], {})[row["quantity"]] = row["error"]
    return values, faults


def _run(
    study: Study,
    row: Mapping[str, Any],
    values: Mapping[str, float],
    faults: Mapping[str, str],
    curves: Mapping[str, tuple[Sequence[int], Sequence[float]]],
) -> Run:
    lacking = {f"{FAILED_TO_MEASURE}{name}": why for name, why in faults.items() if name not in values}
    tags = {
        "trial": row["trial"],
        "setting": row["setting"],
        "seed": str(row["seed"]),
        "study": study.name,
        "reduced": study.reduced,
        "status": row["status"],
        "reason": row["reason"] or "",
        "pack": row["pack"],
        "launch": row["launch"],
        "host": row["host"],
        "device": row["device"],
        "code": row["code"],
    }
    return Run(
        attempt=row["attempt"],
        trial=row["trial"],
        status=row["status"],
        parameters=flat(json.loads(row["specification"])),
        values=values,
        curves=curves,
        tags={name: value for name, value in (tags | lacking).items() if value},
        step=row["step"] or 0,
        started=row["started"],
        finished=row["finished"],
    )


def flat(part: Any, path: str = "") -> dict[str, str | float | int | bool]:
    """The fields of a specification under their paths, as `--where` names them: 'objective.beta[0]'."""
    found: dict[str, str | float | int | bool] = {}
    if isinstance(part, Mapping):
        for name, value in part.items():
            found |= flat(value, f"{path}.{name}" if path else name)
    elif isinstance(part, list):
        for number, value in enumerate(part):
            found |= flat(value, f"{path}[{number}]")
    elif part is not None:
        found[path] = part
    return found


def finite(values: Mapping[str, float]) -> dict[str, float]:
    """Those that are numbers, for tools that take no others."""
    return {name: value for name, value in values.items() if math.isfinite(value)}
