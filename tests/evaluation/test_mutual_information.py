"""The class information against brute force, and where its value is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evaluation.errors import EvaluationError
from evaluation.mutual_information import class_information, mutual_information
from evaluation.view import CodeArrays


def entropy(labels):
    return stats.entropy(np.unique(labels, return_counts=True)[1])


def brute_force(codes, labels):
    """The definition, pair by pair, from scipy's normal densities."""
    terms = []
    for z, label in zip(codes.sample, labels, strict=True):
        density = np.array(
            [stats.norm(m, s).logpdf(z).sum() for m, s in zip(codes.mean, codes.std, strict=True)], dtype=np.longdouble
        )
        terms.append(np.log(np.exp(density[labels == label]).mean()) - np.log(np.exp(density).mean()))
    return np.array(terms, dtype=float)


@given(seed=st.integers(0, 10_000), scale=st.sampled_from([1e-9, 1e-3, 0.5, 3.0]), offset=st.sampled_from([0.0, 40.0]))
@settings(max_examples=12, deadline=None)
def test_brute_force(seed, scale, offset):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, 20)
    mean = offset + rng.standard_normal((20, 2))
    mean[1] = mean[0]  # two posteriors that overlap at any scale
    std = scale * rng.uniform(0.5, 1.5, mean.shape)
    codes = CodeArrays(mean, std, mean + std * rng.standard_normal(mean.shape))
    order = np.argsort(labels, kind="stable")
    # A code is rounded at its mean's size, so a posterior this much narrower has residuals that are no better known.
    rounding = 100 * np.finfo(float).eps * np.abs(mean).max() / scale
    found, expected = class_information(codes, labels), brute_force(codes, labels)[order]
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7 + rounding)


def test_rows_beyond_one_block(monkeypatch):
    rng = np.random.default_rng(0)
    codes = CodeArrays(*(rng.uniform(0.5, 1.5, (90, 3)) for _ in range(3)))
    labels = rng.integers(0, 2, 90)
    whole = class_information(codes, labels)
    monkeypatch.setattr("evaluation.mutual_information.ROWS", 7)
    np.testing.assert_allclose(class_information(codes, labels), whole, atol=1e-12)


def test_a_sample_far_from_all_of_its_own_class():
    """At 100 standard deviations its density is 10^-2171 of the largest, which double precision has not."""
    rng = np.random.default_rng(0)
    labels = np.arange(20) % 2
    mean = 10.0 * labels[:, None] + 0.1 * rng.standard_normal((20, 1))
    codes = CodeArrays(mean, np.full((20, 1), 0.1), mean + 0.1 * rng.standard_normal((20, 1)))
    codes.sample[0] = 10.0
    expected = brute_force(codes, labels)[np.argsort(labels, kind="stable")]
    assert expected[0] < -4000
    np.testing.assert_allclose(class_information(codes, labels), expected, rtol=1e-9)


def clusters(view_of, distance, std, count=600, seed=0):
    """Two classes at ±distance/2 on a line, every posterior N(±distance/2, std²)."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    mean = np.where(labels == 0, -0.5, 0.5)[:, None] * distance
    spread = np.full((count, 1), std)
    codes = CodeArrays(mean, spread, mean + std * rng.standard_normal((count, 1)))
    return view_of({"z1": None, "z2": codes}, labels=labels)


def test_two_clusters(view_of):
    """Every posterior of a class is the same, so the mixture is exact and only the sample of z is left to chance."""
    for distance, std in ((1.0, 1.0), (2.0, 0.7), (0.3, 1.0)):
        found = mutual_information(clusters(view_of, distance, std, 4000), ("mutual_information@z2",))
        grid = np.linspace(-12, 12, 20_001)
        zero, one = (stats.norm(side * distance / 2, std).pdf(grid) for side in (-1, 1))
        mixture = (zero + one) / 2
        known = np.sum(zero * np.log(zero / mixture) + one * np.log(one / mixture)) / 2 * (grid[1] - grid[0])
        estimate = found["mutual_information@z2"]
        assert abs(estimate.value - known) < 4 * estimate.standard_error < 0.06


def test_separated_clusters_give_the_entropy_of_the_labels(view_of):
    found = mutual_information(clusters(view_of, 100.0, 1.0), ("mutual_information@z2",))["mutual_information@z2"]
    np.testing.assert_allclose(found.value, np.log(2), atol=1e-12)


def test_wide_posteriors_without_class_information_give_zero(view_of):
    found = mutual_information(clusters(view_of, 0.0, 1.0), ("mutual_information@z2",))["mutual_information@z2"]
    assert abs(found.value) < 1e-12
    rng = np.random.default_rng(2)
    labels = np.arange(900) % 10
    codes = CodeArrays(0.01 * rng.standard_normal((900, 4)), np.ones((900, 4)), rng.standard_normal((900, 4)))
    assert abs(class_information(codes, labels).mean()) < 0.001


def test_narrow_posteriors_saturate_at_the_entropy_whatever_they_know(view_of):
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 10, 500)
    mean = rng.standard_normal((500, 8))
    values = {}
    for std in (0.3, 0.05):
        spread = np.full(mean.shape, std)
        codes = CodeArrays(mean, spread, mean + std * rng.standard_normal(mean.shape))
        values[std] = class_information(codes, labels).mean()
    assert 2.1 < values[0.3] < 2.27  # though the labels are random
    np.testing.assert_allclose(values[0.05], entropy(labels), atol=1e-3)


def test_refusals(view_of):
    with pytest.raises(EvaluationError, match="mutual_information@z2, not 'mutual_information@z1'"):
        mutual_information(clusters(view_of, 1.0, 1.0), ("mutual_information@z1",))
    with pytest.raises(EvaluationError, match="stds positive"):
        mutual_information(clusters(view_of, 1.0, 0.0), ("mutual_information@z2",))
    with pytest.raises(EvaluationError, match="must be finite"):
        mutual_information(clusters(view_of, np.nan, 1.0), ("mutual_information@z2",))
