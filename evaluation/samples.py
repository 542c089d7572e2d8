"""Pictures: test images, their reconstructions, and samples from the prior, as grey or colour of 0..255."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evaluation.errors import EvaluationError
from evaluation.rows import Floats, Pictures
from evaluation.view import View

WHITE = 255


def samples(view: View, names: tuple[str, ...]) -> dict[str, Pictures]:
    """`originals`, `reconstructions`, `samples`: one picture a class, each uint8 (classes, C, H, W) in 0..255.

    originals: the first test image of each class, in the order of the classes. reconstructions: of these, at the modes
    of the posteriors. samples: the likelihood's mean at latents drawn from the prior. Raises EvaluationError where the
    test split lacks a class.
    """
    classes = view.data.spec.classes
    pictures: dict[str, Pictures] = {}
    if "samples" in names:
        pictures["samples"] = quantise(view.samples(classes))
    if "originals" in names or "reconstructions" in names:
        chosen = first_of_each_class(view.labels, classes)
        pictures["originals"] = quantise(view.images[chosen] / view.data.spec.levels)
        pictures["reconstructions"] = quantise(view.reconstructions()[chosen])
    return pictures


def first_of_each_class(labels: npt.NDArray[np.int64], classes: int) -> npt.NDArray[np.intp]:
    """Index of the first label of each class: (classes,)."""
    present, first = np.unique(labels, return_index=True)
    absent = sorted(set(range(classes)) - set(present.tolist()))
    if absent:
        raise EvaluationError(f"samples: the test split has no image of class {', '.join(map(str, absent))}")
    return first[:classes]


def quantise(means: Floats) -> Pictures:
    """Pixel means to the nearest of 0..255: those of a normal likelihood may leave [0, 1], and are cut there.

    Raises EvaluationError for means that are not finite.
    """
    if not np.isfinite(means).all():
        raise EvaluationError("samples: the model gave pixel means that are not finite")
    return np.round(means.clip(0.0, 1.0) * WHITE).astype(np.uint8)
