"""Schedules of the learning rate: the values of their formula, in both engines, and bit for bit after a resume."""

from __future__ import annotations

import pytest
import torch

from models.kinds import (
    Adam,
    Adamax,
    BetaObjective,
    Binomial,
    ConstantSchedule,
    Digits,
    FlatModel,
    Training,
    WarmupDecaySchedule,
)
from models.training.problem import Member, Problem, build_problem
from models.training.schedules import Constant, WarmupDecay
from models.training.state import PackState
from models.training.trainer import train

MODEL = FlatModel(latent=2, likelihood=Binomial(total=16))
SHORT = WarmupDecaySchedule(decay=20.0, warmup=10.0)


def problem(*rates: float, schedule: WarmupDecaySchedule | ConstantSchedule, steps: int = 40, dtype: str) -> Problem:
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
def test_a_resumed_trial_goes_on_along_its_schedule_bit_for_bit(path: str) -> None:
    subject = problem(1e-2, 3e-3, schedule=SHORT, dtype="float32")
    saved: list[dict[str, torch.Tensor]] = []

    def after_block(state: PackState) -> None:
        saved.append({name: value.clone() for name, value in state.tensors().items()})

    whole = train(subject, path, after_block=after_block)  # type: ignore[arg-type]
    state = PackState.initial(subject)
    state.load(saved[len(saved) // 2])
    assert torch.equal(train(subject, path, state).rows, whole.rows)  # type: ignore[arg-type]
