"""The rules for the claims on the information in z2 and its use to classifiers (Xiao & Bamler 2023, Sec. 5.6).

Each rule is a function of a grid of layer weights that gives the parts of its claim.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from results.correlation import (
    explained,
    explained_in,
    explains_more,
    interval,
    partial_rank_correlation,
    partial_rank_correlation_in,
    rank_correlation,
    rank_correlation_in,
)
from results.verdict import describe_p
from studies.hvae.claim_parts import (
    ACCURACIES,
    ALPHA,
    INFORMATION,
    INFORMATION_BOUND,
    LINEAR,
    LOGISTIC,
    NEIGHBOURS,
    RBF,
    RELATED,
    Part,
    between,
    least,
    median,
    more_than_chance,
    share,
    signed,
    told,
)
from studies.hvae.grids import Floats, Grid
from studies.hvae.labels import label_entropy
from studies.hvae.names import CIFAR10, RATE1, RATE2

SATURATED = 0.95  # of the labels' entropy H(y), from which the estimate of I(y; z2) cannot grow
_INFORMATIONS = {INFORMATION: "estimate", INFORMATION_BOUND: "lower bound"}


def information_of_the_top(grid: Grid) -> tuple[Part, ...]:
    """Claim 4: I(y; z2) depends mainly on R(z2): R(z2) explains more than half of it, and more than R(z1|z2) does.

    η² on tenths, each shown where the 95 % interval of a bootstrap over blocks of cells, which also draws values anew
    within their errors, keeps the bound. Both are asked of the authors' estimate, which saturates at H(y), and of the
    lower bound, which cannot; the lesser of the two counts. An estimate saturated in every cell tells nothing.
    """
    saturated = SATURATED * label_entropy(grid.rows)
    full = int((grid[INFORMATION] >= saturated).sum())
    values = {name: _varying(grid, name) for name in _INFORMATIONS}
    shares = {name: explained(each, grid[RATE2]) for name, each in values.items()}
    limits = {name: interval(explained_in(grid.redrawn(name), grid[RATE2], grid.weights)) for name in _INFORMATIONS}
    return (
        Part(
            name="4a",
            label="share of I(y; z₂) explained by R(z₂)",
            found=least(shares.values(), RELATED),
            sign=">",
            bound=RELATED,
            shown=all(low > RELATED for low, _ in limits.values()),
            evidence=f"{_told(shares, _INFORMATIONS, limits)}. At saturation, {saturated:.2f} nats or more, are {full} "
            f"of {len(grid)} cells; the bound reaches {grid[INFORMATION_BOUND].max():.2f} nats.",
            cells=np.arange(len(grid)),
        ),
        explained_by_the_top(grid, _INFORMATIONS, "4b", "that, less the share by R(z₁|z₂)"),
    )


def _varying(grid: Grid, name: str) -> Floats:
    """The values of a quantity, (cells,); NaN where it is an estimate of I(y; z2) that is saturated in every cell."""
    values = grid[name]
    if name == INFORMATION and len(grid) and values.min() >= SATURATED * label_entropy(grid.rows):
        return np.full_like(values, np.nan)
    return values


def explained_by_the_top(grid: Grid, quantities: Mapping[str, str], name: str, label: str) -> Part:
    """By how much more of a quantity R(z2) explains than R(z1|z2) does: the least over labelled quantities."""
    rates = grid[RATE2], grid[RATE1]
    found = {
        quantity: explains_more(_varying(grid, quantity), *rates, grid.weights, grid.redrawn(quantity))
        for quantity in quantities
    }
    differences = [
        f"{quantities[quantity]} {signed(difference)} ({between(low, high)})"
        for quantity, (difference, low, high) in found.items()
    ]
    return Part(
        name=name,
        label=label,
        found=least((difference for difference, _, _ in found.values()), 0),
        sign=">",
        bound=0,
        shown=all(low > 0 for _, low, _ in found.values()),
        evidence=f"η² on R(z₂) less η² on R(z₁|z₂): {'; '.join(differences)}.",
        cells=np.arange(len(grid)),
    )


def accuracy_and_rates(grid: Grid) -> tuple[Part, ...]:
    """Claim 5: expressive probes follow I(y; z2) on simple data; rate in z1 helps linear ones, and all on CIFAR-10.

    Expressive are RBF SVM and 5-NN: both accuracies have a rank correlation above 0.5 with I(y; z2); said of all data
    sets but CIFAR-10. Of logistic regression and linear SVM, of CIFAR-10 all four: every accuracy has a partial rank
    correlation above 0 with R(z1|z2) at fixed R(z2). Both are shown where the 95 % intervals of the bootstrap of claim
    4 keep the bound. Of the hull optima of the latter accuracies off the diagonal, each cell counted once, more than
    half have more R(z1|z2) than the β-VAE of equal total rate, shown by a binomial test against the share of all cells
    off the diagonal that have, at least one half.
    """
    everywhere = np.arange(len(grid))
    information = _varying(grid, INFORMATION)
    grown = {name: rank_correlation(grid[name], information) for name in (RBF, NEIGHBOURS)}
    drawn = grid.redrawn(INFORMATION)
    grown_limits = {name: interval(rank_correlation_in(grid.redrawn(name), drawn, grid.weights)) for name in grown}
    probes = tuple(ACCURACIES) if grid.study == CIFAR10 else (LOGISTIC, LINEAR)
    rates = grid[RATE1], grid[RATE2]
    partial = {name: partial_rank_correlation(grid[name], *rates) for name in probes}
    limits = {name: interval(partial_rank_correlation_in(grid.redrawn(name), *rates, grid.weights)) for name in probes}
    hulls = [grid.upper_hull(name) for name in probes]
    off = np.unique(np.concatenate([hull[~grid.diagonal[hull]] for hull in hulls]))
    shifts, others = (-grid.above_beta_vae(cells) for cells in (off, ~grid.diagonal))  # R(z2) less is R(z1|z2) more
    shifts, others = shifts[np.isfinite(shifts)], others[np.isfinite(others)]
    chance = share(others > 0)
    p_hull = more_than_chance(int(np.sum(shifts > 0)), len(shifts), max(0.5, chance)) if len(shifts) else 1.0
    return (
        Part(
            name="5a",
            label="least rank correlation with I(y; z₂)",
            found=least(grown.values(), RELATED),
            sign=">",
            bound=RELATED,
            shown=all(low > RELATED for low, _ in grown_limits.values()),
            evidence=f"{_told(grown, ACCURACIES, grown_limits)}.",
            cells=everywhere,
            applies=grid.study != CIFAR10,
        ),
        Part(
            name="5b",
            label="least partial rank correlation with R(z₁|z₂)",
            found=least(partial.values(), 0),
            sign=">",
            bound=0,
            shown=all(low > 0 for low, _ in limits.values()),
            evidence=f"At fixed R(z₂): {_told(partial, ACCURACIES, limits)}.",
            cells=everywhere,
        ),
        Part(
            name="5c",
            label="share of hull optima with more R(z₁|z₂) than β-VAEs",
            found=share(shifts > 0),
            sign=">",
            bound=0.5,
            shown=p_hull < ALPHA,
            evidence=f"Of {len(shifts)} hull optima off the diagonal ({describe_p(p_hull)}; by chance {told(chance)}); "
            f"median {signed(median(shifts))} nats of R(z₁|z₂) at equal total rate.",
            cells=off,
        ),
    )


def _told(values: Mapping[str, float], labels: Mapping[str, str], limits: Mapping[str, tuple[float, float]]) -> str:
    return ", ".join(f"{labels[name]} {told(value)} ({between(*limits[name])})" for name, value in values.items())
