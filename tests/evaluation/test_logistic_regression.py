"""Logistic regression against scikit-learn's by Newton's method, run to a tighter tolerance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression

from evaluation.logistic_regression import fitted, predict


def overlapping(count, dimensions, scale, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count)
    centres = rng.standard_normal((4, dimensions))
    codes = 2 + (centres[labels] + 1.5 * rng.standard_normal((count, dimensions))) / (1 + np.arange(dimensions))
    return scale * codes, labels


def loss(weights, codes, labels):
    scores = codes @ weights[:-1] + weights[-1]
    each = logsumexp(scores, axis=1) - scores[np.arange(len(labels)), labels]
    return each.sum() + 0.5 * np.square(weights[:-1]).sum()


@pytest.mark.parametrize("scale", [1e-3, 0.1, 1.0, 30.0])
@pytest.mark.parametrize(("count", "dimensions"), [(400, 5), (100, 60)])
def test_loss_and_classes_are_scikit_learns(scale, count, dimensions):
    codes, labels = overlapping(count + 300, dimensions, scale)
    train, test = slice(count), slice(count, None)
    model = LogisticRegression(solver="newton-cholesky", tol=1e-10, max_iter=1000).fit(codes[train], labels[train])
    expected = loss(np.vstack([model.coef_.T, model.intercept_]), codes[train], labels[train])
    found = fitted(codes[train] - codes[train].mean(0), labels[train], 4)
    np.testing.assert_allclose(loss(found, codes[train] - codes[train].mean(0), labels[train]), expected, rtol=1e-5)
    chosen = predict(codes[train], labels[train], codes[test])
    assert np.mean(chosen != model.predict(codes[test])) <= 0.01


def test_labels_need_not_be_consecutive():
    codes, labels = overlapping(300, 5, 1.0)
    names = np.array([3, 4, 7, 11])
    assert predict(codes, names[labels], codes).tolist() == names[predict(codes, labels, codes)].tolist()


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3])
def test_equal_codes_give_the_most_frequent_class(value):
    labels = np.repeat([4, 2, 7], [10, 30, 20])
    codes = np.full((60, 3), value)
    assert predict(codes, labels, codes[:5]).tolist() == [2] * 5
