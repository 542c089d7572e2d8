from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from models.kinds import (
    BetaObjective,
    Binomial,
    ClassifierModel,
    CrossEntropyObjective,
    Digits,
    FlatModel,
    HistogramAuxiliary,
    Training,
)
from results.quantity import Quantity
from studies.catalogue import find
from studies.paths import StudyError
from studies.prerequisites import described, measured_of, prerequisites, prerequisites_of
from studies.quantities import CLASSIFICATION
from studies.trial import Trial

TRAINING = Training(steps=10, batch_size=4)
TRIALS = [
    Trial(
        data=Digits(),
        model=FlatModel(latent=2, likelihood=Binomial(total=16)),
        objective=BetaObjective(),
        training=TRAINING,
        seed=seed,
    )
    for seed in range(3)
]


def classifier(seed: int = 0, model: ClassifierModel | None = None) -> Trial:
    return Trial(
        data=Digits(),
        model=model or ClassifierModel(),
        objective=CrossEntropyObjective(),
        training=TRAINING,
        seed=seed,
    )


def quantity(function: str, name: str = "judged") -> Quantity:
    return Quantity(name=name, unit="fraction", goal="maximise", family="m:f", prerequisites=function)


@pytest.fixture
def calls() -> Iterator[list[int]]:
    """The seeds of the trials that the functions of a module `needs` were asked about."""
    module, seeds = types.ModuleType("needs"), list[int]()

    def reference(trial: Trial) -> dict[str, Trial]:
        seeds.append(trial.seed)
        return {"reference": classifier(trial.seed // 2)}

    vars(module).update(
        reference=reference,
        other=lambda trial: {"reference": classifier(7)},
        beside=lambda trial: {"supervised": classifier(7)},
        nothing=lambda trial: {},
        wrong=lambda trial: {"reference": "a classifier"},
        none=lambda trial: None,
        number=3,
    )
    sys.modules["needs"] = module
    yield seeds
    del sys.modules["needs"]


def test_a_function_is_asked_once_a_trial_and_equal_answers_are_one_trial(calls: list[int]) -> None:
    judged = quantity("needs:reference", "judged-once")
    told = [prerequisites_of(judged, trial)["reference"] for trial in TRIALS * 3]
    assert sorted(calls) == [0, 1, 2]
    assert told[0] is told[1] is told[3]
    assert [one.seed for one in told[:3]] == [0, 0, 1]


def test_most_quantities_need_nothing(calls: list[int]) -> None:
    plain = Quantity(name="rate", unit="nats", goal="none", family="m:f")
    assert prerequisites_of(plain, TRIALS[0]) == {}
    assert prerequisites((plain, quantity("needs:nothing")), TRIALS[0]) == {}


def test_those_of_several_quantities_stand_together_unless_a_role_is_two_trials(calls: list[int]) -> None:
    one, beside = quantity("needs:reference"), quantity("needs:beside", "supervised")
    found = prerequisites((one, beside, quantity("needs:reference", "again")), TRIALS[2])
    assert {role: trial.seed for role, trial in found.items()} == {"reference": 1, "supervised": 7}
    with pytest.raises(StudyError, match="'reference' is another trial for another quantity"):
        prerequisites((one, quantity("needs:other", "other")), TRIALS[0])


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("needs:wrong", "gives a trial by role, not {'reference': 'a classifier'}"),
        ("needs:none", "gives a trial by role, not None"),
        ("needs:number", "has no function 'number'"),
        ("needs:referense", "did you mean reference"),
        ("no_such_module:reference", "No module named 'no_such_module'"),
        ("reference", "write 'module:function'"),
        (":reference", "write 'module:function'"),
    ],
)
def test_a_function_that_is_not_there_or_tells_no_trials_is_refused(calls: list[int], function: str, told: str) -> None:
    with pytest.raises(StudyError) as caught:
        prerequisites_of(quantity(function), TRIALS[0])
    assert str(caught.value).startswith(f"{function} (prerequisites of judged)")
    assert told in str(caught.value)


def test_a_users_own_function_is_found_in_his_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        dedent("""
        from models.kinds import *
        from results.quantity import Quantity
        from studies.study import Study
        from studies.trial import Trial

        TRAINING = Training(steps=10, batch_size=4)

        def judge(trial):
            return {"judge": Trial(data=trial.data, model=ClassifierModel(), objective=CrossEntropyObjective(),
                                   training=TRAINING)}

        study = Study(
            name="own/judged",
            question="?",
            base=Trial(data=Digits(), model=FlatModel(latent=2, likelihood=Binomial(total=16)),
                       objective=BetaObjective(), training=TRAINING),
            quantities=(Quantity(name="fit", unit="fraction", goal="maximise", family=":fit", prerequisites=":judge"),
                        Quantity(name="rate", unit="nats", goal="none", family="m:f")),
        )
        """)
    )
    (entry,) = find([f"{path}:study"])
    fit, rate = entry.study.quantities
    assert entry.source is not None
    assert (fit.prerequisites, rate.prerequisites) == (f"{entry.source.name}:judge", "")
    (trial,) = entry.study.trials()
    assert prerequisites((fit, rate), trial) == {"judge": classifier()}


def test_a_classifier_is_measured_by_its_accuracy_and_told_by_its_data_and_target() -> None:
    assert measured_of(classifier()) == CLASSIFICATION
    assert measured_of(TRIALS[0]) == ()
    assert described(classifier()) == "classifier of digits"
    assert described(classifier(model=ClassifierModel(target=HistogramAuxiliary()))) == (
        "classifier of the histogram of digits"
    )
    assert described(TRIALS[0]) == "flat of digits"
