"""Problem: the fixed part of training a pack: network, objective, optimiser, data, keys and per-trial numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from models import noise
from models.build import build_network, build_objective, implementation, load_data
from models.data.dataset import Dataset
from models.families import Data, Model, Objective
from models.initialise import initialise
from models.kinds import ConstantSchedule, Training
from models.network import Labelled, Network, Terms
from models.noise import Draws
from models.objectives import ObjectiveFunction
from models.spec import Kind
from models.training.layout import Layout
from models.training.optimisers import Stepper
from models.training.precision import DTYPES, layers
from models.training.schedules import RateSchedule
from models.training.slots import slots

CURVE_POINTS = 200
INTENSITIES = 255  # of an image that is to be binarised
Batch = Tensor | Labelled  # what a network's `terms` takes


@dataclass(frozen=True, kw_only=True)
class Member:
    """One trial as the trainer sees it: its objective and training (for their numbers) and its seed."""

    objective: Objective
    training: Training
    seed: int


@dataclass(frozen=True, kw_only=True)
class Problem:
    """K members of one shape. `numbers` are the objective's per-trial numbers, (K, ...) each; `rate` is (K, 1).

    images, labels: the training split. auxiliary: names of the network's auxiliary terms that have a curve.
    """

    network: Network
    objective: ObjectiveFunction
    optimiser: Stepper
    schedule: RateSchedule
    dataset: Dataset
    images: Tensor
    labels: Tensor
    auxiliary: tuple[str, ...]
    training: Training
    layout: Layout
    keys: Tensor
    numbers: Mapping[str, Tensor]
    rate: Tensor
    dtype: torch.dtype

    @property
    def slots(self) -> int:
        return len(self.keys)

    @property
    def device(self) -> torch.device:
        return self.keys.device

    @property
    def curve_names(self) -> tuple[str, ...]:
        return ("loss", "distortion", *(f"rate_{group}" for group in self.network.groups), *self.auxiliary)

    @property
    def curve_interval(self) -> int:
        """Steps a curve point averages over, so that there are at most 200 points."""
        return -(-self.training.steps // CURVE_POINTS)

    @property
    def batches(self) -> int:
        """Batches an epoch; a remainder smaller than a batch is left out, another one each epoch."""
        return max(1, len(self.images) // self.training.batch_size)

    def batch(self, chosen: Tensor, noise: Draws) -> Batch:
        """The training data at `chosen`, (..., B), as the network takes them: (..., B, C, H, W).

        Intensities of a dynamic data set become 1 with the probability that they are of 255, by the trial's own draw.
        """
        x = self.images[chosen]
        if self.dataset.dynamic:
            shape = (chosen.shape[-1], *self.images.shape[1:])
            x = noise.uniform("pixels", shape) * INTENSITIES < x
        x = x.to(self.dtype)
        return Labelled(x, self.labels[chosen]) if self.network.supervised else x

    def first_batch(self, noise: Draws) -> Batch:
        """The first training data in their own order: a batch to try a network on."""
        size = min(self.training.batch_size, len(self.images))
        return self.batch(torch.arange(size, device=self.device), noise)

    def layers(self) -> contextlib.AbstractContextManager[object]:
        """Where a forward pass of training belongs: its layers have the precision of the training."""
        return layers(self.training.precision, self.device)

    def shown(self, value: Tensor, terms: Terms) -> Tensor:
        """(C,): the loss and the means of the terms, as the curves have them."""
        means = [value, terms.distortion.mean(), *(terms.auxiliary[name].mean() for name in self.auxiliary)]
        scalars = torch.stack(means).detach()
        return torch.cat((scalars[:2], terms.rate.detach().mean(1), scalars[2:]))

    def initial_rows(self) -> Tensor:
        return self.layout.rows(initialise(self.network, self.keys, self.dtype, self.images))

    def initial_objective(self) -> dict[str, Tensor]:
        state = self.objective.init(self.dtype, self.device)
        return {name: value.expand(self.slots, *value.shape).clone() for name, value in state.items()}


def padded(members: list[Member], width: int) -> list[Member]:
    """The members of a fused pack of this width, filled up with copies of the last (see models/training/slots.py)."""
    return members + [members[-1]] * (slots(width, members[0].training.batch_size) - len(members))


def numbers(kinds: list[Kind], dtype: torch.dtype, device: torch.device) -> dict[str, Tensor]:
    """The per-trial numbers of K specifications of one kind: field -> (K, ...)."""
    return {
        name: torch.tensor([getattr(kind, name) for kind in kinds], dtype=dtype, device=device)
        for name in sorted(kinds[0].numbers)
    }


def build_problem(data: Data, model: Model, members: list[Member], device: torch.device) -> Problem:
    """The problem of one pack, slot by slot as `members` are given. All members must share one shape."""
    training = members[0].training
    dtype = DTYPES[training.precision]
    dataset = load_data(data)
    network = build_network(model, data).to(device=device, dtype=dtype)
    network.requires_grad_(False)
    rate = numbers([member.training.optimiser for member in members], dtype, device)["learning_rate"]
    # A user's own optimiser need not have a schedule.
    schedule: Kind = getattr(training.optimiser, "schedule", ConstantSchedule())
    return Problem(
        network=network,
        objective=build_objective(members[0].objective),
        optimiser=implementation(training.optimiser)(training.optimiser),
        schedule=implementation(schedule)(schedule),
        dataset=dataset,
        images=dataset.train.images.to(device),
        labels=dataset.train.labels.to(device),
        auxiliary=model.weighed,
        training=training,
        layout=Layout({name: tuple(value.shape) for name, value in network.named_parameters()}),
        keys=torch.stack([noise.key(member.seed) for member in members]).to(device),
        numbers=numbers([member.objective for member in members], dtype, device),
        rate=rate[:, None],
        dtype=dtype,
    )
