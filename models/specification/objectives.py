"""Objectives: what is minimised."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from models.families import Model, Objective
from models.spec import Count, NonNegative, Positive


def _check_weights(beta: tuple[float, ...], model: Model) -> None:
    if len(beta) != len(model.groups):
        raise ValueError(f"objective.beta needs one weight for each of {', '.join(model.groups)}, got {beta}")


class BetaObjective(Objective):
    """D + Σ_g β_g R_g: the ELBO at β = 1 (Higgins et al. 2017; per layer, Xiao & Bamler 2023, Eq. 8).

    warmup: steps over which all weights rise linearly from 0, with every step; at once where it is 0.
    """

    kind = "beta"
    implementation = "models.objectives:Beta"
    numbers = frozenset({"beta"})
    beta: Annotated[tuple[NonNegative, ...], Field(min_length=1)] = (1.0,)
    warmup: Annotated[int, Field(strict=True, ge=0)] = 0

    def check(self, model: Model) -> None:
        super().check(model)
        _check_weights(self.beta, model)


class AnnealedObjective(Objective):
    """D + β_t R with β_t rising linearly from `start` to `beta` over `steps` steps (Bowman et al. 2016)."""

    kind = "annealed"
    implementation = "models.objectives:Annealed"
    numbers = frozenset({"beta", "start", "steps"})
    beta: NonNegative = 1.0
    start: NonNegative = 0.0
    steps: Count


class FreeBitsObjective(Objective):
    """D + Σ_g max(floor, mean_batch R_g), floor in nats a group (Kingma et al. 2016, Eq. 15)."""

    kind = "free-bits"
    implementation = "models.objectives:FreeBits"
    numbers = frozenset({"floor"})
    floor: NonNegative


class TargetRateObjective(Objective):
    """D + weight · |R − target|, target in nats (Burgess et al. 2018; Alemi et al. 2018 with weight 1)."""

    kind = "target-rate"
    implementation = "models.objectives:TargetRate"
    numbers = frozenset({"target", "weight"})
    target: NonNegative
    weight: Positive = 1.0


class DuelingObjective(Objective):
    """D + λ D' + Σ_g β_g R_g, D' the distortion of the auxiliary decoder (Seybold et al. 2019, Eq. 8).

    auxiliary_weight: λ. removed_at: the step from which on λ is 0 (their Fig. 4), counted from 0; null for never.
    """

    kind = "dueling"
    implementation = "models.objectives:Dueling"
    numbers = frozenset({"beta", "auxiliary_weight"})
    beta: Annotated[tuple[NonNegative, ...], Field(min_length=1)] = (1.0,)
    auxiliary_weight: NonNegative
    removed_at: Annotated[int, Field(strict=True, ge=0)] | None = None

    def check(self, model: Model) -> None:
        if not model.weighed:
            raise ValueError(
                f"objective.auxiliary_weight ({self.auxiliary_weight:g}), λ, weighs an auxiliary decoder, and the "
                "model has none: give it model.auxiliary, or take the objective 'beta'"
            )
        _check_weights(self.beta, model)


class CrossEntropyObjective(Objective):
    """The mean of −log p(y|x): the loss of a classifier."""

    kind = "cross-entropy"
    implementation = "models.objectives:CrossEntropy"

    def check(self, model: Model) -> None:
        super().check(model)
        if model.groups:
            raise ValueError(f"the objective 'cross-entropy' is for models without latents, not {model.kind}")
