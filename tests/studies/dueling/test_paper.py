"""The studies of Dueling Decoders ask what the paper asks: its grid, its winners, its schedule; and what they need."""

from __future__ import annotations

import functools
import importlib
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from models.kinds import (
    Adam,
    Bernoulli,
    ClassifierModel,
    ConvolutionalAuxiliary,
    FlatModel,
    GradientAuxiliary,
    IdxImages,
    LogisticMixture,
    PixelCnnDecoder,
    PyramidEncoder,
    VampPrior,
    WarmupDecaySchedule,
    WideResNetEncoder,
)
from studies.dueling import prerequisites as classifiers
from studies.dueling.paper import AUXILIARIES, ENLARGED_STUDY, GRID, OBJECTIVES, PAPER, REMOVAL_STUDY
from studies.dueling.sizes import BATCH, BETA, FULL_STEPS, LATENT, WEIGHT
from studies.paper import Output
from studies.prerequisites import prerequisites
from studies.published import read_published
from studies.study import Study
from studies.trial import Trial, from_json

ROOT = Path(__file__).parents[3]
DATA = ("stochastic-mnist", "thresholded-mnist", "mnist", "fashion-mnist")
STUDIES = [one for study in PAPER.studies for one in (study, study.small())]
named = pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)


@functools.cache
def planned(study: str) -> pd.DataFrame:
    return next(one for one in STUDIES if one.name == study).planned()


def flat(trial: Trial) -> FlatModel:
    assert isinstance(trial.model, FlatModel)
    return trial.model


def images(trial: Trial) -> IdxImages:
    assert isinstance(trial.data, IdxImages)
    return trial.data


def test_trials_are_as_many_as_the_paper_s() -> None:
    """192 settings of 4 data sets × (12 + 12 + 24), three seeds each (spec. P000.8)."""
    assert {study.name: (len(study), len(study.settings)) for study in PAPER.studies} == {
        "dueling/grid": (576, 192),
        "dueling/enlarged": (54, 18),
        "dueling/objectives": (30, 10),
        "dueling/auxiliaries": (288, 96),
        "dueling/removal": (12, 4),
    }
    assert all(set(study.seed_values) == {0, 1, 2} for study in STUDIES)


def test_trials_that_two_studies_ask_for_are_the_same_trials() -> None:
    """Auxiliaries has the grid's 24 settings of the Dueling Decoder on thresholded MNIST; the baselines are there."""
    ids = {study.name: {trial.id for trial in study.trials()} for study in STUDIES}
    grid = ids["dueling/grid"]
    assert len(grid & ids["dueling/auxiliaries"]) == 72
    assert len(grid & ids["dueling/objectives"]) == 4 * 3  # β = 1 and 0.1, λ = 0.1 and 1
    assert not grid & ids["dueling/enlarged"]
    for small in (name for name in ids if name.endswith("@small")):
        assert not ids[small] & ids[small.removesuffix("@small")]


def test_the_grid_is_that_of_the_paper() -> None:
    rows = planned("dueling/grid")
    assert set(rows["data"]) == set(DATA)
    assert rows["data"].value_counts().unique().tolist() == [144]
    for data in DATA:
        assert rows[rows["data"] == data]["model.decoder"].value_counts().to_dict() == {
            "PixelCNN": 36,
            "CNN": 36,
            "Dueling Decoder": 72,
        }
    for column, values in ((BETA, {0.1, 1.0}), (BATCH, {32, 64}), (LATENT, {2, 16, 64})):
        for _, part in rows.groupby("model.decoder"):
            assert set(part[column]) == values
            assert part[column].value_counts().nunique() == 1
    duel = rows["model.decoder"] == "Dueling Decoder"
    assert set(rows.loc[duel, WEIGHT]) == {0.1, 1.0}
    assert rows.loc[~duel, WEIGHT].isna().all()


def test_the_enlarged_networks_are_wider_and_deeper_on_fashion_mnist() -> None:
    rows = planned("dueling/enlarged")
    assert rows["model.decoder"].value_counts().to_dict() == {"PixelCNN+": 18, "Dueling Decoder+": 36}
    for trial in ENLARGED_STUDY.trials():
        decoder = flat(trial).decoder
        assert isinstance(decoder, PixelCnnDecoder)
        assert (trial.data.kind, trial.training.batch_size) == ("fashion-mnist", 32)
        assert (decoder.filters, decoder.blocks, decoder.halvings) == (128, 3, 2)


@pytest.mark.parametrize("data", DATA)
def test_the_winners_of_table_8_are_settings_of_the_grid(data: str) -> None:
    winners = ["PixelCNN", "CNN", "Dueling Decoder"]
    plus = ["PixelCNN+", "Dueling Decoder+"] if data == "fashion-mnist" else []
    for decoder in winners + plus:
        rows = planned("dueling/enlarged" if decoder in plus else "dueling/grid")
        printed = read_published("studies.dueling").settings("T8", dataset=data.replace("-", "_"), model=decoder)
        weight = float(printed["lambda"])
        found = rows[
            (rows["data"] == data)
            & (rows["model.decoder"] == decoder)
            & (rows[BETA] == float(printed["beta"]))
            & (rows[LATENT] == int(printed["latent"]))
            & ((rows[BATCH] == int(printed["batch"])) if BATCH in rows else True)
            & ((rows[WEIGHT] == weight) if weight else rows[WEIGHT].isna())
        ]
        assert found["seed"].tolist() == [0, 1, 2]
        assert found["setting"].nunique() == 1


@named
def test_every_model_is_the_paper_s(study: Study) -> None:
    """One encoder, full covariances, a VampPrior; a Bernoulli for 0 and 1 and five logistics for 0..255."""
    for trial in study.trials():
        model = flat(trial)
        mixture = images(trial).levels == 255
        assert model.likelihood == (LogisticMixture(components=5) if mixture else Bernoulli())
        assert model.posterior == "full"
        assert isinstance(model.encoder, PyramidEncoder)
        assert isinstance(model.prior, VampPrior)
        if study in PAPER.studies:
            assert model.prior.components == 280
            assert images(trial).train_images == 50_000
            assert images(trial).shape == (1, 28, 28)


def rate(schedule: WarmupDecaySchedule, step: float) -> float:
    return float(schedule.factor ** (step / schedule.decay) * (1 - schedule.factor ** (step / schedule.warmup)))


@named
def test_the_learning_rate_has_the_shape_of_the_paper_s_whatever_the_steps(study: Study) -> None:
    """1e-3 · 0.66^(t/10⁴) · (1 − 0.66^(t/10³)): 7.153e-4 at its peak in step 5771, 4.355e-4 at 20,000."""
    steps = {trial.training.steps for trial in study.trials()}
    assert len(steps) == 1
    extended = 2 if "removal" in study.name else 1  # which trains on for as long again
    for optimiser in {trial.training.optimiser for trial in study.trials()}:
        assert isinstance(optimiser, Adam)
        assert isinstance(optimiser.schedule, WarmupDecaySchedule)
        (whole,) = steps
        at = [rate(optimiser.schedule, part / 20_000 * whole / extended) for part in (1_000, 5_771, 10_000, 20_000)]
        assert at == pytest.approx([0.3262, 0.7153, 0.6496, 0.4355], abs=5e-5)
        if study in PAPER.studies:
            assert whole == FULL_STEPS * extended
            assert optimiser.learning_rate == 1e-3


@pytest.mark.parametrize("study", PAPER.studies, ids=lambda study: study.name)
def test_a_twin_is_of_small_images_and_says_how_it_is_reduced(study: Study) -> None:
    twin = study.small()
    assert {trial.data.shape for trial in twin.trials()} == {(1, 14, 14)}
    for word in ("images", "filters", "steps", "pseudo-inputs"):
        assert word in twin.reduced
    (one, *_) = twin.trials()
    assert isinstance(one.training.optimiser, Adam)
    model, prior = flat(one), flat(one).prior
    assert isinstance(model.decoder, PixelCnnDecoder)
    assert isinstance(prior, VampPrior)
    for number in (
        f"14×14 images, {model.decoder.filters} filters",
        f"{prior.components} of 280 pseudo-inputs",
        f"{images(one).train_images:,} training and {images(one).test_images:,} test images",
        f"{one.training.steps:,} of {study.trials()[0].training.steps:,} steps, learning rate ",
        f"learning rate {one.training.optimiser.learning_rate:g} in place of 0.001, its schedule scaled",
    ):
        assert number in twin.reduced
    assert 4 <= len(twin) <= len(study)
    assert set(twin.axis_columns()) == set(study.axis_columns())
    widths = {getattr(part, "filters", None) for t in twin.trials() for part in (flat(t).encoder, flat(t).decoder)}
    assert widths == {model.decoder.filters}


@named
def test_objectives_and_removals_are_timed_by_the_training(study: Study) -> None:
    if study.full_name == "dueling/objectives":
        steps = study.trials()[0].training.steps
        labels = [str(label) for label in planned(study.name)["objective"].unique()]
        assert labels == [
            *("β = 1", "β = 0.1"),
            *(f"KL annealing over {round(part * steps):,} steps" for part in (0.25, 0.5, 0.75, 1.0)),
            *("free bits", "target rate", "Dueling λ = 0.1", "Dueling λ = 1"),
        ]
        for trial in study.trials():
            target = {"free-bits": "floor", "target-rate": "target"}.get(trial.objective.kind)
            assert target is None or getattr(trial.objective, target) == 10
            assert isinstance(flat(trial).auxiliary, ConvolutionalAuxiliary) == (trial.objective.kind == "dueling")
    elif study.full_name == "dueling/removal":
        steps = study.trials()[0].training.steps
        expected = [round(part * steps / 2) for part in (0, 0.25, 0.5, 1)]
        assert planned(study.name)["objective.removed_at"].unique().tolist() == expected
        assert study.name.endswith("@small") or expected == [0, 5_000, 10_000, 20_000]


# What must be trained to measure them.


def needs(study: Study) -> dict[str, dict[str, Trial]]:
    """role -> the trials that the study needs in it, by id."""
    found: dict[str, dict[str, Trial]] = {}
    for trial in study.trials():
        for role, one in prerequisites(study.quantities, trial).items():
            found.setdefault(role, {})[one.id] = one
    return found


@pytest.mark.parametrize("small", [False, True], ids=["full", "small"])
def test_one_reference_classifier_a_data_set_serves_all_studies(small: bool) -> None:
    """Also where their trials see fewer images: the classifier always has all of them, at the size of theirs."""
    references: dict[str, Trial] = {}
    for study in STUDIES:
        if study.name.endswith("@small") == small:
            references |= needs(study)["reference"]
    assert sorted(one.data.kind for one in references.values()) == sorted(DATA)
    for one in references.values():
        assert isinstance(one.model, ClassifierModel)
        assert one.model.target is None
        assert images(one).train_images == 50_000
        assert images(one).downsample == (2 if small else 1)
        assert isinstance(one.model.encoder, WideResNetEncoder) == (not small and one.data.kind == "fashion-mnist")
        assert isinstance(one.model.encoder, WideResNetEncoder | PyramidEncoder)
        assert one.training.steps <= 20_000


@named
def test_a_classifier_is_tested_on_the_images_of_the_trials(study: Study) -> None:
    for trial in study.trials()[:: max(1, len(study) // 12)]:
        for one in prerequisites(study.quantities, trial).values():
            assert images(one) == images(trial).model_copy(update={"train_images": 50_000})


@pytest.mark.parametrize("study", [AUXILIARIES, AUXILIARIES.small()], ids=lambda study: study.name)
def test_a_supervised_classifier_sees_what_the_auxiliary_decoder_reconstructs(study: Study) -> None:
    """Of the convolutional one that is the image, so the reference itself serves."""
    found = needs(study)
    assert len(found["reference"]) == 1
    assert len(found["supervised"]) == 4
    assert found["reference"].keys() < found["supervised"].keys()
    for trial in study.trials():
        roles = prerequisites(study.quantities, trial)
        auxiliary, supervised = flat(trial).auxiliary, roles["supervised"].model
        assert isinstance(supervised, ClassifierModel)
        if isinstance(auxiliary, ConvolutionalAuxiliary):
            assert roles["supervised"] == roles["reference"]
        else:
            assert supervised.target is not None
            assert auxiliary is not None
            assert supervised.target.kind == auxiliary.kind


def test_without_an_auxiliary_decoder_there_is_no_supervised_classifier() -> None:
    without = [trial for trial in GRID.trials()[:48] if flat(trial).auxiliary is None]
    assert without
    assert all(classifiers.supervised(trial) == {} for trial in without)
    assert "supervised" not in needs(GRID.small())
    assert "supervised" not in needs(OBJECTIVES.small())


def test_a_target_is_one_classifier_whatever_the_size_of_the_decoder() -> None:
    trial = AUXILIARIES.trials()[0]
    told = {
        classifiers.supervised(
            trial.model_copy(
                update={"model": flat(trial).model_copy(update={"auxiliary": GradientAuxiliary(filters=filters)})}
            )
        )["supervised"].id
        for filters in (8, 16, 64)
    }
    assert len(told) == 1


@named
def test_the_identity_of_what_is_needed_is_that_of_its_specification(study: Study) -> None:
    found = {one.id: one for trials in needs(study).values() for one in trials.values()}
    for identity, one in found.items():
        again = from_json(one.specification())
        assert (again.id, again.setting, again.shape) == (identity, one.setting, one.shape)
        assert again == one


@named
def test_the_identity_of_a_trial_is_that_of_its_specification(study: Study) -> None:
    for trial in study.trials()[:: max(1, len(study) // 24)]:
        again = from_json(trial.specification())
        assert (again.id, again.setting) == (trial.id, trial.setting)


# What is drawn from them.


def test_measured_quantities() -> None:
    semantic = [
        f"{name}{how}@z1"
        for name in ("accuracy_mlp", "accuracy_linear", "label_distortion_mlp")
        for how in ("", "_fit_on_test")
    ]
    common = {"rate_z1", "rate", "distortion", "elbo", *semantic, "reconstruction_accuracy", "reference_accuracy"}
    common |= {"originals", "sampled_reconstructions"}
    more = {"dueling/grid": {"latents", "tsne"}, "dueling/auxiliaries": {"supervised_accuracy"}}
    for study in STUDIES:
        assert {one.name for one in study.quantities} == common | more.get(study.full_name, set()), study.name


@pytest.mark.parametrize("output", [*PAPER.tables, *PAPER.figures], ids=lambda output: output.name)
def test_every_output_can_be_built(output: Output) -> None:
    module, _, function = output.build.partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_the_paper_s_tables_and_figures_are_there() -> None:
    assert [one.name for one in PAPER.tables] == ["table1", "table2", "table3", "table4", "table4_ratios", "table8"]
    numbered = [f"figure{number}" for number in range(2, 10)]
    assert [one.name for one in PAPER.figures] == [*numbered, "objectives", "auxiliaries", "enlarged"]
    drawn = {name for one in (*PAPER.tables, *PAPER.figures) for name in (*one.studies, *one.also)}
    assert drawn == {study.name for study in PAPER.studies}
    assert REMOVAL_STUDY.name in drawn


def test_planning_imports_neither_torch_nor_ray_nor_scikit_learn() -> None:
    """Also with all that must be trained before."""
    program = (
        "import sys\n"
        "from studies.catalogue import find\n"
        "from studies.prerequisites import prerequisites\n"
        "for entry in find(['dueling@small', 'dueling/removal']):\n"
        "    entry.study.planned()\n"
        "    prerequisites(entry.study.quantities, entry.study.trials()[0])\n"
        "print(*sorted({'torch', 'ray', 'sklearn', 'plotly'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout.strip(), run.stderr) == (0, "", "")
