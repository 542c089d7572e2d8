"""Correlations against scipy and statsmodels, and shares of variance against an analysis of variance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from results.correlation import (
    block_weights,
    explained,
    explained_in,
    explains_more,
    fisher_interval,
    interval,
    partial_rank_correlation,
    partial_rank_correlation_in,
    rank_correlation,
    rank_correlation_in,
)


def sample(n: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    z = generator.normal(size=n)
    x = z + generator.normal(size=n)
    return x, np.round(np.exp(z) - x, 1), z  # with ties


def test_rank_correlation_is_scipys() -> None:
    x, y, _ = sample()
    assert rank_correlation(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
    assert math.isnan(rank_correlation(x, np.ones_like(x)))
    assert math.isnan(rank_correlation(x[:1], y[:1]))


def test_partial_rank_correlation_is_that_of_the_residual_ranks() -> None:
    x, y, z = (stats.rankdata(each) for each in sample())
    left, right = (each - np.polyval(np.polyfit(z, each, 1), z) for each in (x, y))
    assert partial_rank_correlation(*sample()) == pytest.approx(stats.pearsonr(left, right).statistic)
    assert math.isnan(partial_rank_correlation(x, y, x))
    assert math.isnan(partial_rank_correlation(x, y, np.ones_like(x)))


def test_fisher_interval_is_scipys() -> None:
    x, y, _ = sample(30)
    result = stats.pearsonr(x, y)
    interval = result.confidence_interval(0.95)
    assert fisher_interval(result.statistic, 30) == pytest.approx((interval.low, interval.high))
    assert fisher_interval(1.0, 30) == (1.0, 1.0)


def test_the_explained_share_is_that_of_an_analysis_of_variance() -> None:
    """η² = d_b F / (d_b F + d_w), with ten groups of twenty."""
    x, y, _ = sample()
    groups = [y[part] for part in np.array_split(np.argsort(x), 10)]
    f = stats.f_oneway(*groups).statistic
    assert explained(y, x) == pytest.approx(9 * f / (9 * f + 190))
    assert explained(x, x) > 0.9
    assert explained(np.cos(6 * x), x) > explained(np.cos(6 * x), y)  # not monotone
    assert math.isnan(explained(np.ones_like(x), x))
    assert explained(y, np.ones_like(x)) == pytest.approx(0)  # equal values share a tenth


def test_explains_more_finds_what_drives_a_quantity() -> None:
    x, _, z = sample(400)
    each = block_weights(np.arange(400))
    noise = np.random.default_rng(1).normal(size=400)
    difference, low, high = explains_more(z + 0.3 * noise, z, noise, each)
    assert difference == explained(z + 0.3 * noise, z) - explained(z + 0.3 * noise, noise)
    assert 0 < low < difference < high < 1
    assert explains_more(z + 0.3 * noise, z, noise, each) == (difference, low, high)  # a fixed seed
    _, low, high = explains_more(noise, x, z, each)
    assert low < 0 < high


def test_the_bootstrap_interval_covers() -> None:
    """Of two equal drivers the difference is 0 in law: 95 % intervals hold it in nearly all of 100 samples."""
    generator = np.random.default_rng(2)
    held, each = 0, block_weights(np.arange(200))
    for _ in range(100):
        one, other, noise = generator.normal(size=(3, 200))
        _, low, high = explains_more(one + other + noise, one, other, each)
        held += low <= 0 <= high
    assert held >= 88  # P[below] < 1 % at 95 %


def test_blocks_are_drawn_whole() -> None:
    blocks = np.arange(60) // 5
    weights = block_weights(blocks)
    assert weights.shape[1] == 60
    assert np.all(weights.sum(axis=1) == 60)
    assert np.all(weights.reshape(-1, 12, 5) == weights.reshape(-1, 12, 5)[:, :, :1])


def test_the_interval_of_blocks_covers_where_points_repeat() -> None:
    """Sixty pairs, each there five times: an interval for 300 pairs is too narrow, one for 60 blocks is not."""
    generator = np.random.default_rng(4)
    blocks = np.repeat(np.arange(60), 5)
    held = {"blocks": 0, "points": 0}
    for _ in range(100):
        x, y = (np.repeat(each, 5) for each in generator.normal(size=(2, 60)))
        for name, numbers in (("blocks", blocks), ("points", np.arange(300))):
            low, high = interval(rank_correlation_in(x, y, block_weights(numbers)))
            held[name] += low <= 0 <= high
    assert held["blocks"] >= 88
    assert held["points"] < 80


def test_statistics_of_resamples_are_those_of_repeated_points() -> None:
    """Ranks and tenths are those among all points, so that points taken once each give the plain statistics."""
    x, y, z = sample()
    once = np.ones((2, len(x)))
    np.testing.assert_allclose(
        rank_correlation_in(x, np.array([y, -y]), once), rank_correlation(x, y) * np.array([1, -1])
    )
    np.testing.assert_allclose(partial_rank_correlation_in(x, y, z, once), partial_rank_correlation(x, y, z))
    np.testing.assert_allclose(explained_in(y, x, once), explained(y, x))
    counts = np.random.default_rng(5).integers(0, 4, len(x))
    ranks = [np.repeat(stats.rankdata(each), counts) for each in (x, y)]
    weighted = rank_correlation_in(x, y, counts[None].astype(float))
    assert weighted == pytest.approx([stats.pearsonr(*ranks).statistic])


def test_an_interval_leaves_out_what_has_no_value() -> None:
    draws = np.r_[np.arange(101.0), np.nan]
    assert interval(draws) == (2.5, 97.5)
    assert interval(draws, 0.2) == (10, 90)
    assert all(map(math.isnan, interval(np.full(3, np.nan))))
