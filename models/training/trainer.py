"""The pack trainer: one interface over the fused and the sequential engine. Solo training is a pack of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from models.training.fused import Fused
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

    `after_block` sees the state between blocks of steps: the place to save a checkpoint, or to stop by raising.
    """
    state = PackState.initial(problem) if state is None else state
    engine = ENGINES[path](problem)
    while not state.done(problem.training.steps):
        engine.advance(state)
        after_block(state)
    return state
