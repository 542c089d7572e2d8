"""Stacks of layers that encoders, decoders, posteriors and priors are made of."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "elu": nn.ELU}


def dense(size: int, widths: Sequence[int], activation: str) -> nn.Sequential:
    """Fully connected layers of `widths`, the activation after each: (B, size) -> (B, widths[-1])."""
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Linear(size, width), ACTIVATIONS[activation]()]
        size = width
    return nn.Sequential(*layers)
