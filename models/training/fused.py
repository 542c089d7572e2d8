"""The fused engine: one step of a whole pack as one vectorised program (torch.func over stacked parameters)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value, vmap

from models.training.problem import Batch, Problem
from models.training.state import PackState
from models.training.tape import Drawn, Tape, sites


class Fused:
    """All slots in lock step. A slot whose loss is not finite is frozen as it stood before that step."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._tape = Tape(problem, sites(problem))
        self._gradient = vmap(grad_and_value(_loss(problem), has_aux=True))

    def advance(self, state: PackState) -> None:
        """Trains one block of steps, in place."""
        problem = self.problem
        start = int(state.step.max())  # frozen slots stay behind
        tape = self._tape
        length = tape.wind(start)
        parameters = problem.layout.views(state.rows)
        gradient = torch.zeros_like(state.rows)
        into = problem.layout.views(gradient)
        for step in range(start, start + length):
            gradients, (_, (objective, terms)) = self._gradient(
                parameters, tape.batch(step), tape.draws(step), state.objective, state.step, problem.numbers
            )
            state.alive &= terms[:, 0].isfinite()
            frozen = None if bool(state.alive.all()) else _Frozen(state)
            for name, view in into.items():
                view.copy_(gradients[name])
            count = step + 1
            rate = problem.schedule.rate(problem.rate, step)
            problem.optimiser.step(state.rows, gradient, state.moments, count, rate)
            if state.average is not None and problem.training.ema is not None:
                state.average.lerp_(state.rows, 1.0 - problem.training.ema)
            for name, value in objective.items():
                state.objective[name].copy_(value)
            state.sums += terms
            state.step += 1
            if frozen is not None:
                frozen.restore()
            if count % problem.curve_interval == 0 or count == problem.training.steps:
                state.record_curves(count, problem.curve_interval)


class _Frozen:
    """The slots that diverged, kept aside over one step; what the others compute is untouched by this."""

    def __init__(self, state: PackState) -> None:
        self.slots = (~state.alive).nonzero().squeeze(1)
        self.kept = [(tensor, tensor[self.slots].clone()) for tensor in state.trained()]

    def restore(self) -> None:
        for tensor, kept in self.kept:
            tensor[self.slots] = kept


def _loss(problem: Problem) -> Callable[..., tuple[Tensor, Any]]:
    """(parameters, batch, draws, objective state, step, numbers) of one trial -> (loss, (objective state, terms))."""
    network, objective = problem.network, problem.objective

    def loss(
        parameters: dict[str, Tensor],
        batch: Batch,
        draws: dict[tuple[str, str], Tensor],
        state: dict[str, Tensor],
        step: Tensor,
        numbers: dict[str, Tensor],
    ) -> tuple[Tensor, tuple[dict[str, Tensor], Tensor]]:
        with problem.layers():
            terms = functional_call(network, parameters, ("terms", batch, Drawn(draws)))
        value, state = objective.loss(terms, state, step, numbers)
        return value, (state, problem.shown(value, terms))

    return loss
