"""PSNR by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evaluation.errors import EvaluationError
from evaluation.measure import measure
from evaluation.reconstruction import reconstruction
from studies.quantities import PSNR


@pytest.fixture
def view(view_of, linear):
    images = np.full((4, 1, 2, 3), 2, np.uint8)  # pixels of 2/4 = 0.5

    def make(errors):
        return view_of(images=images, data=linear.data(3), reconstructions=lambda: 0.5 + errors)

    return make


def test_global_mean_squared_error(view):
    errors = np.zeros((4, 1, 2, 3))
    errors[0] = 0.1
    errors[1, 0, 0, 0] = 0.3
    found = reconstruction(view(errors), ("psnr",))["psnr"]
    mse = (6 * 0.01 + 0.09) / 24
    np.testing.assert_allclose(found.value, 10 * np.log10(1 / mse))
    each = np.array([0.01, 0.09 / 6, 0, 0])
    shifted = 10 * np.log10(1 / (mse + np.array([-1, 1]) * 1e-7 * stats.sem(each)))  # the delta method by differences
    np.testing.assert_allclose(found.standard_error, (shifted[0] - shifted[1]) / 2e-7, rtol=1e-5)


def test_a_perfect_reconstruction_has_no_psnr(view):
    with pytest.raises(EvaluationError, match="psnr: inf"):
        measure(view(np.zeros((4, 1, 2, 3))), [PSNR])
