"""The sequential engine: one member after another by ordinary autograd, for networks that a pack would only slow down.

A member's bits depend on nothing but itself, so a sequential pack needs no padding.
"""

from __future__ import annotations

import torch
from torch.func import functional_call

from models.training.problem import Problem
from models.training.state import PackState
from models.training.tape import Drawn, Tape, sites


class Sequential:
    """Trains the first unfinished member by one block of steps at a time."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._sites = sites(problem)
        self._tape: tuple[int, Tape] | None = None  # of the member that is trained

    def advance(self, state: PackState) -> None:
        """Trains one block of steps of one member, in place."""
        problem, training = self.problem, self.problem.training
        unfinished = state.alive & (state.step < training.steps)
        slot = int(unfinished.nonzero()[0])
        one = slice(slot, slot + 1)
        start = int(state.step[slot])
        tape = self._tape_of(slot)
        length = tape.wind(start)
        parameters = {
            name: view.detach().requires_grad_() for name, view in problem.layout.views(state.rows[slot]).items()
        }
        gradient = torch.zeros_like(state.rows[one])
        into = problem.layout.views(gradient[0])
        moments = {name: value[one] for name, value in state.moments.items()}
        numbers = {name: value[slot] for name, value in problem.numbers.items()}
        names, leaves = list(parameters), list(parameters.values())
        for step in range(start, start + length):
            drawn = Drawn(tape.draws(step))
            with problem.layers():
                terms = functional_call(problem.network, parameters, ("terms", tape.batch(step), drawn))
            objective = {name: value[slot] for name, value in state.objective.items()}
            value, objective = problem.objective.loss(terms, objective, state.step[slot], numbers)
            if not bool(value.isfinite()):
                state.alive[slot] = False
                return
            for name, grown in zip(names, torch.autograd.grad(value, leaves), strict=True):
                into[name].copy_(grown)
            count = step + 1
            rate = problem.schedule.rate(problem.rate[one], step)
            problem.optimiser.step(state.rows[one], gradient, moments, count, rate)
            if state.average is not None and training.ema is not None:
                state.average[one].lerp_(state.rows[one], 1.0 - training.ema)
            for name, value_ in objective.items():
                state.objective[name][slot] = value_.detach()
            state.sums[slot] += problem.shown(value, terms)
            state.step[slot] += 1
            if count % problem.curve_interval == 0 or count == training.steps:
                state.record_curves(count, problem.curve_interval, one)

    def _tape_of(self, slot: int) -> Tape:
        if self._tape is None or self._tape[0] != slot:
            self._tape = slot, Tape(self.problem, self._sites, slot)
        return self._tape[1]
