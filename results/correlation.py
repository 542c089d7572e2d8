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


def explains_more(
    y: Floats, one: Floats, other: Floats, weights: Floats, redrawn: Floats | None = None
) -> tuple[float, float, float]:
    """η² of y on one quantity less that on another, and the 95 % interval of that difference over resamples.

    weights: how often each of m resamples takes each point, (m, n), see `block_weights`; redrawn: y within its errors,
    (m, n). The tenths stay those of all points.
    """
    first, second = _tenths(one), _tenths(other)
    values = y if redrawn is None else redrawn
    low, high = interval(_explained(weights, values, first) - _explained(weights, values, second))
    return explained(y, one) - explained(y, other), low, high


def explained_in(y: Floats, x: Floats, weights: Floats) -> Floats:
    """`explained` in each resample, (m,); y: (n,) or (m, n)."""
    return _explained(weights, y, _tenths(x))


def block_weights(blocks: npt.NDArray[np.intp]) -> Floats:
    """How often each of `RESAMPLES` bootstrap samples takes each point, (m, n), with a fixed seed.

    blocks: the number of each point's block, (n,). Whole blocks are drawn, as many as there are, with replacement:
    points of one block may depend on one another (Künsch 1989).
    """
    n = int(blocks.max(initial=0)) + 1
    drawn = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    return drawn[:, blocks].astype(np.float64)


def rank_correlation_in(x: Floats, y: Floats, weights: Floats) -> Floats:
    """`rank_correlation` in each resample, (m,); x and y: (n,) or (m, n), ranked among all n points."""
    return _correlations(_all_ranks(x), _all_ranks(y), weights)


def partial_rank_correlation_in(x: Floats, y: Floats, given: Floats, weights: Floats) -> Floats:
    """`partial_rank_correlation` in each resample, (m,)."""
    ranks = [_all_ranks(each) for each in (x, y, given)]
    xy, xz, yz = (_correlations(ranks[i], ranks[j], weights) for i, j in ((0, 1), (0, 2), (1, 2)))
    left = (1 - xz**2) * (1 - yz**2)
    return np.divide(xy - xz * yz, np.sqrt(left), out=np.full_like(xy, np.nan), where=left > 1e-12)


def interval(draws: Floats, alpha: float = ALPHA) -> tuple[float, float]:
    """The percentiles α/2 and 1 − α/2 of a statistic's resamples, without those in which it has no value."""
    known = draws[~np.isnan(draws)]
    if not len(known):
        return math.nan, math.nan
    low, high = np.quantile(known, [alpha / 2, 1 - alpha / 2])
    return float(low), float(high)


def _correlations(x: Floats, y: Floats, weights: Floats) -> Floats:
    """Pearson's r by each row of weights, NaN where x or y does not vary."""
    parts = weights / weights.sum(axis=1, keepdims=True)
    left, right = (each - (parts * each).sum(axis=1, keepdims=True) for each in (x, y))
    spread = np.sqrt((parts * left**2).sum(axis=1) * (parts * right**2).sum(axis=1))
    found: Floats = np.divide(
        (parts * left * right).sum(axis=1), spread, out=np.full_like(spread, np.nan), where=spread > 1e-12
    )
    return found


def _explained(weights: Floats, y: Floats, tenths: npt.NDArray[np.intp]) -> Floats:
    """η² for each row of weights (m, n), of y (n,) or (m, n): variance between tenths over the total."""
    members = np.eye(BINS)[tenths]
    centred = y - y.mean(axis=-1, keepdims=True)
    weighted = weights * centred
    total = weights.sum(axis=1)
    overall = weighted.sum(axis=1) ** 2 / total
    counts, sums = weights @ members, weighted @ members
    between = np.divide(sums**2, counts, out=np.zeros_like(sums), where=counts > 0).sum(axis=1) - overall
    spread = (weighted * centred).sum(axis=1) - overall
    shares: Floats = np.divide(between, spread, out=np.full(len(weights), np.nan), where=spread > 0)
    return shares


def _tenths(x: Floats) -> npt.NDArray[np.intp]:
    return np.floor((_ranks(x) - 0.5) / len(x) * BINS).astype(np.intp)


def _ranks(x: Floats) -> Floats:
    """1..n, ties at their mean; scipy.stats takes half a second to import."""
    return np.asarray(pd.Series(x).rank(), dtype=np.float64)


def _all_ranks(x: Floats) -> Floats:
    """Ranks of (n,), or in each row of (m, n)."""
    return _ranks(x) if x.ndim == 1 else np.asarray(pd.DataFrame(x).rank(axis=1), dtype=np.float64)


def _pearson(x: Floats, y: Floats) -> float:
    if len(x) < 2 or min(np.ptp(x), np.ptp(y)) == 0:
        return math.nan
    return float(np.clip(np.corrcoef(x, y)[0, 1], -1, 1))
