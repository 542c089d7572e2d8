"""Probes against plainly used scikit-learn, and on codes that say nothing."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from evaluation.errors import EvaluationError
from evaluation.probes import CLASSIFIERS, parse, probes, split
from evaluation.view import CodeArrays
from studies.quantities import probes as quantities

CLASSES = 10


def plain(name):
    """The classifier as its documentation offers it; the logistic one by another solver, run to convergence."""
    return {
        "logistic": lambda: LogisticRegression(solver="lbfgs", tol=1e-7, max_iter=100_000),
        "svm_linear": lambda: SVC(kernel="linear"),
        "svm_rbf": SVC,
        "knn": lambda: KNeighborsClassifier(5),
    }[name]()


def codes_of(kind):
    images, labels = load_digits(return_X_y=True)
    images, labels = images[897:], labels[897:]
    directions = PCA(12, svd_solver="full").fit_transform(images)
    rng = np.random.default_rng(0)
    made = {
        "unit": directions / directions.std(0),
        "unequal": directions[:, :8] / 3,
        "half collapsed": np.hstack([directions[:, :3] / 10, 1e-3 * rng.standard_normal((900, 5))]),
        "uninformative": rng.standard_normal((900, 4)),
        "many": np.hstack([directions / directions.std(0), rng.standard_normal((900, 40))]),
    }[kind]
    return made.astype(np.float32), labels.astype(np.int64)


def measured(view_of, mean, labels, classifiers=tuple(CLASSIFIERS)):
    view = view_of({"z2": CodeArrays(mean, np.ones_like(mean), mean + np.nan)}, labels=labels)
    return probes(view, tuple(f"accuracy_{name}@z2" for name in classifiers))


@pytest.mark.parametrize("kind", ["unit", "unequal", "half collapsed", "uninformative", "many"])
def test_accuracies_are_scikit_learns(view_of, kind):
    mean, labels = codes_of(kind)
    order = np.random.RandomState(42).permutation(900)
    train, test = order[:720], order[720:]
    found = measured(view_of, mean, labels)
    for name in CLASSIFIERS:
        double = mean.astype(np.float64)
        expected = plain(name).fit(double[train], labels[train]).score(double[test], labels[test])
        accuracy = found[f"accuracy_{name}@z2"]
        assert accuracy.value == expected, name
        np.testing.assert_allclose(accuracy.standard_error, np.sqrt(expected * (1 - expected) / 180))


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-6])
def test_collapsed_codes_give_chance(view_of, scale):
    rng = np.random.default_rng(1)
    labels = np.arange(900) % CLASSES
    found = measured(view_of, 3.0 + scale * rng.standard_normal((900, 6)), labels)
    assert len(found) == 4
    for name, accuracy in found.items():
        assert 0.0 <= accuracy.value <= 0.1 + 4 * np.sqrt(0.09 / 180), name


def test_separable_codes_of_any_scale_give_one(view_of):
    labels = np.arange(900) % CLASSES
    for scale in (1.0, 1e3):
        found = measured(view_of, scale * 3 * np.eye(CLASSES)[labels], labels)
        assert all(accuracy.value == 1.0 and accuracy.standard_error == 0.0 for accuracy in found.values())


def test_overlapping_codes_of_a_large_scale_end(view_of, monkeypatch):
    monkeypatch.setattr("evaluation.kernel_svm.STEPS", 1000)
    rng = np.random.default_rng(0)
    labels = np.arange(900) % CLASSES
    codes = 100 * (rng.standard_normal((CLASSES, 8))[labels] + 1.5 * rng.standard_normal((900, 8)))
    found = measured(view_of, codes, labels, ("logistic", "svm_linear", "svm_rbf"))
    assert all(0.1 < accuracy.value < 0.9 for accuracy in found.values())


def test_split_is_the_papers():
    train, test = split(901)
    order = np.random.RandomState(42).permutation(901)
    np.testing.assert_array_equal(np.concatenate([train, test]), order)
    assert (len(train), len(test)) == (720, 181)


def test_codes_that_are_not_finite_are_refused(view_of):
    mean = np.zeros((50, 2))
    mean[3, 1] = np.inf
    with pytest.raises(EvaluationError, match=r"accuracy_knn@z2: the modes of z2 are not finite"):
        measured(view_of, mean, np.arange(50) % 2, ("knn",))


def test_a_single_class_is_refused(view_of):
    with pytest.raises(EvaluationError, match="at least two classes"):
        measured(view_of, np.zeros((50, 2)), np.zeros(50, np.int64), ("knn",))


def test_names():
    assert parse("accuracy_svm_rbf@z2") == ("svm_rbf", "z2")
    for quantity in quantities(("z1", "z2")):
        classifier, group = parse(quantity.name)
        assert classifier in CLASSIFIERS
        assert group in ("z1", "z2")
    with pytest.raises(EvaluationError, match="did you mean accuracy_svm_rbf@z1"):
        parse("accuracy_svm_rfb@z1")
    with pytest.raises(EvaluationError, match="no quantity 'accuracy_knn'"):
        parse("accuracy_knn")
