"""The rules for the claims on the information in z2 and its use to classifiers (Xiao & Bamler 2023, Sec. 5.6).

Each rule is a function of a grid of layer weights that gives the parts of its claim.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from results.correlation import explained, explains_more, fisher_interval, partial_rank_correlation, rank_correlation
from studies.hvae.claim_parts import (
    ACCURACIES,
    INFORMATION,
    INFORMATION_BOUND,
    LINEAR,
    LOGISTIC,
    NEIGHBOURS,
    RBF,
    RELATED,
    Part,
    median,
    share,
    signed,
    told,
)
from studies.hvae.grids import Grid
from studies.hvae.names import CIFAR10, CLASSES, RATE1, RATE2

SATURATED = 0.95 * math.log(CLASSES)  # nats of mutual information
_INFORMATIONS = {INFORMATION: "estimate", INFORMATION_BOUND: "lower bound"}


def information_of_the_top(grid: Grid) -> tuple[Part, ...]:
    """Claim 4: I(y; z2) depends mainly on R(z2): R(z2) explains more than half of it, and more than R(z1|z2) does.

    η² on tenths; the difference is shown where a bootstrap interval excludes 0. Both are asked of the authors'
    estimate, which saturates at H(y), and of the lower bound, which cannot; the lesser of the two counts.
    """
    full = int((grid[INFORMATION] >= SATURATED).sum())
    shares = {name: explained(grid[name], grid[RATE2]) for name in _INFORMATIONS}
    return (
        Part(
            name="4a",
            label="share of I(y; z₂) explained by R(z₂)",
            found=float(np.min(list(shares.values()))),
            sign=">",
            bound=0.5,
            evidence=f"{_told(shares, _INFORMATIONS)}. At saturation, {SATURATED:.2f} nats or more, are {full} of "
            f"{len(grid)} cells; the bound reaches {grid[INFORMATION_BOUND].max():.2f} nats.",
            cells=np.arange(len(grid)),
        ),
        explained_by_the_top(grid, _INFORMATIONS, "4b", "that, less the share by R(z₁|z₂)"),
    )


def explained_by_the_top(grid: Grid, quantities: Mapping[str, str], name: str, label: str) -> Part:
    """By how much more of a quantity R(z2) explains than R(z1|z2) does: the least over labelled quantities."""
    found = {quantity: explains_more(grid[quantity], grid[RATE2], grid[RATE1]) for quantity in quantities}
    differences = [
        f"{quantities[quantity]} {signed(difference)} (95 % interval {signed(low)} to {signed(high)})"
        for quantity, (difference, low, high) in found.items()
    ]
    return Part(
        name=name,
        label=label,
        found=float(np.min([difference for difference, _, _ in found.values()])),
        sign=">",
        bound=0,
        shown=all(low > 0 for _, low, _ in found.values()),
        evidence=f"η² on R(z₂) less η² on R(z₁|z₂): {'; '.join(differences)}.",
        cells=np.arange(len(grid)),
    )


def accuracy_and_rates(grid: Grid) -> tuple[Part, ...]:
    """Claim 5: expressive probes on simple data need I(y; z2); linear probes, or complex data, gain from R(z1|z2).

    Expressive are RBF SVM and 5-NN: both accuracies have a rank correlation above 0.5 with I(y; z2); said of all data
    sets but CIFAR-10. Of logistic regression and linear SVM, of CIFAR-10 all four: every accuracy has a partial rank
    correlation above 0 with R(z1|z2) at fixed R(z2), shown where Fisher's 95 % interval excludes 0; and of the hull
    optima of these accuracies off the diagonal, more than half have more R(z1|z2) than the β-VAE of equal total rate.
    """
    everywhere = np.arange(len(grid))
    grown = {name: rank_correlation(grid[name], grid[INFORMATION]) for name in (RBF, NEIGHBOURS)}
    probes = tuple(ACCURACIES) if grid.study == CIFAR10 else (LOGISTIC, LINEAR)
    partial = {name: partial_rank_correlation(grid[name], grid[RATE1], grid[RATE2]) for name in probes}
    lows = [fisher_interval(rho, len(grid) - 1)[0] for rho in partial.values()]
    hulls = [grid.upper_hull(name) for name in probes]
    off = np.concatenate([hull[~grid.diagonal[hull]] for hull in hulls])
    shifts = grid.above_beta_vae(off)
    shifts = -shifts[np.isfinite(shifts)]  # at equal total rate, what R(z2) has less R(z1|z2) has more
    return (
        Part(
            name="5a",
            label="least rank correlation with I(y; z₂)",
            found=float(np.min(list(grown.values()))),
            sign=">",
            bound=RELATED,
            evidence=f"{_told(grown, ACCURACIES)}.",
            cells=everywhere,
            applies=grid.study != CIFAR10,
        ),
        Part(
            name="5b",
            label="least partial rank correlation with R(z₁|z₂)",
            found=float(np.min(list(partial.values()))),
            sign=">",
            bound=0,
            shown=min(lows) > 0,
            evidence=f"At fixed R(z₂): {_told(partial, ACCURACIES)}.",
            cells=everywhere,
        ),
        Part(
            name="5c",
            label="share of hull optima with more R(z₁|z₂) than β-VAEs",
            found=share(shifts > 0),
            sign=">",
            bound=0.5,
            evidence=f"Of {len(shifts)} hull optima off the diagonal; median {signed(median(shifts))} nats of R(z₁|z₂) "
            "at equal total rate.",
            cells=np.unique(off),
        ),
    )


def _told(values: Mapping[str, float], labels: Mapping[str, str]) -> str:
    return ", ".join(f"{labels[name]} {told(value)}" for name, value in values.items())
