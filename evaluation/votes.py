"""Votes of one against one: a classifier of each pair of classes, and the class that most of them vote for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]


def by_class(codes: npt.NDArray[Any], labels: Labels) -> tuple[Labels, list[npt.NDArray[Any]]]:
    """The classes in rising order, and the codes of each."""
    classes = np.unique(labels)
    return classes, [codes[labels == each] for each in classes]


def elected(classes: Labels, firsts: Sequence[npt.NDArray[np.bool_]]) -> Labels:
    """The class with most votes, of equals the lowest, as in libsvm.

    firsts: of each pair of classes, in the order of `itertools.combinations`, which points it gives to its first.
    """
    votes = np.zeros((len(firsts[0]), len(classes)), np.int64)
    for (first, second), to_first in zip(combinations(range(len(classes)), 2), firsts, strict=True):
        votes[:, first] += to_first
        votes[:, second] += ~to_first
    chosen: Labels = classes[votes.argmax(axis=1)]
    return chosen
