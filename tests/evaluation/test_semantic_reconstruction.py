"""Reconstructions judged by a classifier: which images, whose labels, and with what error."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from evaluation.classification import accuracy, classification
from evaluation.errors import EvaluationError
from evaluation.measure import measure
from evaluation.semantic_reconstruction import evenly, pictures, reconstruction, supervised
from evaluation.view import PackView
from models.data.dataset import Dataset, Split
from models.noise import key
from results.quantity import Estimate
from studies import quantities

F64 = torch.float64


def bright_data(linear, count=120):
    """Class 0: the first pixel is on; class 1: the second; class 2: neither."""
    labels = np.random.default_rng(2).permutation(np.arange(count) % 3)
    images = np.zeros((count, 1, 2, 3), np.uint8)
    images[labels == 0, 0, 0, 0] = 4
    images[labels == 1, 0, 0, 1] = 4
    split = Split(images=torch.from_numpy(images), labels=torch.from_numpy(labels))
    return Dataset(spec=linear.spec(), train=split, test=split)


@pytest.fixture
def view(linear):
    """Of a network that reconstructs images perfectly, but for those at given places of the batch, which are blank."""

    def make(blank=(), data=None, **rest):
        sampled = []

        class Copying(linear.network):
            def resample(self, x, noise):
                sampled.append(len(x))
                copy = x.clone()
                copy[list(blank)] = 0
                return copy

        pack = PackView(
            *(Copying(), linear.weights(1), data or bright_data(linear), key(0)[None], F64),
            prerequisites={"reference": linear.classifier(), "supervised": linear.classifier()},
            **rest,
        )
        made = pack.trial(0)
        return made, sampled

    return make


def test_reconstructions_are_judged_by_their_originals_labels(view):
    perfect, _ = view()
    found = reconstruction(perfect, ())
    assert found == {"reconstruction_accuracy": Estimate(1.0, 0.0), "reference_accuracy": Estimate(1.0, 0.0)}
    blanked, _ = view(blank=range(12))  # of class 0, which comes first; blank images are of class 2
    found = reconstruction(blanked, ())
    assert found["reconstruction_accuracy"].value == pytest.approx(78 / 90)
    np.testing.assert_allclose(found["reconstruction_accuracy"].standard_error, np.sqrt(78 / 90 * 12 / 90 / 90))
    assert found["reference_accuracy"].value == 1.0
    assert supervised(blanked, ()) == {"supervised_accuracy": Estimate(1.0, 0.0)}


def test_thirty_of_each_class_or_as_many_as_there_are():
    labels = np.random.default_rng(0).permutation(np.arange(1000) % 10)
    chosen = evenly(labels, 10)
    assert chosen.shape == (300,)
    np.testing.assert_array_equal(labels[chosen], np.repeat(np.arange(10), 30))
    for label in range(10):
        np.testing.assert_array_equal(chosen[labels[chosen] == label], np.flatnonzero(labels == label)[:30])
    few = np.concatenate([labels[labels != 7], [7] * 4])
    np.testing.assert_array_equal(
        labels[evenly(labels[:40], 10)], np.repeat(np.arange(10), min(np.bincount(labels[:40])))
    )
    assert np.bincount(few[evenly(few, 10)]).tolist() == [4] * 10
    with pytest.raises(EvaluationError, match="no image of class 3"):
        evenly(labels[labels != 3], 10)


def test_pictures_are_of_the_first_of_each_class_and_nothing_is_sampled_twice(view, linear):
    made, sampled = view()
    asked = quantities.semantic_reconstruction("anywhere:reference")
    values = measure(made, asked)
    assert sampled == [128]  # 90 in blocks of 64
    first = [int(np.flatnonzero(made.labels == label)[0]) for label in range(3)]
    np.testing.assert_array_equal(values["originals"], made.images[first])
    np.testing.assert_array_equal(values["sampled_reconstructions"], made.images[first])
    alone, sampled = view()
    assert list(pictures(alone, ("originals",))) == ["originals"]
    assert not sampled


def test_accuracy_of_a_classifier(linear):
    data = bright_data(linear)
    weights = {"weight": torch.tensor([[1.0, 1, 1], [1, 0, 1]], dtype=F64)}  # the second does not know class 1
    pack = PackView(linear.classifier(), weights, data, torch.stack([key(0), key(1)]), F64)
    values = [measure(pack.trial(slot), quantities.CLASSIFICATION)["accuracy"] for slot in range(2)]
    assert values[0] == Estimate(1.0, 0.0)
    assert values[1].value == pytest.approx(2 / 3)
    np.testing.assert_allclose(values[1].standard_error, np.sqrt(2 / 9 / 120))


def test_refusals(linear, view):
    made, _ = view()
    with pytest.raises(EvaluationError, match="a classifier's; this trial's model is none"):
        classification(made, ("accuracy",))
    with pytest.raises(EvaluationError, match="logits are not finite"):
        accuracy(np.array([[0.0, np.nan]]), np.array([0]))
    without = PackView(linear.network(), linear.weights(1), bright_data(linear), key(0)[None], F64).trial(0)
    with pytest.raises(EvaluationError, match="no prerequisite 'reference'"):
        reconstruction(without, ())
