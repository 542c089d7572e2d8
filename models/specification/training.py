"""Training: optimisers, their schedules, and how long a trial is trained."""

from __future__ import annotations

from typing import Literal

from models.families import AnyOptimiser, AnySchedule, Optimiser, Schedule
from models.spec import Count, Fraction, NonNegative, Positive, Spec


class ConstantSchedule(Schedule):
    """η(t) = η: the learning rate stays as it is."""

    kind = "constant"
    implementation = "models.training.schedules:Constant"


class WarmupDecaySchedule(Schedule):
    """η(t) = η · f^(t/decay) · (1 − f^(t/warmup)) + floor at step t = 0, 1, …, with f = `factor`.

    The schedule of Seybold et al. (2019), Sec. 4.1, whose print has lost the signs of its exponents: with 10⁴ and 10³
    steps its factors are a decay and a warm-up, with the 10⁻⁴ and 10⁻³ of the print it would vanish after one step.
    """

    kind = "warmup-decay"
    implementation = "models.training.schedules:WarmupDecay"
    factor: Fraction = 0.66
    decay: Positive = 10_000.0
    warmup: Positive = 1_000.0
    floor: NonNegative = 1e-10


class Adam(Optimiser):
    """Adam with bias correction (Kingma & Ba 2015)."""

    kind = "adam"
    implementation = "models.training.optimisers:Adam"
    numbers = frozenset({"learning_rate"})
    learning_rate: Positive = 1e-3
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    epsilon: Positive = 1e-8
    schedule: AnySchedule = ConstantSchedule()


class Adamax(Optimiser):
    """Adamax (Kingma & Ba 2015, Algorithm 2), with or without the bias correction."""

    kind = "adamax"
    implementation = "models.training.optimisers:Adamax"
    numbers = frozenset({"learning_rate"})
    learning_rate: Positive = 2e-3
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    epsilon: Positive = 1e-8
    bias_correction: bool = True
    schedule: AnySchedule = ConstantSchedule()


class Training(Spec):
    """How long and with what a trial is trained; one step is one batch.

    ema: decay of the exponential moving average of the weights, evaluated in their place; None keeps the last weights.
    """

    steps: Count
    batch_size: Count
    optimiser: AnyOptimiser = Adam()
    ema: Fraction | None = None
    precision: Literal["float32", "float64"] = "float32"
