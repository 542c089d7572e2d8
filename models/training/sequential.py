"""The sequential engine: one member after another by ordinary autograd, for networks that a pack would only slow down.

A member's bits depend on nothing but itself, so a sequential pack needs no padding.
"""

from __future__ import annotations

import copy

import torch

from models.training.problem import Problem
from models.training.state import PackState
from models.training.tape import Drawn, Tape, sites


class Sequential:
    """Trains the first unfinished member by one block of steps at a time."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        # Its parameters are made views of a member's row: a functional call would put them in place at every step.
        self._network = copy.deepcopy(problem.network).requires_grad_()
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
        values = problem.layout.views(state.rows[slot])
        leaves = dict(self._network.named_parameters())
        for name, leaf in leaves.items():
            leaf.data = values[name]
        gradient = torch.zeros_like(state.rows[one])
        into = [problem.layout.views(gradient[0])[name] for name in leaves]
        moments = {name: value[one] for name, value in state.moments.items()}
        numbers = {name: value[slot] for name, value in problem.numbers.items()}
        sums, done = state.sums[slot], state.step[slot]
        for step in range(start, start + length):
            with problem.layers():
                terms = self._network.terms(tape.batch(step), Drawn(tape.draws(step)))
            objective = {name: value[slot] for name, value in state.objective.items()}
            value, objective = problem.objective.loss(terms, objective, done, numbers)
            if not bool(value.isfinite()):
                state.alive[slot] = False
                return
            torch._foreach_copy_(into, torch.autograd.grad(value, tuple(leaves.values())))
            count = step + 1
            rate = problem.schedule.rate(problem.rate[one], step)
            problem.optimiser.step(state.rows[one], gradient, moments, count, rate)
            if state.average is not None and training.ema is not None:
                state.average[one].lerp_(state.rows[one], 1.0 - training.ema)
            for name, value_ in objective.items():
                state.objective[name][slot] = value_.detach()
            sums += problem.shown(value, terms)
            done += 1
            if count % problem.curve_interval == 0 or count == training.steps:
                state.record_curves(count, problem.curve_interval, one)

    def _tape_of(self, slot: int) -> Tape:
        if self._tape is None or self._tape[0] != slot:
            self._tape = slot, Tape(self.problem, self._sites, slot)
        return self._tape[1]
