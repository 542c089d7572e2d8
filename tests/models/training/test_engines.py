"""The pack trainer: independence of neighbours and slot, agreement of the engines, divergence, resumption."""

from __future__ import annotations

import math

import pytest
import torch

from models.families import Model, Objective, Optimiser
from models.kinds import (
    Adam,
    Adamax,
    AnnealedObjective,
    BetaObjective,
    Binomial,
    ConvolutionalDecoder,
    ConvolutionalEncoder,
    DenseDecoder,
    DenseEncoder,
    Digits,
    FlatModel,
    HierarchicalModel,
    Training,
    VampPrior,
)
from models.training.problem import Member, Problem, build_problem, padded
from models.training.state import PackState
from models.training.trainer import train

CPU = torch.device("cpu")
HIERARCHICAL = HierarchicalModel(latents=(5, 3), conditional=(16,), likelihood=Binomial(total=16))
VAMP = FlatModel(  # triangles of 5 and pseudo-inputs of 7, which end where no vector ends
    latent=5,
    encoder=DenseEncoder(widths=(33,)),
    decoder=DenseDecoder(widths=(13,)),
    likelihood=Binomial(total=16),
    posterior="full",
    prior=VampPrior(components=7),
)
CONVOLUTIONAL = FlatModel(
    latent=3,
    encoder=ConvolutionalEncoder(channels=(4, 4)),
    decoder=ConvolutionalDecoder(channels=(4, 4)),
    likelihood=Binomial(total=16),
)


def member(
    beta: tuple[float, ...],
    seed: int = 0,
    *,
    rate: float = 3e-3,
    steps: int = 20,
    precision: str = "float32",
    ema: float | None = None,
    optimiser: Optimiser | None = None,
) -> Member:
    training = Training(
        steps=steps,
        batch_size=32,
        optimiser=optimiser or Adam(learning_rate=rate),
        precision=precision,  # type: ignore[arg-type]
        ema=ema,
    )
    return Member(objective=BetaObjective(beta=beta), training=training, seed=seed)


def problem(members: list[Member], model: Model = HIERARCHICAL) -> Problem:
    return build_problem(Digits(), model, members, CPU)


def rows(members: list[Member], path: str = "fused", model: Model = HIERARCHICAL) -> torch.Tensor:
    state = train(problem(members, model), path)  # type: ignore[arg-type]
    assert bool((state.step == members[0].training.steps).all())
    return state.rows


@pytest.mark.parametrize("width", [3, 8])
def test_a_trial_does_not_know_its_slot_or_its_neighbours(width: int) -> None:
    subject = member((0.3, 2.0), seed=7)
    alone = rows([subject] * width)[0]
    for slot in (0, width // 2, width - 1):
        company = [member((0.1 * k + 0.1, 10.0 / (k + 1)), seed=k, rate=1e-3 * (k + 1)) for k in range(width)]
        company[slot] = subject
        assert torch.equal(rows(company)[slot], alone)


@pytest.mark.parametrize(("width", "batch"), [(5, 32), (5, 7), (13, 32)])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_nor_does_it_at_odd_shapes(width: int, batch: int, precision: str) -> None:
    """Latents of 5 and 3, layers of 33 and 13: nothing ends where a vector or a cache line ends."""
    odd = HierarchicalModel(
        latents=(5, 3),
        encoder=DenseEncoder(widths=(33,), activation="tanh"),
        conditional=(13,),
        decoder=DenseDecoder(widths=(33,), activation="elu"),
        likelihood=Binomial(total=16),
    )

    def of(seed: int) -> Member:
        training = Training(steps=20, batch_size=batch, optimiser=Adam(learning_rate=3e-3), precision=precision)  # type: ignore[arg-type]
        return Member(objective=BetaObjective(beta=(0.3, 2.0)), training=training, seed=seed)

    company = padded([of(seed) for seed in range(width)], width)
    forwards = rows(company, model=odd)[:width]
    backwards = rows(padded([of(seed) for seed in reversed(range(width))], width), model=odd)[:width]
    assert torch.equal(forwards, backwards.flip(0))


@pytest.mark.parametrize(("width", "batch"), [(5, 32), (13, 7)])
def test_nor_does_it_under_a_vamp_prior_of_full_normals(width: int, batch: int) -> None:
    training = Training(steps=20, batch_size=batch, optimiser=Adam(learning_rate=3e-3))
    company = [Member(objective=BetaObjective(beta=(0.3,)), training=training, seed=seed) for seed in range(width)]
    forwards = rows(padded(company, width), model=VAMP)[:width]
    backwards = rows(padded(company[::-1], width), model=VAMP)[:width]
    assert torch.equal(forwards, backwards.flip(0))


@pytest.mark.parametrize("model", [HIERARCHICAL, CONVOLUTIONAL, VAMP], ids=["dense", "convolutional", "vamp"])
@pytest.mark.parametrize("ema", [None, 0.9])
def test_fused_and_sequential_agree_in_double_precision(model: Model, ema: float | None) -> None:
    groups = len(model.groups)
    members = [member((0.2 + k,) * groups, seed=k, precision="float64", ema=ema) for k in range(3)]
    fused = train(problem(members, model), "fused")
    sequential = train(problem(members, model), "sequential")
    for name, value in fused.tensors().items():
        torch.testing.assert_close(value, sequential.tensors()[name], rtol=1e-10, atol=1e-10, equal_nan=True)


def test_the_rows_follow_torch_adam() -> None:
    """An independent oracle for the optimiser: torch.optim.Adam on the same gradients."""
    subject = member((1.0, 1.0), precision="float64", rate=1e-2, steps=30)
    start = PackState.initial(problem([subject]))
    reference = start.rows[0].clone().requires_grad_()
    oracle = torch.optim.Adam([reference], lr=1e-2)
    moments = {name: torch.zeros_like(start.rows) for name in ("first", "second")}
    stepper = problem([subject]).optimiser
    generator = torch.Generator().manual_seed(0)
    mine = start.rows.clone()
    for count in range(1, 31):
        gradient = torch.randn(mine.shape, generator=generator, dtype=torch.float64)
        reference.grad = gradient[0].clone()
        oracle.step()
        stepper.step(mine, gradient, moments, count, torch.full((1, 1), 1e-2, dtype=torch.float64))
    torch.testing.assert_close(mine[0], reference.detach(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("corrected", [True, False])
def test_adamax_follows_its_definition(corrected: bool) -> None:
    spec = Adamax(learning_rate=1e-2, bias_correction=corrected)
    stepper = problem([member((1.0, 1.0), optimiser=spec)]).optimiser
    generator = torch.Generator().manual_seed(1)
    mine = torch.zeros(1, 64, dtype=torch.float64)
    moments = {name: torch.zeros_like(mine) for name in stepper.moments}
    value, first, infinity = [0.0] * 64, [0.0] * 64, [0.0] * 64
    for count in range(1, 6):
        gradient = torch.randn(mine.shape, generator=generator, dtype=torch.float64)
        stepper.step(mine, gradient, moments, count, torch.full((1, 1), 1e-2, dtype=torch.float64))
        for i, g in enumerate(gradient[0].tolist()):
            first[i] = 0.9 * first[i] + 0.1 * g
            infinity[i] = max(0.999 * infinity[i], abs(g))
            correction = 1 - 0.9**count if corrected else 1.0
            value[i] -= 1e-2 / correction * first[i] / (infinity[i] + 1e-8)
    torch.testing.assert_close(mine[0], torch.tensor(value, dtype=torch.float64), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("path", ["fused", "sequential"])
def test_a_diverged_trial_is_frozen_at_its_step_and_nobody_notices(path: str) -> None:
    good = [member((1.0, 1.0), seed=k) for k in range(3)]
    calm = rows(good, path)
    wild = [good[0], member((1.0, 1.0), seed=1, rate=1e30), good[2]]
    state = train(problem(wild), path)  # type: ignore[arg-type]
    assert state.alive.tolist() == [True, False, True]
    assert torch.equal(state.rows[[0, 2]], calm[[0, 2]])
    assert 0 < int(state.step[1]) < 20
    # The frozen slot did exactly its step count of updates: that many steps of a fresh run give the same row.
    again = member((1.0, 1.0), seed=1, rate=1e30, steps=int(state.step[1]))
    assert torch.equal(rows([good[0], again, good[2]][1:2] * 3, path)[1].nan_to_num(), state.rows[1].nan_to_num())


@pytest.mark.parametrize("path", ["fused", "sequential"])
@pytest.mark.parametrize("rate", [1e20, 1e39])  # parameters whose loss is infinite; infinite ones
def test_a_trial_that_diverges_by_its_last_step_is_not_alive_and_has_done_its_steps(path: str, rate: float) -> None:
    good = [member((1.0, 1.0), seed=k, steps=1) for k in range(2)]
    wild = [good[0], member((1.0, 1.0), seed=5, steps=1, rate=rate), good[1]]
    state = train(problem(wild), path)  # type: ignore[arg-type]
    assert state.alive.tolist() == [True, False, True]
    assert state.step.tolist() == [1, 1, 1]
    again = train(problem(wild), path, state)  # type: ignore[arg-type]
    assert again.alive.tolist() == [True, False, True]


@pytest.mark.parametrize("path", ["fused", "sequential"])
def test_training_resumes_from_a_checkpoint_bit_for_bit(path: str) -> None:
    members = [member((0.5, k + 0.5), seed=k, steps=50, ema=0.95) for k in range(2)]
    calm = train(problem(members), path)  # type: ignore[arg-type]

    class Killed(Exception):
        pass

    saved: dict[str, torch.Tensor] = {}

    def after_block(state: PackState) -> None:
        if not saved:
            saved.update({name: value.clone() for name, value in state.tensors().items()})
            raise Killed

    with pytest.raises(Killed):
        train(problem(members), path, after_block=after_block)  # type: ignore[arg-type]
    resumed = problem(members)
    state = PackState.initial(resumed)
    state.load(saved)
    assert 0 < int(state.step.max()) < 50
    state = train(resumed, path, state)  # type: ignore[arg-type]
    for name, value in calm.tensors().items():
        assert torch.equal(value.nan_to_num(nan=-1.0), state.tensors()[name].nan_to_num(nan=-1.0)), name


def test_a_checkpoint_of_another_pack_is_refused() -> None:
    state = PackState.initial(problem([member((1.0, 1.0))]))
    with pytest.raises(ValueError, match="does not fit"):
        state.load(PackState.initial(problem([member((1.0, 1.0))] * 2)).tensors())


def test_curves_average_the_terms_and_are_bounded() -> None:
    subject = problem([member((1.0, 1.0), steps=401)])
    assert subject.curve_interval == 3
    state = train(subject, "fused")
    assert state.curves.shape == (1, 134, 4)
    assert not bool(state.curves.isnan().any())
    loss, distortion, first, second = state.curves[0].T
    torch.testing.assert_close(loss, distortion + first + second, rtol=1e-4, atol=1e-3)  # the loss at β = (1, 1)
    assert float(loss[-1]) < 0.6 * float(loss[0])


def test_the_number_of_a_schedule_is_per_trial() -> None:
    """Annealing lengths may differ within a pack: each follows its own clock."""

    def annealed(steps: int) -> Member:
        objective: Objective = AnnealedObjective(steps=steps)
        training = Training(steps=32, batch_size=32, precision="float64")
        return Member(objective=objective, training=training, seed=0)

    together = train(problem([annealed(10), annealed(1000)]), "fused").rows
    for slot, steps in enumerate((10, 1000)):
        alone = train(problem([annealed(steps)] * 2), "fused").rows[0]
        torch.testing.assert_close(together[slot], alone, rtol=0, atol=0)
    assert math.isfinite(float(together.sum()))
