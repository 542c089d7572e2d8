"""Optimisers on packs: K independent optimisers as a few calls on one (K, P) matrix.

Written on rows rather than with torch.optim because the learning rate differs from row to row, and because a row must
take the same steps, bit for bit, whatever its neighbours do.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

from models import kinds


class Stepper(Protocol):
    """moments: names of the (K, P) matrices it keeps, zero at the start."""

    moments: tuple[str, ...]

    def step(self, rows: Tensor, gradient: Tensor, moments: dict[str, Tensor], count: int, rate: Tensor) -> None:
        """Updates `rows` and `moments` in place; `count` ≥ 1 is the number of this step, `rate` (K, 1)."""


class Adam:
    """m ← β1 m + (1-β1) g, v ← β2 v + (1-β2) g², θ ← θ − η m̂ / (√v̂ + ε) (Kingma & Ba 2015, Algorithm 1)."""

    moments = ("first", "second")

    def __init__(self, spec: kinds.Adam) -> None:
        self.spec = spec

    def step(self, rows: Tensor, gradient: Tensor, moments: dict[str, Tensor], count: int, rate: Tensor) -> None:
        spec = self.spec
        first = moments["first"].lerp_(gradient, 1.0 - spec.beta1)
        second = moments["second"].mul_(spec.beta2).addcmul_(gradient, gradient, value=1.0 - spec.beta2)
        divisor = second.sqrt().div_(math.sqrt(1.0 - spec.beta2**count)).add_(spec.epsilon)
        rows.addcmul_(first / divisor, rate, value=-1.0 / (1.0 - spec.beta1**count))


class Adamax:
    """u ← max(β2 u, |g|), θ ← θ − η m̂ / (u + ε) (Kingma & Ba 2015, Algorithm 2); m̂ = m without bias correction."""

    moments = ("first", "infinity")

    def __init__(self, spec: kinds.Adamax) -> None:
        self.spec = spec

    def step(self, rows: Tensor, gradient: Tensor, moments: dict[str, Tensor], count: int, rate: Tensor) -> None:
        spec = self.spec
        first = moments["first"].lerp_(gradient, 1.0 - spec.beta1)
        infinity = moments["infinity"].mul_(spec.beta2)
        torch.maximum(infinity, gradient.abs(), out=infinity)
        correction = 1.0 - spec.beta1**count if spec.bias_correction else 1.0
        rows.addcmul_(first / (infinity + spec.epsilon), rate, value=-1.0 / correction)


class Sgd:
    """v ← μ v + g + λ θ, θ ← θ − η v, from v = 0 (torch.optim.SGD); μ: momentum, λ: weight decay."""

    moments = ("velocity",)

    def __init__(self, spec: kinds.Sgd) -> None:
        self.spec = spec

    def step(self, rows: Tensor, gradient: Tensor, moments: dict[str, Tensor], count: int, rate: Tensor) -> None:
        spec = self.spec
        velocity = moments["velocity"].mul_(spec.momentum).add_(gradient).add_(rows, alpha=spec.weight_decay)
        rows.addcmul_(velocity, rate, value=-1.0)


class Adadelta:
    """v ← ρ v + (1-ρ) g², Δ = g √(u + ε) / √(v + ε), u ← ρ u + (1-ρ) Δ², θ ← θ − η Δ (Zeiler 2012, Algorithm 1)."""

    moments = ("square", "moved")

    def __init__(self, spec: kinds.Adadelta) -> None:
        self.spec = spec

    def step(self, rows: Tensor, gradient: Tensor, moments: dict[str, Tensor], count: int, rate: Tensor) -> None:
        spec = self.spec
        square = moments["square"].mul_(spec.decay).addcmul_(gradient, gradient, value=1.0 - spec.decay)
        moved = moments["moved"]
        delta = (moved + spec.epsilon).sqrt_().div_((square + spec.epsilon).sqrt_()).mul_(gradient)
        moved.mul_(spec.decay).addcmul_(delta, delta, value=1.0 - spec.decay)
        rows.addcmul_(delta, rate, value=-1.0)
