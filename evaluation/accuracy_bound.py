"""Fano's bound on the accuracy of any classifier of a sampled code, from the rate (Xiao & Bamler 2023, Eq. 11).

    accuracy ≤ f⁻¹(I_q(y; z_≥l)) ≤ f⁻¹(E R(z_≥l)),

R(z_≥l) the rate of group l and of all groups above it. It bounds classifiers that see a *sample* of z. The probes of
the same paper see posterior modes, which are not limited by the rate: they may exceed it (docs/findings.md).
"""

from __future__ import annotations

import numpy as np

from evaluation.errors import EvaluationError
from evaluation.information import label_entropy, mean
from evaluation.view import View
from models.spec import nearest
from results.information_bound import fano_accuracy
from results.quantity import Estimate

PREFIX = "accuracy_bound@"


def accuracy_bound(view: View, names: tuple[str, ...]) -> dict[str, Estimate]:
    """accuracy_bound@<group>, a fraction, from mean rates of the test set and the entropy of its labels.

    The standard error is half the change of the bound over ± that of the mean rate.
    """
    classes = view.data.spec.classes
    of_labels = label_entropy(view.labels)
    bounds: dict[str, Estimate] = {}
    for name in names:
        group = name.removeprefix(PREFIX)
        if not name.startswith(PREFIX) or group not in view.groups:
            known = [f"{PREFIX}{group}" for group in view.groups]
            raise EvaluationError(f"accuracy_bound knows no quantity {name!r}; {nearest(name, known)}")
        above = view.groups[view.groups.index(group) :]
        rate = np.sum([view.rates[each].astype(np.float64) for each in above], axis=0)
        average = mean(rate)
        error = average.standard_error or 0.0
        around = np.maximum([average.value - error, average.value, average.value + error], 0.0)
        low, middle, high = fano_accuracy(around, classes, of_labels)
        bounds[name] = Estimate(float(middle), float((high - low) / 2))
    return bounds
