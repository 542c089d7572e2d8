"""How much a test set's labels tell: their entropy, as the stored bounds on accuracies imply it."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from results.information_bound import fano_rate
from studies.hvae.names import CLASSES, RATE

BOUND = "accuracy_bound@z1"  # of the rate of z1 and of z2 above it: the total rate


def label_entropy(rows: pd.DataFrame) -> float:
    """H(y) of the test labels in nats, read off the bounds stored with the rates; log 10 where no bound is below 1.

    SVHN's classes are not equally frequent.
    """
    uniform = math.log(CLASSES)
    if BOUND not in rows:
        return uniform
    below = rows[(rows[BOUND] > 1 / CLASSES) & (rows[BOUND] < 1)]
    if below.empty:
        return uniform
    entropies = uniform + below[RATE] - fano_rate(below[BOUND], CLASSES)
    return float(np.clip(np.median(entropies), 0.0, uniform))
