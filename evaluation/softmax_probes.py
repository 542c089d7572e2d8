"""Softmax probes: classifiers P(Y|Z) on sampled codes, a linear layer or a small network, fitted by Adam.

Seybold et al. (2019, Sec. 4.1 and supplement) give the layers alone: one fully connected layer, or two of 200
exponential linear units before it. The rest is ours. Each pass over the data takes another sample of the codes, and the
weights of the pass that is best on held-out data are kept. Inputs are standardised by the mean and deviation of one
sample of the codes that are fitted, so that their scale does not matter. Adam's step falls linearly to 0, which reaches
in a dozen passes what a constant 1e-3 reaches in 60.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from evaluation.errors import EvaluationError
from evaluation.rows import Floats
from models import kinds
from models.noise import Noise
from models.training.optimisers import Adam


class Sampled(NamedTuple):
    """codes: S samples of each datum's code, (S, N, d) float32; labels: (N,) int64."""

    codes: Tensor
    labels: Tensor

    def rows(self, chosen: slice | npt.NDArray[np.integer]) -> Sampled:
        return Sampled(self.codes[:, chosen], self.labels[chosen])


def sampled(codes: Floats, labels: npt.NDArray[np.int64]) -> Sampled:
    """Of arrays; raises EvaluationError for codes that are not finite."""
    if not np.isfinite(codes).all():
        raise EvaluationError("probes: the sampled codes are not finite")
    return Sampled(torch.from_numpy(np.ascontiguousarray(codes, np.float32)), torch.from_numpy(labels))


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """widths: of the hidden layers. batch: the largest and smallest, between them a fortieth of the data.

    passes: over the data, more where so few would be less than `steps`. learning_rate: of the first step. patience:
    passes without a better one before the end.
    """

    name: str
    widths: tuple[int, ...]
    learning_rate: float
    batch: tuple[int, int]
    passes: int
    steps: int
    patience: int


LINEAR = Recipe(name="linear", widths=(), learning_rate=0.1, batch=(100, 400), passes=20, steps=400, patience=10)
MLP = Recipe(name="mlp", widths=(200, 200), learning_rate=4e-3, batch=(50, 200), passes=12, steps=400, patience=6)


class Probe:
    """A fitted classifier. layers: weight and bias of each, (out, in) and (out,)."""

    def __init__(self, layers: list[Tensor], mean: Tensor, std: Tensor) -> None:
        self._layers = layers
        self._mean = mean
        self._std = std

    @torch.no_grad()
    def score(self, data: Sampled) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Of each datum, the fraction of its samples that are classified rightly and their mean −log P(y|z), nats."""
        logits = _logits(self._layers, (data.codes - self._mean) / self._std)
        right = (logits.argmax(-1) == data.labels).double().mean(0)
        return right.numpy(), _losses(logits, data.labels).double().mean(0).numpy()


def fit(recipe: Recipe, data: Sampled, held_out: Sampled, classes: int, noise: Noise) -> Probe:
    """The probe with the smallest cross-entropy on held-out data after any pass.

    noise: of the trial; initial weights and the order of the data are a function of it.
    """
    # In double precision, for codes far from 0; a dimension without any spread stays where it is.
    std, mean = (part.float() for part in torch.std_mean(data.codes[0].double(), 0, correction=0))
    std = torch.where(std > 0, std, torch.ones_like(std))
    tests = (held_out.codes - mean) / std
    parameters, layers = _initial((tests.shape[-1], *recipe.widths, classes), noise, f"evaluation/{recipe.name}")
    adam = Adam(kinds.Adam(learning_rate=recipe.learning_rate))
    moments = {name: torch.zeros_like(parameters) for name in adam.moments}
    best, kept, since, taken = float("inf"), layers, 0, 0
    for done, passes, order, batch in _passes(recipe, len(data.labels), noise):
        codes = (data.codes[done % len(data.codes), order] - mean) / std
        labels = data.labels[order]
        for first in range(0, len(labels), batch):
            rows = slice(first, first + batch)
            loss = F.cross_entropy(_logits(layers, codes[rows]), labels[rows])
            gradients = torch.autograd.grad(loss, layers)
            rate = recipe.learning_rate * (1 - (done + first / len(labels)) / passes)
            taken += 1
            flat = torch.cat([gradient.flatten() for gradient in gradients])
            adam.step(parameters, flat[None], moments, taken, torch.full((1, 1), rate))
        with torch.no_grad():
            held = float(_losses(_logits(layers, tests), held_out.labels).mean())
        since += 1
        if held < best:
            best, kept, since = held, [layer.detach().clone() for layer in layers], 0
        elif since >= recipe.patience:
            break
    return Probe(kept, mean, std)


def _passes(recipe: Recipe, count: int, noise: Noise) -> Iterator[tuple[int, int, Tensor, int]]:
    """Of each pass: which, of how many, the order of the data and the batch size."""
    batch = min(max(count // 40, recipe.batch[0]), recipe.batch[1])
    passes = max(recipe.passes, -(-recipe.steps * batch // count))
    for done in range(passes):
        yield done, passes, noise.permutation(f"evaluation/{recipe.name}/pass {done}", count), batch


def _initial(widths: tuple[int, ...], noise: Noise, site: str) -> tuple[Tensor, list[Tensor]]:
    """One row of parameters (1, P), and weight and bias of each layer in turn, which are views of it.

    Uniform on ±1/√fan_in, as for the layers of models.
    """
    pieces, shapes = [], []
    for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
        for name, shape in (("weight", (fan_out, fan_in)), ("bias", (fan_out,))):
            values = (noise.uniform(f"{site}/{name} {layer}", shape) * 2 - 1) / fan_in**0.5
            pieces.append(values.float().flatten())
            shapes.append(shape)
    row = torch.cat(pieces)
    ends = list(itertools.accumulate(len(piece) for piece in pieces))
    views = zip(row.tensor_split(ends[:-1]), shapes, strict=True)
    return row[None], [view.reshape(shape).detach().requires_grad_() for view, shape in views]


def _logits(layers: list[Tensor], codes: Tensor) -> Tensor:
    for weight, bias in zip(layers[:-2:2], layers[1:-2:2], strict=True):
        codes = F.elu(F.linear(codes, weight, bias))
    return F.linear(codes, layers[-2], layers[-1])


def _losses(logits: Tensor, labels: Tensor) -> Tensor:
    """−log P(y|z), nats: logits (..., N, classes) and labels (N,) -> (..., N)."""
    each = F.cross_entropy(logits.flatten(0, -2), labels.expand(logits.shape[:-1]).flatten(), reduction="none")
    return each.reshape(logits.shape[:-1])
