"""Rows of the store from what a worker did: one place where an attempt's columns are filled."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from results.commit import now
from results.quantity import Estimate, Quantity
from results.schema import EVALUATION_FAILED
from studies.trial import Trial
from sweep.failures import Fault
from sweep.pack import Pack
from sweep.provenance import provenance
from sweep.sources import sources_of
from sweep.task import Source

Row = dict[str, Any]


@dataclass(kw_only=True)
class Attempt:
    """One execution of a trial as it ends: its row of `trials`, what was measured, and why the rest was not."""

    trial: Trial
    identity: str
    slot: int
    started: datetime.datetime
    status: str = "completed"
    reason: str | None = None
    traceback: str | None = None
    step: int = 0
    train_seconds: float = 0.0
    evaluate_seconds: float = 0.0
    values: Mapping[str, Estimate | np.ndarray] = field(default_factory=dict)
    faults: Mapping[str, Fault] = field(default_factory=dict)
    curves: dict[str, tuple[list[int], list[float]]] = field(default_factory=dict)

    def failed(self, status: str, reason: str, traceback: str | None = None) -> None:
        self.status, self.reason, self.traceback = status, reason, traceback

    @property
    def outcome(self) -> str:
        """The status, or that what was trained could not be measured in full."""
        return EVALUATION_FAILED if self.faults else self.status

    @property
    def told(self) -> str | None:
        """Why it failed; None where it did not."""
        return first_reason(self.faults) if self.faults else self.reason


def first_reason(faults: Mapping[str, Fault]) -> str | None:
    """The first of some faults, which stands for all: None where there are none."""
    return next((fault.reason for fault in faults.values()), None)


def trial_row(
    attempt: Attempt, pack: Pack, launch: str, quantities: Sequence[Quantity] = (), sources: Sequence[Source] = ()
) -> Row:
    """The row of `trials` that commits an attempt. quantities, sources: of the task, for the user's own files of it."""
    trial, origin = attempt.trial, provenance()
    return {
        "trial": trial.id,
        "attempt": attempt.identity,
        "setting": trial.setting,
        "seed": trial.seed,
        "status": attempt.status,
        "reason": attempt.reason,
        "traceback": attempt.traceback,
        "step": attempt.step,
        "specification": trial.specification(),
        "pack": pack.id,
        "launch": launch,
        "width": pack.decision.width,
        "path": pack.decision.path,
        "threads": pack.decision.threads,
        "slot": attempt.slot,
        "device": pack.decision.device,
        "precision": trial.training.precision,
        "code": origin.code,
        "packages": origin.packages,
        "source": ",".join(one.sha256 for one in sources_of(trial, quantities, sources)) or None,
        "host": origin.host,
        "process": os.getpid(),
        "started": attempt.started,
        "finished": now(),
        "train_seconds": attempt.train_seconds,
        "evaluate_seconds": attempt.evaluate_seconds,
    }


def kept_weights(trial: Trial) -> str:
    """Which weights of a trial are measured and kept: 'ema', the moving average, where there is one, or 'last'."""
    return "last" if trial.training.ema is None else "ema"


def value_rows(
    trial: str,
    attempt: str,
    weights: str,
    values: Mapping[str, Estimate | np.ndarray],
    known: Sequence[Quantity],
    levels: int,
    faults: Mapping[str, Fault] = MappingProxyType({}),
    prerequisites: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, list[Row]]:
    """Rows of metrics, images and codes for measured values, and of metrics for what could not be measured.

    weights: which were used, 'last' or 'ema'. levels: of the data. faults: why quantities could not be measured, by
    name. prerequisites: the ids of the trials that quantities were measured with, by name.
    """
    rows: dict[str, list[Row]] = {"metrics": [], "images": [], "codes": []}
    at, origin = now(), provenance()
    for quantity in known:
        value, fault = values.get(quantity.name), faults.get(quantity.name)
        if isinstance(value, Estimate) or fault is not None:
            number = value if isinstance(value, Estimate) else None
            rows["metrics"].append(
                {
                    "trial": trial,
                    "attempt": attempt,
                    "quantity": quantity.name,
                    "version": quantity.version,
                    "weights": weights,
                    "value": number and number.value,
                    "standard_error": number and number.standard_error,
                    "unit": quantity.unit,
                    "goal": quantity.goal,
                    "prerequisite": prerequisites.get(quantity.name),
                    "code": origin.code,
                    "packages": origin.packages,
                    "evaluated": at,
                    "error": fault and fault.reason,
                    "traceback": fault and fault.traceback,
                }
            )
        elif value is not None:
            row = {
                "trial": trial,
                "attempt": attempt,
                "name": quantity.name,
                "version": quantity.version,
                "shape": list(value.shape),
                "values": value.reshape(-1),
                "evaluated": at,
            }
            rows[quantity.form].append(
                row | ({"levels": quantity.levels or levels} if quantity.form == "images" else {})
            )
    return rows


def curves_of(
    names: Sequence[str], values: np.ndarray, interval: int, steps: int
) -> dict[str, tuple[list[int], list[float]]]:
    """Curves of one trial by name: the last step of each interval, and the mean over it.

    values: (points, names), NaN where the trial has not come. interval: steps a point; steps: all that are planned.
    """
    ends = [min((point + 1) * interval, steps) for point in range(len(values))]
    reached = ~np.isnan(values).any(axis=1)
    kept = [end for end, here in zip(ends, reached, strict=True) if here]
    return {name: (kept, values[reached, column].tolist()) for column, name in enumerate(names)}


def curve_rows(attempt: Attempt) -> list[Row]:
    return [
        {"trial": attempt.trial.id, "attempt": attempt.identity, "name": name, "step": steps, "value": values}
        for name, (steps, values) in attempt.curves.items()
    ]
