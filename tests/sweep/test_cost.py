from __future__ import annotations

from dataclasses import replace

import pytest

from models.kinds import BetaObjective, Binomial, Digits, FlatModel, Training
from results.quantity import Quantity
from studies.axes import axis, product
from studies.study import Study
from studies.trial import Trial
from sweep.cost import cost
from sweep.estimate import Spent, Times
from sweep.plan import plan_study
from sweep.rehearsal.work import Work

STUDY = Study(
    name="test/cost",
    question="What does it take?",
    base=Trial(
        data=Digits(),
        model=FlatModel(latent=2, likelihood=Binomial(total=16)),
        objective=BetaObjective(),
        training=Training(steps=10, batch_size=32),
    ),
    axes=product(axis("model.latent", (2, 3)), axis("objective.beta[0]", tuple(map(float, range(1, 65))))),
    seeds=1,
    quantities=(Quantity(name="rate", unit="nats", goal="none", family="m:f"),),
)
SHORT, LONG = (next(one.shape for one in STUDY.trials() if one.model.latent == latent) for latent in (2, 3))  # type: ignore[union-attr]
KNOWN = Times(
    training={
        (SHORT, "cuda"): Spent(fused={64: 3600.0}),
        (LONG, "cuda"): Spent(fused={64: 7200.0}, basis="scaled"),
    },
    apart=lambda trial: True,
    evaluation={(SHORT, "cpu"): 4.0, (LONG, "cpu"): 4.0},
)


def work(times: Times, study: Study = STUDY) -> Work:
    return Work.of([plan_study(study, None)], None, times, device="cuda", elsewhere=True)


def test_hours_are_those_of_all_packs_and_the_end_that_of_the_last() -> None:
    """By hand: packs of 1 and 2 hours on 2 GPUs, then 2 × 2 packs of 32 trials at 4 s each are evaluated on 2 CPUs."""
    found = cost(work(KNOWN), KNOWN, {"cuda": 2, "cpu": 2})
    assert found.hours == pytest.approx({"cuda": 3.0, "cpu": 128 * 4 / 3600})
    assert found.makespan == pytest.approx(7200 + 32 * 4)
    assert (found.bases, found.unknown, found.unmeasured, found.without) == (("measured", "scaled"), (), 0, 0)
    alone = cost(work(KNOWN), KNOWN, {"cuda": 1, "cpu": 1})
    assert alone.makespan == pytest.approx(3 * 3600 + 64 * 4)
    assert alone.hours == found.hours


def test_an_unknown_shape_leaves_the_cost_unknown_and_is_named() -> None:
    some = replace(KNOWN, training={(SHORT, "cuda"): Spent(fused={64: 3600.0})})
    found = cost(work(some), some, {"cuda": 2, "cpu": 2})
    assert (found.hours, found.makespan) == (None, None)
    assert [pack.decision.shape for pack in found.unknown] == [LONG]


def test_evaluation_that_is_not_known_is_said_to_be_left_out() -> None:
    some = replace(KNOWN, evaluation={(SHORT, "cpu"): 4.0})
    found = cost(work(some), some, {"cuda": 2, "cpu": 2})
    assert found.hours == pytest.approx({"cuda": 3.0, "cpu": 64 * 4 / 3600})
    assert found.unmeasured == 64
    nothing = replace(STUDY, quantities=())
    assert cost(work(some, nothing), some, {"cuda": 2, "cpu": 2}).unmeasured == 0


def test_nothing_pending_costs_nothing() -> None:
    done = Work(plans=[], jobs=[])
    found = cost(done, KNOWN, {"cuda": 1})
    assert (found.hours, found.makespan) == ({}, 0.0)
