"""The Inception Score: its extremes in closed form, its definition by hand, and where samples and judges come from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from evaluation.errors import EvaluationError
from evaluation.inception import SPLITS, inception, split_scores
from evaluation.view import PackView
from models.noise import key

NAMES = ("inception_score@60", "diversity@60", "sharpness@60")


def certain(labels, classes=4):
    """Logits of a classifier that is sure of these labels."""
    return 1e3 * np.eye(classes)[np.asarray(labels)]


def test_sure_and_evenly_spread_samples_score_the_number_of_classes():
    scores = split_scores(certain(np.tile(np.arange(4), 5 * 3)))
    np.testing.assert_allclose(scores, np.tile([4.0, 4.0, 1.0], (SPLITS, 1)))


def test_samples_that_are_all_of_one_class_score_one():
    np.testing.assert_allclose(split_scores(certain([2] * 20)), 1.0)


def test_a_classifier_that_knows_nothing_finds_no_sharpness():
    scores = split_scores(np.zeros((20, 4)))
    np.testing.assert_allclose(scores, np.tile([1.0, 4.0, 0.25], (SPLITS, 1)))


def test_the_definition_by_hand():
    logits = np.random.default_rng(0).normal(size=(30, 3)) * 2
    scores = split_scores(logits)
    p = np.exp(log_softmax(logits, axis=1))
    for split, part in enumerate(np.split(p, SPLITS)):
        divergences = [sum(q * np.log(q / m) for q, m in zip(row, part.mean(0), strict=True)) for row in part]
        assert scores[split, 0] == pytest.approx(np.exp(np.mean(divergences)))
        assert scores[split, 0] == pytest.approx(scores[split, 1] * scores[split, 2])


def test_a_constant_in_the_logits_changes_nothing():
    logits = np.random.default_rng(1).normal(size=(10, 3))
    np.testing.assert_allclose(split_scores(logits), split_scores(logits + 700.0))


def test_the_samples_of_the_trial_are_judged_by_its_prerequisite(linear):
    judge = linear.classifier()
    keys = key(0)[None].repeat(2, 1)
    needs = {"reference": judge}
    pack = PackView(linear.network(), linear.weights(2), linear.data(40), keys, torch.float64, prerequisites=needs)
    view = pack.trial(1)
    found = inception(view, (*NAMES, "reference_accuracy"))
    assert set(found) == {*NAMES, "reference_accuracy"}
    judged = judge.logits(torch.from_numpy(view.samples(60)) * view.data.spec.levels)
    expected = split_scores(judged.detach().numpy())
    assert found["inception_score@60"].value == pytest.approx(expected[:, 0].mean(), rel=1e-6)
    error = expected[:, 0].std(ddof=1) / np.sqrt(SPLITS)
    assert found["inception_score@60"].standard_error == pytest.approx(error, rel=1e-5)
    assert found["diversity@60"].value == pytest.approx(expected[:, 1].mean(), rel=1e-6)


@pytest.mark.parametrize("name", ["inception_score@7", "inception_score@0", "inception_score", "score@10"])
def test_other_names_are_refused(name):
    with pytest.raises(EvaluationError, match="that 5 divides"):
        inception(object(), (name,))


def test_logits_that_are_not_finite_are_refused():
    with pytest.raises(EvaluationError, match="not finite"):
        split_scores(np.full((10, 2), np.nan))
