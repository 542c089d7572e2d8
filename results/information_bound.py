"""Fano's bound: how much information a code must carry for a classifier to reach an accuracy.

For the class y among M and any classifier that sees only z, accuracy ≤ f⁻¹(I(y; z)) ≤ f⁻¹(mean rate of z) (Xiao &
Bamler 2023, Eq. 11, after Meyen 2016). Nats throughout.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import xlogy

Floats = npt.NDArray[np.float64]

_HALVINGS = 60  # of the interval of accuracies: below the spacing of doubles


def fano_rate(accuracy: npt.ArrayLike, classes: int, entropy: float | None = None) -> Floats:
    """The least information I(y; z) in nats at which a classifier of `classes` classes can have this accuracy:
    f(α) = H + α log α + (1 − α) log((1 − α)/(M − 1)), and 0 where that is negative or α is below
    1/M, for which no information is needed.

    accuracy: fractions of any shape, NaN gives NaN; entropy: H(y) in nats, log M (balanced classes) unless given.
    Raises ValueError for an accuracy outside [0, 1], fewer than two classes, or an entropy outside [0, log M].
    """
    total = _entropy(classes, entropy)
    alpha = np.asarray(accuracy, dtype=np.float64)
    if np.any((alpha < 0) | (alpha > 1)):
        raise ValueError(f"an accuracy is a fraction between 0 and 1, not {alpha[(alpha < 0) | (alpha > 1)].flat[0]:g}")
    return np.where(alpha < 1 / classes, 0.0, np.maximum(_f(alpha, classes, total), 0.0))


def fano_accuracy(information: npt.ArrayLike, classes: int, entropy: float | None = None) -> Floats:
    """The greatest accuracy that this much information I(y; z) in nats allows: f⁻¹, and 1 from H(y) nats on.

    information: of any shape, NaN gives NaN; with a mean rate in its place the bound is looser and still holds.
    Raises ValueError for a negative information, fewer than two classes, or an entropy outside [0, log M].
    """
    total = _entropy(classes, entropy)
    nats = np.asarray(information, dtype=np.float64)
    if np.any(nats < 0):
        raise ValueError(f"an information is at least 0 nats, not {nats.min():g}")
    low, high = np.full(nats.shape, 1 / classes), np.ones(nats.shape)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        allowed = _f(middle, classes, total) <= nats
        low, high = np.where(allowed, middle, low), np.where(allowed, high, middle)
    return np.where(np.isnan(nats), np.nan, np.where(nats >= total, 1.0, low))


def _f(alpha: Floats, classes: int, entropy: float) -> Floats:
    wrong = 1 - alpha
    return np.asarray(entropy + xlogy(alpha, alpha) + xlogy(wrong, wrong / (classes - 1)), dtype=np.float64)


def _entropy(classes: int, entropy: float | None) -> float:
    if classes < 2:
        raise ValueError(f"a classifier tells at least two classes apart, not {classes}")
    most = math.log(classes)
    if entropy is None:
        return most
    if not 0 <= entropy <= most * (1 + 1e-12):
        raise ValueError(f"the entropy of {classes} classes lies between 0 and {most:.4f} nats, not {entropy}")
    return entropy
