"""The classifier's bound on mutual information: codes of known information, its limits, and what the plug-in misses."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import norm

from evaluation.errors import EvaluationError
from evaluation.mutual_information import class_information
from evaluation.mutual_information_bound import mutual_information_bound
from evaluation.view import CodeArrays
from models.noise import Noise, key

NAME = "mutual_information_bound@z2"


def view(codes, labels, classes=2):
    """codes: (draws, N, d)."""

    def draws(split, group, count):
        assert (split, group) == ("test", "z2")
        return codes[:count]

    spec = SimpleNamespace(classes=classes)
    return SimpleNamespace(
        groups=("z1", "z2"), labels=labels, draws=draws, noise=Noise(key(0), 0), data=SimpleNamespace(spec=spec)
    )


def test_it_reaches_the_information_of_two_overlapping_normals_and_does_not_pass_it():
    """z ~ N(±1, 1): I = log 2 − E log(1 + e^(−2z)), by quadrature 0.337 nats; 3,000 data, within 4 standard errors."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 3000)
    codes = (2 * labels - 1 + rng.normal(size=(10, 3000)))[..., None]
    z = np.linspace(-8, 10, 20_001)
    exact = np.log(2) - np.trapezoid(norm.pdf(z, 1) * np.log1p(np.exp(-2 * z)), z)
    bound = mutual_information_bound(view(codes, labels), (NAME,))[NAME]
    assert exact - 0.02 - 4 * bound.standard_error < bound.value < exact + 4 * bound.standard_error


def test_codes_without_any_class_information_give_about_nothing_where_the_plug_in_saturates():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 10, 1000)
    means = rng.normal(size=(1000, 8))
    codes = means + 0.01 * rng.normal(size=(10, 1000, 8))
    assert mutual_information_bound(view(codes, labels, 10), (NAME,))[NAME].value < 0.05
    plug_in = class_information(CodeArrays(means, np.full_like(means, 0.01), codes[0]), labels)
    assert plug_in.mean() > 2.2


def test_codes_that_are_the_class_give_the_entropy_of_the_labels():
    rng = np.random.default_rng(2)
    labels = np.arange(1000) % 4
    codes = 5 * np.eye(4)[labels] + 0.1 * rng.normal(size=(10, 1000, 4))
    bound = mutual_information_bound(view(codes, labels, 4), (NAME,))[NAME]
    assert np.log(4) - 0.03 < bound.value <= np.log(4) + 1e-9


def test_another_group_and_codes_that_are_not_finite_are_refused():
    labels = np.arange(20) % 2
    with pytest.raises(EvaluationError, match="only the top group"):
        mutual_information_bound(view(np.zeros((10, 20, 1)), labels), ("mutual_information_bound@z1",))
    with pytest.raises(EvaluationError, match="not finite"):
        mutual_information_bound(view(np.full((10, 20, 1), np.nan), labels), (NAME,))


def test_the_same_trial_gives_the_same_bound():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 200)
    codes = rng.normal(size=(10, 200, 2)) + labels[:, None]
    state = torch.random.get_rng_state()
    first, second = (mutual_information_bound(view(codes, labels), (NAME,))[NAME] for _ in range(2))
    assert first == second
    assert torch.equal(state, torch.random.get_rng_state())
