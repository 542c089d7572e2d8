"""Frames of the paper's grids made up so that the paper's claims hold, to be changed by the tests."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from results.frame import Frame
from studies.hvae.names import BETA1, BETA2, CIFAR10, MNIST
from studies.hvae.paper import STUDIES

Change = Callable[[pd.DataFrame], pd.DataFrame]

BY_NAME = {study.name: study for study in STUDIES}
ERRORS = {"psnr": 0.01, "inception_score": 0.02, "diversity": 0.02, "sharpness": 0.02, "accuracy": 0.005}


@functools.cache
def paper_like(study: str) -> pd.DataFrame:
    """Smooth landscapes over (b2, b1), the decimal logarithms of the weights, from −1 to 1.

    R(z2) falls with β2 and R(z1|z2) with β1. PSNR grows with both, more with R(z1|z2), up to a total of 60 nats. IS is
    sharpness times diversity: of SVHN, sharpness grows with R(z2) and breaks down where that is high alone; of MNIST it
    grows with R(z1|z2). I(y; z2) saturates in R(z2), with which expressive probes improve; linear probes, and all on
    CIFAR-10, gain from R(z1|z2).
    """
    trials = BY_NAME[study].planned()
    b2, b1 = np.log10(trials[BETA2].to_numpy(float)), np.log10(trials[BETA1].to_numpy(float))
    rate2 = 20 * (1 - b2) * (1 + 0.1 * b1) + 0.5
    rate1 = 20 * (1 - b1) * (1 + 0.1 * b2) + 0.5
    total = rate2 + rate1
    if study == MNIST:
        sharpness = 2 + 2 * rate1 / rate1.max() + 0.1 * rate2 / rate2.max()
    else:
        breakdown = 2.6 * np.clip(rate2 - 34, 0, None) / 10 * np.clip((b1 + 0.2) / 0.3, 0, 1)
        sharpness = 2 + 2 * rate2 / rate2.max() - 0.5 * rate1 / rate1.max() - breakdown
    diversity = 2 + 0.1 * rate1 / rate1.max()
    information = 2.3 * (1 - np.exp(-rate2 / 6))
    expressive = 0.2 + 0.012 * rate2
    linear = 0.2 + 0.05 * rate2 / rate2.max() + 0.15 * rate1 / rate1.max()
    if study == CIFAR10:
        expressive = linear + 0.1
    values = {
        "rate_z2": rate2,
        "rate_z1": rate1,
        "rate": total,
        "distortion": 200 - total,
        "elbo": np.full_like(total, -200.0),
        "psnr": 12 + 5 * np.log1p((rate1 + 0.6 * rate2) / 10) - 0.15 * np.clip(total - 60, 0, None),
        "inception_score": sharpness * diversity,
        "diversity": diversity,
        "sharpness": sharpness,
        "reference_accuracy": np.full_like(total, 0.9502),
        "mutual_information@z2": information,
        "mutual_information_bound@z2": 0.6 * information,
        "accuracy": expressive,
    }
    columns = {}
    for quantity in BY_NAME[study].quantities:
        if quantity.form != "number":
            continue
        stem, _, group = quantity.name.partition("@")
        value = values.get(quantity.name, values.get(stem))
        if stem.startswith("accuracy_"):
            value = linear if stem.endswith(("logistic", "linear")) else expressive
            value = np.clip(value + 0.01 * (stem.endswith("knn")) + (0.05 if group != "z2" else 0), 0, 1)
        columns[quantity.name] = value
        error = ERRORS.get(stem.partition("_")[0], ERRORS.get(stem, 0.01))
        columns[f"{quantity.name}.se"] = np.full_like(total, error)
    return pd.concat([trials.assign(status="completed"), pd.DataFrame(columns)], axis=1)


def frame_of(study: str, trials: pd.DataFrame, reduced: str = "") -> Frame:
    described = BY_NAME[study]
    return Frame(
        study=study,
        question=described.question,
        axes=described.axis_columns(),
        quantities=described.quantities,
        trials=trials,
        reduced=reduced,
    )


@pytest.fixture(scope="package")
def grid() -> Callable[..., Frame]:
    """A whole study, by its name, in which the paper's claims hold; `change` is a function of its trials."""

    def build(study: str, change: Change | None = None, reduced: str = "") -> Frame:
        trials = paper_like(study).copy()
        return frame_of(study, trials if change is None else change(trials), reduced)

    return build
