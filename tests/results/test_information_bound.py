"""Fano's bound: published values, the extremes, and f⁻¹(f(α)) = α."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from results.information_bound import fano_accuracy, fano_rate


def test_values_at_ten_classes() -> None:
    assert fano_rate(0.9, 10) == pytest.approx(1.7578, abs=5e-5)
    assert fano_accuracy(1.0, 10) == pytest.approx(0.6892, abs=5e-5)
    assert fano_rate(1.0, 10) == pytest.approx(math.log(10))
    assert fano_rate(0.1, 10) == pytest.approx(0, abs=1e-12)
    assert fano_rate([0.0, 0.05], 10).tolist() == [0, 0]  # below chance nothing needs to be known
    assert fano_accuracy([math.log(10), 50], 10).tolist() == [1, 1]


@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
def test_inverse(classes: int) -> None:
    accuracy = np.linspace(1 / classes, 1, 37)[1:]
    np.testing.assert_allclose(fano_accuracy(fano_rate(accuracy, classes), classes), accuracy, atol=1e-7)


def test_unbalanced_classes() -> None:
    entropy = 2.2226  # nats, of SVHN's test labels
    at_no_information = brentq(
        lambda a: entropy + a * math.log(a) + (1 - a) * math.log((1 - a) / 9), 0.1, 0.999, xtol=1e-14
    )
    assert fano_accuracy(0.0, 10, entropy) == pytest.approx(at_no_information)
    assert fano_rate(0.1, 10, entropy) == 0
    assert fano_rate(1.0, 10, entropy) == pytest.approx(entropy)


def test_shapes_and_missing_values() -> None:
    assert fano_rate(np.full((2, 3), 0.5), 10).shape == (2, 3)
    assert np.isnan(fano_rate([np.nan], 10)).all()
    assert np.isnan(fano_accuracy([np.nan], 10)).all()


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"between 0 and 1, not 1\.2"):
        fano_rate([0.5, 1.2], 10)
    with pytest.raises(ValueError, match="at least 0 nats, not -1"):
        fano_accuracy([0.5, -1], 10)
    with pytest.raises(ValueError, match="at least two classes"):
        fano_rate(0.5, 1)
    with pytest.raises(ValueError, match=r"between 0 and 2\.3026 nats, not 3"):
        fano_accuracy(0.5, 10, 3.0)
