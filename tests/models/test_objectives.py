"""Objectives against values worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from models import kinds
from models.build import build_objective
from models.families import Objective
from models.network import Terms

# Two groups, two data: mean rates 2 (z1) and 0.5 (z2), total 2.5; mean distortion 10.
RATE = torch.tensor([[1.0, 3.0], [0.25, 0.75]], dtype=torch.float64)
DISTORTION = torch.tensor([8.0, 12.0], dtype=torch.float64)
TERMS = Terms(RATE, DISTORTION, {})


def _numbers(spec: Objective) -> dict[str, Tensor]:
    return {name: torch.tensor(getattr(spec, name), dtype=torch.float64) for name in spec.numbers}


def _loss(spec: Objective, step: int = 0, terms: Terms = TERMS) -> float:
    objective = build_objective(spec)
    state = objective.init(torch.float64, torch.device("cpu"))
    assert state == {}
    loss, after = objective.loss(terms, state, torch.tensor(step), _numbers(spec))
    assert loss.shape == ()
    assert after == {}
    return float(loss)


def test_beta_weighs_each_group_bottom_up() -> None:
    assert _loss(kinds.BetaObjective(beta=(1.0, 1.0))) == pytest.approx(12.5)
    assert _loss(kinds.BetaObjective(beta=(0.1, 10.0))) == pytest.approx(10 + 0.2 + 5.0)
    assert _loss(kinds.BetaObjective(beta=(0.0, 0.0))) == pytest.approx(10)


@pytest.mark.parametrize(("step", "weight"), [(0, 0.0), (1, 0.01), (50, 0.5), (99, 0.99), (100, 1.0), (200, 1.0)])
def test_a_warmup_raises_all_weights_from_nothing(step: int, weight: float) -> None:
    spec = kinds.BetaObjective(beta=(0.1, 10.0), warmup=100)
    assert _loss(spec, step) == pytest.approx(10 + weight * 5.2)


@pytest.mark.parametrize(
    ("step", "weight"), [(0, 0.2), (25, 0.4), (50, 0.6), (99, 0.992), (100, 1.0), (101, 1.0), (100_000, 1.0)]
)
def test_annealing_rises_linearly_and_then_stays(step: int, weight: float) -> None:
    spec = kinds.AnnealedObjective(start=0.2, beta=1.0, steps=100)
    assert _loss(spec, step) == pytest.approx(10 + weight * 2.5)


def test_annealing_may_fall_too() -> None:
    spec = kinds.AnnealedObjective(start=4.0, beta=1.0, steps=3)
    assert _loss(spec, 1) == pytest.approx(10 + 3.0 * 2.5)


@pytest.mark.parametrize(
    ("floor", "penalty"),
    [(0.0, 2.5), (0.5, 2.5), (1.0, 3.0), (3.0, 6.0)],
)
def test_free_bits_floor_each_groups_minibatch_mean(floor: float, penalty: float) -> None:
    assert _loss(kinds.FreeBitsObjective(floor=floor)) == pytest.approx(10 + penalty)


def test_free_bits_floor_the_mean_and_not_each_datum() -> None:
    # The data's rates 1 and 3 have mean 2: floored at 2 the mean stays 2, floored one by one it would be 2.5.
    assert _loss(kinds.FreeBitsObjective(floor=2.0), terms=Terms(RATE[:1], DISTORTION, {})) == pytest.approx(12)


def test_free_bits_have_no_gradient_below_the_floor() -> None:
    rate = RATE.clone().requires_grad_()
    spec = kinds.FreeBitsObjective(floor=1.0)
    loss, _ = build_objective(spec).loss(Terms(rate, DISTORTION, {}), {}, torch.tensor(0), _numbers(spec))
    (gradient,) = torch.autograd.grad(loss, rate)
    torch.testing.assert_close(gradient, torch.tensor([[0.5, 0.5], [0.0, 0.0]], dtype=torch.float64))


@pytest.mark.parametrize(("target", "penalty"), [(2.5, 0.0), (0.0, 2.5), (4.0, 1.5)])
def test_target_rate_pays_the_distance_of_the_total_rate(target: float, penalty: float) -> None:
    assert _loss(kinds.TargetRateObjective(target=target)) == pytest.approx(10 + penalty)
    assert _loss(kinds.TargetRateObjective(target=target, weight=3.0)) == pytest.approx(10 + 3 * penalty)


def test_further_losses_are_added_as_they_are() -> None:
    extra = {"auxiliary_prior": torch.tensor([1.0, 2.0], dtype=torch.float64)}
    assert _loss(kinds.BetaObjective(beta=(0.0, 0.0)), terms=Terms(RATE, DISTORTION, extra)) == pytest.approx(11.5)


EXTRA = {
    "auxiliary": torch.tensor([30.0, 50.0], dtype=torch.float64),
    "auxiliary_prior": torch.tensor([1.0, 2.0], dtype=torch.float64),
}


def test_dueling_weighs_the_auxiliary_distortion_and_each_group() -> None:
    spec = kinds.DuelingObjective(beta=(0.1, 2.0), auxiliary_weight=0.25)
    terms = Terms(RATE, DISTORTION, {"auxiliary": EXTRA["auxiliary"]})
    assert _loss(spec, 10**9, terms) == pytest.approx(10 + 0.2 + 1.0 + 0.25 * 40)
    assert _loss(spec, terms=Terms(RATE, DISTORTION, EXTRA)) == pytest.approx(10 + 0.2 + 1.0 + 0.25 * 40 + 1.5)


@pytest.mark.parametrize(("step", "weight"), [(0, 0.25), (4999, 0.25), (5000, 0.0), (20_000, 0.0)])
def test_dueling_drops_the_auxiliary_decoder_at_a_step(step: int, weight: float) -> None:
    spec = kinds.DuelingObjective(beta=(1.0, 1.0), auxiliary_weight=0.25, removed_at=5000)
    assert _loss(spec, step, Terms(RATE, DISTORTION, EXTRA)) == pytest.approx(12.5 + weight * 40 + 1.5)


def test_a_removed_auxiliary_decoder_has_no_gradient() -> None:
    auxiliary = EXTRA["auxiliary"].clone().requires_grad_()
    spec = kinds.DuelingObjective(beta=(1.0, 1.0), auxiliary_weight=0.5, removed_at=3)
    for step, expected in ((2, 0.25), (3, 0.0)):
        terms = Terms(RATE, DISTORTION, {"auxiliary": auxiliary})
        loss, _ = build_objective(spec).loss(terms, {}, torch.tensor(step), _numbers(spec))
        (gradient,) = torch.autograd.grad(loss, auxiliary)
        assert gradient.tolist() == [expected, expected]


def test_cross_entropy_is_the_mean_distortion_alone() -> None:
    terms = Terms(torch.zeros(0, 2, dtype=torch.float64), DISTORTION, {})
    assert _loss(kinds.CrossEntropyObjective(), terms=terms) == 10.0


@pytest.mark.parametrize(
    "specs",
    [
        [
            kinds.DuelingObjective(beta=(0.1, 2.0), auxiliary_weight=0.5, removed_at=5),
            kinds.DuelingObjective(beta=(1.0, 1.0), auxiliary_weight=2.0, removed_at=5),
        ],
        [kinds.BetaObjective(beta=(0.1, 2.0)), kinds.BetaObjective(beta=(1.0, 1.0))],
        [kinds.BetaObjective(beta=(0.1, 2.0), warmup=5), kinds.BetaObjective(beta=(1.0, 1.0), warmup=5)],
        [kinds.AnnealedObjective(steps=7), kinds.AnnealedObjective(steps=9, start=0.5, beta=2.0)],
        [kinds.FreeBitsObjective(floor=0.1), kinds.FreeBitsObjective(floor=3.0)],
        [kinds.TargetRateObjective(target=1.0), kinds.TargetRateObjective(target=5.0, weight=2.0)],
    ],
    ids=lambda specs: "warmup" if getattr(specs[0], "warmup", 0) else specs[0].kind,
)
def test_a_packs_numbers_give_each_trial_its_own_loss(specs: list[Objective]) -> None:
    objective = build_objective(specs[0])
    numbers = [_numbers(spec) for spec in specs]
    stacked = {name: torch.stack([one[name] for one in numbers]) for name in numbers[0]}
    steps = torch.tensor([3, 8])
    terms = Terms(RATE, DISTORTION, EXTRA)

    def loss(step: Tensor, numbers: dict[str, Tensor]) -> Tensor:
        return objective.loss(terms, {}, step, numbers)[0]

    found = torch.func.vmap(loss)(steps, stacked)
    expected = [_loss(spec, int(step), terms) for spec, step in zip(specs, steps, strict=True)]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))
