"""How far one quantity of a set of models follows another: ranks, partial ranks, and shares of variance."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

Floats = npt.NDArray[np.float64]

ALPHA = 0.05
BINS, RESAMPLES = 10, 400


def fisher_interval(r: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a correlation of n pairs: tanh(artanh r ± 1.96 / √(n − 3)) (Fisher 1921)."""
    if abs(r) >= 1:
        return r, r
    half = float(ndtri(1 - ALPHA / 2)) / math.sqrt(n - 3)
    return math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)


def rank_correlation(x: Floats, y: Floats) -> float:
    """Spearman's ρ of two (n,) arrays, ties at their mean rank; NaN where one of them does not vary."""
    return _pearson(_ranks(x), _ranks(y))


def partial_rank_correlation(x: Floats, y: Floats, given: Floats) -> float:
    """Spearman's ρ of x and y at a fixed third quantity: (ρ_xy − ρ_xz ρ_yz) / √((1 − ρ_xz²)(1 − ρ_yz²)).

    NaN where one of the three does not vary, or the third tells x or y's order altogether. Of n points Fisher's
    interval is that of n − 1.
    """
    xy, xz, yz = rank_correlation(x, y), rank_correlation(x, given), rank_correlation(y, given)
    left = (1 - xz**2) * (1 - yz**2)
    return float(np.clip((xy - xz * yz) / math.sqrt(left), -1, 1)) if left > 1e-12 else math.nan


def explained(y: Floats, x: Floats) -> float:
    """The correlation ratio η² of y on x, (n,) each: the share of y's variance that the tenths of x tell apart.

    Unlike a rank correlation it sees a dependence that is not monotone, and is not disturbed by the order among points
    that are nearly equal, such as collapsed rates. Equal values of x share a tenth. NaN where y does not vary.
    """
    return float(_explained(np.ones((1, len(y))), y, _tenths(x))[0])


def explains_more(y: Floats, one: Floats, other: Floats) -> tuple[float, float, float]:
    """η² of y on one quantity less that on another, and the 95 % interval of that difference.

    The interval is the percentiles of a bootstrap over the n points, as if they were independent, with fixed tenths
    and a fixed seed.
    """
    n = len(y)
    first, second = _tenths(one), _tenths(other)
    weights = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64)
    differences = _explained(weights, y, first) - _explained(weights, y, second)
    low, high = np.quantile(differences, [ALPHA / 2, 1 - ALPHA / 2])
    return explained(y, one) - explained(y, other), float(low), float(high)


def _explained(weights: Floats, y: Floats, tenths: npt.NDArray[np.intp]) -> Floats:
    """η² for each row of weights (m, n): variance between tenths over the total."""
    members = np.eye(BINS)[tenths]
    centred = y - y.mean()
    total = weights.sum(axis=1)
    overall = (weights @ centred) ** 2 / total
    counts, sums = weights @ members, weights @ (members * centred[:, None])
    between = np.divide(sums**2, counts, out=np.zeros_like(sums), where=counts > 0).sum(axis=1) - overall
    spread = weights @ centred**2 - overall
    shares: Floats = np.divide(between, spread, out=np.full(len(weights), np.nan), where=spread > 0)
    return shares


def _tenths(x: Floats) -> npt.NDArray[np.intp]:
    return np.floor((_ranks(x) - 0.5) / len(x) * BINS).astype(np.intp)


def _ranks(x: Floats) -> Floats:
    """1..n, ties at their mean; scipy.stats takes half a second to import."""
    return np.asarray(pd.Series(x).rank(), dtype=np.float64)


def _pearson(x: Floats, y: Floats) -> float:
    if len(x) < 2 or min(np.ptp(x), np.ptp(y)) == 0:
        return math.nan
    return float(np.clip(np.corrcoef(x, y)[0, 1], -1, 1))
