"""Schedules: the learning rate of each trial of a pack as a function of the step.

A schedule is a pure function of the step, so there is no state to save. Its factors are Python numbers, one
multiplication and one addition away from each slot's rate, whose bits so do not depend on the slot.
"""

from __future__ import annotations

import math
from typing import Protocol

from torch import Tensor

from models import kinds


class RateSchedule(Protocol):
    def rate(self, base: Tensor, step: int) -> Tensor:
        """η(t), (K, 1), at step t = 0, 1, … from η, (K, 1)."""


class Constant:
    """η(t) = η."""

    def __init__(self, spec: kinds.ConstantSchedule) -> None:
        self.spec = spec

    def rate(self, base: Tensor, step: int) -> Tensor:
        return base


class WarmupDecay:
    """η(t) = η · f^(t/decay) · (1 − f^(t/warmup)) + floor (Seybold et al. 2019, Sec. 4.1)."""

    def __init__(self, spec: kinds.WarmupDecaySchedule) -> None:
        self.spec = spec

    def rate(self, base: Tensor, step: int) -> Tensor:
        spec = self.spec
        decayed, cold = (math.pow(spec.factor, step / length) for length in (spec.decay, spec.warmup))
        return base * (decayed * (1.0 - cold)) + spec.floor


class StepDecay:
    """η(t) = η · f^⌊t/every⌋ (torch.optim.lr_scheduler.StepLR)."""

    def __init__(self, spec: kinds.StepDecaySchedule) -> None:
        self.spec = spec

    def rate(self, base: Tensor, step: int) -> Tensor:
        return base * math.pow(self.spec.factor, step // self.spec.every)


class Cosine:
    """η(t) = η · (1 + cos(π t'/steps)) / 2, t' = every · ⌊t/every⌋, at most `steps` (torch's CosineAnnealingLR)."""

    def __init__(self, spec: kinds.CosineSchedule) -> None:
        self.spec = spec

    def rate(self, base: Tensor, step: int) -> Tensor:
        spec = self.spec
        done = min(step // spec.every * spec.every, spec.steps)
        return base * (0.5 * (1.0 + math.cos(math.pi * done / spec.steps)))
