"""The studies of Trading Information between Latents ask what the paper asks: its grid, its models, its training."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from models.kinds import Adam, Bernoulli, BetaObjective, ClassifierModel, ConvolutionalHierarchy, Gaussian
from studies.hvae.paper import BETA1, BETA2, PAPER
from studies.paths import get
from studies.prerequisites import prerequisites
from studies.study import Study
from studies.trial import Trial

STUDIES = [one for study in PAPER.studies for one in (study, study.small())]
EPOCH = {"svhn": 73_257 // 256, "cifar10": 50_000 // 256, "binary-mnist": 60_000 // 256}  # steps of whole batches
named = pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
full = pytest.mark.parametrize("study", PAPER.studies, ids=lambda study: study.name)


def weights(trial: Trial) -> tuple[float, float]:
    assert isinstance(trial.objective, BetaObjective)
    lower, upper = trial.objective.beta
    return upper, lower


def model(trial: Trial) -> ConvolutionalHierarchy:
    assert isinstance(trial.model, ConvolutionalHierarchy)
    return trial.model


@named
def test_the_grid_is_the_paper_s(study: Study) -> None:
    """β2 and β1 each over 10^(−1 + i/10), i = 0..20, one seed (spec. P002.1 and P002.5)."""
    steps = 10 ** (-1 + np.arange(21) / 10)
    expected = {(round(a, 6), round(b, 6)) for a in steps for b in steps}
    assert {tuple(round(weight, 6) for weight in weights(trial)) for trial in study.trials()} == expected
    assert len(study) == 441
    assert study.seed_values == (0,)
    assert study.axis_columns() == (BETA2, BETA1)


@named
def test_the_baselines_are_cells_of_the_grid(study: Study) -> None:
    assert len(study.select(f"{BETA2}=1", f"{BETA1}=1")) == 1
    assert sum(upper == lower for upper, lower in map(weights, study.trials())) == 21


def test_studies_share_no_trial() -> None:
    ids = [trial.id for study in STUDIES for trial in study.trials()]
    assert len(set(ids)) == len(STUDIES) * 441


@full
def test_training_is_the_paper_s(study: Study) -> None:
    training = study.base.training
    assert isinstance(training.optimiser, Adam)
    assert (training.batch_size, training.optimiser.learning_rate) == (256, 3e-4)
    assert training.steps == 500 * EPOCH[study.base.data.kind]


@named
def test_only_the_ladder_warms_its_weights_up_over_a_fifth_of_the_training(study: Study) -> None:
    for trial in study.trials()[::60]:
        assert isinstance(trial.objective, BetaObjective)
        ladder = model(trial).inference == "ladder"
        assert ladder == (study.full_name == "hvae/svhn-lvae")
        assert trial.objective.warmup == (trial.training.steps // 5 if ladder else 0)


@named
def test_models_are_those_of_tables_2_and_3(study: Study) -> None:
    one = model(study.base)
    if study.base.data.kind == "binary-mnist":
        assert (one.channels, one.top, one.hidden, one.likelihood) == (16, 20, 128, Bernoulli())
    else:
        assert (one.channels, one.top, one.hidden, one.likelihood) == (32, 32, 256, Gaussian(sigma=0.71))


@named
def test_a_reduced_twin_is_small_and_says_how(study: Study) -> None:
    count = 1_000 if study.reduced else 10_000
    assert study.quantity(f"inception_score@{count}").prerequisites
    if not study.reduced:
        assert study.comparable
        return
    training, data = study.base.training, study.base.data
    assert training.batch_size == 64
    assert training.steps >= 250
    assert get(study.base, "data.test_images") <= 2_000
    assert not study.comparable
    for text in (
        f"{training.steps} steps",
        "64 images",
        "1,000 samples",
        "CIFAR-10" if data.kind == "cifar10" else "test",
    ):
        assert text in study.reduced


@named
def test_samples_are_judged_by_one_classifier_of_the_study_s_own_images(study: Study) -> None:
    judges = {prerequisites(study.quantities, trial)["reference"] for trial in study.trials()[::40]}
    assert len(judges) == 1
    judge = judges.pop()
    assert isinstance(judge.model, ClassifierModel)
    assert judge.data == study.base.data


@pytest.mark.parametrize("output", [*PAPER.tables, *PAPER.figures], ids=lambda output: output.name)
def test_every_output_is_built_by_code_that_is_there(output) -> None:
    module, _, function = output.build.partition(":")
    assert callable(getattr(importlib.import_module(module), function))
