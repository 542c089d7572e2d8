"""The grammar of `--set`, and a study to which it was applied."""

from __future__ import annotations

from typing import Any

import pytest

from models.kinds import BetaObjective, Cifar10, ConvolutionalHierarchy, Gaussian, Svhn, Training
from studies.axes import axis, product
from studies.overrides import parse
from studies.paths import NoSuchPath, StudyError
from studies.study import Reduction, Study
from studies.trial import Trial


def study(**more: Any) -> Study:
    given: dict[str, Any] = {
        "name": "tests/set",
        "question": "?",
        "base": Trial(
            data=Cifar10(),
            model=ConvolutionalHierarchy(likelihood=Gaussian()),
            objective=BetaObjective(beta=(1.0, 1.0)),
            training=Training(steps=100, batch_size=8),
        ),
        "axes": product(axis("objective.beta[0]", (0.5, 2.0))),
    }
    return Study(**(given | more))


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("data.batches=1", "data.batches", 1),
        (" training.optimiser.learning_rate = 1e-3 ", "training.optimiser.learning_rate", 1e-3),
        ("model.inference=ladder", "model.inference", "ladder"),
        ("a.b=True", "a.b", True),
        ("a.b=none", "a.b", None),
        ("a.b=x=y", "a.b", "x=y"),
    ],
)
def test_an_override_is_a_path_and_a_value(text: str, path: str, value: object) -> None:
    found = parse(text)
    assert (found.path, found.value, type(found.value)) == (path, value, type(value))


@pytest.mark.parametrize("text", ["data.batches", "data.batches=", "=1", "", "data batches=1", "data..batches=1"])
def test_what_is_no_override(text: str) -> None:
    with pytest.raises(StudyError, match=r"(is set|reads) like"):
        parse(text)


def test_every_trial_has_the_value_and_the_study_says_so() -> None:
    full = study()
    part = full.assigned("data.batches=1", "data.test_images=1000")
    assert [trial.data for trial in part.trials()] == [Cifar10(batches=1, test_images=1000)] * 2
    assert [trial.objective for trial in part.trials()] == [trial.objective for trial in full.trials()]
    assert part.reduced == "data.batches = 1; data.test_images = 1000"
    assert (full.comparable, part.comparable) == (True, False)
    assert part.unselected().base == part.base
    assert part.select("objective.beta[0]=2").reduced == f"{part.reduced}; only objective.beta[0]=2"


def test_a_twin_keeps_its_own_note() -> None:
    twin = study(reduction=Reduction(note="10 steps", assign={"training.steps": 10})).small().assigned("data.batches=2")
    assert (twin.reduced, twin.base.training.steps) == ("10 steps; data.batches = 2", 10)


def test_a_value_that_stands_there_changes_nothing() -> None:
    full = study()
    assert full.assigned("data.batches=5", "training.steps=100") == full
    assert full.assigned() == full
    assert full.assigned("data.batches=3", "data.batches=2").reduced == "data.batches = 2"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("data.batches=9", ["data.batches", "less than or equal to 5", "got 9"]),
        ("data.batches=1.5", ["valid integer", "got 1.5"]),
        ("data.batches=some", ["valid integer", "got 'some'"]),
        ("model.inference=lader", ["'generalised' or 'ladder'", "got 'lader'"]),
        ("data=1", ["data has parts", "set one of them: data.batches, data.test_images"]),
        ("training=1", ["training has parts", "set one of them: training.steps, training.batch_size"]),
        ("objective.beta=1", ["objective.beta cannot be set", "objective.beta[0] varies"]),
        ("data.kind=svhn", ["data.kind", "another study"]),
        ("objective.beta[0]=1.5", ["objective.beta[0] varies", "--where"]),
        ("seed=3", ["seed varies", "--seeds"]),
    ],
)
def test_what_cannot_be_set(text: str, words: list[str]) -> None:
    with pytest.raises(StudyError) as caught:
        study().assigned(text)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_part_that_an_axis_replaces_cannot_be_set_inside() -> None:
    varied = study(axes=product(axis("data", (Cifar10(), Svhn()))))
    with pytest.raises(StudyError, match="data varies; choose by --where"):
        varied.assigned("data.batches=1")


def test_a_path_that_is_not_there() -> None:
    with pytest.raises(NoSuchPath, match=r"no data\.batch; did you mean data\.batches\?"):
        study().assigned("data.batch=1")
