"""Semantic representation: which codes classifiers are fitted to and tested on, and what becomes of their scores."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats

from evaluation.errors import EvaluationError
from evaluation.semantics import halves, parse, representation, splits
from evaluation.softmax_probes import sampled
from evaluation.view import PackView
from models.noise import Noise, key
from studies.quantities import semantic

NAMES = tuple(quantity.name for quantity in semantic("z1"))
SIZES = {"train": 3000, "validation": 600, "test": 1000}


def labels(split, classes=4):
    return np.arange(SIZES[split]) % classes


@pytest.fixture
def view(view_of):
    """A view whose codes of each split are a function of its labels: (draws, N, 2)."""

    def make(code, *, validation=True, **rest):
        asked = []

        def draws(split, group, count):
            asked.append((split, group, count))
            rng = np.random.default_rng([len(split), count])
            return np.stack([code(labels(split), split, rng) for _ in range(count)])

        tensors = {name: SimpleNamespace(labels=torch.from_numpy(labels(name))) for name in SIZES}
        data = SimpleNamespace(spec=SimpleNamespace(classes=4), **tensors)
        data.validation = data.validation if validation else None
        known = rest | {"labels": labels("test"), "data": data, "noise": Noise(key(0), 0)}
        return view_of({"z1": None}, draws=draws, asked=asked, **known)

    return make


def corners(label, split, rng):
    """Two bits of the class, each ±1 behind unit noise."""
    return 2.0 * np.stack([label // 2, label % 2], 1) - 1 + rng.standard_normal((len(label), 2))


def test_known_accuracy_and_label_distortion_by_either_reading(view):
    given = view(corners)
    found = representation(given, NAMES)
    assert set(found) == set(NAMES)
    for name in NAMES:
        if name.startswith("accuracy"):
            assert abs(found[name].value - stats.norm.cdf(1) ** 2) < 0.03, name
        else:
            assert 0.6 < found[name].value < 0.85, name  # H(Y|Z) = 0.683 nats
    assert given.asked == [("test", "z1", 10), ("train", "z1", 12), ("validation", "z1", 1)]


def test_only_what_is_asked_for_is_made(view):
    given = view(corners)
    assert list(representation(given, ("accuracy_linear_fit_on_test@z1",))) == ["accuracy_linear_fit_on_test@z1"]
    assert given.asked == [("test", "z1", 10)]


def test_training_codes_that_test_codes_do_not_follow(view):
    """Turned by a half: what is learned of the training split is wrong on the test split, unless fitted there."""
    turned = view(lambda label, split, rng: corners(label, split, rng) * (-1 if split == "test" else 1))
    found = representation(turned, NAMES)
    assert found["accuracy_mlp@z1"].value < 0.1 < 0.6 < found["accuracy_mlp_fit_on_test@z1"].value
    assert found["label_distortion_mlp@z1"].value > 2 > found["label_distortion_mlp_fit_on_test@z1"].value


def test_standard_errors_are_over_data(view):
    """Every sample of a datum alike: ten of them say no more than one."""
    alike = view(lambda label, split, rng: corners(label, split, np.random.default_rng(1)))
    accuracy = representation(alike, ("accuracy_linear@z1",))["accuracy_linear@z1"]
    binomial = np.sqrt(accuracy.value * (1 - accuracy.value) / 1000)
    np.testing.assert_allclose(accuracy.standard_error, binomial, rtol=0.01)


def test_parts_do_not_overlap_and_hold_out_a_tenth(view):
    def place(label, split, rng):
        return np.stack([np.arange(len(label))] * 2, 1)

    given, without = view(place), view(place, validation=False)
    test = sampled(given.draws("test", "z1", 10), given.labels)
    assert [part.codes.shape for part in splits(given, "z1", test)] == [(12, 3000, 2), (1, 600, 2), (10, 1000, 2)]
    parts = splits(without, "z1", test)
    assert [part.codes.shape for part in parts] == [(12, 2700, 2), (1, 300, 2), (10, 1000, 2)]
    assert parts.held_out.codes[0, 0, 0] == 2700
    parts = halves(test)
    assert [part.codes.shape for part in parts] == [(10, 450, 2), (1, 50, 2), (10, 500, 2)]
    rows = np.concatenate([part.codes[0, :, 0].numpy() for part in parts])
    np.testing.assert_array_equal(np.sort(rows), np.arange(1000))
    order = np.random.RandomState(42).permutation(1000)
    np.testing.assert_array_equal(rows, order)
    for part in parts:
        np.testing.assert_array_equal(part.labels.numpy(), part.codes[0, :, 0].numpy() % 4)


def test_same_numbers_whatever_the_company(linear):
    names = ("accuracy_linear@z2", "label_distortion_mlp_fit_on_test@z2")
    weights, data = linear.weights(2)["weight"], linear.data(150)
    keys = torch.stack([key(3), key(4)])
    first = PackView(linear.network(), {"weight": weights}, data, keys, torch.float64).trial(1)
    moved = PackView(linear.network(), {"weight": weights[[1, 1]]}, data, keys[[1, 0]], torch.float64).trial(0)
    other = PackView(linear.network(), {"weight": weights[[1, 1]]}, data, keys[[1, 0]], torch.float64).trial(1)
    assert representation(first, names) == representation(moved, names)
    assert representation(first, names) != representation(other, names)


def test_names():
    assert [parse(name)[0] for name in NAMES] == ["accuracy", "accuracy", "label_distortion"] * 2
    assert parse("label_distortion_mlp_fit_on_test@z2") == ("label_distortion", ("z2", True, "mlp"))
    for name in ("accuracy_svm@z1", "distortion_mlp@z1", "accuracy_mlp", "accuracy_mlp_fit@z1"):
        with pytest.raises(EvaluationError, match="has no quantity"):
            parse(name)
    with pytest.raises(EvaluationError, match="did you mean accuracy_mlp@z1"):
        parse("accuracy_mpl@z1")


def test_codes_that_are_not_finite_are_refused(view):
    with pytest.raises(EvaluationError, match="not finite"):
        representation(view(lambda label, split, rng: np.full((len(label), 2), np.nan)), NAMES)
