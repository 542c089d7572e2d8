"""The rules for the claims on reconstruction and samples (Xiao & Bamler 2023, Secs. 5.2-5.5 and A.2.1).

Each rule is a function of a grid of layer weights that gives the parts of its claim.
"""

from __future__ import annotations

import math
from itertools import combinations, pairwise

import numpy as np

from results.correlation import rank_correlation
from results.significance import t_test_from_summary
from results.verdict import describe_p
from studies.hvae.claim_parts import (
    DIVERSITY,
    ERRORS,
    HIGH,
    PSNR,
    SCORE,
    SHARPNESS,
    TASKS,
    Part,
    median,
    share,
    signed,
    told,
)
from studies.hvae.grids import Grid
from studies.hvae.named_models import chosen
from studies.hvae.names import BETA1, BETA2, RATE1, RATE2
from studies.hvae.representation_claims import explained_by_the_top


def different_optima(grid: Grid) -> tuple[Part, ...]:
    """Claim 1: the best cells by PSNR, Inception Score and RBF-SVM accuracy on z2 are three, and none is a β-VAE.

    Shown where no cell can be the best at two tasks and no β-VAE at one: where none is among the cells that one-sided
    z-tests, Bonferroni-corrected over the grid, leave as possibly the best.
    """
    best = {task: int(grid[task].argmax()) for task in TASKS}
    possible = {task: grid.contenders(task) for task in TASKS}
    shared = sum(best[one] == best[other] for one, other in combinations(TASKS, 2))
    both = sum(int((possible[one] & possible[other]).sum()) for one, other in combinations(TASKS, 2))
    on = sum(bool(grid.diagonal[cell]) for cell in best.values())
    possibly_on = [TASKS[task] for task in TASKS if (possible[task] & grid.diagonal).any()]
    places = "; ".join(
        f"{label} {grid[task][best[task]]:.4g} at {grid.place(best[task])}, {possible[task].sum()} not shown worse"
        for task, label in TASKS.items()
    )
    cells = np.array(list(best.values()), dtype=np.intp)
    return (
        Part(
            name="1a",
            label="pairs of tasks with one best cell",
            found=shared,
            sign="=",
            bound=0,
            digits=0,
            shown=not both,
            evidence=f"Best (β₂, β₁): {places}. Cells that may be the best at two tasks: {both}.",
            cells=cells,
        ),
        Part(
            name="1b",
            label="tasks at which a β-VAE is best",
            found=on,
            sign="=",
            bound=0,
            digits=0,
            shown=not possibly_on,
            evidence=f"A β-VAE may be the best by {', '.join(possibly_on)}."
            if possibly_on
            else "No β-VAE is among the cells that may be the best.",
            cells=cells,
        ),
    )


def trading_for_reconstruction(grid: Grid) -> tuple[Part, ...]:
    """Claim 2: at equal total rate the cells of best PSNR are no β-VAEs, and have less R(z2).

    Of the vertices of the upper hull of PSNR over R, and of β-VAEs of their total rates by interpolation: more than
    half are off the diagonal; the median gain in PSNR is above 0, shown above 2 standard errors; of those off the
    diagonal more than half have the lower R(z2).
    """
    hull = grid.upper_hull(PSNR)
    off = hull[~grid.diagonal[hull]]
    gains = grid[PSNR][hull] - grid.beside(grid[PSNR], hull)
    errors = np.hypot(grid.error(PSNR)[hull], grid.beside(grid.error(PSNR), hull))
    inside = np.isfinite(gains)
    gain, error = median(gains[inside]), median(errors[inside])
    shifts = grid.above_beta_vae(off)
    shifts = shifts[np.isfinite(shifts)]
    return (
        Part(
            name="2a",
            label="share of hull optima off the diagonal",
            found=len(off) / len(hull) if len(hull) else math.nan,
            sign=">",
            bound=0.5,
            evidence=f"{len(off)} of {len(hull)} hull optima of PSNR have β₂ ≠ β₁.",
            cells=hull,
        ),
        Part(
            name="2b",
            label="median gain over β-VAEs",
            found=gain,
            sign=">",
            bound=0,
            unit="dB",
            digits=3,
            shown=gain > ERRORS * error,
            evidence=f"Of {inside.sum()} hull optima within the total rates of the β-VAEs; standard error of a gain "
            f"{told(error, 3)} dB.",
            cells=hull,
        ),
        Part(
            name="2c",
            label="share with less R(z₂) than β-VAEs",
            found=share(shifts < 0),
            sign=">",
            bound=0.5,
            evidence=f"Of {len(shifts)} hull optima off the diagonal; median {signed(median(shifts))} nats of R(z₂) at "
            "equal total rate.",
            cells=off,
        ),
    )


def sampling_from_the_top(grid: Grid) -> tuple[Part, ...]:
    """Claim 3: a high Inception Score (IS) needs β2 < β1; it is sharpness, which R(z2) drives; it falls at the extreme.

    Of the tenth of the cells with the highest IS, two thirds have β2 < β1 and two thirds more R(z2) than the β-VAE of
    equal total rate. Sharpness has more than half of the variance of log IS (covariance of log sharpness and log IS).
    R(z2) explains more of sharpness than R(z1|z2) does (η² on tenths; shown where a bootstrap interval excludes 0).
    Among the half of the cells with the lower R(z1|z2), in tenths of R(z2), the last tenth has a lower mean IS than the
    best (shown by a t-test, Bonferroni-corrected for the nine it could be).
    """
    top = grid.top_tenth(SCORE)
    above = grid.above_beta_vae(top)
    above = above[np.isfinite(above)]
    logs = {name: np.log(grid[name]) for name in (SCORE, SHARPNESS)}
    spread = float(np.var(logs[SCORE], ddof=1)) if len(grid) > 1 else 0.0
    sharp = float(np.cov(logs[SCORE], logs[SHARPNESS])[0, 1]) / spread if spread > 0 else math.nan
    lower = grid[BETA2][top] < grid[BETA1][top]
    everywhere = np.arange(len(grid))
    return (
        Part(
            name="3a",
            label="share of the best tenth by IS with β₂ < β₁",
            found=share(lower),
            sign="≥",
            bound=HIGH,
            evidence=f"{lower.sum()} of {len(top)} cells; the best is {grid.place(int(top[0]))}.",
            cells=top,
        ),
        Part(
            name="3b",
            label="share of it with more R(z₂) than β-VAEs",
            found=share(above > 0),
            sign="≥",
            bound=HIGH,
            evidence=f"Of {len(above)} cells within the β-VAEs' total rates; median {signed(median(above))} nats.",
            cells=top,
        ),
        Part(
            name="3c",
            label="sharpness's share of the variance of log IS",
            found=sharp,
            sign=">",
            bound=0.5,
            evidence="Rank correlation of IS with sharpness "
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
    fall, p_value = max(means) - means[-1], 1.0
    if fall > 0 and min(len(peak), len(last)) > 1:
        sides = [
            (float(each.mean()), float(each.std(ddof=1)), len(each)) for each in (grid[SCORE][peak], grid[SCORE][last])
        ]
        p_value = min(1.0, 9 * t_test_from_summary(*sides[0], *sides[1]).p_value)
    return Part(
        name="3e",
        label="fall of IS to the highest R(z₂) at low R(z₁|z₂)",
        found=fall,
        sign=">",
        bound=0,
        digits=3,
        shown=p_value < 0.05,
        evidence=f"Mean IS {max(means):.3f} around R(z₂) = {grid[RATE2][peak].mean():.1f} nats, {means[-1]:.3f} around "
        f"{grid[RATE2][last].mean():.1f} nats ({describe_p(p_value)}).",
        cells=np.concatenate([peak, last]),
    )


def sampling_from_the_bottom(grid: Grid) -> tuple[Part, ...]:
    """Claim 6: the highest Inception Scores are at high R(z1|z2) rather than at high R(z2).

    In the tenth of the cells with the highest score, the median percentile of R(z1|z2) within the grid is two thirds
    or more, and that of R(z2) below two thirds.
    """
    top = grid.top_tenth(SCORE)
    below, above = (median(grid.percentiles(rate)[top]) for rate in (RATE1, RATE2))
    rates = [f"{label} = {grid[rate][top[0]]:.1f}" for rate, label in ((RATE1, "R(z₁|z₂)"), (RATE2, "R(z₂)"))]
    return (
        Part(
            name="6a",
            label="percentile of R(z₁|z₂) in the best tenth by IS",
            found=below,
            sign="≥",
            bound=HIGH,
            evidence=f"Median of {len(top)} cells; the best, {grid.place(int(top[0]))}, has {', '.join(rates)} nats.",
            cells=top,
        ),
        Part(
            name="6b",
            label="percentile of R(z₂) in it",
            found=above,
            sign="<",
            bound=HIGH,
            evidence="",
            cells=top,
        ),
    )


def named_order(grid: Grid) -> tuple[Part, ...]:
    """Claim 7: of the models 1, 2 and 3, samples improve in the order 1, 3, 2 and reconstructions in the order 3, 2, 1.

    1 has the highest PSNR, 2 the highest Inception Score, 3 is the VAE. Every step in Inception Score and in PSNR is
    above 0, shown above 2 standard errors of the difference.
    """
    models = {model.number: int(model.row.name) for model in chosen(grid.rows, SCORE)}  # type: ignore[call-overload]
    return (
        _order(grid, models, (1, 3, 2), SCORE, "7a", "least step of IS along 1, 3, 2", ""),
        _order(grid, models, (3, 2, 1), PSNR, "7b", "least step of PSNR along 3, 2, 1", "dB"),
    )


def _order(
    grid: Grid, models: dict[int, int], order: tuple[int, ...], quantity: str, name: str, label: str, unit: str
) -> Part:
    """The least of the steps of a quantity along models; NaN where one of them is not there."""
    cells = np.array([models[number] for number in order if number in models], dtype=np.intp)
    values, errors = grid[quantity][cells], grid.error(quantity)[cells]
    steps = np.diff(values)
    noise = [math.hypot(*pair) for pair in pairwise(errors)]
    whole = len(cells) == len(order)
    places = "; ".join(
        f"{number}: {grid.place(models[number])}, {grid[quantity][models[number]]:.4g}"
        for number in order
        if number in models
    )
    return Part(
        name=name,
        label=label,
        found=float(steps.min()) if whole else math.nan,
        sign=">",
        bound=0,
        unit=unit,
        digits=3,
        shown=whole and all(step > ERRORS * error for step, error in zip(steps, noise, strict=True)),
        evidence=f"{places}; standard error of a step {max(noise, default=0.0):.2g}.",
        cells=cells,
    )
