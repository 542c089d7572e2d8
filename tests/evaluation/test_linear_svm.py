"""The linear SVM against libsvm run to a tighter tolerance, and where its plane is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import SVC

from evaluation import linear_svm
from evaluation.linear_svm import hyperplane, predict


def overlapping(count, dimensions, scale, seed=0, classes=2, distance=1.0):
    """Codes of unequal spread about one centre a class, far from the origin."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count) ** 2  # labels need not be consecutive
    centres = distance * rng.standard_normal((classes**2, dimensions))
    codes = 3 + (centres[labels] + rng.standard_normal((count, dimensions))) / (1 + np.arange(dimensions)) ** 0.5
    return scale * codes, labels


def loss(plane, x, y):
    return 0.5 * plane[:-1] @ plane[:-1] + np.maximum(1 - y * (x @ plane[:-1] + plane[-1]), 0).sum()


@pytest.mark.parametrize("scale", [0.01, 0.1, 1.0, 30.0])
@pytest.mark.parametrize(("count", "dimensions"), [(200, 4), (60, 40), (20, 50)])
def test_the_loss_is_no_more_than_libsvms_and_no_less_than_its_dual(scale, count, dimensions):
    x, labels = overlapping(count, dimensions, scale, distance=0.3)
    x, y = x - x.mean(0), np.where(labels == 0, -1.0, 1.0)
    machine = SVC(kernel="linear", tol=1e-6).fit(x, y)
    found = loss(hyperplane(x, y), x, y)
    assert found <= (1 + 2e-6) * loss(np.append(machine.coef_[0], machine.intercept_), x, y)
    assert found >= (1 - 1e-9) * (np.abs(machine.dual_coef_).sum() - 0.5 * np.square(machine.coef_).sum())


def test_two_points():
    """Of x = ±2 the loss ½w² + 2 max(0, 1 − 2w) is least at w = 1/2; of x = ±1/10 all of C is spent, so w = 1/5."""
    y = np.array([1.0, -1.0])
    np.testing.assert_allclose(hyperplane(np.array([[2.0, 0], [-2.0, 0]]), y), [0.5, 0, 0], atol=1e-3)
    np.testing.assert_allclose(hyperplane(np.array([[0.1, 0], [-0.1, 0]]), y), [0.2, 0, 0], atol=1e-3)


@pytest.mark.parametrize("separable", [0, 10**9])
@pytest.mark.parametrize(("dimensions", "scale"), [(3, 0.1), (3, 20.0), (60, 0.1), (60, 5.0)])
def test_classes_are_libsvms_whichever_engine_finds_them(monkeypatch, separable, dimensions, scale):
    monkeypatch.setattr(linear_svm, "SEPARABLE", separable)
    codes, labels = overlapping(700, dimensions, scale, classes=4, distance=0.5)
    expected = SVC(kernel="linear").fit(codes[:500], labels[:500]).predict(codes[500:])
    found = predict(codes[:500], labels[:500], codes[500:])
    assert np.mean(found != expected) <= 0.01
    assert 0.3 < np.mean(found == labels[500:]) < 0.99


def test_pairs_that_libsvm_leaves_unfinished_are_solved_otherwise(monkeypatch):
    """In 60 dimensions libsvm is given 900 steps, which these codes need several times over."""
    codes, labels = overlapping(400, 60, 30.0, classes=3, distance=0.1)
    monkeypatch.setattr(linear_svm, "SEPARABLE", 10**9)
    assert len(linear_svm._planes(codes, labels)) < 3
    alone = predict(codes, labels, codes)
    monkeypatch.setattr(linear_svm, "SEPARABLE", 0)
    assert np.mean(alone != predict(codes, labels, codes)) <= 0.01


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3])
def test_equal_codes_give_the_most_frequent_class(value):
    labels = np.repeat([4, 2, 7], [10, 30, 20])
    codes = np.full((60, 3), value)
    assert predict(codes, labels, codes[:5]).tolist() == [2] * 5


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_full_size_of_svhn():
    codes, labels = overlapping(26_032, 32, 1.0, classes=10, distance=0.5)
    train, test = slice(20_825), slice(20_825, None)
    expected = SVC(kernel="linear", max_iter=1_000_000).fit(codes[train], labels[train]).predict(codes[test])
    found = predict(codes[train], labels[train], codes[test])
    assert np.mean(found != expected) <= 0.005
    assert abs(np.mean(found == labels[test]) - np.mean(expected == labels[test])) <= 0.002
