"""The support vector machine with C = 1 and exp(−γ|x − x'|²), one against one, as SVC(kernel="rbf", gamma="scale").

The dual of each pair of classes is libsvm's, by libsvm: what takes its time where there are many dimensions is that it
computes kernels one by one, and as many again for predictions. Here they come from matrix products in single
precision, the precision in which libsvm keeps them, and are exact to about 1e-6. γ = 1/(d Var) goes by all codes that
are fitted, as in SVC, not by those of a pair.
"""

from __future__ import annotations

import warnings
from itertools import combinations

import numpy as np
import numpy.typing as npt
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC

from evaluation.votes import by_class, elected

Array = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

C = 1.0
STEPS = 1_000_000  # a pair of classes, which no codes should take; it is then left where it stands
CACHE = 1000  # MB: a pair's whole kernel
ROWS = 512  # points at a time


def predict(codes: Array, labels: npt.NDArray[np.int64], points: Array) -> npt.NDArray[np.int64]:
    """Classes of points (k, d), from codes (n, d) with labels (n,): most votes of the pairs, of equals the lowest."""
    centre, spread = codes.mean(axis=0), codes.var()
    scale = (1 / (codes.shape[1] * spread)) ** 0.5 if spread > 0 else 1.0
    scaled, queried = (((each - centre) * scale).astype(np.float32) for each in (codes, points))
    classes, parts = by_class(scaled, labels)
    ends = np.cumsum([0, *map(len, parts)])
    alone = [kernel(part, part) for part in parts]
    pairs = list(combinations(range(len(parts)), 2))
    coefficients = np.zeros((ends[-1], len(pairs)), np.float32)
    biases = np.zeros(len(pairs))
    largest = max(len(parts[first]) + len(parts[second]) for first, second in pairs)
    space = np.empty(largest**2)  # one for all: fresh memory costs as much as the kernels
    for pair, (first, second) in enumerate(pairs):
        middle, count = len(parts[first]), len(parts[first]) + len(parts[second])
        whole = space[: count**2].reshape(count, count)
        whole[:middle, :middle], whole[middle:, middle:] = alone[first], alone[second]
        whole[:middle, middle:] = kernel(parts[first], parts[second])
        whole[middle:, :middle] = whole[:middle, middle:].T
        support, weights, biases[pair] = _dual(whole, np.arange(count) < middle)
        rows = np.where(support < middle, ends[first] + support, ends[second] + support - middle)
        coefficients[rows, pair] = weights
    supporting = coefficients.any(axis=1)
    vectors, coefficients = np.vstack(parts)[supporting], coefficients[supporting]
    chunks = (queried[first : first + ROWS] for first in range(0, len(queried), ROWS))
    decisions = np.vstack([kernel(chunk, vectors) @ coefficients for chunk in chunks]) + biases
    return elected(classes, list((decisions > 0).T))


def kernel(left: Singles, right: Singles) -> Singles:
    """exp(−|x − x'|²) of (J, d) and (I, d): (J, I)."""
    powers: Singles = left @ right.T
    powers *= 2
    powers -= np.square(left).sum(axis=1)[:, None]
    powers -= np.square(right).sum(axis=1)
    np.exp(powers, out=powers)
    return powers


def _dual(kernels: Array, first: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int32], Array, float]:
    """Support vectors, their weights and the bias, positive for the first class, from kernels (n, n)."""
    with sklearn.config_context(assume_finite=True), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        machine = SVC(C=C, kernel="precomputed", cache_size=CACHE, max_iter=STEPS).fit(kernels, ~first)
    # Of two classes, scikit-learn turns the signs so that the second is the positive one.
    return machine.support_, -machine.dual_coef_[0], -float(machine.intercept_[0])
