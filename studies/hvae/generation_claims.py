"""The rules for the claims on samples (Xiao & Bamler 2023, Secs. 5.5 and A.2.1).

Each rule is a function of a grid of layer weights that gives the parts of its claim.
"""

from __future__ import annotations

import math

import numpy as np

from results.correlation import interval, rank_correlation
from studies.hvae.claim_parts import (
    ALPHA,
    DIVERSITY,
    HIGH,
    SCORE,
    SHARPNESS,
    Part,
    between,
    median,
    share,
    signed,
    told,
)
from studies.hvae.grids import Flags, Floats, Grid, Positions
from studies.hvae.names import BETA1, BETA2, RATE1, RATE2
from studies.hvae.representation_claims import explained_by_the_top


def sampling_from_the_top(grid: Grid) -> tuple[Part, ...]:
    """Claim 3: a high Inception Score (IS) needs β2 < β1; it is sharpness, which R(z2) drives; it falls at the extreme.

    Of the tenth of the cells with the highest IS, two thirds have β2 < β1 and two thirds more R(z2) than the β-VAE of
    equal total rate. Sharpness has more than half of the variance of log IS (covariance of log sharpness and log IS).
    R(z2) explains more of sharpness than R(z1|z2) does (η² on tenths). Among the half of the cells with the lower
    R(z1|z2), in tenths of R(z2), the last tenth has a lower mean IS than the best (Bonferroni-corrected for the nine it
    could be). Each is shown where the 95 % interval of a bootstrap over blocks of cells, which also draws scores anew
    within their errors (in the third only blocks), keeps the bound.
    """
    top = grid.top_tenth(SCORE)
    everywhere = np.arange(len(grid))
    above = grid.above_beta_vae(everywhere)
    known = np.isfinite(above)
    more = _among_the_top(grid, above > 0, known)
    logs = {name: np.log(grid[name]) for name in (SCORE, SHARPNESS)}
    sharp = float(_share_of_spread(logs[SHARPNESS], logs[SCORE], np.ones((1, len(grid))))[0])
    lower = grid[BETA2] < grid[BETA1]
    low, high = _among_the_top(grid, lower, everywhere >= 0)
    halves = interval(_share_of_spread(logs[SHARPNESS], logs[SCORE], grid.weights))
    return (
        Part(
            name="3a",
            label="share of the best tenth by IS with β₂ < β₁",
            found=share(lower[top]),
            sign="≥",
            bound=HIGH,
            shown=low >= HIGH,
            evidence=f"{lower[top].sum()} of {len(top)} cells ({between(low, high)}; by chance "
            f"{told(share(lower))}); the best is {grid.place(int(top[0]))}.",
            cells=top,
        ),
        Part(
            name="3b",
            label="share of it with more R(z₂) than β-VAEs",
            found=share(above[top][known[top]] > 0),
            sign="≥",
            bound=HIGH,
            shown=more[0] >= HIGH,
            evidence=f"Of {known[top].sum()} cells within the β-VAEs' total rates ({between(*more)}; by chance "
            f"{told(share(above[known] > 0))}); median {signed(median(above[top][known[top]]))} nats.",
            cells=top,
        ),
        Part(
            name="3c",
            label="sharpness's share of the variance of log IS",
            found=sharp,
            sign=">",
            bound=0.5,
            shown=halves[0] > 0.5,
            evidence=f"{between(*halves).capitalize()}. Rank correlation of IS with sharpness "
            f"{told(rank_correlation(grid[SCORE], grid[SHARPNESS]))}, with diversity "
            f"{told(rank_correlation(grid[SCORE], grid[DIVERSITY]))}.",
            cells=everywhere,
        ),
        explained_by_the_top(grid, {SHARPNESS: "sharpness"}, "3d", "sharpness explained by R(z₂), less by R(z₁|z₂)"),
        _fall(grid),
    )


def _fall(grid: Grid) -> Part:
    """Claim 3's last part: see `sampling_from_the_top`."""
    low = np.flatnonzero(grid[RATE1] <= np.median(grid[RATE1]))
    tenths = np.array_split(low[np.argsort(grid[RATE2][low], kind="stable")], 10)
    means = [float(grid[SCORE][tenth].mean()) if len(tenth) else -math.inf for tenth in tenths]
    peak, last = tenths[int(np.argmax(means))], tenths[-1]
    fall = max(means) - means[-1]
    scores = grid.redrawn(SCORE)
    falls = _means_of(scores, grid.weights, peak) - _means_of(scores, grid.weights, last)
    least, most = interval(falls, ALPHA / 9)
    return Part(
        name="3e",
        label="fall of IS to the highest R(z₂) at low R(z₁|z₂)",
        found=fall,
        sign=">",
        bound=0,
        digits=3,
        shown=least > 0,
        evidence=f"Mean IS {max(means):.3f} around R(z₂) = {grid[RATE2][peak].mean():.1f} nats, {means[-1]:.3f} around "
        f"{grid[RATE2][last].mean():.1f} nats (99.4 % interval of the fall {told(least)} to {told(most)}).",
        cells=np.concatenate([peak, last]),
    )


def _means_of(values: Floats, weights: Floats, positions: Positions) -> Floats:
    """Means over some cells in each resample, (resamples,); NaN where it has none of them."""
    taken = weights[:, positions]
    counts = taken.sum(axis=1)
    sums = (taken * values[:, positions]).sum(axis=1)
    found: Floats = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return found


def _share_of_spread(part: Floats, whole: Floats, weights: Floats) -> Floats:
    """Covariance of a summand and its sum over the sum's variance in each resample, (resamples,)."""
    shares = weights / weights.sum(axis=1, keepdims=True)
    left, right = (each - (shares @ each)[:, None] for each in (part, whole))
    spread = (shares * right**2).sum(axis=1)
    found: Floats = np.divide(
        (shares * left * right).sum(axis=1), spread, out=np.full_like(spread, np.nan), where=spread > 1e-20
    )
    return found


def _resampled_top(grid: Grid) -> Floats:
    """How often each cell is in the tenth with the highest scores of each bootstrap sample, (resamples, cells)."""
    order = np.argsort(-grid.redrawn(SCORE), axis=1)
    taken = np.take_along_axis(grid.weights, order, axis=1)
    before = np.cumsum(taken, axis=1) - taken
    kept = np.clip(taken.sum(axis=1, keepdims=True) / 10 - before, 0, taken)
    top = np.empty_like(kept)
    np.put_along_axis(top, order, kept, axis=1)
    found: Floats = top
    return found


def _among_the_top(grid: Grid, which: Flags, known: Flags) -> tuple[float, float]:
    """The 95 % interval of the share of some cells among the known ones of the tenth with the highest scores."""
    top = _resampled_top(grid) * known
    counts = top.sum(axis=1)
    return interval(np.divide(top @ which, counts, out=np.full_like(counts, np.nan), where=counts > 0))


def sampling_from_the_bottom(grid: Grid) -> tuple[Part, ...]:
    """Claim 6: the highest Inception Scores are at high R(z1|z2) rather than at high R(z2).

    In the tenth of the cells with the highest score, the median percentile of R(z1|z2) within the grid is two thirds
    or more, and that of R(z2) below two thirds; shown as in claim 3.
    """
    top = grid.top_tenth(SCORE)
    found = {rate: median(grid.percentiles(rate)[top]) for rate in (RATE1, RATE2)}
    among = _resampled_top(grid)
    limits = {rate: interval(_medians(grid.percentiles(rate), among)) for rate in found}
    rates = [f"{label} = {grid[rate][top[0]]:.1f}" for rate, label in ((RATE1, "R(z₁|z₂)"), (RATE2, "R(z₂)"))]
    return (
        Part(
            name="6a",
            label="percentile of R(z₁|z₂) in the best tenth by IS",
            found=found[RATE1],
            sign="≥",
            bound=HIGH,
            shown=limits[RATE1][0] >= HIGH,
            evidence=f"Median of {len(top)} cells ({between(*limits[RATE1])}; by chance 0.50); the best, "
            f"{grid.place(int(top[0]))}, has {', '.join(rates)} nats.",
            cells=top,
        ),
        Part(
            name="6b",
            label="percentile of R(z₂) in it",
            found=found[RATE2],
            sign="<",
            bound=HIGH,
            shown=limits[RATE2][1] < HIGH,
            evidence=f"{between(*limits[RATE2]).capitalize()}; by chance 0.50.",
            cells=top,
        ),
    )


def _medians(values: Floats, weights: Floats) -> Floats:
    """Weighted medians of (cells,) values, one a row of weights."""
    order = np.argsort(values)
    reached = np.cumsum(weights[:, order], axis=1)
    found: Floats = values[order][np.argmax(reached >= reached[:, -1:] / 2, axis=1)]
    return found
