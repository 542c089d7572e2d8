"""Accuracy of classifiers of images, such as those that sampled reconstructions are judged by."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evaluation.errors import EvaluationError
from evaluation.rows import Floats
from evaluation.view import View
from results.quantity import Estimate


def classification(view: View, names: tuple[str, ...]) -> dict[str, Estimate]:
    """accuracy: the fraction of the test split whose class a supervised network gives."""
    if not view.supervised:
        raise EvaluationError("accuracy is a classifier's; this trial's model is none")
    return {"accuracy": accuracy(view.logits(), view.labels)}


def accuracy(logits: Floats, labels: npt.NDArray[np.int64]) -> Estimate:
    """The fraction a of n data whose largest logit is their label's, with the binomial standard error √(a(1−a)/n)."""
    if not np.isfinite(logits).all():
        raise EvaluationError("a classifier's logits are not finite")
    fraction = float(np.mean(logits.argmax(axis=1) == labels))
    return Estimate(fraction, float(np.sqrt(fraction * (1 - fraction) / len(labels))))
