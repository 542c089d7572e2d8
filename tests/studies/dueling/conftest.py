"""Frames of Dueling Decoders made up: for figures the paper's plan and plausible numbers, for tables those printed."""

from __future__ import annotations

import dataclasses
import functools
import math
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from results.frame import Frame, no_curves
from results.quantity import Quantity
from studies.dueling import names
from studies.dueling.lines import METRICS
from studies.dueling.low_rate import PLAIN, PLUS
from studies.dueling.paper import GRID, REMOVAL_STUDY
from studies.dueling.sizes import BATCH, BETA, LATENT, WEIGHT
from studies.published import read_published
from studies.study import Study

STUDIES = {study.name: study for study in (GRID, REMOVAL_STUDY)}
DECODERS = {"PixelCNN": 0.35, "CNN": 0.85, "Dueling Decoder": 0.9}
DISTORTIONS = {"thresholded-mnist": 45.0, "stochastic-mnist": 70.0, "mnist": 650.0, "fashion-mnist": 1800.0}


def _numbers(trial: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(trial.encode()))


def _values(row: pd.Series) -> dict[str, float]:
    """Rates from nearly 0 to 40 nats, distortions that fall with them, accuracies that rise and saturate."""
    noise = _numbers(row["trial"])
    weight = row[WEIGHT] if pd.notna(row[WEIGHT]) else 0.0
    top = {"PixelCNN": 4.0, "CNN": 16.0, "Dueling Decoder": 6.0 + 8.0 * weight}[row["model.decoder"]]
    rate = top * (1.6 if row[BETA] == 0.1 else 0.8) * (0.5 + 0.25 * np.log2(row[LATENT]) / 2)
    rate *= (1.0 if row[BATCH] == 32 else 0.9) * np.exp(0.05 * noise.normal())
    base = DISTORTIONS[row["data"]]
    cnn = 1.6 if row["model.decoder"] == "CNN" else 1.0
    distortion = base * cnn + 0.1 * base * np.exp(-rate / 8) - 0.7 * rate + 0.5 * noise.normal()
    accuracy = 0.1 + DECODERS[row["model.decoder"]] * (1 - np.exp(-rate / 5)) + 0.02 * noise.normal()
    mlp = float(np.clip(accuracy, 0.1, 0.98))
    values = {"rate_z1": rate, "rate": rate, "distortion": distortion, "elbo": -rate - distortion}
    return values | {
        "accuracy_mlp@z1": mlp,
        "accuracy_linear@z1": 0.1 + 0.85 * (mlp - 0.1),
        "reconstruction_accuracy": float(np.clip(mlp - 0.05 + 0.03 * noise.normal(), 0, 1)),
    }


def _arrays(plan: pd.DataFrame) -> Callable[[str, str], np.ndarray | None]:
    data = dict(zip(plan["trial"], plan["data"], strict=True)) if "data" in plan else {}

    def arrays(trial: str, name: str) -> np.ndarray | None:
        noise = _numbers(trial + name)
        if name in ("originals", "sampled_reconstructions"):
            levels = 255 if data[trial] in ("mnist", "fashion-mnist") else 1
            y, x = np.mgrid[:28, :28]
            pictures = [np.hypot(x - 14, y - 14 + 0.4 * label) < 4 + label for label in range(10)]
            kept = np.stack(pictures) * (noise.random((10, 28, 28)) < (1.0 if name == "originals" else 0.85))
            return (kept * levels).astype(np.uint8)[:, None]
        if name not in ("latents", "tsne"):
            return None
        labels = np.arange(1000) % 10
        centres = 3.0 * np.stack([np.cos(labels * 0.628), np.sin(labels * 0.628)], axis=1)
        means = centres + 0.6 * noise.normal(size=(1000, 2))
        factors = np.stack(
            [0.1 + 0.2 * noise.random(1000), 0.2 * noise.normal(size=1000), 0.1 + 0.2 * noise.random(1000)], 1
        )
        columns = [means, *([factors] if name == "latents" else []), labels[:, None]]
        return np.hstack(columns).astype(np.float32)

    return arrays


def _curves(plan: pd.DataFrame) -> Callable[[str], Mapping[str, tuple[np.ndarray, np.ndarray]]]:
    removed = dict(zip(plan["trial"], plan["objective.removed_at"], strict=True))

    def curves(trial: str) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        steps = np.arange(200, 40_001, 200)
        noise = _numbers(trial)
        rate = 14 * (1 - np.exp(-steps / 3000)) - 6 * (1 - np.exp(-np.clip(steps - removed[trial], 0, None) / 4000))
        rate = np.clip(rate + 0.15 * noise.normal(size=200), 0, None) * (0.3 if not removed[trial] else 1)
        distortion = 60 - 0.8 * rate + 400 * np.exp(-steps / 400) + 0.3 * noise.normal(size=200)
        return {"distortion": (steps, distortion), "rate_z1": (steps, rate), "loss": (steps, distortion + rate)}

    return curves


@functools.cache
def _results(name: str) -> pd.DataFrame:
    """A study's plan with the values of all of its trials."""
    plan = STUDIES[name].planned().assign(status="completed")
    if name == GRID.name:
        plan = pd.concat([plan, pd.DataFrame([_values(row) for _, row in plan.iterrows()])], axis=1)
    return plan


def _frame(study: Study, missing: int) -> Frame:
    trials = _results(study.name).copy()
    if missing:
        absent = trials.index[-missing:]
        trials.loc[absent, "status"] = "missing"
        trials.loc[absent, [one.name for one in study.quantities if one.name in trials]] = np.nan
    return Frame(
        study=study.full_name,
        question=study.question,
        axes=study.axis_columns(),
        quantities=study.quantities,
        trials=trials,
        arrays=_arrays(trials),
        curves=no_curves if study is GRID else _curves(trials),
    )


@pytest.fixture(scope="package")
def grid_frame() -> Callable[..., Frame]:
    """The grid, without the values of its last `missing` trials."""
    return lambda missing=0: _frame(GRID, missing)


@pytest.fixture(scope="package")
def removal_frame() -> Callable[..., Frame]:
    return lambda missing=0: _frame(REMOVAL_STUDY, missing)


# Of the tables.

NUMBERS = read_published("studies.dueling")
QUANTITIES = tuple(
    Quantity(name=name, unit=unit, goal="minimise" if lower else "maximise", family="m:f", label=label)
    for name, unit, lower, label in (
        ("rate", "nats", True, "total rate"),
        ("distortion", "nats", True, ""),
        ("elbo", "nats", False, ""),
        (names.MLP, "fraction", False, "MLP accuracy on z1"),
        (names.LABEL_DISTORTION, "nats", True, ""),
        (names.LINEAR, "fraction", False, ""),
        (names.RECONSTRUCTION, "fraction", False, ""),
        ("reference_accuracy", "fraction", False, ""),
        ("supervised_accuracy", "fraction", False, ""),
    )
)


def _three(mean: float, std: float) -> tuple[float, float, float]:
    """Three values with exactly this mean and standard deviation (ddof = 1)."""
    return mean - std, mean, mean + std


def _replicates(
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


def _frame_of(study: str, rows: list[dict[str, object]]) -> Frame:
    columns = ["trial", "setting", "seed", "status", "data", "model.decoder"]
    trials = pd.DataFrame(rows, columns=None if rows else [*columns, *(q.name for q in QUANTITIES)])
    return Frame(study=study, question="", axes=(), quantities=QUANTITIES, trials=trials)


def _as_printed(table: str, data: str, model: str, config: str | None = None) -> dict[str, tuple[float, ...]]:
    """Three values of each quantity that give the printed mean and standard deviation."""
    values: dict[str, tuple[float, ...]] = {}
    for ours, theirs in METRICS.items():
        number = NUMBERS.find(table, theirs, dataset=data.replace("-", "_"), model=model, config=config)
        if number is not None:
            printed = number.of_runs(3)
            values[ours] = _three(printed.value, 0.0 if math.isnan(printed.std) else printed.std)
    if "negative_elbo" in values:
        values["elbo"] = tuple(-value for value in values.pop("negative_elbo"))
    return values


def _winner(data: str, decoder: str) -> list[dict[str, object]]:
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
    values = _as_printed("T1", data, decoder) | {"reference_accuracy": (0.99, 0.99, 0.99)}
    return _replicates(f"{data}-{decoder}", at, values)


def _losers(data: str, decoder: str) -> list[dict[str, object]]:
    """A setting with a better accuracy at too high a rate, and one at a low rate with a worse accuracy."""
    at = {"data": data, "model.decoder": decoder, BETA: 0.5, BATCH: 16, LATENT: 4, WEIGHT: None}
    high = dict.fromkeys((names.MLP, names.LINEAR, names.RECONSTRUCTION), _three(0.99, 0.0)) | {
        "rate": _three(10.0, 0.5)
    }
    low = dict.fromkeys((names.MLP, names.LINEAR, names.RECONSTRUCTION), _three(0.12, 0.0)) | {"rate": _three(0.1, 0.0)}
    return [*_replicates(f"{data}-{decoder}-high", at, high), *_replicates(f"{data}-{decoder}-low", at, low)]


def _printed_grid(data_sets: tuple[str, ...] = tuple(names.DATA_SETS)) -> Frame:
    rows = [
        row for data in data_sets for decoder in PLAIN for row in (*_losers(data, decoder), *_winner(data, decoder))
    ]
    return _frame_of(names.GRID, rows)


def _enlarged() -> Frame:
    return _frame_of(names.ENLARGED, [row for decoder in PLUS for row in _winner("fashion-mnist", decoder)])


PAPER_LABELS = {
    "β = 1": ("PixelCNN", "beta=1.0"),
    "β = 0.1": ("PixelCNN", "beta=0.1"),
    "Dueling λ = 0.1": ("Dueling Decoder", ""),
    "KL annealing over 5,000 steps": ("KL Annealing", ""),
    "free bits": ("Free Bits", ""),
    "target rate": ("Penalty-VAE", ""),
}


def _objectives(**others: dict[str, tuple[float, ...]]) -> Frame:
    rows = []
    for place, (label, (model, config)) in enumerate(PAPER_LABELS.items()):
        values = _as_printed("T2", "thresholded-mnist", model, config)
        rows += _replicates(f"s{place}", {"objective": label}, values)
    for label, values in others.items():
        rows += _replicates(label, {"objective": label.replace("_", " ")}, values)
    return _frame_of(names.OBJECTIVES, rows)


def _auxiliaries() -> Frame:
    rows = []
    for label in ("Conv", "Gradient", "Marginals", "Histogram"):
        values = _as_printed("T3", "thresholded-mnist", f"aux={label}")
        at = {"data": "thresholded-mnist", "model.auxiliary": label}
        rows += _replicates(label, at, values)
        rows += _replicates(f"{label}-high", at, values | {"rate": _three(11, 0), names.MLP: _three(0.99, 0)})
    return _frame_of(names.AUXILIARIES, rows)


@pytest.fixture(scope="package")
def printed() -> Callable[..., Frame]:
    """A study with the paper's own numbers, by its name; `reduced` says how it is cut down, the rest what is in it."""
    builders = {
        names.GRID: _printed_grid,
        names.ENLARGED: _enlarged,
        names.OBJECTIVES: _objectives,
        names.AUXILIARIES: _auxiliaries,
    }

    def build(study: str, *, reduced: str = "", comparable: bool = False, **more: Any) -> Frame:
        return dataclasses.replace(builders[study](**more), reduced=reduced, comparable=comparable)

    return build
