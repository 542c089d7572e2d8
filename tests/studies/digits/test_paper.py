"""The studies ask what the issue of the embedded default says that they ask."""

from __future__ import annotations

import importlib
import itertools

import numpy as np
import pytest

from models.kinds import BetaObjective, Binomial, Digits, HierarchicalModel
from models.spec import round_significant
from studies.digits.paper import HVAE, OBJECTIVES, PAPER
from studies.paper import Output

ACCURACIES = ("accuracy_logistic", "accuracy_svm_linear", "accuracy_svm_rbf", "accuracy_knn")


def test_the_grid_is_21_by_21_layer_weights() -> None:
    weights = [round_significant(float(value)) for value in np.logspace(-1, 1, 21)]
    betas = [trial.objective.beta for trial in HVAE.trials() if isinstance(trial.objective, BetaObjective)]
    assert betas == [(beta1, beta2) for beta2, beta1 in itertools.product(weights, weights)]
    assert {trial.seed for trial in HVAE.trials()} == {0}
    assert {trial.data for trial in HVAE.trials()} == {Digits()}
    (model,) = {trial.model for trial in HVAE.trials()}
    assert isinstance(model, HierarchicalModel)
    assert (model.latents, model.groups, model.likelihood) == ((16, 8), ("z1", "z2"), Binomial(total=16))
    assert all(trial.training.steps >= 1000 for trial in HVAE.trials())
    assert len({trial.shape for trial in HVAE.trials()}) == 1


def test_the_objectives_are_compared_at_three_seeds() -> None:
    frame = OBJECTIVES.planned()
    assert list(frame["objective"]) == ["β = 1", "β = 0.1", "KL annealing", "free bits", "target rate"] * 3
    assert list(frame["seed"]) == [0] * 5 + [1] * 5 + [2] * 5
    kinds = [trial.objective.kind for trial in OBJECTIVES.trials()[:5]]
    assert kinds == ["beta", "beta", "annealed", "free-bits", "target-rate"]


@pytest.mark.parametrize(("study", "groups"), [(HVAE, ("z1", "z2")), (OBJECTIVES, ("z1",))], ids=["hvae", "objectives"])
def test_what_is_measured(study: object, groups: tuple[str, ...]) -> None:
    assert study in PAPER.studies
    names = {quantity.name for quantity in next(one for one in PAPER.studies if one is study).quantities}
    expected = {f"rate_{group}" for group in groups} | {"rate", "distortion", "elbo", "psnr"}
    expected |= {f"{accuracy}@{group}" for accuracy in ACCURACIES for group in groups}
    expected |= {"originals", "reconstructions", "samples"}
    if "z2" in groups:
        expected.add("mutual_information@z2")
    assert names == expected


def test_the_twins_are_parts_of_the_questions() -> None:
    small = HVAE.small()
    assert len(small) == 16
    whole = {trial.objective for trial in HVAE.trials()}
    chosen = {trial.objective for trial in small.trials()}
    assert chosen < whole
    assert {BetaObjective(beta=(1.0, 1.0)), BetaObjective(beta=(0.1, 10.0))} < chosen
    for twin in (small, OBJECTIVES.small()):
        assert twin.reduced
        assert {trial.training.steps for trial in twin.trials()} == {200}
    assert len(OBJECTIVES.small()) == 15


def test_tables_and_figures_stand_in_their_modules() -> None:
    assert {output.build for output in PAPER.tables} == {
        f"studies.digits.tables:{name}" for name in ("best_accuracy", "optima", "objectives")
    }
    assert {output.build for output in PAPER.figures} == {
        f"studies.digits.figures:{name}"
        for name in ("rate_rate", "against_total_rate", "surface", "reconstructions", "rate_distortion")
    }


@pytest.mark.parametrize("output", [*PAPER.tables, *PAPER.figures], ids=lambda output: output.name)
def test_every_output_can_be_built(output: Output) -> None:
    module, _, function = output.build.partition(":")
    assert callable(getattr(importlib.import_module(module), function))
