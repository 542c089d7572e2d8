"""Semantic representation accuracy and label distortion of sampled codes (Seybold et al. 2019, Eqs. 5 and 6).

A classifier P(Y|Z) is fitted to codes z ~ q(z|x) of the training split and tested on codes of the test split, ten a
test datum:

    accuracy = mean over data and samples of 1[argmax_y P(y|z) is the label],
    label distortion = mean of −log P(label|z), nats, so that I(Y; Z) ≥ H(Y) − label distortion.

This is the paper's Sec. 3.2. Its Sec. 4.1 says instead that the classifiers are trained on codes of the test split:
quantities whose names end in `_fit_on_test` take it so, fitted to one half of that split and tested on the other. The
standard errors are those of means over data.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evaluation.errors import EvaluationError
from evaluation.information import mean
from evaluation.softmax_probes import LINEAR, MLP, Sampled, fit, sampled
from evaluation.view import View
from models.spec import nearest
from results.quantity import Estimate

TRAIN_DRAWS = 12  # samples a datum; a classifier that takes more passes begins with the first again
TEST_DRAWS = 10
HELD_OUT = 10  # one in so many, the last ones, of the data to fit where there is no validation split
SPLIT_SEED = 42

FIT_ON_TEST = "_fit_on_test"
MEASURES = ("accuracy", "label_distortion")
RECIPES = {recipe.name: recipe for recipe in (LINEAR, MLP)}


class Reading(NamedTuple):
    """Which classifier is fitted to what."""

    group: str
    on_test: bool
    classifier: str


class Parts(NamedTuple):
    """Codes to fit a classifier to, to choose the best pass by, and to test it on."""

    fit: Sampled
    held_out: Sampled
    test: Sampled


def representation(view: View, names: tuple[str, ...]) -> dict[str, Estimate]:
    """accuracy_<classifier>@<group>, a fraction, and label_distortion_<classifier>@<group>, nats, of the top group.

    classifier: linear or mlp, with `_fit_on_test` behind it for that reading. Codes that say nothing of the class give
    the accuracy of a guess. Raises EvaluationError for other names and for codes that are not finite.
    """
    wanted = {name: parse(name) for name in names}
    tests: dict[str, Sampled] = {}
    parts: dict[tuple[str, bool], Parts] = {}
    scores: dict[Reading, dict[str, npt.NDArray[np.float64]]] = {}
    for _, reading in wanted.values():
        if reading in scores:
            continue
        group, place = reading.group, (reading.group, reading.on_test)
        if group not in tests:
            tests[group] = sampled(view.draws("test", group, TEST_DRAWS), view.labels)
        if place not in parts:
            parts[place] = halves(tests[group]) if reading.on_test else splits(view, group, tests[group])
        to_fit, held_out, test = parts[place]
        probe = fit(RECIPES[reading.classifier], to_fit, held_out, view.data.spec.classes, view.noise)
        scores[reading] = dict(zip(MEASURES, probe.score(test), strict=True))
    return {name: mean(scores[reading][measure]) for name, (measure, reading) in wanted.items()}


def parse(name: str) -> tuple[str, Reading]:
    """('accuracy', ('z1', True, 'mlp')) from 'accuracy_mlp_fit_on_test@z1'."""
    stem, _, group = name.partition("@")
    measure, _, classifier = stem.removesuffix(FIT_ON_TEST).rpartition("_")
    if measure not in MEASURES or classifier not in RECIPES or not group:
        known = [f"{known}_{each}@{group or 'z1'}" for known in MEASURES for each in RECIPES]
        raise EvaluationError(f"semantic representation has no quantity {name!r}; {nearest(name, known)}")
    return measure, Reading(group, stem.endswith(FIT_ON_TEST), classifier)


def splits(view: View, group: str, test: Sampled) -> Parts:
    """The data's own: train, validation and test."""
    train = sampled(view.draws("train", group, TRAIN_DRAWS), view.data.train.labels.cpu().numpy())
    if view.data.validation is None:
        return Parts(*hold_out(train), test)
    held_out = sampled(view.draws("validation", group, 1), view.data.validation.labels.cpu().numpy())
    return Parts(train, held_out, test)


def halves(test: Sampled) -> Parts:
    """Halves of the test split, by a fixed permutation: the first to fit to, the second to test on."""
    order = np.random.RandomState(SPLIT_SEED).permutation(len(test.labels))
    half = len(order) // 2
    return Parts(*hold_out(test.rows(order[:half])), test.rows(order[half:]))


def hold_out(data: Sampled) -> tuple[Sampled, Sampled]:
    """The data to fit, and the last tenth of them with one sample each."""
    cut = len(data.labels) - len(data.labels) // HELD_OUT
    held_out = data.rows(slice(cut, None))
    return data.rows(slice(cut)), Sampled(held_out.codes[:1], held_out.labels)
