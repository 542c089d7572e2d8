"""Fano's bound from the rates: which rates count, and that the bound inverts Fano's function."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from evaluation.accuracy_bound import accuracy_bound
from evaluation.errors import EvaluationError
from results.information_bound import fano_rate

RATES = {"z1": np.array([0.1, 0.3, 0.2, 0.2]), "z2": np.array([0.5, 0.7, 0.4, 0.8])}


def view(labels=(0, 1, 2, 3), rates=RATES):
    data = SimpleNamespace(spec=SimpleNamespace(classes=4))
    return SimpleNamespace(groups=tuple(rates), rates=rates, labels=np.array(labels), data=data)


def test_a_bound_counts_the_rate_of_its_group_and_of_those_above():
    found = accuracy_bound(view(), ("accuracy_bound@z1", "accuracy_bound@z2"))
    entropy = np.log(4)
    assert fano_rate(found["accuracy_bound@z2"].value, 4, entropy) == pytest.approx(0.6)
    assert fano_rate(found["accuracy_bound@z1"].value, 4, entropy) == pytest.approx(0.8)


def test_the_entropy_is_that_of_the_labels_that_are_there():
    bound = accuracy_bound(view(labels=(0, 0, 0, 1)), ("accuracy_bound@z2",))["accuracy_bound@z2"]
    assert bound.value == 1.0  # 0.6 nats tell all that 0.56 nats of label can ask


def test_no_information_bounds_by_chance():
    rates = {"z1": np.zeros(4), "z2": np.zeros(4)}
    assert accuracy_bound(view(rates=rates), ("accuracy_bound@z1",))["accuracy_bound@z1"].value == pytest.approx(0.25)


def test_the_error_follows_that_of_the_mean_rate():
    bound = accuracy_bound(view(), ("accuracy_bound@z2",))["accuracy_bound@z2"]
    error = RATES["z2"].std(ddof=1) / 2
    slope = (fano_rate(bound.value + 1e-4, 4) - fano_rate(bound.value - 1e-4, 4)) / 2e-4
    assert bound.standard_error == pytest.approx(error / slope, rel=0.05)


def test_other_names_are_refused():
    with pytest.raises(EvaluationError, match="did you mean accuracy_bound@z2"):
        accuracy_bound(view(), ("accuracy_bound@z3",))
