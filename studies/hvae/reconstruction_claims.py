"""The rules for the claims on tasks and on reconstruction (Xiao & Bamler 2023, Secs. 5.2 and 5.4, Fig. 4).

Each rule is a function of a grid of layer weights that gives the parts of its claim.
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from results.table_formats import MISSING
from results.verdict import describe_p
from studies.hvae.claim_parts import (
    ALPHA,
    ERRORS,
    PSNR,
    SCORE,
    TASKS,
    Part,
    median,
    more_than_chance,
    share,
    signed,
    told,
)
from studies.hvae.equal_rates import trade
from studies.hvae.grids import Floats, Grid
from studies.hvae.named_models import chosen


def different_optima(grid: Grid) -> tuple[Part, ...]:
    """Claim 1: the best cells by PSNR, Inception Score and RBF-SVM accuracy on z2 are three, and none is a β-VAE.

    Shown where no cell can be the best at two tasks and no β-VAE at one: where none is among the cells that one-sided
    z-tests, Bonferroni-corrected over the grid, leave as possibly the best, with errors of the test sample or by the
    scatter among neighbouring cells, the larger.
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

    Over ratios β2 / β1 > 1 the largest mean gain in PSNR on β-VAEs of equal total rate is above 0, and above that over
    ratios below 1; shown by permutations among cells of nearly equal total rate (p < 5 %), see `trade`. Of the vertices
    of the upper hull of PSNR off the diagonal, more than half have the lower R(z2), shown by a binomial test against
    the share of all cells off the diagonal that have, at least one half.
    """
    found = trade(grid, PSNR)
    hull = grid.upper_hull(PSNR)
    off = hull[~grid.diagonal[hull]]
    gain = median(_known(grid[PSNR][hull] - grid.beside(grid[PSNR], hull)))
    shifts = _known(grid.above_beta_vae(off))
    chance = share(_known(grid.above_beta_vae(~grid.diagonal)) < 0)
    p_hull = more_than_chance(int(np.sum(shifts < 0)), len(shifts), max(0.5, chance)) if len(shifts) else 1.0
    everywhere = np.arange(len(grid))
    return (
        Part(
            name="2a",
            label="gain over β-VAEs at equal total rate, rate moved to z₁",
            found=found.up,
            sign=">",
            bound=0,
            unit="dB",
            digits=3,
            shown=found.p_up < ALPHA,
            evidence=f"Mean of the cells with β₂ / β₁ = {told(found.ratio, 1)}, the largest ({_p(found.p_up)}). "
            f"{len(off)} of {len(hull)} hull optima have β₂ ≠ β₁ (by chance {np.mean(~grid.diagonal):.0%}), their "
            f"median gain {signed(gain)} dB (above 0 by chance too, being the best of many).",
            cells=everywhere,
        ),
        Part(
            name="2b",
            label="that, less the gain with rate moved to z₂",
            found=found.up - found.down,
            sign=">",
            bound=0,
            unit="dB",
            digits=3,
            shown=found.p_difference < ALPHA,
            evidence=f"Largest mean gain of β₂ < β₁: {signed(found.down)} dB ({_p(found.p_difference)}).",
            cells=everywhere,
        ),
        Part(
            name="2c",
            label="share of hull optima with less R(z₂) than β-VAEs",
            found=share(shifts < 0),
            sign=">",
            bound=0.5,
            shown=p_hull < ALPHA,
            evidence=f"Of {len(shifts)} hull optima off the diagonal ({_p(p_hull)}; by chance {told(chance)}); median "
            f"{signed(median(shifts))} nats of R(z₂) at equal total rate.",
            cells=off,
        ),
    )


def named_order(grid: Grid) -> tuple[Part, ...]:
    """Claim 7: of the models 1, 2 and 3, samples improve in the order 1, 3, 2 and reconstructions in the order 3, 2, 1.

    1 has the highest PSNR, 2 the highest Inception Score (IS), 3 is the VAE. IS from 3 to 2 and PSNR from 2 to 1 can
    only rise, and are not counted. IS from 1 to 3 and PSNR from 3 to 2 are above 0, shown above 2 standard errors of
    the difference, those of the test sample or the scatter among neighbouring cells. That 1 and 2 are maxima does not
    favour these steps: each is in the quantity by which its models were not chosen.
    """
    models = {model.number: int(model.row.name) for model in chosen(grid.rows, SCORE)}  # type: ignore[call-overload]
    return (
        _step(grid, models, (1, 3), SCORE, "7a", "step of IS from 1 to 3", ""),
        _step(grid, models, (3, 2), PSNR, "7b", "step of PSNR from 3 to 2", "dB"),
    )


def _step(
    grid: Grid, models: dict[int, int], order: tuple[int, int], quantity: str, name: str, label: str, unit: str
) -> Part:
    """By how much the second model is above the first; NaN where one of them is not there."""
    cells = np.array([models[number] for number in order if number in models], dtype=np.intp)
    values, errors = grid[quantity][cells], grid.error(quantity)[cells]
    step = float(values[1] - values[0]) if len(cells) == 2 else math.nan
    error = float(np.hypot.reduce(errors))
    places = "; ".join(f"{number}: {grid.place(cell)}, {grid[quantity][cell]:.4g}" for number, cell in models.items())
    return Part(
        name=name,
        label=label,
        found=step,
        sign=">",
        bound=0,
        unit=unit,
        digits=3,
        shown=step > ERRORS * error,
        evidence=f"{places}; standard error of the step {error:.2g}.",
        cells=cells,
    )


def _known(values: Floats) -> Floats:
    return values[np.isfinite(values)]


def _p(p_value: float) -> str:
    return MISSING if math.isnan(p_value) else describe_p(p_value)
