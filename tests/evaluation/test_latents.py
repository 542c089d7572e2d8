"""Points of latents: which numbers of which data, and that the plane keeps neighbours together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.manifold import trustworthiness

from evaluation.errors import EvaluationError
from evaluation.latents import embedded, latents
from evaluation.measure import measure
from evaluation.view import CodeArrays, PackView
from models.noise import key
from studies import quantities


def factors(count, size, seed=0):
    rng = np.random.default_rng(seed)
    return np.tril(rng.standard_normal((count, size, size)))


def viewed(view_of, mean, scale=None, **rest):
    codes = CodeArrays(mean, np.ones_like(mean), mean)
    labels = np.arange(len(mean)) % 3
    return view_of({"z1": codes}, labels=labels, scales=lambda group, count: scale[:count], **rest)


def test_ellipses_are_of_the_first_two_dimensions(view_of):
    rng = np.random.default_rng(1)
    mean, scale = rng.standard_normal((1200, 4)), factors(1200, 4)
    found = latents(viewed(view_of, mean, scale), ("latents",))["latents"]
    assert found.shape == (1000, 6)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, :2], mean[:1000, :2], rtol=1e-6)
    covariance = (scale @ scale.transpose(0, 2, 1))[:1000, :2, :2]
    drawn = np.zeros((1000, 2, 2))
    drawn[:, 0, 0], drawn[:, 1, 0], drawn[:, 1, 1] = found[:, 2:5].T
    np.testing.assert_allclose(drawn @ drawn.transpose(0, 2, 1), covariance, atol=1e-5)
    np.testing.assert_array_equal(found[:, 5], np.arange(1000) % 3)


def test_the_plane_keeps_neighbours_together(view_of):
    """Three clusters in ten dimensions: each point's neighbour in the plane is of its own."""
    rng = np.random.default_rng(2)
    mean = 6 * np.eye(10)[np.arange(240) % 3] + rng.standard_normal((240, 10))
    found = latents(viewed(view_of, mean), ("tsne",))["tsne"]
    assert found.shape == (240, 3)
    assert trustworthiness(mean, found[:, :2], n_neighbors=10) > 0.93
    distances = np.linalg.norm(found[:, None, :2] - found[None, :, :2], axis=-1) + 1e9 * np.eye(240)
    assert (found[distances.argmin(1), 2] == found[:, 2]).all()
    np.testing.assert_array_equal(found, latents(viewed(view_of, mean), ("tsne",))["tsne"])


@pytest.mark.parametrize("scale", [0.0, 1e-12])
def test_means_of_a_collapsed_posterior_stay_in_one_place(scale):
    rng = np.random.default_rng(3)
    points = (3 + scale * rng.standard_normal((200, 5))).astype(np.float32)
    np.testing.assert_array_equal(embedded(points), np.zeros((200, 2)))


def test_scale_does_not_matter_and_few_points_do():
    points = np.random.default_rng(4).standard_normal((60, 4))
    tiny = embedded(points * 2.0**-40)
    np.testing.assert_allclose(tiny, embedded(points), rtol=1e-4, atol=1e-4)
    assert np.isfinite(embedded(points[:5])).all()


def test_a_trained_models(linear):
    view = PackView(linear.network(), linear.weights(1), linear.data(90), key(0)[None], torch.float64).trial(0)
    found = measure(view, quantities.latents("z2"))
    assert [array.shape for array in found.values()] == [(90, 6), (90, 3)]
    np.testing.assert_allclose(found["latents"][:, 2], view.codes("z2").std[:, 0], rtol=1e-6)


def test_refusals(view_of):
    with pytest.raises(EvaluationError, match="needs two dimensions, and z1 has one"):
        latents(viewed(view_of, np.zeros((9, 1)), np.ones((9, 1, 1))), ("latents",))
    with pytest.raises(EvaluationError, match="not finite"):
        embedded(np.full((9, 2), np.nan))
