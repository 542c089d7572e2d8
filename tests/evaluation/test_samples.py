"""Pictures: which ones, and their integer scale."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.errors import EvaluationError
from evaluation.samples import quantise, samples

ALL = ("originals", "reconstructions", "samples")


def test_one_picture_a_class_in_order(view_of, linear):
    labels = np.array([2, 1, 1, 0, 2, 0])
    images = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1) % 5 * np.ones((1, 1, 2, 3), np.uint8)
    view = view_of(
        labels=labels,
        images=images,
        data=linear.data(3),
        reconstructions=lambda: np.full((6, 1, 2, 3), 0.6),
        samples=lambda count: np.linspace(0, 1, count).reshape(-1, 1, 1, 1) * np.ones((1, 1, 2, 3)),
    )
    found = samples(view, ALL)
    assert list(found) == ["samples", "originals", "reconstructions"]
    assert all(array.shape == (3, 1, 2, 3) and array.dtype == np.uint8 for array in found.values())
    np.testing.assert_array_equal(found["originals"][:, 0, 0, 0], [191, 64, 0])  # 3, 1, 0 of 4
    assert (found["reconstructions"] == 153).all()  # 0.6 · 255
    np.testing.assert_array_equal(found["samples"][:, 0, 0, 0], [0, 128, 255])


def test_an_absent_class_is_named(view_of, linear):
    view = view_of(labels=np.array([0, 2]), images=None, data=linear.data(3), reconstructions=None)
    with pytest.raises(EvaluationError, match="no image of class 1"):
        samples(view, ("originals",))


def test_means_that_leave_the_pixels_range_are_cut_and_those_that_are_not_finite_refused():
    assert quantise(np.array([[[[0.4, -0.1, 1.1]]]])).tolist() == [[[[102, 0, 255]]]]
    with pytest.raises(EvaluationError, match="not finite"):
        quantise(np.array([[[[0.5, np.nan]]]]))
