"""Probes: how well simple classifiers read the class from the codes (Xiao & Bamler 2023, Table 1 and Figs. 6-8).

The inputs are the modes of the posteriors of one latent group on the *test* split: of the top group the mode of
q(z2|x), of a lower one the mode of q(z1|z2, x) at a sampled z2. As in the authors' code, that split is itself divided
80/20 by `RandomState(42).permutation`: a classifier is fitted to the first part and scored on the last. Inputs are not
standardised: C and gamma weigh them as they are.

A classifier is defined by the minimum of its loss, which engines of our own reach in a fraction of scikit-learn's time:
to a relative 1e-5, and for the RBF SVM to libsvm's own tolerance. Where scikit-learn's solvers get there too,
accuracies agree to 0.2 %, for points that lie on a boundary; engines within that tolerance are the same quantity. At
its limit of steps the authors' saga stands elsewhere: BENCHMARKS.md says how far.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import sklearn
from sklearn.neighbors import KNeighborsClassifier

from evaluation import kernel_svm, linear_svm, logistic_regression
from evaluation.errors import EvaluationError
from evaluation.rows import Floats
from evaluation.view import View
from models.spec import nearest
from results.quantity import Estimate

MODE = "_mode"  # of the group above: Fig. 7 conditions on it where the authors' code has a sample
SPLIT_SEED = 42
TRAIN_FRACTION = 0.8

Labels = npt.NDArray[np.int64]
Codes = npt.NDArray[np.float64]
Classifier = Callable[[Codes, Labels, Codes], Labels]


def neighbours(codes: Codes, labels: Labels, points: Codes) -> Labels:
    """Of the 5 nearest, by scikit-learn: brute force is a matrix product, and no tree is as fast at these sizes."""
    # The codes have been checked already: without scikit-learn's own checks it takes half as long.
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        fitted = KNeighborsClassifier(n_neighbors=5, algorithm="brute").fit(codes, labels)
        predicted: Labels = fitted.predict(points)
    return predicted


# By name: predicted classes of points (k, d), from codes (n, d) with labels (n,).
CLASSIFIERS: Mapping[str, Classifier] = {
    "logistic": logistic_regression.predict,
    "svm_linear": linear_svm.predict,
    "svm_rbf": kernel_svm.predict,
    "knn": neighbours,
}


def probes(view: View, names: tuple[str, ...]) -> dict[str, Estimate]:
    """accuracy_<classifier>@<group>, a fraction, with the binomial standard error √(a(1−a)/n) of its n scored points.

    Codes that are all equal, a collapsed posterior, give the accuracy of a constant guess. Raises EvaluationError for
    codes that are not finite and for names of another form.
    """
    train, test = split(len(view.labels))
    accuracies: dict[str, Estimate] = {}
    for name in names:
        classifier, group = parse(name)
        codes = np.ascontiguousarray(inputs(view, group), dtype=np.float64)
        if not np.isfinite(codes).all():
            raise EvaluationError(f"probes, {name}: the modes of {group} are not finite")
        accuracy = score(classifier, codes[train], view.labels[train], codes[test], view.labels[test])
        accuracies[name] = Estimate(accuracy, float(np.sqrt(accuracy * (1 - accuracy) / len(test))))
    return accuracies


def inputs(view: View, group: str) -> Floats:
    """The modes of a group, (N, d): given a sample of the group above, or its mode where the name ends in `_mode`."""
    alone = group.removesuffix(MODE)
    return view.codes(group).mean if alone == group else view.modes(alone)


def parse(name: str) -> tuple[str, str]:
    """('svm_rbf', 'z2') from 'accuracy_svm_rbf@z2'."""
    stem, _, group = name.partition("@")
    classifier = stem.removeprefix("accuracy_")
    if classifier not in CLASSIFIERS or not stem.startswith("accuracy_") or not group:
        known = [f"accuracy_{known}@{group or 'z1'}" for known in CLASSIFIERS]
        raise EvaluationError(f"probes know no quantity {name!r}; {nearest(name, known)}")
    return classifier, group


def split(count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Indices to fit on and to score on: a fixed permutation, its first 80 % and the rest."""
    order = np.random.RandomState(SPLIT_SEED).permutation(count)
    cut = int(TRAIN_FRACTION * count)
    return order[:cut], order[cut:]


def score(classifier: str, codes: Codes, labels: Labels, test_codes: Codes, test_labels: Labels) -> float:
    """Accuracy on the test codes (n, d) of a classifier fitted to codes (m, d)."""
    if len(np.unique(labels)) < 2:
        raise EvaluationError(f"probes: a classifier needs at least two classes among {len(labels)} labels")
    return float(np.mean(CLASSIFIERS[classifier](codes, labels, test_codes) == test_labels))
