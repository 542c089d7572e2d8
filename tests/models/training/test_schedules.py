"""Schedules of the learning rate: the values of their formula, in both engines, and bit for bit after a resume."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.optim import lr_scheduler

from models.families import Schedule
from models.kinds import (
    Adam,
    Adamax,
    BetaObjective,
    Binomial,
    ConstantSchedule,
    CosineSchedule,
    Digits,
    FlatModel,
    StepDecaySchedule,
    Training,
    WarmupDecaySchedule,
)
from models.training.problem import Member, Problem, build_problem
from models.training.schedules import Constant, Cosine, RateSchedule, StepDecay, WarmupDecay
from models.training.state import PackState
from models.training.trainer import train

MODEL = FlatModel(latent=2, likelihood=Binomial(total=16))
SHORT = WarmupDecaySchedule(decay=20.0, warmup=10.0)


def problem(*rates: float, schedule: Schedule, steps: int = 40, dtype: str) -> Problem:
    def member(rate: float) -> Member:
        optimiser = Adam(learning_rate=rate, schedule=schedule)
        training = Training(steps=steps, batch_size=32, optimiser=optimiser, precision=dtype)  # type: ignore[arg-type]
        return Member(objective=BetaObjective(), training=training, seed=0)

    return build_problem(Digits(), MODEL, [member(rate) for rate in rates], torch.device("cpu"))


@pytest.mark.parametrize(
    ("step", "rate"), [(0, 1e-10), (1000, 3.262e-4), (5771, 7.153e-4), (10_000, 6.496e-4), (20_000, 4.355e-4)]
)
def test_warmup_and_decay_has_the_values_of_its_formula(step: int, rate: float) -> None:
    base = torch.tensor([[1e-3], [2e-3]], dtype=torch.float64)
    one, two = WarmupDecay(WarmupDecaySchedule()).rate(base, step)[:, 0].tolist()
    assert one == pytest.approx(rate, rel=2e-4)
    assert two == pytest.approx(2 * (one - 1e-10) + 1e-10, rel=1e-12)


def test_its_peak_is_at_step_5771() -> None:
    schedule = WarmupDecay(WarmupDecaySchedule())
    base = torch.full((1, 1), 1e-3, dtype=torch.float64)
    rates = [float(schedule.rate(base, step)) for step in range(20_000)]
    assert rates.index(max(rates)) == 5771


def test_a_constant_rate_is_the_base_itself() -> None:
    base = torch.full((3, 1), 1e-3)
    assert Constant(ConstantSchedule()).rate(base, 7) is base
    assert Adam().schedule == Adamax().schedule == ConstantSchedule()


@pytest.mark.parametrize(
    ("schedule", "oracle"),
    [
        (StepDecay(StepDecaySchedule(factor=0.7, every=1)), lambda sgd: lr_scheduler.StepLR(sgd, 1, gamma=0.7)),
        (StepDecay(StepDecaySchedule(factor=0.1, every=7)), lambda sgd: lr_scheduler.StepLR(sgd, 7)),
        (Cosine(CosineSchedule(steps=30)), lambda sgd: lr_scheduler.CosineAnnealingLR(sgd, T_max=30)),
    ],
    ids=["each", "seventh", "cosine"],
)
def test_decays_are_those_of_torch(
    schedule: RateSchedule, oracle: Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler]
) -> None:
    sgd = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.02)
    theirs = oracle(sgd)
    base = torch.tensor([[0.01], [0.02]], dtype=torch.float64)
    for step in range(31):
        one, two = schedule.rate(base, step)[:, 0].tolist()
        assert two == pytest.approx(theirs.get_last_lr()[0], rel=1e-12, abs=1e-15)
        assert one == pytest.approx(two / 2, rel=1e-12)
        sgd.step()
        theirs.step()


def test_a_cosine_in_stairs_stays_for_an_epoch_and_ends_at_0() -> None:
    base = torch.ones(1, 1, dtype=torch.float64)
    stairs, smooth = (Cosine(CosineSchedule(steps=12, every=every)) for every in (3, 1))
    for step in range(20):
        assert torch.equal(stairs.rate(base, step), smooth.rate(base, step // 3 * 3))
    assert float(smooth.rate(base, 12)) == float(smooth.rate(base, 1_000)) == 0.0
    assert float(smooth.rate(base, 6)) == pytest.approx(0.5)


@pytest.mark.parametrize("path", ["fused", "sequential"])
def test_training_takes_its_steps_at_the_rates_of_the_schedule(path: str) -> None:
    """Adam's first step is η(0) · sign(g), and the floor is all there is of η(0)."""
    subject = problem(1e-3, schedule=WarmupDecaySchedule(floor=1e-5), steps=1, dtype="float64")
    start = PackState.initial(subject).rows
    moved = (train(subject, path).rows - start).abs()  # type: ignore[arg-type]
    assert float(moved.max()) == pytest.approx(1e-5, rel=1e-4)


def test_the_engines_agree_on_a_schedule() -> None:
    subject = problem(1e-2, 3e-3, schedule=SHORT, dtype="float64")
    fused, sequential = train(subject, "fused").rows, train(subject, "sequential").rows
    torch.testing.assert_close(fused, sequential, rtol=1e-10, atol=1e-10)
    constant = train(problem(1e-2, 3e-3, schedule=ConstantSchedule(), dtype="float64"), "fused").rows
    assert not torch.allclose(fused, constant)


@pytest.mark.parametrize("path", ["fused", "sequential"])
@pytest.mark.parametrize(
    "schedule",
    [SHORT, StepDecaySchedule(factor=0.5, every=10), CosineSchedule(steps=40, every=10)],
    ids=lambda schedule: schedule.kind,
)
def test_a_resumed_trial_goes_on_along_its_schedule_bit_for_bit(path: str, schedule: Schedule) -> None:
    subject = problem(1e-2, 3e-3, schedule=schedule, dtype="float32")
    saved: list[dict[str, torch.Tensor]] = []

    def after_block(state: PackState) -> None:
        saved.append({name: value.clone() for name, value in state.tensors().items()})

    whole = train(subject, path, after_block=after_block)  # type: ignore[arg-type]
    state = PackState.initial(subject)
    state.load(saved[len(saved) // 2])
    assert torch.equal(train(subject, path, state).rows, whole.rows)  # type: ignore[arg-type]
