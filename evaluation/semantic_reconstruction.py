"""Semantic reconstruction accuracy (Seybold et al. 2019, Eq. 7): do reconstructions keep the class of their originals?

Of 300 test images, the first 30 of each class, one reconstruction each is sampled, x' ~ p(x'|z) with z ~ q(z|x), and
classified by the trial's prerequisite `reference`, which was trained on original images only. The paper says of the
300 that they are evenly sampled; that they are the first of each class is our choice.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evaluation.classification import accuracy
from evaluation.errors import EvaluationError
from evaluation.rows import Pictures
from evaluation.samples import first_of_each_class
from evaluation.view import View
from results.quantity import Estimate

PER_CLASS = 30


def reconstruction(view: View, names: tuple[str, ...]) -> dict[str, Estimate]:
    """reconstruction_accuracy, of the sampled reconstructions, and reference_accuracy, of the whole test split itself.

    Fractions with binomial standard errors, both by the prerequisite `reference`.
    """
    chosen = evenly(view.labels, view.data.spec.classes)
    return {
        "reconstruction_accuracy": accuracy(view.judged("reference", view.resampled(chosen)), view.labels[chosen]),
        "reference_accuracy": accuracy(view.judged("reference"), view.labels),
    }


def supervised(view: View, names: tuple[str, ...]) -> dict[str, Estimate]:
    """supervised_accuracy: how well a classifier of what the auxiliary decoder reconstructs knows the test split."""
    return {"supervised_accuracy": accuracy(view.judged("supervised"), view.labels)}


def pictures(view: View, names: tuple[str, ...]) -> dict[str, Pictures]:
    """originals and sampled_reconstructions: the first test image of each class, (classes, C, H, W) in 0..levels.

    The reconstructions are among those that `reconstruction` classifies.
    """
    classes = view.data.spec.classes
    first = first_of_each_class(view.labels, classes)
    found = {"originals": view.images[first]}
    if "sampled_reconstructions" in names:
        each = view.resampled(evenly(view.labels, classes))
        found["sampled_reconstructions"] = each[:: len(each) // classes]
    return found


def evenly(labels: npt.NDArray[np.int64], classes: int) -> npt.NDArray[np.intp]:
    """The first 30 of each class, class by class; fewer, but as many of each, where a class has fewer."""
    counts = np.bincount(labels, minlength=classes)[:classes]
    if counts.min() == 0:
        raise EvaluationError(f"the test split has no image of class {int(counts.argmin())}")
    each = min(PER_CLASS, int(counts.min()))
    return np.concatenate([np.flatnonzero(labels == label)[:each] for label in range(classes)])
