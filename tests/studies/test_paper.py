from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from models.kinds import BetaObjective, Binomial, Digits, FlatModel, Training
from studies.paper import Output, Paper
from studies.paths import StudyError
from studies.study import Study
from studies.trial import Trial

STUDY = Study(
    name="p/one",
    question="?",
    base=Trial(
        data=Digits(),
        model=FlatModel(latent=2, likelihood=Binomial(total=16)),
        objective=BetaObjective(),
        training=Training(steps=1, batch_size=1),
    ),
)


def output(**fields: Any) -> Output:
    return Output(**{"name": "table", "title": "A table", "studies": ("p/one",), "build": "a.b:c"} | fields)


def paper(**fields: Any) -> Paper:
    return Paper(**{"name": "p", "title": "t", "reference": "r", "studies": (STUDY,)} | fields)


def test_a_paper_owns_outputs_of_its_studies() -> None:
    whole = paper(tables=(output(),), figures=(output(), output(name="other", build=":mine")))
    assert [one.name for one in whole.figures] == ["table", "other"]


def test_an_output_may_draw_on_further_studies() -> None:
    whole = paper(studies=(STUDY, dataclasses.replace(STUDY, name="p/two")), tables=(output(also=("p/two",)),))
    assert (whole.tables[0].studies, whole.tables[0].also) == (("p/one",), ("p/two",))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "two words"}, "an output is named by"),
        ({"name": "../x"}, "an output is named by"),
        ({"studies": ()}, "draws on no study"),
        ({"build": "a.b.c"}, "is built by a 'module:function', not 'a.b.c'"),
        ({"build": "a/b.py:c"}, "is built by"),
        ({"options": ("corection",)}, "has no option 'corection'; did you mean correction"),
    ],
)
def test_an_output_that_cannot_be_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        output(**fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"studies": (STUDY, STUDY)}, "the study p/one occurs twice"),
        ({"tables": (output(), output())}, "the table table occurs twice"),
        ({"figures": (output(), output())}, "the figure table occurs twice"),
        ({"tables": (output(studies=("p/on",)),)}, "table draws on p/on; did you mean p/one"),
        ({"figures": (output(also=("p/oen",)),)}, "table draws on p/oen; did you mean p/one"),
    ],
)
def test_a_paper_that_cannot_be_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        paper(**fields)
