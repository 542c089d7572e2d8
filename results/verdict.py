"""Verdicts: how a number of ours compares with a published one, in the words that stand beside the two in a table."""

from __future__ import annotations

import math
from dataclasses import replace

from scipy.special import ndtri, stdtrit

from results.significance import t_test_from_summary
from results.table import Cell, Published

NOT_COMPARABLE = "not comparable"


def judged(cell: Cell, *, reduced: str = "", alpha: float = 0.05) -> Cell:
    """The cell with its verdict, where it has a value of ours and a published one.

    A published standard deviation over a known number of runs is held against ours by a two-sided equal-variance
    t-test: "agrees" or "differs (p = …)". Without them the question is whether the published value lies inside our
    t-interval (95 % at the default alpha) widened by half a unit of its last printed digit. Fewer than two of our
    trials are "too few". Of a reduced study (`reduced` says how) nothing is comparable, so that it never agrees.
    """
    published = cell.published
    if published is None or cell.missing:
        return cell
    if reduced:
        return replace(cell, verdict=NOT_COMPARABLE)
    if cell.n < 2:
        return replace(cell, verdict=f"too few {cell.counted}")
    if published.n is None or published.n < 2 or math.isnan(published.std):
        half = float(stdtrit(cell.n - 1, 1 - alpha / 2)) * cell.std / math.sqrt(cell.n)
        return replace(cell, verdict=of_interval(cell.mean - half, cell.mean + half, published, alpha=alpha))
    test = t_test_from_summary(cell.mean, cell.std, cell.n, published.value, published.std, published.n)
    return replace(cell, verdict="agrees" if test.p_value >= alpha else f"differs ({describe_p(test.p_value)})")


def judged_once(cell: Cell, standard_error: float, *, reduced: str = "", alpha: float = 0.05) -> Cell:
    """The cell with its verdict, where its value is of one trial and its standard error that of the test sample.

    The question is whether the published value lies inside value ± z · standard_error (z = 1.96 at the default alpha),
    widened by half a unit of its last printed digit. Such an interval says how far another test set would move the
    value of this one model; how far another training would is not in it. Several trials are judged by `judged`.
    standard_error: in the cell's unit; NaN where none is stored, and then there is no verdict but that.
    """
    published = cell.published
    if published is None or cell.missing or reduced or cell.n > 1:
        return judged(cell, reduced=reduced, alpha=alpha)
    if math.isnan(standard_error):
        return replace(cell, verdict="no standard error")
    half = float(ndtri(1 - alpha / 2)) * standard_error
    return replace(cell, verdict=of_interval(cell.mean - half, cell.mean + half, published, alpha=alpha))


def of_interval(low: float, high: float, published: Published, *, alpha: float = 0.05) -> str:
    """Whether a published value lies in our interval, both ends widened by half a unit of its last printed digit."""
    half = 0.0 if published.digits is None else 0.5 * 10.0**-published.digits
    slack = 1e-9 * max(1.0, abs(published.value))  # half a unit is not exact in binary
    inside = low - half - slack <= published.value <= high + half + slack
    return f"{'inside' if inside else 'outside'} our {100 * (1 - alpha):g} % interval"


def describe_p(p_value: float) -> str:
    """A p-value in words, to two digits."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"
