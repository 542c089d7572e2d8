"""Which settings differ from the best one: two-sided t-tests on replicates, corrected for their number.

The test is Student's with equal variances, or on differences paired by seed: settings trained with equal seeds share
their random numbers, so pairing removes what is common to them. Standard deviations are those of a sample (ddof = 1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from results.quantity import Goal

Correction = Literal["bonferroni", "holm", "none"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class TTest:
    """A two-sided t-test: its statistic, degrees of freedom and p-value."""

    statistic: float
    degrees_of_freedom: int
    p_value: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A setting's replicates against those of the best setting.

    n: values it has; planned: rows it should have them from. mean, std (ddof = 1, NaN below two values): in the
        column's unit.
    p_value: of its own test; adjusted: corrected for the number of comparisons; both NaN where no test was made.
    differs: whether `adjusted` is below alpha; False for the best itself; None where no test was made.
    reason: why there is no test, or what is particular about it; empty for an ordinary one.
    """

    setting: str
    n: int
    planned: int
    mean: float
    std: float
    p_value: float
    adjusted: float
    differs: bool | None
    best: bool
    reason: str


def mean_and_std(values: Floats) -> tuple[float, float]:
    """Mean and sample standard deviation (ddof = 1), exact where all values are equal; NaN where too few."""
    if len(values) == 0:
        return math.nan, math.nan
    if values.min() == values.max():  # the mean of equal values may round, which would leave a spurious spread
        return float(values[0]), 0.0 if len(values) > 1 else math.nan
    return float(np.mean(values)), float(np.std(values, ddof=1))


def means_and_stds(values: Floats, groups: Sequence[np.ndarray]) -> list[tuple[float, float]]:
    """`mean_and_std` of the values at each group of places, without the NaNs among them, to the last bit.

    Groups that are left with equally many values are done together.
    """
    places = np.concatenate([np.zeros(0, dtype=np.int64), *groups])
    there = ~np.isnan(values[places])
    found, owner = values[places][there], np.repeat(np.arange(len(groups)), [len(each) for each in groups])[there]
    counts = np.bincount(owner, minlength=len(groups))
    starts = np.cumsum(counts) - counts
    means, stds = np.full(len(groups), np.nan), np.full(len(groups), np.nan)
    for count in np.unique(counts[counts > 0]).tolist():
        members = np.flatnonzero(counts == count)
        table = found[starts[members, None] + np.arange(count)]
        finite = np.isfinite(table).all(axis=1)
        for member, row in zip(members[~finite].tolist(), table[~finite], strict=True):
            means[member], stds[member] = mean_and_std(row)
        members, table = members[finite], table[finite]
        equal = table.min(axis=1) == table.max(axis=1)
        means[members] = np.where(equal, table[:, 0], table.mean(axis=1))
        if count > 1:
            stds[members] = np.where(equal, 0.0, table.std(axis=1, ddof=1))
    return list(zip(means.tolist(), stds.tolist(), strict=True))


def t_test_from_summary(mean1: float, std1: float, n1: int, mean2: float, std2: float, n2: int) -> TTest:
    """Student's two-sided equal-variance t-test of two samples known by mean, standard deviation (ddof = 1) and size.

    For published numbers. Without any spread equal means give p = 1 and different ones p = 0. Raises ValueError for a
    sample of fewer than two, or a standard deviation that is negative or missing.
    """
    for std, n in ((std1, n1), (std2, n2)):
        if n < 2:
            raise ValueError(f"a t-test needs at least two values a sample, not {n}")
        if not std >= 0:
            raise ValueError(f"a t-test needs a standard deviation of at least 0, not {std}")
    degrees = n1 + n2 - 2
    pooled = ((n1 - 1) * std1**2 + (n2 - 1) * std2**2) / degrees
    return _student(mean1 - mean2, math.sqrt(pooled * (1 / n1 + 1 / n2)), degrees)


def paired_t_test(differences: Floats) -> TTest:
    """Two-sided t-test of whether the mean of paired differences is 0; raises ValueError below two pairs."""
    if len(differences) < 2:
        raise ValueError(f"a paired t-test needs at least two pairs, not {len(differences)}")
    mean, std = mean_and_std(differences)
    return _student(mean, std / math.sqrt(len(differences)), len(differences) - 1)


def _student(difference: float, standard_error: float, degrees: int) -> TTest:
    from scipy.special import stdtr  # a tenth of a second of importing; scipy.stats takes half a second

    if standard_error == 0:
        statistic = math.copysign(math.inf, difference) if difference else 0.0
    else:
        statistic = difference / standard_error
    p_value = float(2 * stdtr(degrees, -abs(statistic)))
    return TTest(statistic=statistic, degrees_of_freedom=degrees, p_value=p_value)


def adjust(p_values: Sequence[float], correction: Correction, comparisons: int | None = None) -> Floats:
    """p-values corrected for the number of comparisons, so that each may be held against alpha itself.

    'bonferroni' multiplies by the number; 'holm' steps down through the ordered p-values (Holm 1979), which rejects
    at least as much at the same family-wise error. `comparisons` is the size of the family where it is larger than
    what is given.
    """
    if correction not in get_args(Correction):
        raise ValueError(f"a correction is one of {', '.join(get_args(Correction))}, not {correction!r}")
    raw = np.asarray(p_values, dtype=np.float64)
    family = len(raw) if comparisons is None else comparisons
    if family < len(raw):
        raise ValueError(f"{len(raw)} comparisons cannot be corrected as {family}")
    if correction == "none":
        return raw
    if correction == "bonferroni":
        return np.minimum(raw * family, 1.0)
    order = np.argsort(raw, kind="stable")
    stepped = np.maximum.accumulate(raw[order] * (family - np.arange(len(raw))))
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def compare(
    frame: pd.DataFrame,
    group: str,
    value: str,
    goal: Goal,
    *,
    best: str | None = None,
    correction: Correction = "bonferroni",
    comparisons: int | None = None,
    paired: bool = False,
    seed: str = "seed",
    alpha: float = 0.05,
) -> tuple[Comparison, ...]:
    """Each group's values against those of the group with the best mean, in the order in which the groups appear.

    best: compare with this group instead of the one with the best mean (ties: the first). comparisons: the size of the
    family where it is not the number of tests made. paired: test the differences between rows of equal `seed`.

    Missing values are left out, and `n` says how many there are. A group with fewer than two values is not tested, and
    neither is any where the best has fewer than two; `differs` is then None and `reason` says why.

    Raises ValueError for a goal of 'none' without `best`, an unknown `best`, alpha outside (0, 1), or a seed that a
    group has twice when paired.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha lies between 0 and 1, not {alpha}")
    groups = {str(name): rows for name, rows in frame.groupby(group, sort=False)}
    samples = {name: rows[value].dropna().to_numpy(np.float64) for name, rows in groups.items()}
    if best is not None and best not in groups:
        raise ValueError(f"no {group} {best!r} to compare with; there are {', '.join(groups) or 'none'}")
    reference = best if best is not None else _best(samples, goal)

    tests: dict[str, TTest] = {}
    reasons = dict.fromkeys(groups, "")
    for name, sample in samples.items():
        if reference is None or name == reference:
            continue
        test: TTest | str
        if paired:
            test = _paired(groups[name], groups[reference], value, seed)
        else:
            test = _unpaired(sample, samples[reference])
        if isinstance(test, str):
            reasons[name] = test
            continue
        tests[name] = test
        if math.isinf(test.statistic):
            reasons[name] = "no spread between seeds: any difference is exact"

    adjusted = dict(zip(tests, adjust([test.p_value for test in tests.values()], correction, comparisons), strict=True))
    rows = []
    for name, sample in samples.items():
        mean, std = mean_and_std(sample)
        rows.append(
            Comparison(
                setting=name,
                n=len(sample),
                planned=len(groups[name]),
                mean=mean,
                std=std,
                p_value=tests[name].p_value if name in tests else math.nan,
                adjusted=float(adjusted.get(name, math.nan)),
                differs=bool(adjusted[name] < alpha) if name in tests else (False if name == reference else None),
                best=name == reference,
                reason=reasons[name] if len(sample) else "no values",
            )
        )
    return tuple(rows)


def describe_test(correction: Correction, *, paired: bool = False, alpha: float = 0.05) -> str:
    """The sentence of a caption that says what bold stands for."""
    test = "t-test on differences paired by seed" if paired else "equal-variance t-test"
    corrections = {
        "bonferroni": "Bonferroni-corrected over the comparisons of a column",
        "holm": "Holm-corrected over the comparisons of a column",
        "none": "not corrected for the number of comparisons",
    }
    details = f"two-sided {test}, α = {alpha:g}, {corrections[correction]}"
    return f"Bold: not significantly different from the best mean ({details})."


def _best(samples: dict[str, Floats], goal: Goal) -> str | None:
    """The first group with the best mean; None where there is no value at all."""
    if goal not in ("minimise", "maximise"):
        raise ValueError(f"the best is what one minimises or maximises; with goal {goal!r}, name it")
    sign = 1.0 if goal == "maximise" else -1.0
    scores = {name: sign * mean_and_std(sample)[0] for name, sample in samples.items() if len(sample)}
    return max(scores, key=scores.__getitem__) if scores else None


def _unpaired(sample: Floats, best: Floats) -> TTest | str:
    """The test, or why there is none."""
    if len(sample) < 2:
        return "not tested: fewer than two values"
    if len(best) < 2:
        return "not tested: the best has fewer than two values"
    return t_test_from_summary(*mean_and_std(sample), len(sample), *mean_and_std(best), len(best))


def _paired(rows: pd.DataFrame, best: pd.DataFrame, value: str, seed: str) -> TTest | str:
    """The test over the seeds that both have, or why there is none."""
    ours, theirs = (_by_seed(each, value, seed) for each in (rows, best))
    differences = np.asarray((ours - theirs).dropna(), dtype=np.float64)
    if len(differences) < 2:
        return "not tested: fewer than two seeds shared with the best"
    return paired_t_test(differences)


def _by_seed(rows: pd.DataFrame, value: str, seed: str) -> pd.Series[float]:
    doubled = rows[seed][rows[seed].duplicated()]
    if len(doubled):
        raise ValueError(f"pairing needs each {seed} once in a group, not {doubled.iloc[0]} twice")
    return rows.set_index(seed)[value].astype(np.float64)
