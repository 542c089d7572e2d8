"""Softmax probes against scikit-learn, Bayes' rule and known entropies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from evaluation.errors import EvaluationError
from evaluation.softmax_probes import LINEAR, MLP, fit, sampled
from models.noise import Noise, key

NOISE = Noise(key(0), 0)


def blobs(count, draws=1, *, distance=2.0, classes=4, seed=0):
    """Codes (draws, count, 3) about one centre a class, at the corners of a square, with unit noise in each draw."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    centres = distance / 2 * np.array([[1, 1, 0], [1, -1, 0], [-1, 1, 0], [-1, -1, 0]])
    return centres[labels] + rng.standard_normal((draws, count, 3)), labels


def scores(recipe, train, held_out, test, classes=4, noise=NOISE):
    probe = fit(recipe, sampled(*train), sampled(*held_out), classes, noise)
    right, losses = probe.score(sampled(*test))
    return right.mean(), losses.mean()


@pytest.mark.parametrize("recipe", [LINEAR, MLP], ids=["linear", "mlp"])
def test_accuracy_of_blobs_is_bayes_and_label_distortion_their_conditional_entropy(recipe):
    train, held_out, test = blobs(4000, 8), blobs(1000, seed=1), blobs(4000, 10, seed=2)
    accuracy, distortion = scores(recipe, train, held_out, test)
    each = stats.norm.cdf(1.0)  # of either axis, whose signs are independent
    # Two bits, each behind a channel of unit noise: H = 2 E[log(1 + exp(-2 (1 + ε)))], ε standard normal.
    bit, _ = integrate.quad(lambda e: stats.norm.pdf(e) * np.log1p(np.exp(-2 * (1 + e))), -9, 9)
    assert abs(accuracy - each**2) < 0.012  # 40,000 codes: a standard error of 0.0023
    assert 2 * bit - 0.02 < distortion < 2 * bit + 0.02


def test_linear_agrees_with_logistic_regression_and_mlp_with_scikit_learns():
    rng = np.random.default_rng(3)
    make = lambda count: rng.standard_normal((1, count, 4)) * [5.0, 1.0, 0.01, 1.0]  # noqa: E731
    train, held_out, test = make(3000), make(800), make(3000)
    # A class in the middle, and others by direction: no linear rule tells the middle.
    label = lambda z: np.where(  # noqa: E731
        np.hypot(z[0, :, 0] / 5, z[0, :, 1]) < 0.7, 0, 1 + (z[0, :, 0] > 0) + 2 * (z[0, :, 2] > 0)
    )
    data = [(codes, label(codes)) for codes in (train, held_out, test)]
    standard = train[0].std(0)
    for recipe, oracle, tolerance in (
        (LINEAR, LogisticRegression(C=1e6, max_iter=1000), 0.01),
        (MLP, MLPClassifier((50,), learning_rate_init=0.01, early_stopping=True, random_state=0), 0.03),
    ):
        expected = oracle.fit(train[0] / standard, data[0][1]).score(test[0] / standard, data[2][1])
        accuracy, _ = scores(recipe, *data, classes=5)
        assert abs(accuracy - expected) < tolerance, recipe.name
    assert expected > 0.9


@pytest.mark.parametrize("recipe", [LINEAR, MLP], ids=["linear", "mlp"])
def test_codes_that_say_nothing_give_chance(recipe):
    rng = np.random.default_rng(4)
    make = lambda draws, count: (rng.standard_normal((draws, count, 16)), np.arange(count) % 4)  # noqa: E731
    accuracy, distortion = scores(recipe, make(8, 2000), make(1, 500), make(10, 2000))
    assert abs(accuracy - 0.25) < 0.02
    assert np.log(4) - 0.01 < distortion < np.log(4) + 0.06
    constant = lambda count: (np.full((1, count, 2), 7.0), np.arange(count) % 4)  # noqa: E731
    accuracy, distortion = scores(recipe, constant(2000), constant(500), constant(1000))
    assert accuracy == 0.25
    assert abs(distortion - np.log(4)) < 0.01


def test_a_function_of_data_and_key_alone():
    train, held_out, test = blobs(400, 2), blobs(100, seed=1), blobs(200, 3, seed=2)
    before = torch.get_rng_state()
    one, two = (scores(MLP, train, held_out, test) for _ in range(2))
    assert one == two
    assert scores(MLP, train, held_out, test, noise=Noise(key(1), 0)) != one
    assert torch.equal(before, torch.get_rng_state())


def test_scale_and_place_of_codes_do_not_matter():
    move = lambda data: (data[0] * [1e-3, 100.0, 1.0] + [5.0, -300.0, 0.0], data[1])  # noqa: E731
    sets = blobs(2000, 2), blobs(500, seed=1), blobs(2000, seed=2)
    for recipe in (LINEAR, MLP):
        plain, moved = scores(recipe, *sets), scores(recipe, *map(move, sets))
        np.testing.assert_allclose(plain, moved, atol=0.01)


def test_of_each_datum_the_mean_over_its_samples():
    train, held_out = blobs(2000), blobs(500, seed=1)
    probe = fit(LINEAR, sampled(*train), sampled(*held_out), 4, NOISE)
    test = blobs(6, 5, distance=1.0, seed=3)
    right, losses = probe.score(sampled(*test))
    one = [probe.score(sampled(codes[None], test[1])) for codes in test[0]]
    np.testing.assert_allclose(right, np.mean([each for each, _ in one], axis=0))
    np.testing.assert_allclose(losses, np.mean([each for _, each in one], axis=0), rtol=1e-6)
    assert set(np.concatenate([each for each, _ in one])) <= {0.0, 1.0}


def test_few_data_are_passed_over_more_often_and_the_best_pass_is_kept():
    """30 data in 20 dimensions are learned by heart, which the held-out data show."""
    rng = np.random.default_rng(6)
    train = (rng.standard_normal((1, 30, 20)), np.arange(30) % 4)
    held_out = test = (rng.standard_normal((1, 400, 20)), np.arange(400) % 4)
    _, distortion = scores(MLP, train, held_out, test)
    assert distortion < 1.6  # where the last pass has several nats


def test_codes_that_are_not_finite_are_refused():
    codes, labels = blobs(50)
    codes[0, 3, 1] = np.inf
    with pytest.raises(EvaluationError, match="codes are not finite"):
        sampled(codes, labels)
