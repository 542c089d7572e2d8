"""Verdicts on published numbers: the t-test, the interval, and when there is nothing to say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from results.table import Cell, Published
from results.verdict import judged, judged_once, of_interval


def cell(values: tuple[float, ...], published: Published | None) -> Cell:
    std = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
    mean = float(np.mean(values)) if values else math.nan
    return Cell(mean=mean, std=std, n=len(values), planned=3, published=published)


def test_known_runs_are_held_against_ours_by_a_t_test() -> None:
    generator = np.random.default_rng(3)
    verdicts = set()
    for shift in np.linspace(-0.08, 0.08, 17):
        ours = tuple(generator.normal(0.9, 0.02, 3).tolist())
        published = Published(value=0.9 + float(shift), std=0.015, n=3)
        test = stats.ttest_ind_from_stats(np.mean(ours), np.std(ours, ddof=1), 3, published.value, 0.015, 3)
        expected = "agrees" if test.pvalue >= 0.05 else f"differs (p = {test.pvalue:.2g})"
        if test.pvalue < 0.001:
            expected = "differs (p < 0.001)"
        assert judged(cell(ours, published)).verdict == expected
        verdicts.add(expected.split()[0])
    assert verdicts == {"agrees", "differs"}
    assert judged(cell((0.1, 0.1, 0.1), Published(value=0.9, std=0.0, n=3))).verdict == "differs (p < 0.001)"


@pytest.mark.parametrize("published", [{"std": ""}, {"std": "0.01"}])  # without a number of runs a spread is no use
def test_without_them_our_interval_decides(published: dict[str, str]) -> None:
    ours = (0.80, 0.82, 0.87)
    low, high = stats.t.interval(0.95, 2, loc=np.mean(ours), scale=stats.sem(ours))
    for text in (f"{low + 1e-4:.6f}", f"{high - 1e-4:.6f}"):
        assert judged(cell(ours, Published.printed(text, **published))).verdict == "inside our 95 % interval"
    for text in (f"{low - 1e-4:.6f}", f"{high + 1e-4:.6f}"):
        assert judged(cell(ours, Published.printed(text, **published))).verdict == "outside our 95 % interval"


@pytest.mark.parametrize(
    ("printed", "verdict"),
    [
        ("0.9", "inside"),
        ("0.90", "outside"),
        ("0.93", "inside"),
        ("0.94", "inside"),
        ("0.934", "outside"),
        ("1", "inside"),
    ],
)
def test_the_interval_is_widened_by_half_the_last_printed_digit(printed: str, verdict: str) -> None:
    """Around 0.935, without a width of its own: 0.9 may have been anything from 0.85 to 0.95, 0.90 only to 0.905."""
    assert of_interval(0.935, 0.935, Published.printed(printed)) == f"{verdict} our 95 % interval"


def test_alpha_sets_the_width() -> None:
    published = Published.printed("0.90")
    ours = (0.80, 0.82, 0.87)
    assert judged(cell(ours, published)).verdict == "inside our 95 % interval"
    assert judged(cell(ours, published), alpha=0.5).verdict == "outside our 50 % interval"


@pytest.mark.parametrize("std", ["", "0.02"])
@pytest.mark.parametrize("values", [(0.9,), (0.9, 0.9, 0.9), (0.5, 0.6, 0.7)])
def test_a_reduced_study_never_agrees(values: tuple[float, ...], std: str) -> None:
    published = Published.printed("0.90", std, 3)
    assert judged(cell(values, published), reduced="14×14 images").verdict == "not comparable"


def test_too_few_of_ours_and_nothing_to_compare() -> None:
    published = Published.printed("0.90", "0.02", 3)
    assert judged(cell((0.9,), published)).verdict == "too few seeds"
    models = Cell(mean=0.9, n=1, planned=9, counted="models", published=published)
    assert judged(models).verdict == "too few models"
    assert judged(cell((), published)).verdict == ""
    assert judged(cell((0.9, 0.8), None)).verdict == ""
    said = Cell(planned=3, published=published, verdict="no setting < 10 nats")
    assert judged(said, reduced="small") is said


def test_one_trial_is_judged_by_the_error_of_its_test_sample() -> None:
    """z = 1.96 at 5 %, and half a unit of 0.1 beyond it."""
    one = Cell(mean=70.0, n=1, planned=1, published=Published.printed("72.0"))
    assert judged_once(one, 1.95 / stats.norm.ppf(0.975) + 1e-6).verdict == "inside our 95 % interval"
    assert judged_once(one, 1.95 / stats.norm.ppf(0.975) - 1e-6).verdict == "outside our 95 % interval"
    assert judged_once(one, 1.0, alpha=0.01).verdict == "inside our 99 % interval"
    assert judged_once(one, math.nan).verdict == "no standard error"
    assert judged_once(one, 1.0, reduced="few steps").verdict == "not comparable"
    for other in (Cell(mean=70.0, n=1, planned=1), Cell(planned=1, published=one.published)):
        assert judged_once(other, 1.0) == other
    several = cell((69.0, 71.0, 73.0), one.published)
    assert judged_once(several, 1.0) == judged(several)
