"""The estimate of I_q(y; z), the information between class and latents, of Xiao & Bamler 2023 (Figs. 7-9).

With one z_j ~ q(z|x_j) for each of the N test points,

    I ≈ 1/N Σ_j [ log 1/N_{y_j} Σ_{i: y_i = y_j} q(z_j|x_i) − log 1/N Σ_i q(z_j|x_i) ]    in nats,

both sums with their own point i = j, as in the authors' code; cut to [0, H(y)], where the information lies. This
plug-in saturates at H(y), the entropy of the labels: where posteriors are so narrow that none covers another's sample,
every term is log N − log N_{y_j}, whether or not the latents say anything of the class. Read a value near H(y) as "at
most H(y)", never as evidence of class information; evaluation/mutual_information_bound.py bounds it from below.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from evaluation.errors import EvaluationError
from evaluation.information import label_entropy, mean
from evaluation.view import CodeArrays, View
from results.quantity import Estimate

Array = npt.NDArray[np.float64]

ROWS = 128  # samples at a time: the (rows, N) log densities stay in cache
ROUNDING = 1e-8  # nats: the largest rounding error accepted of the expanded square
SMALLEST = 1e-290  # sums of densities, relative to the largest, below which the class is summed by itself


def mutual_information(view: View, names: tuple[str, ...]) -> dict[str, Estimate]:
    """mutual_information@<top group>; the standard error is that of the mean of the N terms.

    Only the top group has q(z|x) in closed form, so another group raises EvaluationError, as do codes that are not
    finite or standard deviations that are not positive.
    """
    top = view.groups[-1]
    for name in names:
        if name != f"mutual_information@{top}":
            raise EvaluationError(
                f"only the posterior of the top group is known: mutual_information@{top}, not {name!r}"
            )
    codes = view.codes(top)
    if not all(np.isfinite(array).all() for array in codes) or not (codes.std > 0).all():
        raise EvaluationError(f"mutual_information@{top}: posterior means and samples must be finite, stds positive")
    estimate = mean(class_information(codes, view.labels))
    cut = min(max(estimate.value, 0.0), label_entropy(view.labels))
    return {f"mutual_information@{top}": replace(estimate, value=cut)}


def class_information(codes: CodeArrays, labels: npt.NDArray[np.int64]) -> Array:
    """The N terms of the estimate, in the order of the classes, from posteriors (N, d) and labels (N,)."""
    order = np.argsort(labels, kind="stable")
    mean_, std, sample = (array.astype(np.float64)[order] for array in codes)
    _, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
    densities = Densities(sample, mean_, std)
    terms = np.empty(len(order))
    space = np.empty((ROWS, len(order)))  # one for all: fresh memory costs as much as the sums
    for start, count in zip(starts, counts, strict=True):
        for first in range(start, start + count, ROWS):
            rows = slice(first, min(first + ROWS, start + count))
            density = densities.log(rows, space[: rows.stop - rows.start])
            density -= density.max(axis=1, keepdims=True)
            np.exp(density, out=density)
            own = density[:, start : start + count].sum(axis=1)
            lost = np.flatnonzero(own < SMALLEST)
            with np.errstate(divide="ignore"):
                terms[rows] = np.log(own / count) - np.log(density.mean(axis=1))
            if len(lost):  # a sample far from all of its own class, itself included
                density = densities.log(rows, space[: rows.stop - rows.start])[lost]
                terms[first + lost] = log_mean_exp(density[:, start : start + count]) - log_mean_exp(density)
    return terms


def log_mean_exp(values: Array) -> Array:
    """log of the mean of exp along the last axis, (J, I) -> (J,), without overflow."""
    largest = values.max(axis=1, keepdims=True)
    return np.asarray(largest[:, 0] + np.log(np.exp(values - largest).mean(axis=1)))


class Densities:
    """log N(point_j; mean_i, diag std_i²) + d/2 log 2π, the constant that cancels, of points (J, d) and (I, d) normals.

    By one matrix product of the expanded square, or directly where its rounding error would show.
    """

    def __init__(self, points: Array, mean_: Array, std: Array) -> None:
        precision = std**-2.0
        centre = mean_.mean(axis=0)
        self._points, self._mean, self._std = points - centre, mean_ - centre, std
        self._volume = np.sum(np.log(std), axis=1)
        largest = max(np.square(self._points).max(), np.square(self._mean).max()) * precision.max() * points.shape[1]
        self._expands = bool(largest * np.finfo(np.float64).eps < ROUNDING)
        if self._expands:
            constant = -0.5 * np.sum(self._mean**2 * precision, axis=1) - self._volume
            self._left = np.hstack([self._points**2, self._points, np.ones((len(points), 1))])
            self._right = np.vstack([-0.5 * precision.T, (self._mean * precision).T, constant])

    def log(self, rows: slice, out: Array) -> Array:
        """Those of some points, (rows, I), written to `out`."""
        if self._expands:
            return np.matmul(self._left[rows], self._right, out=out)
        for line, point in zip(out, self._points[rows], strict=True):
            line[:] = -0.5 * np.sum(((point - self._mean) / self._std) ** 2, axis=1) - self._volume
        return out
