"""Problem: the fixed part of training a pack: network, objective, optimiser, data, keys and per-trial numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from models import noise
from models.build import build_network, build_objective, implementation, load_data
from models.data.dataset import Dataset
from models.families import Data, Model, Objective
from models.initialise import initialise
from models.kinds import Training
from models.network import Network
from models.objectives import ObjectiveFunction
from models.spec import Kind
from models.training.layout import Layout
from models.training.optimisers import Stepper
from models.training.slots import slots

DTYPES = {"float32": torch.float32, "float64": torch.float64}
CURVE_POINTS = 200


@dataclass(frozen=True, kw_only=True)
class Member:
    """One trial as the trainer sees it: its objective and training (for their numbers) and its seed."""

    objective: Objective
    training: Training
    seed: int


@dataclass(frozen=True, kw_only=True)
class Problem:
    """K members of one shape. `numbers` are the objective's per-trial numbers, (K, ...) each; `rate` is (K, 1)."""

    network: Network
    objective: ObjectiveFunction
    optimiser: Stepper
    dataset: Dataset
    images: Tensor
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
        return ("loss", "distortion", *(f"rate_{group}" for group in self.network.groups))

    @property
    def curve_interval(self) -> int:
        """Steps a curve point averages over, so that there are at most 200 points."""
        return -(-self.training.steps // CURVE_POINTS)

    @property
    def batches(self) -> int:
        """Batches an epoch; a remainder smaller than a batch is left out, another one each epoch."""
        return max(1, len(self.images) // self.training.batch_size)

    def initial_rows(self) -> Tensor:
        return self.layout.rows(initialise(self.network, self.keys, self.dtype))

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
    return Problem(
        network=network,
        objective=build_objective(members[0].objective),
        optimiser=implementation(training.optimiser)(training.optimiser),
        dataset=dataset,
        images=dataset.train.images.to(device),
        training=training,
        layout=Layout({name: tuple(value.shape) for name, value in network.named_parameters()}),
        keys=torch.stack([noise.key(member.seed) for member in members]).to(device),
        numbers=numbers([member.objective for member in members], dtype, device),
        rate=rate[:, None],
        dtype=dtype,
    )
