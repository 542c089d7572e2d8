"""Frames of Dueling Decoders made up for its figures: the paper's plan, with numbers that fall as the paper's do."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pytest

from results.frame import Frame, no_curves
from studies.dueling.paper import GRID, REMOVAL_STUDY
from studies.dueling.sizes import BATCH, BETA, LATENT, WEIGHT
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
