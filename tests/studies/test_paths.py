from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.kinds import (
    Adamax,
    BetaObjective,
    Binomial,
    ConvolutionalEncoder,
    Digits,
    FlatModel,
    FreeBitsObjective,
    HierarchicalModel,
    Training,
)
from models.spec import SpecificationError, round_significant
from studies.paths import StudyError, Variants, assign, assign_all, get, has, parse, paths, render
from studies.trial import Trial

TRIAL = Trial(
    data=Digits(),
    model=HierarchicalModel(latents=(16, 8), likelihood=Binomial(total=16)),
    objective=BetaObjective(beta=(1.0, 0.5)),
    training=Training(steps=1000, batch_size=32),
    seed=3,
)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("objective.beta[0]", 1.0),
        ("objective.beta[1]", 0.5),
        ("objective.beta", (1.0, 0.5)),
        ("objective", BetaObjective(beta=(1.0, 0.5))),
        ("objective.kind", "beta"),
        ("data.kind", "digits"),
        ("model.latents[1]", 8),
        ("model.encoder.widths[0]", 64),
        ("training.optimiser.learning_rate", 1e-3),
        ("training.ema", None),
        ("seed", 3),
    ],
)
def test_reads_what_stands_at_a_path(path: str, value: Any) -> None:
    assert get(TRIAL, path) == value
    assert has(TRIAL, path)


def test_every_path_of_a_trial_reads_and_renders_back() -> None:
    every = list(paths(TRIAL))
    assert len(every) == len(set(every))
    assert {"model.latents[1]", "objective.kind", "training.optimiser.beta2", "seed"} <= set(every)
    for path in every:
        get(TRIAL, path)
        assert render(parse(path)) == path


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("objective.betta", "did you mean objective.beta?"),
        ("objective.betta[0]", "did you mean objective.beta?"),
        ("modle.latents", "did you mean model?"),
        ("model.latent", "did you mean model.latents?"),
        ("training.optimiser.lerning_rate", "did you mean training.optimiser.learning_rate?"),
        ("training.zzz", "known: training.steps, training.batch_size"),
        ("objective.beta[2]", r"objective.beta has the entries \[0\], \[1\]"),
        ("objective.beta.first", r"objective.beta has the entries \[0\], \[1\]"),
        ("training.steps.x", "training.steps is 1000, which has no parts"),
        ("objective[0]", "objective has named parts, beta, warmup, kind"),
    ],
)
def test_a_path_that_is_not_there_is_refused_with_the_nearest(path: str, hint: str) -> None:
    with pytest.raises(StudyError, match=hint):
        get(TRIAL, path)
    with pytest.raises(StudyError, match=hint):
        assign(TRIAL, path, 1.0)
    assert not has(TRIAL, path)


@pytest.mark.parametrize("path", ["", ".", "objective.", "objective.beta[", "beta[-1]", "beta[01]", "a b", "beta[x]"])
def test_a_text_that_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(StudyError, match="a path reads like"):
        get(TRIAL, path)


@given(value=st.floats(0, 1e6), seed=st.integers(0, 10**6), steps=st.integers(1, 10**6))
def test_what_is_assigned_is_read_back_and_nothing_else_changes(value: float, seed: int, steps: int) -> None:
    changed = assign_all(TRIAL, {"objective.beta[1]": value, "seed": seed, "training.steps": steps})
    by_hand = Trial(
        data=Digits(),
        model=TRIAL.model,
        objective=BetaObjective(beta=(1.0, value)),
        training=Training(steps=steps, batch_size=32),
        seed=seed,
    )
    assert changed == by_hand
    assert changed.id == by_hand.id
    assert get(changed, "objective.beta[1]") == round_significant(value)


def test_untouched_parts_stay_the_same_objects() -> None:
    changed = assign(TRIAL, "objective.beta[0]", 2.0)
    assert changed.model is TRIAL.model
    assert changed.training is TRIAL.training
    assert TRIAL.objective == BetaObjective(beta=(1.0, 0.5))


def test_parts_inside_parts() -> None:
    assert assign(TRIAL, "training.optimiser", Adamax()).training.optimiser == Adamax()
    both = assign_all(TRIAL, {"model.encoder.channels[1]": 8, "model.encoder": ConvolutionalEncoder()})
    assert get(both, "model.encoder") == ConvolutionalEncoder(channels=(16, 8))
    assert get(assign(TRIAL, "model.latents", [4, 2]), "model.latents") == (4, 2)


def test_parts_that_fit_only_together_change_together() -> None:
    flat = FlatModel(latent=4, likelihood=Binomial(total=16))
    with pytest.raises(StudyError, match=r"objective\.beta needs one weight for each of z1"):
        assign(TRIAL, "model", flat)
    changed = assign_all(TRIAL, {"model": flat, "objective": FreeBitsObjective(floor=1.0)})
    assert (changed.model, changed.objective) == (flat, FreeBitsObjective(floor=1.0))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("objective.beta[0]", -1.0, r"objective\.beta.*greater than or equal to 0 \(got -1\.0\)"),
        ("objective.beta[0]", float("nan"), r"objective\.beta.*finite number \(got nan\)"),
        ("training.optimiser.learning_rate", 0.0, r"training\.optimiser\.learning_rate.*greater than 0 \(got 0\.0\)"),
        ("training.steps", 1.5, r"training\.steps"),
        ("training.precision", "float16", "Input should be 'float32', 'float64', 'tf32' or 'bfloat16'"),
        ("objective", 1.0, "objective"),
        ("objective", {"kind": "betta"}, "did you mean beta"),
        ("objective.kind", "free-bits", "assigning a whole part to objective"),
        ("seed", -1, "seed"),
    ],
)
def test_a_value_that_the_specification_refuses_names_path_and_rule(path: str, value: object, message: str) -> None:
    with pytest.raises(SpecificationError, match=message):
        assign(TRIAL, path, value)


BETAS = st.sampled_from((0.5, 1.0))
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "objective.beta[0]": BETAS,
        "objective.beta[1]": BETAS,
        "model.encoder.widths[0]": st.sampled_from((8, 16)),
        "model.encoder": st.just(TRIAL.model.encoder.model_copy(update={"widths": (4,)})),  # type: ignore[attr-defined]
        "training.steps": st.sampled_from((10, 20)),
        "seed": st.sampled_from((0, 1)),
    },
)


@given(st.lists(CHANGES, max_size=8))
def test_variants_are_what_each_assignment_gives_by_itself(changes: list[dict[str, Any]]) -> None:
    variants = Variants(TRIAL)
    for values in changes:
        made, alone = variants.assign(values), assign_all(TRIAL, values)
        assert (made, made.id, made.setting, made.shape) == (alone, alone.id, alone.setting, alone.shape)
        assert made.specification() == alone.specification()


def test_variants_build_a_part_once_and_refuse_what_an_assignment_refuses() -> None:
    variants, one, other = Variants(TRIAL), 0.25, 0.75
    first = variants.assign({"objective.beta[0]": one, "training.steps": 10})
    second = variants.assign({"objective.beta[0]": one, "training.steps": 20})
    assert first.objective is second.objective is not variants.assign({"objective.beta[0]": other}).objective
    assert first.model is second.model is TRIAL.model
    for _ in range(2):
        with pytest.raises(StudyError, match=r"objective.beta\[0\]|beta.0"):
            variants.assign({"objective.beta[0]": -1.0})
        with pytest.raises(StudyError, match=r"no objective\.gamma"):
            variants.assign({"objective.gamma": 1.0})


def test_a_path_that_is_not_there_may_have_a_default() -> None:
    assert get(TRIAL, "objective.beta[0]", None) == 1.0
    assert get(TRIAL, "objective.floor", None) is None
