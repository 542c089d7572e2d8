"""Tests and corrections against scipy and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from results.significance import adjust, compare, describe_test, mean_and_std, paired_t_test, t_test_from_summary


def replicates(**values: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"setting": name, "seed": seed, "accuracy": value}
            for name, sample in values.items()
            for seed, value in enumerate(sample)
        ]
    )


@pytest.mark.parametrize(("n1", "n2"), [(3, 3), (2, 5), (10, 4)])
def test_summary_test_is_scipys(n1: int, n2: int) -> None:
    generator = np.random.default_rng(n1)
    a, b = generator.normal(0, 1, n1), generator.normal(1, 2, n2)
    ours = t_test_from_summary(a.mean(), a.std(ddof=1), n1, b.mean(), b.std(ddof=1), n2)
    theirs = stats.ttest_ind(a, b)
    assert ours.statistic == pytest.approx(theirs.statistic)
    assert ours.p_value == pytest.approx(theirs.pvalue)
    assert ours.degrees_of_freedom == theirs.df
    paired = paired_t_test(a[:2] - b[:2])
    assert paired.p_value == pytest.approx(stats.ttest_rel(a[:2], b[:2]).pvalue)


def test_published_numbers_give_the_known_p_values() -> None:
    # From Dueling Decoders' Table 1, n = 3: reconstruction accuracy on stochastic MNIST, MLP accuracy on MNIST.
    assert t_test_from_summary(0.79, 0.03, 3, 0.73, 0.02, 3).p_value == pytest.approx(0.045, abs=5e-4)
    assert t_test_from_summary(0.88, 0.04, 3, 0.79, 0.01, 3).p_value == pytest.approx(0.0194, abs=5e-5)


def test_no_spread_is_exact() -> None:
    assert t_test_from_summary(1, 0, 3, 1, 0, 3).p_value == 1
    assert t_test_from_summary(1, 0, 3, 2, 0, 3).p_value == 0
    assert mean_and_std(np.array([0.1, 0.1, 0.1])) == (0.1, 0.0)  # np.std gives 1.7e-17
    assert paired_t_test(np.array([0.0, 0.0])).p_value == 1


def test_summary_test_refuses() -> None:
    with pytest.raises(ValueError, match="at least two values a sample, not 1"):
        t_test_from_summary(1, 0.1, 3, 1, 0.1, 1)
    with pytest.raises(ValueError, match="standard deviation of at least 0, not nan"):
        t_test_from_summary(1, math.nan, 3, 1, 0.1, 3)
    with pytest.raises(ValueError, match="two pairs"):
        paired_t_test(np.array([1.0]))


@pytest.mark.parametrize("p_values", [[0.3], [0.04, 0.01, 0.01, 0.6], [1.0, 0.0, 0.02, 0.02, 0.9, 0.011, 0.4]])
def test_corrections_are_those_of_statsmodels(p_values: list[float]) -> None:
    for correction in ("bonferroni", "holm"):
        np.testing.assert_allclose(
            adjust(p_values, correction), multipletests(p_values, method=correction)[1], rtol=1e-12, atol=1e-15
        )
    assert adjust(p_values, "none").tolist() == p_values
    # A larger family is the same as one filled up with p-values of 1.
    filled = [*p_values, 1.0, 1.0]
    for correction in ("bonferroni", "holm"):
        expected = multipletests(filled, method=correction)[1][: len(p_values)]
        np.testing.assert_allclose(adjust(p_values, correction, len(filled)), expected, rtol=1e-12, atol=1e-15)


def test_corrections_refuse() -> None:
    assert adjust([], "holm").size == 0
    with pytest.raises(ValueError, match="bonferroni, holm, none"):
        adjust([0.1], "fdr")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="2 comparisons cannot be corrected as 1"):
        adjust([0.1, 0.2], "holm", 1)


SAMPLES = {"a": [0.90, 0.91, 0.92], "b": [0.88, 0.92, 0.90], "c": [0.70, 0.72, 0.71], "d": [0.875, 0.89, 0.885]}


@pytest.mark.parametrize("correction", ["bonferroni", "holm", "none"])
@pytest.mark.parametrize("paired", [False, True])
def test_compare_with_the_best(correction: str, paired: bool) -> None:
    comparisons = compare(
        replicates(**SAMPLES), "setting", "accuracy", "maximise", correction=correction, paired=paired
    )
    assert [each.setting for each in comparisons] == ["a", "b", "c", "d"]
    best, *others = comparisons
    assert best.best
    assert best.differs is False
    assert math.isnan(best.p_value)
    oracle = stats.ttest_rel if paired else stats.ttest_ind
    expected = [float(oracle(SAMPLES["a"], SAMPLES[each.setting]).pvalue) for each in others]
    np.testing.assert_allclose([each.p_value for each in others], expected)
    corrected = expected if correction == "none" else multipletests(expected, method=correction)[1]
    np.testing.assert_allclose([each.adjusted for each in others], corrected)
    assert [each.differs for each in others] == [bool(p < 0.05) for p in corrected]
    assert others[1].differs is True
    assert others[1].mean == pytest.approx(0.71)
    assert others[1].std == pytest.approx(np.std(SAMPLES["c"], ddof=1))
    assert (others[1].n, others[1].planned) == (3, 3)


def test_correction_decides() -> None:
    decided = {
        correction: [
            each.differs
            for each in compare(replicates(**SAMPLES), "setting", "accuracy", "maximise", correction=correction)
        ]
        for correction in ("none", "holm", "bonferroni")
    }
    # p = 0.57 (b), 2e-5 (c), 0.021 (d): Holm holds d against α/2, Bonferroni against α/3.
    assert decided["none"] == decided["holm"] == [False, False, True, True]
    assert decided["bonferroni"] == [False, False, True, False]


def test_minimising_and_a_named_best() -> None:
    frame = replicates(**SAMPLES)
    assert next(each.setting for each in compare(frame, "setting", "accuracy", "minimise") if each.best) == "c"
    assert next(each.setting for each in compare(frame, "setting", "accuracy", "none", best="b") if each.best) == "b"
    with pytest.raises(ValueError, match="goal 'none'"):
        compare(frame, "setting", "accuracy", "none")
    with pytest.raises(ValueError, match="no setting 'e' to compare with; there are a, b, c, d"):
        compare(frame, "setting", "accuracy", "none", best="e")
    with pytest.raises(ValueError, match="alpha"):
        compare(frame, "setting", "accuracy", "minimise", alpha=5)


def test_too_few_values_are_not_tested() -> None:
    nan = math.nan
    frame = replicates(a=[0.9, 0.91, nan], b=[0.5, nan, nan], c=[nan, nan, nan], d=[0.7, 0.71, 0.70])
    a, b, c, d = compare(frame, "setting", "accuracy", "maximise")
    assert (a.n, a.planned, a.best) == (2, 3, True)
    assert (b.differs, b.reason) == (None, "not tested: fewer than two values")
    assert math.isnan(b.std)
    assert (c.differs, c.n, c.reason) == (None, 0, "no values")
    assert math.isnan(c.mean)
    assert d.adjusted == d.p_value == pytest.approx(stats.ttest_ind([0.9, 0.91], [0.7, 0.71, 0.70]).pvalue)

    lonely = compare(replicates(a=[0.9], b=[0.5, 0.51]), "setting", "accuracy", "maximise")
    assert [each.differs for each in lonely] == [False, None]
    assert "best has fewer" in lonely[1].reason
    nothing = compare(replicates(a=[nan]), "setting", "accuracy", "maximise")
    assert [each.best for each in nothing] == [False]
    assert compare(replicates(a=[1.0])[:0], "setting", "accuracy", "maximise") == ()


def test_pairing_uses_the_shared_seeds_only() -> None:
    frame = replicates(a=[0.9, 0.95, 0.93, 0.97], b=[0.8, math.nan, 0.84, 0.81])
    paired = compare(frame, "setting", "accuracy", "maximise", paired=True)[1]
    assert paired.p_value == pytest.approx(stats.ttest_rel([0.9, 0.93, 0.97], [0.8, 0.84, 0.81]).pvalue)
    with pytest.raises(ValueError, match="each seed once in a group, not 0 twice"):
        compare(pd.concat([frame, frame[:1]]), "setting", "accuracy", "maximise", paired=True)


def test_no_spread_says_so() -> None:
    comparisons = compare(replicates(a=[1.0, 1.0], b=[0.5, 0.5], c=[1.0, 1.0]), "setting", "accuracy", "maximise")
    assert [each.differs for each in comparisons] == [False, True, False]
    assert comparisons[1].reason.startswith("no spread")


def test_the_caption_names_the_test() -> None:
    assert describe_test("bonferroni") == (
        "Bold: not significantly different from the best mean (two-sided equal-variance t-test, α = 0.05, "
        "Bonferroni-corrected over the comparisons of a column)."
    )
    assert "paired by seed" in describe_test("holm", paired=True, alpha=0.01)
    assert "α = 0.01, Holm" in describe_test("holm", paired=True, alpha=0.01)
    assert "not corrected" in describe_test("none")
