"""The table of a study that has none of its own: every setting by every number that was measured."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from results.frame import Frame
from results.quantity import Quantity
from results.significance import means_and_stds
from results.table import Cell, Heading, Table, coverage, describe_status

DIGITS = 4  # significant, of the largest value of a column
_EXACT, _READABLE = ".9g", ".4g"  # a specification's numbers have 9 significant digits


def settings_table(frame: Frame, name: str) -> Table:
    """Settings by quantities: mean ± standard deviation over seeds. Nothing is tested, so nothing is bold.

    Of a study that measures no number, one column says which trials have finished.
    """
    numbers = [quantity for quantity in frame.quantities if quantity.form == "number"]
    rows = setting_headings(frame)
    columns = tuple(Heading(name=one.name, label=one.label, unit=one.unit, goal=one.goal) for one in numbers)
    cells = _measured(frame, rows, numbers) if numbers else _finished(frame, rows)
    return Table(
        name=name,
        title=f"All settings of {frame.study}",
        caption="Mean ± standard deviation over seeds (ddof = 1) where there are several. Nothing was tested.",
        stub="setting",
        columns=columns or (Heading(name="finished", label="finished trials"),),
        rows=tuple(rows.values()),
        cells=cells,
        coverage=coverage(frame, [one.name for one in numbers]) if numbers else _coverage(frame),
        notes=describe_status(frame),
        reduced=frame.reduced,
        comparable=frame.comparable,
    )


def axis_titles(axes: Iterable[str]) -> dict[str, str]:
    """How an axis is headed: the shortest end of its path that no other axis has, as in `beta[0]`."""
    split = {axis: axis.split(".") for axis in axes}
    titles = {}
    for axis, parts in split.items():
        for length in range(1, len(parts) + 1):
            end = parts[-length:]
            if sum(other[-length:] == end for other in split.values()) == 1:
                break
        titles[axis] = ".".join(end)
    return titles


def setting_headings(frame: Frame) -> dict[str, Heading]:
    """setting -> its heading: the values of the axes, exact in the name and readable in the label."""
    first = frame.trials.drop_duplicates("setting")
    titles = axis_titles(frame.axes)
    values = {axis: first[axis].tolist() for axis in titles}
    names = [_written({axis: column[row] for axis, column in values.items()}, _EXACT) for row in range(len(first))]
    labels = [
        _written({titles[axis]: column[row] for axis, column in values.items()}, _READABLE) for row in range(len(first))
    ]
    settings = [str(setting) for setting in first["setting"]]
    if len(set(names)) < len(names):  # axes that are written alike: the identity tells settings apart
        names = [f"{name}, setting={setting}" for name, setting in zip(names, settings, strict=True)]
    if len(set(labels)) < len(labels):
        labels = names
    return {
        setting: Heading(name=name, label=label) for setting, name, label in zip(settings, names, labels, strict=True)
    }


def _written(values: Mapping[str, Any], number: str) -> str:
    """Axes and values in a line; without the axes that a setting does not have."""
    parts = [
        f"{axis}={value:{number}}" if isinstance(value, float) else f"{axis}={value}"
        for axis, value in values.items()
        if value is not None and value == value
    ]
    return ", ".join(parts) or "base"


def _measured(frame: Frame, rows: Mapping[str, Heading], quantities: Sequence[Quantity]) -> dict[tuple[str, str], Cell]:
    identities = frame.trials["trial"].tolist()
    places_of = frame.trials.groupby("setting", sort=False).indices
    members = [np.asarray(places_of[setting], dtype=np.int64) for setting in rows]
    names = [heading.name for heading in rows.values()]
    behind = [tuple(identities[place] for place in places) for places in members]
    order = np.concatenate([np.zeros(0, dtype=np.int64), *members])
    sizes = [len(places) for places in members]
    owner = np.repeat(np.arange(len(members)), sizes)
    ends = np.cumsum(sizes).tolist()
    cells = {}
    for quantity in quantities:
        values = frame.trials[quantity.name].to_numpy(np.float64)
        digits = decimals(values)
        there = ~np.isnan(values[order])
        counts = np.bincount(owner[there], minlength=len(members)).tolist()
        numbers, column = values[order].tolist(), quantity.name
        rows_of = zip(names, behind, sizes, ends, counts, means_and_stds(values, members), strict=True)
        for name, trials, size, end, count, (mean, std) in rows_of:
            measured = tuple(numbers[end - size : end])
            if count < size:
                found = there[end - size : end].tolist()
                trials, measured = (tuple(itertools.compress(each, found)) for each in (trials, measured))
            cells[name, column] = Cell(
                mean=mean, std=std, n=count, planned=size, trials=trials, values=measured, digits=digits
            )
    return cells


def decimals(values: np.ndarray) -> int:
    """Decimals that give the largest of these values four significant digits."""
    finite = np.abs(values[np.isfinite(values)])
    largest = float(finite.max()) if len(finite) else 0.0
    if largest == 0.0:
        return DIGITS - 1
    return min(9, max(0, DIGITS - 1 - math.floor(math.log10(largest))))


def _finished(frame: Frame, rows: Mapping[str, Heading]) -> dict[tuple[str, str], Cell]:
    done = _is_finished(frame.trials)
    cells = {}
    for setting, heading in rows.items():
        planned = frame.trials["setting"] == setting
        trials = tuple(frame.trials.loc[planned & done, "trial"])
        text = f"{len(trials)} of {int(planned.sum())}" if trials else ""
        cells[heading.name, "finished"] = Cell(n=len(trials), planned=int(planned.sum()), trials=trials, text=text)
    return cells


def _is_finished(trials: pd.DataFrame) -> pd.Series[bool]:
    return trials["status"].isin(["completed", "diverged"])


def _coverage(frame: Frame) -> tuple[int, int]:
    return frame.coverage.finished, frame.coverage.planned
