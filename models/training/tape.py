"""Tape: the batches and random numbers of training; those of the networks are drawn a block of steps in a few calls.

Drawing step by step inside the network would spend more time in dispatching the hash than in the network. The numbers
are those that `Noise` gives at each step; members of equal seed are drawn once and copied.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.network import Labelled, Network
from models.noise import Draws, Noise
from models.training.problem import Batch, Problem

Site = tuple[str, str]  # (distribution, site)
BLOCK = 16  # steps drawn at a time


class Recorder(Draws):
    """Draws that note what a network asks for."""

    def __init__(self, noise: Noise) -> None:
        self.noise = noise
        self.sites: dict[Site, tuple[int, ...]] = {}

    def normal(self, site: str, shape: tuple[int, ...]) -> Tensor:
        self._note(("normal", site), shape)
        return self.noise.normal(site, shape)

    def uniform(self, site: str, shape: tuple[int, ...]) -> Tensor:
        self._note(("uniform", site), shape)
        return self.noise.uniform(site, shape)

    def _note(self, site: Site, shape: tuple[int, ...]) -> None:
        if site in self.sites:
            raise ValueError(f"the network draws twice at {site[1]!r} in one step; name the sites apart")
        self.sites[site] = tuple(shape)


class Drawn(Draws):
    """Draws that hand out what the tape holds for one step of one trial."""

    def __init__(self, values: dict[Site, Tensor]) -> None:
        self.values = values

    def normal(self, site: str, shape: tuple[int, ...]) -> Tensor:
        return self._take(("normal", site), shape)

    def uniform(self, site: str, shape: tuple[int, ...]) -> Tensor:
        return self._take(("uniform", site), shape)

    def _take(self, site: Site, shape: tuple[int, ...]) -> Tensor:
        value = self.values.get(site)
        if value is None or tuple(value.shape) != tuple(shape):
            raise ValueError(f"the network draws {site[0]} {tuple(shape)} at {site[1]!r} in some steps only")
        return value


def sites(problem: Problem) -> dict[Site, tuple[int, ...]]:
    """What the network draws in one step, found by running it once."""
    noise = Noise(problem.keys[0], 0, problem.dtype)
    recorder = Recorder(noise)
    network: Network = problem.network
    with torch.no_grad():
        network.terms(problem.first_batch(noise), recorder)
    return recorder.sites


class Tape:
    """What training consumes, a block of steps at a time: of all slots, (K, ...), or of one `slot` alone, (...)."""

    def __init__(self, problem: Problem, drawn: dict[Site, tuple[int, ...]], slot: int | None = None) -> None:
        self.problem = problem
        self._drawn = drawn
        self._member: Tensor | None = None
        if slot is None:
            self._keys, self._member = torch.unique(problem.keys, dim=0, return_inverse=True)
        else:
            self._keys = problem.keys[slot]
        self._start = 0
        self._values: dict[Site, Tensor] = {}
        self._epoch, self._order = -1, torch.empty(0)

    def wind(self, start: int) -> int:
        """Draws the numbers of the block that begins at `start`; returns its number of steps."""
        length = min(BLOCK, self.problem.training.steps - start)
        steps = torch.arange(start, start + length, device=self.problem.device)
        leading = (length, *self._keys.shape[:-1])  # (T, U) or (T,)
        noise = Noise(
            self._keys.expand(*leading, 2),
            steps.reshape(-1, *[1] * (len(leading) - 1)).expand(leading),
            self.problem.dtype,
        )
        self._start = start
        self._values = {
            (distribution, site): getattr(noise, distribution)(site, shape)
            for (distribution, site), shape in self._drawn.items()
        }
        return length

    def draws(self, step: int) -> dict[Site, Tensor]:
        """Random numbers of one step of the block, by site."""
        return {site: self._slots(values[step - self._start]) for site, values in self._values.items()}

    def batch(self, step: int) -> Batch:
        """The batch of a step: the next of an epoch's order, which is each trial's own."""
        problem = self.problem
        epoch, position = divmod(step, problem.batches)
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = Noise(self._keys, epoch).permutation("batches", len(problem.images))
        size = problem.training.batch_size
        chosen = self._order[..., position * size : (position + 1) * size]  # (U, B) or (B,)
        batch = problem.batch(chosen, Noise(self._keys, step, problem.dtype))
        if isinstance(batch, Labelled):
            return Labelled(*map(self._slots, batch))
        return self._slots(batch)

    def _slots(self, values: Tensor) -> Tensor:
        """(K, ...) from the values of each different key, (U, ...)."""
        return values if self._member is None else values.index_select(0, self._member)
