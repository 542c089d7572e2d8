from __future__ import annotations

import itertools
import operator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.kinds import BetaObjective, Binomial, Digits, FlatModel, FreeBitsObjective, Training
from studies.paths import StudyError
from studies.trial import Trial
from studies.where import parse, select

WEIGHTS = (0.1, 0.125892541, 1.0, 10.0)
LATENTS = (4, 64)


def trial(beta: float = 1.0, latent: int = 4, **fields: Any) -> Trial:
    return Trial(
        data=Digits(),
        model=FlatModel(latent=latent, likelihood=Binomial(total=16)),
        **{"objective": BetaObjective(beta=(beta,)), "training": Training(steps=100, batch_size=8)} | fields,
    )


GRID = [trial(beta, latent, seed=seed) for beta, latent, seed in itertools.product(WEIGHTS, LATENTS, (0, 1))]
MIXED = [*GRID, trial(objective=FreeBitsObjective(floor=2.0)), trial(training=Training(steps=9, batch_size=8, ema=0.9))]
PYTHON = {"=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@given(
    sign=st.sampled_from(sorted(PYTHON)),
    value=st.sampled_from(WEIGHTS),
    space=st.sampled_from(["", " ", "  "]),
)
def test_numbers_compare_as_in_python(sign: str, value: float, space: str) -> None:
    expected = [one for one in GRID if PYTHON[sign](one.objective.beta[0], value)]  # type: ignore[attr-defined]
    text = f"objective.beta[0]{space}{sign}{space}{value!r}"
    if expected:
        assert list(select(GRID, [text])) == expected
    else:
        with pytest.raises(StudyError, match="no trial is left"):
            select(GRID, [text])


def test_several_conditions_hold_together_in_the_order_of_the_study() -> None:
    chosen = select(GRID, ["objective.beta[0]>=1", "model.latent<64", "seed=1"])
    assert list(chosen) == [trial(1.0, 4, seed=1), trial(10.0, 4, seed=1)]
    assert select(GRID, []) == tuple(GRID)


def test_numbers_compare_at_nine_digits() -> None:
    assert len(select(GRID, ["objective.beta[0]=0.12589254117941673"])) == 4
    assert len(select(GRID, ["objective.beta[0] in 0.1, 1e1"])) == 8
    assert len(select(GRID, ["training.steps=1e2"])) == len(GRID)


def test_words_kinds_identities_and_none() -> None:
    assert len(select(MIXED, ["data.kind in digits,mnist"])) == len(MIXED)
    assert select(MIXED, ["objective.kind=free-bits"]) == select(MIXED, ["objective=free-bits"]) == (MIXED[-2],)
    assert len(select(MIXED, ["objective.kind!=free-bits"])) == len(MIXED) - 1
    assert select(MIXED, [f"trial={GRID[3].id}"]) == (GRID[3],)
    assert select(MIXED, [f"setting in {GRID[0].setting}"]) == tuple(GRID[:2])
    assert select(MIXED, ["training.ema=0.9"]) == select(MIXED, ["training.ema!=none"]) == (MIXED[-1],)
    assert len(select(MIXED, ["training.ema=none"])) == len(MIXED) - 1
    assert select(MIXED, ["training.ema<1"]) == (MIXED[-1],)
    assert len(select(MIXED, ["training.precision = float32"])) == len(MIXED)


def test_a_trial_without_the_path_does_not_match() -> None:
    assert select(MIXED, ["objective.floor>=0"]) == (MIXED[-2],)
    assert MIXED[-2] not in select(MIXED, ["objective.beta[0]!=5"])


def test_labels_name_whole_parts() -> None:
    names = {MIXED[-2].setting: {"objective": "free bits"}}
    chosen = select(MIXED, ["objective=free bits"], lambda one: names.get(one.setting, {}))
    assert chosen == (MIXED[-2],)
    with pytest.raises(StudyError, match="of objective, did you mean free bits"):
        select(MIXED, ["objective=free bit"], lambda one: names.get(one.setting, {}))


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("model.latents=4", "no trial has model.latents; did you mean model.latent"),
        ("objective.betta[0]=1", "did you mean objective.beta"),
        ("sed=1", "did you mean seed"),
        ("objective.beta[0]=0.126", "the nearest values of objective.beta.0. are 0.1, 0.125892541, 1.0"),
        ("data.kind=mnist", "no trial is left by data.kind=mnist; of data.kind, known: digits"),
        ("objective.beta[0]=small", "objective.beta.0. is a number, and 'small' is none"),
        ("data.kind<digits", "< compares numbers; data.kind is digits"),
        ("objective<1", "< compares numbers; objective is beta"),
        ("objective.beta=1", "objective.beta has parts; compare one of them"),
        ("training=adam", "training has parts"),
        ("model.latent", "a condition reads like"),
        ("model.latent==4", "with one ="),
        ("model.latent=", "has no value after ="),
        ("seed in", "a condition reads like"),
        ("seed in 1,,2", "has no value after in"),
        ("=4", "a condition reads like"),
        ("model..latent=4", "a path reads like"),
    ],
)
def test_a_condition_that_cannot_be_is_refused_with_the_nearest(condition: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        select(GRID, [condition])


@pytest.mark.parametrize("text", ["objective.beta[0]=1.0", "model.latent<64", "data.kind in digits,mnist", "seed!=3"])
def test_a_condition_prints_as_it_reads(text: str) -> None:
    assert str(parse(text)) == text
    assert parse(str(parse(text))) == parse(text)
