"""Objectives: what is minimised, as a function of a model's Terms; nats, mean over the batch.

An objective is pure, because the pack engines run it under vmap, one trial a slice. What may differ between the trials
of a pack comes in as tensors, `numbers`: the specification's `numbers` fields by name, each () or, for a tuple, (len,).
Further losses of a model (`Terms.auxiliary`) are added as they are, where the objective has no weight for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from models import kinds
from models.network import Terms

State = dict[str, Tensor]
Numbers = Mapping[str, Tensor]


class ObjectiveFunction:
    """The loss of one trial at one step. Subclasses define `penalty`; one with a memory overrides init and loss too."""

    def __init__(self, spec: Any) -> None:
        self.spec = spec

    def init(self, dtype: torch.dtype, device: torch.device) -> State:
        """What the objective remembers between steps, by name; empty where it remembers nothing."""
        return {}

    def loss(self, terms: Terms, state: State, step: Tensor, numbers: Numbers) -> tuple[Tensor, State]:
        """The loss () at `step` (counted from 0), and the next state."""
        total = terms.distortion.mean() + self.penalty(terms.rate, step, numbers)
        for name, extra in terms.auxiliary.items():
            total = total + self.weigh(name, extra.mean(), step, numbers)
        return total, state

    def weigh(self, name: str, extra: Tensor, step: Tensor, numbers: Numbers) -> Tensor:
        """What is added for the further loss `name` of mean `extra`, ()."""
        return extra

    def penalty(self, rate: Tensor, step: Tensor, numbers: Numbers) -> Tensor:
        """What is added to the mean distortion, () from the rates (G, B)."""
        raise NotImplementedError


class Beta(ObjectiveFunction):
    """D + w_t Σ_g β_g R_g (Higgins et al. 2017; a weight a layer: Xiao & Bamler 2023, Eq. 8). numbers: beta (G,).

    w_t = min(1, t / warmup) at step t = 0, 1, …, and 1 without a warm-up.
    """

    spec: kinds.BetaObjective

    def penalty(self, rate: Tensor, step: Tensor, numbers: Numbers) -> Tensor:
        penalty = torch.dot(numbers["beta"], rate.mean(dim=1))
        if not self.spec.warmup:
            return penalty
        return penalty * (step.to(rate.dtype) / self.spec.warmup).clamp(max=1.0)


class Annealed(ObjectiveFunction):
    """D + β_t R, β_t = start + (beta − start) · min(1, t / steps) at step t = 0, 1, … (Bowman et al. 2016)."""

    spec: kinds.AnnealedObjective

    def penalty(self, rate: Tensor, step: Tensor, numbers: Numbers) -> Tensor:
        progress = (step.to(rate.dtype) / numbers["steps"]).clamp(max=1.0)
        weight = torch.lerp(numbers["start"], numbers["beta"], progress)
        return weight * rate.sum(dim=0).mean()


class FreeBits(ObjectiveFunction):
    """D + Σ_g max(floor, minibatch mean of R_g) (Kingma et al. 2016, Eq. 15). numbers: floor (), nats a group."""

    spec: kinds.FreeBitsObjective

    def penalty(self, rate: Tensor, step: Tensor, numbers: Numbers) -> Tensor:
        return torch.maximum(rate.mean(dim=1), numbers["floor"]).sum()


class TargetRate(ObjectiveFunction):
    """D + weight · |R − target|, R the minibatch mean of the total rate (Burgess et al. 2018; Alemi et al. 2018)."""

    spec: kinds.TargetRateObjective

    def penalty(self, rate: Tensor, step: Tensor, numbers: Numbers) -> Tensor:
        return numbers["weight"] * (rate.sum(dim=0).mean() - numbers["target"]).abs()


class Dueling(ObjectiveFunction):
    """D + λ_t D' + Σ_g β_g R_g, D' the auxiliary decoder's distortion (Seybold et al. 2019, Eq. 8).

    λ_t = auxiliary_weight, and 0 from step t = removed_at on. numbers: beta (G,), auxiliary_weight ().
    """

    spec: kinds.DuelingObjective

    def penalty(self, rate: Tensor, step: Tensor, numbers: Numbers) -> Tensor:
        return torch.dot(numbers["beta"], rate.mean(dim=1))

    def weigh(self, name: str, extra: Tensor, step: Tensor, numbers: Numbers) -> Tensor:
        if name != "auxiliary":
            return extra
        weight = numbers["auxiliary_weight"]
        if self.spec.removed_at is not None:
            weight = torch.where(step < self.spec.removed_at, weight, 0.0)
        return weight * extra


class CrossEntropy(ObjectiveFunction):
    """D alone, which for a classifier is the mean of −log p(y|x), nats."""

    spec: kinds.CrossEntropyObjective

    def penalty(self, rate: Tensor, step: Tensor, numbers: Numbers) -> Tensor:
        return rate.new_zeros(())
