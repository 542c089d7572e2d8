"""Tape: the batches and random numbers of a block of steps, drawn for the whole pack in a few calls.

Drawing step by step inside the network would spend more time in dispatching the hash than in the network. The numbers
are those that `Noise` gives at each step; members of equal seed are drawn once and copied.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.network import Network
from models.noise import Draws, Noise
from models.training.problem import Problem

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
    batch = problem.images[: problem.training.batch_size].to(problem.dtype)
    recorder = Recorder(Noise(problem.keys[0], 0, problem.dtype))
    network: Network = problem.network
    with torch.no_grad():
        network.terms(batch, recorder)
    return recorder.sites


class Tape:
    """One block: T steps of the slots `members`, starting at `start`."""

    def __init__(self, problem: Problem, drawn: dict[Site, tuple[int, ...]], start: int, members: Tensor) -> None:
        self.problem = problem
        self.start = start
        self.length = min(BLOCK, problem.training.steps - start)
        unique, self._member = torch.unique(problem.keys[members], dim=0, return_inverse=True)
        steps = torch.arange(start, start + self.length, device=problem.device)
        keys = unique.expand(self.length, *unique.shape)  # (T, U, 2)
        noise = Noise(keys, steps[:, None].expand(self.length, len(unique)), problem.dtype)
        self._values = {
            (distribution, site): getattr(noise, distribution)(site, shape)
            for (distribution, site), shape in drawn.items()
        }
        self._orders: dict[int, Tensor] = {}
        self._unique = unique

    def draws(self, step: int) -> dict[Site, Tensor]:
        """Random numbers of one step: (K, *shape) each."""
        offset = step - self.start
        return {site: values[offset].index_select(0, self._member) for site, values in self._values.items()}

    def batch(self, step: int) -> Tensor:
        """(K, B, C, H, W): the raw integers in the floating dtype."""
        problem = self.problem
        epoch, position = divmod(step, problem.batches)
        if epoch not in self._orders:
            order = Noise(self._unique, epoch).permutation("batches", len(problem.images))
            self._orders = {epoch: order}
        size = problem.training.batch_size
        chosen = self._orders[epoch][:, position * size : (position + 1) * size]  # (U, B)
        return problem.images[chosen].to(problem.dtype).index_select(0, self._member)
