"""Parts of claims: what is measured of each, and the bound that it has to keep."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from results.table_formats import MISSING, number
from studies.hvae.grids import Floats, Positions
from studies.quantities import CLASSIFIERS

_SIGNS = {">": operator.gt, "≥": operator.ge, "<": operator.lt, "=": operator.eq}
Status = Literal["holds", "within sampling error", "cannot be told", "does not hold"]
ALPHA = 0.05

PSNR, SCORE, DIVERSITY, SHARPNESS = "psnr", "inception_score", "diversity", "sharpness"
INFORMATION, INFORMATION_BOUND = "mutual_information@z2", "mutual_information_bound@z2"
ACCURACIES = {f"accuracy_{name}@z2": label for name, label in CLASSIFIERS.items()}
LOGISTIC, LINEAR, RBF, NEIGHBOURS = ACCURACIES
TASKS = {PSNR: "PSNR", SCORE: "Inception Score", RBF: "RBF SVM on z₂"}
ERRORS = 2.0  # standard errors beyond which a difference is not put down to noise
HIGH = 2 / 3  # of a share or of a percentile: what most, or high, is taken to mean
RELATED = 0.5  # a rank correlation from which one quantity is taken to grow with another


@dataclass(frozen=True, kw_only=True)
class Part:
    """One measured part of a claim.

    found: the number, NaN where it cannot be told; sign, bound: what it has to keep; shown: whether noise of trainings
    and of the test sample is too small to explain it. digits, unit: as printed. evidence: the numbers behind it in
    words. cells: behind the number, by position in the grid. applies: whether the paper says it of this data set.
    """

    name: str
    label: str
    found: float
    sign: Literal[">", "≥", "<", "="]
    bound: float
    evidence: str
    cells: Positions
    shown: bool
    unit: str = ""
    digits: int = 2
    applies: bool = True

    @property
    def status(self) -> Status:
        """What does not keep its bound fails; what keeps it, but could by chance, is not shown; NaN tells nothing."""
        if math.isnan(self.found):
            return "cannot be told"
        if not _SIGNS[self.sign](self.found, self.bound):
            return "does not hold"
        return "holds" if self.shown else "within sampling error"

    @property
    def needed(self) -> str:
        return f"{self.sign} {self.bound:.2g}"


def median(values: Floats) -> float:
    """NaN of nothing."""
    return float(np.median(values)) if len(values) else math.nan


def share(which: npt.NDArray[np.bool_]) -> float:
    """NaN of nothing."""
    return float(which.mean()) if len(which) else math.nan


def least(values: Iterable[float], bound: float) -> float:
    """The least; NaN where it has to be above a bound, is so as far as is known, and one is NaN."""
    every = list(values)
    known = min((value for value in every if not math.isnan(value)), default=math.nan)
    untold = any(math.isnan(value) for value in every)
    return math.nan if known > bound and untold else known


def more_than_chance(count: int, n: int, chance: float = 0.5) -> float:
    """P[at least this many of n] where each is one with probability `chance` (one-sided binomial test)."""
    return math.fsum(math.comb(n, k) * chance**k * (1 - chance) ** (n - k) for k in range(count, n + 1))


def told(value: float, digits: int = 2) -> str:
    """A number with this many decimals, a dash where there is none."""
    return MISSING if math.isnan(value) else number(value, digits)


def signed(value: float) -> str:
    """The same with its sign, as in +0.12 and −0.12."""
    return MISSING if math.isnan(value) else f"{value:+.2f}".replace("-", "−")


def between(low: float, high: float, digits: int = 2) -> str:
    """An interval in words."""
    return f"95 % interval {told(low, digits)} to {told(high, digits)}".replace("-", "−")
