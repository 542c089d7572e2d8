"""The pack trainer: one interface over the fused and the sequential engine. Solo training is a pack of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.func import functional_call, vmap

from models.noise import Noise
from models.training.fused import Fused
from models.training.precision import products
from models.training.problem import Problem
from models.training.sequential import Sequential
from models.training.state import PackState

Path = Literal["fused", "sequential"]


class Engine(Protocol):
    def advance(self, state: PackState) -> None:
        """Trains one block of steps, in place."""


ENGINES: dict[str, Callable[[Problem], Engine]] = {"fused": Fused, "sequential": Sequential}


def train(
    problem: Problem,
    path: Path,
    state: PackState | None = None,
    after_block: Callable[[PackState], None] = lambda _: None,
) -> PackState:
    """Trains every slot to its last step or to divergence, from `state` (a checkpoint) or from the start.

    `after_block` sees the state between blocks of steps: the place to save a checkpoint, or to stop by raising. A slot
    that diverged by its last step is not alive and has done all of its steps; any other diverged at the step after its.
    Raises PrecisionError where the device has not the precision of the training.
    """
    state = PackState.initial(problem) if state is None else state
    with products(problem.training.precision, problem.device):
        engine = ENGINES[path](problem)
        while not state.done(problem.training.steps):
            engine.advance(state)
            after_block(state)
        state.alive &= _finite(problem, path, state.rows)
    return state


@torch.no_grad()
def _finite(problem: Problem, path: Path, rows: Tensor) -> Tensor:
    """(K,) bool: which slots have finite parameters, and with them finite terms on a training batch.

    A step that went wrong shows in the loss of the next one, which the last step has not.
    """
    step = problem.training.steps  # the one that would come next

    def member(parameters: dict[str, Tensor], key: Tensor) -> Tensor:
        noise = Noise(key, step, problem.dtype)
        with problem.layers():
            terms = functional_call(problem.network, parameters, ("terms", problem.first_batch(noise), noise))
        every = (terms.rate, terms.distortion, *terms.auxiliary.values())
        return torch.stack([values.isfinite().all() for values in every]).all()

    parameters = problem.layout.views(rows)
    if path == "fused":
        alive: Tensor = vmap(member)(parameters, problem.keys)
    else:
        each = [
            member({name: view[slot] for name, view in parameters.items()}, problem.keys[slot])
            for slot in range(problem.slots)
        ]
        alive = torch.stack(each)
    return alive & rows.isfinite().all(1)
