"""Calibration: how fast an engine trains the pack at hand on the device at hand."""

from __future__ import annotations

import time

import torch

from models.training.precision import products
from models.training.problem import Problem
from models.training.state import PackState
from models.training.tape import BLOCK
from models.training.trainer import ENGINES, Path

BLOCKS = 2  # timed, after one that warms up


def trial_steps_per_second(problem: Problem, path: Path) -> float:
    """Training steps of all slots a second, over at most 2 blocks of steps; 0 where trials are too short to tell."""
    state = PackState.initial(problem)
    with products(problem.training.precision, problem.device):
        engine = ENGINES[path](problem)
        engine.advance(state)
        done = int(state.step.sum())
        _wait(problem)
        begun = time.perf_counter()
        for _ in range(BLOCKS):
            if not state.done(min(problem.training.steps, (BLOCKS + 1) * BLOCK)):
                engine.advance(state)
        _wait(problem)
        return (int(state.step.sum()) - done) / (time.perf_counter() - begun)


def _wait(problem: Problem) -> None:
    if problem.device.type == "cuda":
        torch.cuda.synchronize(problem.device)
