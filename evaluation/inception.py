"""The Inception Score of samples and its factors (Salimans et al. 2016; Xiao & Bamler 2023, Eq. 12).

    IS = exp E_x KL[p(y|x) ‖ p(y)] = e^{H[p(y)]} · e^{−E_x H[p(y|x)]} = diversity · sharpness,

x a sample of the model, z2 ~ p(z2), z1 ~ p(z1|z2), as the likelihood's mean without pixel noise, and p(y|x) of a
classifier that was trained on the same training set. As in the authors' code the samples are split in five, p(y) is the
mean of a split, and each of the three is averaged over the splits, so that the score is only nearly the product.
The score depends on the classifier and on the number of samples (more splits of fewer bias it down), and lies in
1..classes: compare it only between models judged by the same classifier.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax, xlogy

from evaluation.classification import accuracy
from evaluation.errors import EvaluationError
from evaluation.rows import Floats
from evaluation.view import View
from results.quantity import Estimate

ROLE = "reference"
SPLITS = 5
NAMES = ("inception_score", "diversity", "sharpness")


def inception(view: View, names: tuple[str, ...]) -> dict[str, Estimate]:
    """inception_score@N, diversity@N, sharpness@N of N samples, with the standard error over splits, and
    `reference_accuracy`, the test accuracy of the classifier that judges.

    Raises EvaluationError for other names, or an N that five splits do not divide.
    """
    values: dict[str, Estimate] = {}
    for count in sorted({_count(name) for name in names if name != "reference_accuracy"}):
        scores = split_scores(view.judged_samples(ROLE, count))
        values |= {f"{name}@{count}": _mean(each) for name, each in zip(NAMES, scores.T, strict=True)}
    if "reference_accuracy" in names:
        values["reference_accuracy"] = accuracy(view.judged(ROLE), view.labels)
    return values


def split_scores(logits: Floats) -> npt.NDArray[np.float64]:
    """Score, diversity and sharpness of each split, from log p(y|x) up to a constant, (N, classes): (splits, 3)."""
    if not np.isfinite(logits).all():
        raise EvaluationError("inception: the classifier's logits of the samples are not finite")
    log_p = log_softmax(logits.astype(np.float64), axis=1)
    p = np.exp(log_p).reshape(SPLITS, -1, logits.shape[1])
    marginal = p.mean(axis=1)
    diversity = -xlogy(marginal, marginal).sum(axis=1)  # H[p(y)], nats
    sharpness = (p * log_p.reshape(p.shape)).sum(axis=2).mean(axis=1)  # −E H[p(y|x)], nats
    scores: npt.NDArray[np.float64] = np.exp(np.stack([diversity + sharpness, diversity, sharpness], axis=1))
    return scores


def _count(name: str) -> int:
    """10000 from 'inception_score@10000'."""
    stem, _, count = name.partition("@")
    if stem not in NAMES or not count.isdigit() or not int(count) or int(count) % SPLITS:
        known = ", ".join(f"{known}@N" for known in NAMES)
        raise EvaluationError(f"inception knows {known} with an N that {SPLITS} divides, not {name!r}")
    return int(count)


def _mean(each: npt.NDArray[np.float64]) -> Estimate:
    return Estimate(float(each.mean()), float(each.std(ddof=1) / np.sqrt(len(each))))
