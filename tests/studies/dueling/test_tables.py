"""The tables of Dueling Decoders, on results made up so that every answer is known: mostly the paper's own numbers."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from results.frame import Frame
from results.quantity import Quantity
from results.table import Table
from studies.dueling.captions import AUXILIARIES, DATA_SETS, ENLARGED, GRID, OBJECTIVES
from studies.dueling.lines import LABEL_DISTORTION, LINEAR, METRICS, MLP, RECONSTRUCTION
from studies.dueling.low_rate import PLAIN, PLUS
from studies.dueling.sizes import BATCH, BETA, LATENT, WEIGHT
from studies.dueling.tables import table1, table2, table3, table4, table4_ratios, table8
from studies.published import read_published

NUMBERS = read_published("studies.dueling")
QUANTITIES = tuple(
    Quantity(name=name, unit=unit, goal=goal, family="m:f", label=label)
    for name, unit, goal, label in (
        ("rate", "nats", "minimise", "total rate"),
        ("distortion", "nats", "minimise", ""),
        ("elbo", "nats", "maximise", ""),
        (MLP, "fraction", "maximise", "MLP accuracy on z1"),
        (LABEL_DISTORTION, "nats", "minimise", ""),
        (LINEAR, "fraction", "maximise", ""),
        (RECONSTRUCTION, "fraction", "maximise", ""),
        ("reference_accuracy", "fraction", "maximise", ""),
        ("supervised_accuracy", "fraction", "maximise", ""),
    )
)


def three(mean: float, std: float) -> tuple[float, float, float]:
    """Three values with exactly this mean and standard deviation (ddof = 1)."""
    return mean - std, mean, mean + std


def replicates(
    setting: str, at: Mapping[str, object], values: Mapping[str, tuple[float, ...]]
) -> list[dict[str, object]]:
    """The rows of one setting; a quantity that is not given has no value."""
    rows = []
    for seed in range(3):
        row = {"trial": f"{setting}-{seed}", "setting": setting, "seed": seed, "status": "completed"}
        rows.append(
            row | dict(at) | {q.name: values[q.name][seed] if q.name in values else math.nan for q in QUANTITIES}
        )
    return rows


def frame_of(study: str, rows: list[dict[str, object]], reduced: str = "") -> Frame:
    columns = ["trial", "setting", "seed", "status", "data", "model.decoder"]
    trials = pd.DataFrame(rows, columns=None if rows else [*columns, *(q.name for q in QUANTITIES)])
    return Frame(study=study, question="", axes=(), quantities=QUANTITIES, trials=trials, reduced=reduced)


def as_printed(table: str, data: str, model: str, config: str | None = None) -> dict[str, tuple[float, ...]]:
    """Three values of each quantity that give the printed mean and standard deviation."""
    values = {}
    for ours, theirs in METRICS.items():
        number = NUMBERS.find(table, theirs, dataset=data.replace("-", "_"), model=model, config=config)
        if number is not None:
            printed = number.of_runs(3)
            values[ours] = three(printed.value, 0.0 if math.isnan(printed.std) else printed.std)
    if "negative_elbo" in values:
        values["elbo"] = tuple(-value for value in values.pop("negative_elbo"))
    return values


def winner(data: str, decoder: str) -> list[dict[str, object]]:
    """The trials behind a row of Tables 1 and 8, at the paper's hyper-parameters."""
    settings = NUMBERS.settings("T8", dataset=data.replace("-", "_"), model=decoder)
    at = {
        "data": data,
        "model.decoder": decoder,
        BETA: float(settings["beta"]),
        BATCH: int(settings["batch"]),
        LATENT: int(settings["latent"]),
        WEIGHT: float(settings["lambda"]) or None,
    }
    values = as_printed("T1", data, decoder) | {"reference_accuracy": (0.99, 0.99, 0.99)}
    return replicates(f"{data}-{decoder}", at, values)


def losers(data: str, decoder: str) -> list[dict[str, object]]:
    """A setting with a better accuracy at too high a rate, and one at a low rate with a worse accuracy."""
    at = {"data": data, "model.decoder": decoder, BETA: 0.5, BATCH: 16, LATENT: 4, WEIGHT: None}
    high = {name: three(0.99, 0.0) for name in (MLP, LINEAR, RECONSTRUCTION)} | {"rate": three(10.0, 0.5)}
    low = {name: three(0.12, 0.0) for name in (MLP, LINEAR, RECONSTRUCTION)} | {"rate": three(0.1, 0.0)}
    return [*replicates(f"{data}-{decoder}-high", at, high), *replicates(f"{data}-{decoder}-low", at, low)]


def grid(reduced: str = "", data_sets: tuple[str, ...] = tuple(DATA_SETS)) -> Frame:
    rows = [row for data in data_sets for decoder in PLAIN for row in (*losers(data, decoder), *winner(data, decoder))]
    return frame_of(GRID, rows, reduced)


def enlarged() -> Frame:
    return frame_of(ENLARGED, [row for decoder in PLUS for row in winner("fashion-mnist", decoder)])


def bold(table: Table, column: str) -> dict[str, set[str]]:
    """The rows in bold by what stands before their slash."""
    found: dict[str, set[str]] = {}
    for row in table.rows:
        if table.cells[row.name, column].mark == "bold":
            data, _, decoder = row.name.partition("/")
            found.setdefault(data, set()).add(decoder)
    return found


def test_marks_of_table_1_are_those_recomputed_from_the_printed_values() -> None:
    """The marks that the paper's own means, standard deviations, n = 3 and Bonferroni n = 2 give (spec. P000.9)."""
    table = table1({GRID: grid(), ENLARGED: enlarged()})
    pixel, cnn, duel = PLAIN
    plus = set(PLUS)  # of the enlarged networks nothing differs
    assert bold(table, MLP) == {
        "stochastic-mnist": {duel},
        "thresholded-mnist": {duel},
        "mnist": {duel},
        "fashion-mnist": {pixel, duel} | plus,
    }
    assert bold(table, LABEL_DISTORTION) == {
        "stochastic-mnist": {duel},
        "thresholded-mnist": {duel},
        "mnist": {duel, cnn},
        "fashion-mnist": {pixel, duel} | plus,
    }
    assert bold(table, LINEAR) == {
        "stochastic-mnist": {duel, cnn},
        "thresholded-mnist": {duel, cnn},
        "mnist": {duel, cnn},
        "fashion-mnist": {cnn, pixel, duel} | plus,
    }
    assert bold(table, RECONSTRUCTION) == {
        "stochastic-mnist": {duel, cnn},
        "thresholded-mnist": {duel},
        "mnist": {duel, cnn},
        "fashion-mnist": {pixel, duel} | plus,
    }
    assert bold(table, "rate") == bold(table, "negative_elbo") == bold(table, "distortion") == {}
