"""Packs of the two-layer convolutional models, with and without the ladder's warm-up: engines, slots, resumption."""

from __future__ import annotations

from typing import Literal

import pytest
import torch

from models.data.dataset import Dataset, Split
from models.families import Data
from models.kinds import Adam, Bernoulli, BetaObjective, ConvolutionalHierarchy, Training
from models.noise import Noise, key
from models.training.problem import Member, Problem, build_problem
from models.training.state import PackState
from models.training.trainer import train

CPU = torch.device("cpu")
Inference = Literal["generalised", "ladder"]


class Blots(Data):
    """Random binary images of the size of MNIST's."""

    kind = "training-blots"
    implementation = ":load_blots"
    shape = (1, 28, 28)
    levels = 1
    classes = 2


def load_blots(spec: Blots) -> Dataset:
    images = Noise(key(3), 0).uniform("images", (16, *spec.shape)).round().to(torch.uint8)
    split = Split(images=images, labels=torch.arange(16) % 2)
    return Dataset(spec=spec, train=split, test=split)


def problem(
    seeds: list[int], inference: Inference, *, warmup: int = 0, steps: int = 3, precision: str = "float64"
) -> Problem:
    training = Training(steps=steps, batch_size=4, optimiser=Adam(learning_rate=3e-3), precision=precision)  # type: ignore[arg-type]
    members = [
        Member(objective=BetaObjective(beta=(0.1 + seed, 2.0), warmup=warmup), training=training, seed=seed)
        for seed in seeds
    ]
    model = ConvolutionalHierarchy(channels=2, top=3, hidden=4, inference=inference, likelihood=Bernoulli())
    return build_problem(Blots(), model, members, CPU)


@pytest.mark.parametrize(("inference", "warmup"), [("generalised", 0), ("ladder", 2)])
def test_fused_and_sequential_agree_in_double_precision(inference: Inference, warmup: int) -> None:
    fused, sequential = (train(problem([0, 1, 2], inference, warmup=warmup), path) for path in ("fused", "sequential"))
    for name, value in fused.tensors().items():
        torch.testing.assert_close(value, sequential.tensors()[name], rtol=1e-10, atol=1e-10, equal_nan=True)


@pytest.mark.parametrize("inference", ["generalised", "ladder"])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_trial_does_not_know_its_slot_or_its_neighbours(inference: Inference, precision: str) -> None:
    def rows(seeds: list[int]) -> torch.Tensor:
        subject = problem(seeds, inference, precision=precision)
        return train(subject, "fused").rows

    forwards, backwards = rows([*range(7)]), rows([*reversed(range(7))])
    assert torch.equal(forwards, backwards.flip(0))


@pytest.mark.parametrize("path", ["fused", "sequential"])
def test_the_weights_of_rates_rise_over_the_warmup(path: Literal["fused", "sequential"]) -> None:
    """At a curve point a step: (loss − distortion) / (β1 R(z1|z2) + β2 R(z2)) is min(1, t / 4) at t = 0, 1, …, 8."""
    state = train(problem([0, 1], "ladder", warmup=4, steps=9), path)
    loss, distortion, lower, upper = state.curves.unbind(-1)  # (2, 9) each
    weighed = torch.tensor([[0.1], [1.1]], dtype=torch.float64) * lower + 2.0 * upper
    expected = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close((loss - distortion) / weighed, expected.expand(2, 9), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("path", ["fused", "sequential"])
def test_a_warmup_goes_on_from_a_checkpoint(path: Literal["fused", "sequential"]) -> None:
    """Stopped at step 16 of a warm-up of 18 and gone on with, to the last bit."""
    saved: list[dict[str, torch.Tensor]] = []

    def keep(state: PackState) -> None:
        saved.append({name: value.clone() for name, value in state.tensors().items()})

    calm = train(problem([0, 1], "ladder", warmup=18, steps=20), path, after_block=keep)
    assert saved[0]["step"].max() == 16
    resumed = problem([0, 1], "ladder", warmup=18, steps=20)
    state = PackState.initial(resumed)
    state.load(saved[0])
    state = train(resumed, path, state)
    assert torch.equal(state.rows, calm.rows)
    assert torch.equal(state.curves, calm.curves)
