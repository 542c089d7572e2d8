"""The linear support vector machine with C = 1, one against one, as scikit-learn's SVC(kernel="linear") defines it.

Of each pair of classes, labels y = ±1: min over w and b of ½|w|² + C Σ max(0, 1 − y_i (w·x_i + b)). libsvm takes ever
more steps for it the more the classes overlap and the larger the scale of the codes; the primal-dual interior-point
method (Ferris & Munson 2002; Mehrotra's predictor and corrector) takes 10 to 40, each O(n d²), whatever the codes.
Of pairs so small for their dimensions that they are nearly separable libsvm is the faster one, so there it goes first,
for at most d²/4 steps a pair. libsvm stops at violations of 1e-3, this at a relative duality gap of 1e-6.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC

from evaluation.votes import by_class, elected

Array = npt.NDArray[np.float64]

C = 1.0
GAP = 1e-6  # between primal and dual objective, relative to the primal
STEPS = 100  # of the interior-point method: it ends where rounding allows no smaller gap
BACK = 0.995  # of the way to the boundary
STIFFEST = 1e12  # largest weight of a datum in a Newton system, times |x|²: beyond, it is singular in double precision
SINGLE = 1e6  # trace of a Newton system, the unit matrix apart, below which single precision moves it by less than that
SEPARABLE = 2  # data of a pair for each dimension up to which libsvm goes first


def predict(codes: Array, labels: npt.NDArray[np.int64], points: Array) -> npt.NDArray[np.int64]:
    """Classes of points (k, d), from codes (n, d) with labels (n,): most votes of the pairs, of equals the lowest."""
    centre = codes.mean(axis=0)  # the bias takes it up
    classes, parts = by_class(codes - centre, labels)
    planes = _planes(codes - centre, labels)
    votes = []
    for pair, (first, second) in enumerate(combinations(parts, 2)):
        plane = planes.get(pair)
        if plane is None:
            plane = hyperplane(np.vstack([first, second]), np.repeat([1.0, -1.0], [len(first), len(second)]))
        votes.append((points - centre) @ plane[:-1] + plane[-1] > 0)
    return elected(classes, votes)


def _planes(codes: Array, labels: npt.NDArray[np.int64]) -> dict[int, Array]:
    """w and b, (d + 1,), of the pairs that libsvm solves in few steps, by the place of the pair."""
    dimensions = codes.shape[1]
    if 2 * len(labels) > SEPARABLE * dimensions * len(np.unique(labels)):
        return {}
    steps = max(dimensions**2 // 4, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        machine = SVC(C=C, kernel="linear", max_iter=steps).fit(codes, labels)
    planes = np.column_stack([machine.coef_, machine.intercept_])
    return {pair: planes[pair] for pair, taken in enumerate(machine.n_iter_) if taken < steps}


def hyperplane(x: Array, y: Array) -> Array:
    """w and b of the separating hyperplane of x (n, d) with labels y (n,) of ±1, together (d + 1,)."""
    x = np.column_stack([x, np.ones(len(x))])
    ridge = np.append(np.ones(x.shape[1] - 1), 0.0)  # b is not shrunk
    single, squares = x.astype(np.float32), np.square(x).sum(axis=1)
    most = STIFFEST / squares.max()
    at, best, least = _start(x, y), np.zeros(x.shape[1]), np.inf
    for _ in range(STEPS):
        plane = x.T @ (y * at.alpha)
        unbalanced, plane[-1] = plane[-1], at.b
        excess = y * (x @ plane) - 1
        half = 0.5 * (plane[:-1] @ plane[:-1])
        primal = half + C * np.maximum(-excess, 0).sum()
        if primal < least:
            best, least = plane, primal
        if primal - (at.alpha.sum() - half) <= GAP * primal:
            break
        weight = np.minimum(1 / (at.lam / at.alpha + at.mu / at.slack), most)
        kept = single if weight @ squares < SINGLE else x
        root = np.sqrt(weight).astype(kept.dtype)[:, None] * kept
        try:
            factor = cho_factor(root.T @ root + np.diag(ridge), lower=True, check_finite=False)
        except LinAlgError:
            break
        newton = _Newton(x, y, at, excess, unbalanced, weight, factor)
        low, high = at.alpha * at.lam, at.slack * at.mu
        move = newton.direction(-low, -high)
        reached = _moved(at, move, _far(at, move))
        now, then = low.sum() + high.sum(), reached.alpha @ reached.lam + reached.slack @ reached.mu
        aim = (then / now) ** 3 * now / (2 * len(y))
        move = newton.direction(aim - low - move.alpha * move.lam, aim - high - move.slack * move.mu)
        at = _moved(at, move, BACK * _far(at, move))
    return best


class _Point(NamedTuple):
    """The dual's 0 ≤ α ≤ C with yᵀα = 0 and slack C − α, so that w = Σ α_i y_i x_i; λ and μ the multipliers of its two
    bounds, b that of its equation. Also a change of all of them.
    """

    alpha: Array
    slack: Array
    lam: Array
    mu: Array
    b: float


def _start(x: Array, y: Array) -> _Point:
    positive = np.count_nonzero(y > 0)
    alpha = np.where(y > 0, len(y) - positive, positive) * (C / len(y))
    w = (x.T @ (y * alpha))[:-1]
    if alpha.sum() < w @ w:  # the dual is largest nearer to 0
        alpha *= max(0.1, alpha.sum() / (w @ w))
    excess = y * (x[:, :-1] @ (x[:, :-1].T @ (y * alpha))) - 1
    lam = np.maximum(excess, 0) + np.abs(excess).mean()
    return _Point(alpha, C - alpha, lam, lam - excess, 0.0)


@dataclass(frozen=True)
class _Newton:
    """The equations of a step, in w and b alone. excess: y_i (w·x_i + b) − 1. unbalanced: yᵀα. weight: of each datum.

    factor: of the matrix of the equations, as `cho_factor` gives it.
    """

    x: Array
    y: Array
    at: _Point
    excess: Array
    unbalanced: float
    weight: Array
    factor: tuple[Array, bool]

    def direction(self, low: Array, high: Array) -> _Point:
        """The change by which α λ changes by `low` and (C − α) μ by `high`, to first order."""
        at = self.at
        wanted = low / at.alpha - high / at.slack + at.lam - at.mu - self.excess
        right = self.x.T @ (self.weight * self.y * wanted)
        right[-1] += self.unbalanced
        plane = cho_solve(self.factor, right, check_finite=False)
        by = self.weight * (wanted - self.y * (self.x @ plane))
        return _Point(by, -by, (low - at.lam * by) / at.alpha, (high + at.mu * by) / at.slack, float(plane[-1]))


def _moved(at: _Point, move: _Point, far: float) -> _Point:
    alpha, slack, lam, mu = (value + far * change for value, change in zip(at[:4], move[:4], strict=True))
    return _Point(alpha, slack, lam, mu, at.b + far * move.b)


def _far(at: _Point, move: _Point) -> float:
    """The largest step up to 1 after which nothing that is positive is negative."""
    falls = (float((-change / value).max()) for value, change in zip(at[:4], move[:4], strict=True))
    return 1 / max(1.0, *falls)
