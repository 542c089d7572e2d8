"""Optimisers against torch.optim on the same gradients, row by row at rates of their own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from models.build import implementation
from models.families import Optimiser
from models.kinds import Adadelta, Adam, Adamax, ClassifierModel, CrossEntropyObjective, Digits, Sgd, Training
from models.noise import Noise, key
from models.training.problem import Member, build_problem
from models.training.trainer import train

STEPS, SIZE = 30, 64
RATES = (0.3, 1e-2, 1e-3)
OPTIMISERS = (Adam(), Adamax(), Sgd(weight_decay=5e-4), Sgd(momentum=0.0), Adadelta())


def _gradient(count: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """(3, SIZE), a row of zeros among them at times: no update is to divide by nothing."""
    gradient = Noise(key(1), count, dtype).normal("gradient", (3, SIZE))
    gradient[count % 5 :, : SIZE // 4] = 0.0
    return gradient


def _start(dtype: torch.dtype = torch.float64) -> Tensor:
    return Noise(key(0), 0, dtype).normal("start", (3, SIZE))


def _followed(spec: Optimiser, dtype: torch.dtype = torch.float64, order: tuple[int, ...] = (0, 1, 2)) -> Tensor:
    """The rows after all steps, in the order given."""
    stepper = implementation(spec)(spec)
    rows, rates = _start(dtype)[list(order)], torch.tensor(RATES, dtype=dtype)[list(order), None]
    moments = {name: torch.zeros_like(rows) for name in stepper.moments}
    for count in range(1, STEPS + 1):
        stepper.step(rows, _gradient(count, dtype)[list(order)], moments, count, rates)
    return rows


@pytest.mark.parametrize(
    ("spec", "oracle"),
    [
        (Sgd(), lambda leaves, lr: torch.optim.SGD(leaves, lr=lr, momentum=0.9)),
        (Sgd(momentum=0.0), lambda leaves, lr: torch.optim.SGD(leaves, lr=lr)),
        (Sgd(weight_decay=5e-4), lambda leaves, lr: torch.optim.SGD(leaves, lr=lr, momentum=0.9, weight_decay=5e-4)),
        (Adadelta(), lambda leaves, lr: torch.optim.Adadelta(leaves, lr=lr)),
        (
            Adadelta(decay=0.5, epsilon=1e-3),
            lambda leaves, lr: torch.optim.Adadelta(leaves, lr=lr, rho=0.5, eps=1e-3),
        ),
        (Adam(), lambda leaves, lr: torch.optim.Adam(leaves, lr=lr)),
        (Adamax(), lambda leaves, lr: torch.optim.Adamax(leaves, lr=lr)),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_the_rows_follow_torch(spec: Optimiser, oracle: Callable[[list[Tensor], float], torch.optim.Optimizer]) -> None:
    mine = _followed(spec)
    for row, rate in enumerate(RATES):
        leaf = _start()[row].clone().requires_grad_()
        theirs = oracle([leaf], rate)
        for count in range(1, STEPS + 1):
            leaf.grad = _gradient(count)[row].clone()
            theirs.step()
        # torch's Adamax adds ε inside the maximum: 1e-8 of a gradient
        torch.testing.assert_close(mine[row], leaf.detach(), rtol=1e-12 if spec.kind != "adamax" else 1e-6, atol=1e-12)


@pytest.mark.parametrize("spec", OPTIMISERS, ids=lambda spec: spec.kind)
def test_a_row_does_not_know_its_neighbours(spec: Optimiser) -> None:
    forwards = _followed(spec, torch.float32)
    assert torch.equal(_followed(spec, torch.float32, (2, 1, 0)), forwards.flip(0))
    assert torch.equal(_followed(spec, torch.float32, (1, 1, 1)), forwards[[1, 1, 1]])


@pytest.mark.parametrize("spec", [Sgd(weight_decay=5e-4), Adadelta()], ids=lambda spec: spec.kind)
def test_the_engines_agree_and_the_padding_stays_zero(spec: Optimiser) -> None:
    training = Training(steps=20, batch_size=32, optimiser=spec, precision="float64")
    members = [Member(objective=CrossEntropyObjective(), training=training, seed=seed) for seed in range(3)]
    problem = build_problem(Digits(), ClassifierModel(), members, torch.device("cpu"))
    fused, sequential = train(problem, "fused"), train(problem, "sequential")
    torch.testing.assert_close(fused.rows, sequential.rows, rtol=1e-10, atol=1e-10)
    again = problem.layout.rows(problem.layout.views(fused.rows))
    assert torch.equal(again, fused.rows)
    loss = fused.curves[:, :, 0]
    assert bool((loss[:, -1] < loss[:, 0]).all())
