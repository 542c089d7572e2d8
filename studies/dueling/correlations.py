"""Table 4 of Dueling Decoders: how far one semantic accuracy predicts another, over all models that were trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from results.correlation import fisher_interval
from results.frame import Frame
from results.table import Cell, Heading, Published, Table, summarise
from results.verdict import NOT_COMPARABLE, judged, of_interval
from studies.dueling.captions import comparable, extent, given, reduced, references, status
from studies.dueling.lines import METRICS
from studies.dueling.names import DATA, DATA_SETS, GRID, LINEAR, MLP, ORDER, RECONSTRUCTION
from studies.published import read_published

ALL = Heading(name="all", label="all")
ACCURACIES = (RECONSTRUCTION, LINEAR, MLP)
RATIOS = {  # column: numerator, denominator, heading
    "reconstruction": (RECONSTRUCTION, MLP, "reconstruction / MLP"),
    "linear": (LINEAR, MLP, "linear / MLP"),
}
_FEWEST = 4  # models for which Fisher's interval exists
_ALPHA = 0.05


def table4(frames: Mapping[str, Frame]) -> Table:
    """Squared Pearson correlations of the reconstruction accuracy with the accuracies of classifiers of the latents."""
    present = given(frames, GRID)
    columns = (Heading(name=LINEAR, label="linear"), Heading(name=MLP, label="MLP"))
    rows = _data_sets(present[0])
    cells = {}
    for row in rows:
        trials = present[0].trials[present[0].trials[DATA] == row.name]
        for column in columns:
            cell = _squared_correlation(trials, RECONSTRUCTION, column.name)
            cells[row.name, column.name] = _judged(cell, _published(row.name, column.name), present[0].incomparable)
    return Table(
        name="table4",
        title="How far the accuracy on latents predicts that of reconstructions",
        caption="r² of the semantic reconstruction accuracy and the accuracy of a linear classifier or an MLP on the "
        f"latents, over all trained models of a data set. {references(present)} Published values stand below, with a "
        f"verdict: whether the value lies inside our {100 * (1 - _ALPHA):g} % interval (Fisher's z, as if the models "
        "were independent) widened by half a unit of its last digit.",
        stub="data set",
        columns=columns,
        rows=rows,
        cells=cells,
        coverage=extent(present, ACCURACIES),
        notes=status(frames, GRID),
        reduced=reduced(present),
        comparable=comparable(present),
    )


def table4_ratios(frames: Mapping[str, Frame]) -> Table:
    """Which part of the accuracy of an MLP on the latents reconstructions and a linear classifier keep (Sec. 4.6)."""
    present = given(frames, GRID)
    trials = present[0].trials
    rows = (ALL, *_data_sets(present[0]))
    numbers = read_published("studies.dueling")
    cells = {}
    for name, (over, under, _) in RATIOS.items():
        place = f"{METRICS[over]} / {METRICS[under]}"
        printed = numbers.find("S4.6", "ratio", dataset="all", model="all", config=place)
        for row in rows:
            part = trials if row is ALL else trials[trials[DATA] == row.name]
            cell = _ratio(part, over, under)
            if row is ALL and printed is not None and _is_whole(present[0]):
                cell = judged(replace(cell, published=printed.of_runs(None)), reduced=present[0].incomparable)
            cells[row.name, name] = cell
    return Table(
        name="table4_ratios",
        title="What reconstructions and a linear classifier keep of the accuracy of an MLP",
        caption="Ratio of a model's semantic reconstruction accuracy, and of its linear accuracy on the latents, to "
        f"its MLP accuracy: mean ± standard deviation over all trained models. {references(present)} The published "
        "value stands below, with a verdict: whether it lies inside our 95 % t-interval of the mean (as if the models "
        "were independent) widened by half a unit of its last digit; over how many models it is, the paper does not "
        "say.",
        stub="data sets",
        columns=tuple(Heading(name=name, label=label, unit="%") for name, (_, _, label) in RATIOS.items()),
        rows=rows,
        cells=cells,
        coverage=extent(present, ACCURACIES),
        notes=status(frames, GRID),
        reduced=reduced(present),
        comparable=comparable(present),
    )


def _data_sets(frame: Frame) -> tuple[Heading, ...]:
    """The data sets of a frame, in the order of Table 4."""
    there = set(frame.trials[DATA])
    return tuple(Heading(name=data, label=DATA_SETS[data]) for data in ORDER if data in there)


def _is_whole(frame: Frame) -> bool:
    """Whether the published value over all data sets has a counterpart."""
    return set(frame.trials[DATA]) >= set(ORDER)


def _published(data: str, column: str) -> Published | None:
    numbers = read_published("studies.dueling")
    config = f"x={METRICS[RECONSTRUCTION]};y={METRICS[column]}"
    found = numbers.find("T4", "r2", dataset=data.replace("-", "_"), model="all", config=config)
    return None if found is None else found.of_runs(None)


def _squared_correlation(trials: pd.DataFrame, one: str, other: str) -> Cell:
    """r² over the trials that have both; missing below three or where one of the two does not vary."""
    empty = Cell(planned=len(trials), counted="models", digits=3)
    both = trials.dropna(subset=[one, other])
    if len(both) < 3:
        return replace(empty, note="no correlation of fewer than three models") if len(both) else empty
    x, y = (both[name].to_numpy(np.float64) for name in (one, other))
    if min(np.ptp(x), np.ptp(y)) == 0:
        return replace(empty, note="no correlation where an accuracy does not vary")
    r = float(np.clip(np.corrcoef(x, y)[0, 1], -1, 1))
    return replace(empty, mean=r**2, n=len(both), trials=tuple(both["trial"]))


def _judged(cell: Cell, published: Published | None, cut: str) -> Cell:
    """The cell with the published r², and whether that lies in Fisher's interval of ours."""
    cell = replace(cell, published=published)
    if published is None or cell.missing:
        return cell
    if cut:
        return replace(cell, verdict=NOT_COMPARABLE)
    if cell.n < _FEWEST:
        return replace(cell, verdict="too few models")
    low, high = fisher_interval(math.sqrt(cell.mean), cell.n)
    squares = (0.0 if low < 0 < high else min(low**2, high**2), max(low**2, high**2))
    return replace(cell, verdict=of_interval(*squares, published, alpha=_ALPHA))


def _ratio(trials: pd.DataFrame, over: str, under: str) -> Cell:
    """Mean and standard deviation, in percent, of a ratio over models; those with an accuracy of 0 have none."""
    ratio = 100 * trials[over] / trials[under].where(trials[under] > 0)
    return replace(summarise(trials.assign(ratio=ratio), "ratio", digits=0), counted="models")
