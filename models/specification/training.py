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


class StepDecaySchedule(Schedule):
    """η(t) = η · f^⌊t/every⌋ at step t = 0, 1, …, with f = `factor`."""

    kind = "step-decay"
    implementation = "models.training.schedules:StepDecay"
    factor: Fraction
    every: Count


class CosineSchedule(Schedule):
    """η(t) = η · (1 + cos(π t'/steps)) / 2 at step t = 0, 1, …, t' = every · ⌊t/every⌋, and 0 from t' = `steps` on
    (Loshchilov & Hutter 2017, without restarts).

    every: steps between two changes of the rate: an epoch in PyTorch's recipes.
    """

    kind = "cosine"
    implementation = "models.training.schedules:Cosine"
    steps: Count
    every: Count = 1


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


class Sgd(Optimiser):
    """Gradient descent with momentum, as PyTorch defines it, and weight decay in the gradient, of every parameter."""

    kind = "sgd"
    implementation = "models.training.optimisers:Sgd"
    numbers = frozenset({"learning_rate"})
    learning_rate: Positive = 1e-2
    momentum: Fraction = 0.9
    weight_decay: NonNegative = 0.0
    schedule: AnySchedule = ConstantSchedule()


class Adadelta(Optimiser):
    """Adadelta (Zeiler 2012), its steps scaled by the learning rate; ρ = `decay`."""

    kind = "adadelta"
    implementation = "models.training.optimisers:Adadelta"
    numbers = frozenset({"learning_rate"})
    learning_rate: Positive = 1.0
    decay: Fraction = 0.9
    epsilon: Positive = 1e-6
    schedule: AnySchedule = ConstantSchedule()


class Training(Spec):
    """How long and with what a trial is trained; one step is one batch.

    ema: decay of the exponential moving average of the weights, evaluated in their place; None keeps the last weights.
    precision: of training alone; what is measured is computed in float32, of a trial of float64 in float64.
      'tf32' is float32 whose products may be rounded to TF32, on CUDA devices that have it and nowhere else.
      'bfloat16' computes layers in bfloat16; parameters, optimiser, noise, rates and log densities stay in float32.
    """

    steps: Count
    batch_size: Count
    optimiser: AnyOptimiser = Adam()
    ema: Fraction | None = None
    precision: Literal["float32", "float64", "tf32", "bfloat16"] = "float32"
