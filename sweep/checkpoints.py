"""Checkpoints of a pack: saved between blocks of steps, never in its first minute, for at most 5 % of the time."""

from __future__ import annotations

import time
from collections.abc import Callable

from models.training.state import PackState
from results.store import ResultStore
from sweep.pack import Pack

SHARE = 0.05  # of the run time, at most
WORTH_SAVING = 0.1  # of the time to the first checkpoint: what a stopped pack must have trained to leave one


class Stopped(Exception):
    """The launch was asked to stop; a checkpoint has been saved where it was worth one."""


class Checkpoints:
    """Called after each block of steps.

    every: seconds to the first checkpoint, and at least between two. report: told the mean step; raises Stopped where
    the pack is to stop.
    """

    def __init__(self, store: ResultStore, pack: Pack, every: float, report: Callable[[int], None]) -> None:
        self.store = store
        self.pack = pack
        self.every = every
        self.report = report
        self.begun = time.perf_counter()
        self.next = self.begun + every

    def after_block(self, state: PackState) -> None:
        try:
            self.report(mean_step(state))
        except Stopped:
            self.save_before_stop(state)
            raise
        if time.perf_counter() >= self.next:
            self.save(state)

    def save_before_stop(self, state: PackState) -> None:
        """Saves the state of a pack that is to stop, where it has been at it for long enough."""
        if time.perf_counter() - self.begun > WORTH_SAVING * self.every:
            self.save(state)

    def save(self, state: PackState) -> None:
        """Replaces the pack's checkpoint by `state`; its metadata names the trials slot by slot."""
        begun = time.perf_counter()
        tensors = {name: value.numpy() for name, value in state.tensors().items()}
        self.store.save_checkpoint(self.pack.id, tensors, {"trials": ",".join(t.id for t in self.pack.trials)})
        ended = time.perf_counter()
        self.next = ended + max(self.every, (ended - begun) / SHARE)


def mean_step(state: PackState) -> int:
    """How many steps the members of a pack have done, in the mean."""
    return int(state.step.float().mean())
