"""Multinomial logistic regression with C = 1, as scikit-learn defines it: min −Σ log P(y|x) + ½|W|², biases free.

The loss is strictly convex, so that every solver that ends at its minimum gives the same classifier: the authors' saga
stops after 100 passes, and scikit-learn's lbfgs takes thousands of steps where features are correlated or of a small
scale. Here L-BFGS (Byrd et al. 1995) takes its steps in coordinates in which the Hessian is near to the identity: first
by its bound at equal probabilities (Böhning 1992), then by its own blocks on the diagonal, one a class. It ends at a
relative error of the loss of about 1e-6.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize

Array = npt.NDArray[np.float64]
Flat = np.ndarray[tuple[int], np.dtype[np.float64]]

STEPS = (10, 30, 1000)  # in coordinates of the bound, and twice in those of the blocks
GRADIENT = 3e-4  # the largest component at the end, in those coordinates
REGULAR = 1e-8  # added to the curvature of the biases, which nothing else keeps from 0


class _Problem(NamedTuple):
    """x: codes with a last column of ones, (n, d + 1); own: which class is whose, (n, K), 0 or 1."""

    x: Array
    own: Array
    ridge: Array

    def loss(self, weights: Array) -> tuple[float, Array, Array]:
        """With its gradient (d + 1, K) and the probabilities (n, K)."""
        scores = self.x @ weights
        scores -= scores.max(axis=1, keepdims=True)
        loss = -float((scores * self.own).sum())
        odds = np.exp(scores, out=scores)
        total = odds.sum(axis=1, keepdims=True)
        odds /= total
        shrunk = weights * self.ridge[:, None]
        loss += float(np.log(total).sum()) + 0.5 * float((weights * shrunk).sum())
        return loss, self.x.T @ (odds - self.own) + shrunk, odds

    def factor(self, curvature: Array | float) -> Array:
        """Lower-triangular L of LLᵀ, the Hessian of a class whose data have these second derivatives."""
        root = self.x * np.sqrt(curvature)[:, None] if isinstance(curvature, np.ndarray) else self.x * curvature**0.5
        return np.asarray(cholesky(root.T @ root + np.diag(self.ridge + REGULAR), lower=True, check_finite=False))


def predict(codes: Array, labels: npt.NDArray[np.int64], points: Array) -> npt.NDArray[np.int64]:
    """Classes of points (k, d), from codes (n, d) with labels (n,)."""
    centre = codes.mean(axis=0)  # the biases take it up
    classes, own = np.unique(labels, return_inverse=True)
    weights = fitted(codes - centre, own, len(classes))
    chosen: npt.NDArray[np.int64] = classes[((points - centre) @ weights[:-1] + weights[-1]).argmax(axis=1)]
    return chosen


def fitted(codes: Array, labels: npt.NDArray[np.int64], classes: int) -> Array:
    """Weights with the biases in the last row, (d + 1, classes), from codes (n, d) with labels 0..classes-1."""
    x = np.column_stack([codes, np.ones(len(codes))])
    problem = _Problem(x, np.eye(classes)[labels], np.append(np.ones(codes.shape[1]), 0.0))
    weights = np.zeros((x.shape[1], classes))
    factors = [problem.factor((classes - 1) / classes**2)] * classes
    for steps in STEPS:
        weights, done = _descended(problem, weights, factors, steps)
        if done:
            break
        odds = problem.loss(weights)[2]
        factors = [problem.factor(share * (1 - share)) for share in odds.T]
    return weights


def _descended(problem: _Problem, weights: Array, factors: list[Array], steps: int) -> tuple[Array, bool]:
    """After so many steps, and whether they ended at the minimum."""

    def solved(sides: Array, transposed: Literal["N", "T"]) -> Array:
        columns = [
            solve_triangular(factor, side, trans=transposed, lower=True, check_finite=False)
            for factor, side in zip(factors, sides.T, strict=True)
        ]
        return np.column_stack(columns)

    def loss(flat: Flat) -> tuple[float, Flat]:
        value, gradient, _ = problem.loss(weights + solved(flat.reshape(weights.shape), "T"))
        return value, solved(gradient, "N").ravel()

    found = minimize(
        loss,
        np.zeros(weights.size),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": steps, "maxfun": 2 * steps, "gtol": GRADIENT, "ftol": 0.0},
    )
    return weights + solved(found.x.reshape(weights.shape), "T"), bool(np.abs(found.jac).max() <= GRADIENT)
