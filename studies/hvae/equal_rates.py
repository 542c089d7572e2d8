"""What PSNR gains at equal total rate by moving rate between the layers, against chance (Xiao & Bamler 2023, Sec. 5.4).

The β-VAEs are 21 of 441 models, so the best of the others beat them by noise alone; hence permutations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import Chebyshev

from studies.hvae.grids import Floats, Grid, Positions
from studies.hvae.names import RATE

PERMUTATIONS, BINS, DEGREE = 999, 10, 7
LEAST = 7  # cells of a ratio β2 / β1 for its mean gain to count: ratios from 10^-1.4 to 10^1.4


@dataclass(frozen=True, kw_only=True)
class Trade:
    """The largest mean gains over β-VAEs of equal total rate, of all cells with one ratio β2 / β1, in dB.

    up: of ratios above 1, rate moved from z2 to z1; down: of ratios below 1; ratio: that of `up`. p_up, p_difference:
    how often permutations give as large an `up` and `up` − `down`. NaN where no cell is within the β-VAEs' rates.
    """

    up: float = math.nan
    down: float = math.nan
    ratio: float = math.nan
    p_up: float = math.nan
    p_difference: float = math.nan


def trade(grid: Grid, name: str) -> Trade:
    """Gains in a quantity by moving rate.

    Residuals from a smooth curve of the total rate R (a polynomial of R's percentile), each less that of the β-VAE of
    equal R, are averaged for each ratio β2 / β1. Were the quantity a function of R and noise, residuals could be
    exchanged among cells of nearly equal R: so they are, within tenths of R, with a fixed seed.
    """
    place = grid.percentiles(RATE)
    degree = min(DEGREE, len(np.unique(place)) - 1)
    residuals = grid[name] - Chebyshev.fit(place, grid[name], degree, domain=[0, 1])(place)
    offsets, means = _mean_gains(grid)
    above, below = offsets > 0, offsets < 0
    if not (above.any() and below.any()):
        return Trade()
    generator = np.random.default_rng(0)
    tenths = np.floor(place * BINS)
    home = np.lexsort((np.arange(len(grid)), tenths))
    drawn = np.empty((PERMUTATIONS, len(grid)))
    for permuted in drawn:  # sorted by tenth, then by chance: cells change places within tenths
        permuted[home] = residuals[np.lexsort((generator.random(len(grid)), tenths))]
    found, chance = means @ residuals, drawn @ means.T
    up, down = float(found[above].max()), float(found[below].max())
    chance_up, chance_down = chance[:, above].max(axis=1), chance[:, below].max(axis=1)
    return Trade(
        up=up,
        down=down,
        ratio=grid.ratio(int(offsets[above][found[above].argmax()])),
        p_up=_p(chance_up, up),
        p_difference=_p(chance_up - chance_down, up - down),
    )


def _mean_gains(grid: Grid) -> tuple[Positions, Floats]:
    """Steps from β1 to β2 of each ratio that counts, (k,), and all cells' weights in its mean gain, (k, cells)."""
    beside = grid.beside_weights(np.arange(len(grid)))
    inside = ~np.isnan(beside[:, 0])
    gains = np.eye(len(grid)) - np.where(inside[:, None], beside, 0)
    steps = np.where(inside, grid.steps, 0)
    offsets, counts = np.unique(steps, return_counts=True)
    offsets = offsets[(counts >= LEAST) & (offsets != 0)]
    means = np.array([gains[steps == offset].mean(axis=0) for offset in offsets]).reshape(len(offsets), len(grid))
    return offsets, means


def _p(chance: Floats, found: float) -> float:
    return float((1 + np.sum(chance >= found)) / (1 + len(chance)))
