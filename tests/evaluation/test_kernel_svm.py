"""The RBF SVM against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC

from evaluation.kernel_svm import kernel, predict


def clusters(count, dimensions, scale, seed=0):
    """Codes in three classes of four clusters each, unequally frequent and far from the origin, that overlap."""
    rng = np.random.default_rng(seed)
    labels = np.array([1, 4, 6])[rng.choice(3, count, p=[0.2, 0.3, 0.5])]
    centres = 2 * rng.standard_normal((7, 4, dimensions))
    codes = centres[labels, rng.integers(0, 4, count)] + 0.7 * rng.standard_normal((count, dimensions))
    return scale * (codes / (1 + np.arange(dimensions)) ** 0.5 + 5), labels


@pytest.mark.parametrize(("dimensions", "scale"), [(2, 1.0), (2, 1e-3), (8, 100.0), (300, 0.1)])
def test_classes_are_scikit_learns(dimensions, scale):
    codes, labels = clusters(1000, dimensions, scale)
    expected = SVC().fit(codes[:600], labels[:600]).predict(codes[600:])
    found = predict(codes[:600], labels[:600], codes[600:])
    assert np.mean(found != expected) <= 1 / 400
    assert np.mean(found == labels[600:]) > 0.6


def test_kernels():
    rng = np.random.default_rng(1)
    left, right = (rng.standard_normal((count, 40)).astype(np.float32) / 6 for count in (30, 50))
    expected = rbf_kernel(left.astype(float), right.astype(float), gamma=1.0)
    np.testing.assert_allclose(kernel(left, right), expected, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3])
def test_equal_codes_give_the_most_frequent_class(value):
    labels = np.repeat([4, 2, 7], [10, 30, 20])
    codes = np.full((60, 3), value)
    assert predict(codes, labels, codes[:5]).tolist() == [2] * 5
