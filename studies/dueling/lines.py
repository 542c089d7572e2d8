"""Lines: a row of a table of Dueling Decoders, which setting it shows, and how its cells are made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from results.frame import Frame
from results.selection import Selection, SelectionRule
from results.significance import Correction, compare
from results.table import Cell, Heading, Published, summarise
from results.verdict import judged
from studies.dueling.names import LABEL_DISTORTION, LINEAR, LOW_RATE, LOW_RATE_BEST, MLP, RECONSTRUCTION, SUPERVISED

RUNS = 3  # behind each published mean: "of three random initializations" (Tables 1, 8), and taken so for Tables 2, 3
NONE_LOW = f"no setting < {LOW_RATE:g} nats"

# How the file of published numbers calls what we measure.
METRICS = {
    "negative_elbo": "elbo_neg",
    "distortion": "distortion",
    "rate": "rate",
    MLP: "latent_acc_mlp",
    LABEL_DISTORTION: "label_distortion_mlp",
    LINEAR: "latent_acc_linear",
    RECONSTRUCTION: "recon_acc",
    SUPERVISED: "supervised_acc_on_target",
}
DECIMALS = {"negative_elbo": 1, "distortion": 1}  # as the paper prints them; 2 of everything else

COLUMNS = {
    heading.name: heading
    for heading in (
        Heading(name="negative_elbo", label="−ELBO", unit="nats", goal="minimise"),
        Heading(name="distortion", label="distortion", unit="nats"),
        Heading(name="rate", label="rate", unit="nats"),
        Heading(name=MLP, label="latent accuracy, MLP", unit="fraction", goal="maximise"),
        Heading(name=LABEL_DISTORTION, label="label distortion, MLP", unit="nats", goal="minimise"),
        Heading(name=LINEAR, label="latent accuracy, linear", unit="fraction", goal="maximise"),
        Heading(name=RECONSTRUCTION, label="reconstruction accuracy", unit="fraction", goal="maximise"),
        Heading(name=SUPERVISED, label="supervised accuracy on target", unit="fraction", goal="maximise"),
    )
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """A row and the trials of the setting that it shows.

    trials: planned trials of the setting, none where no setting was chosen; then `nothing` says why as a verdict, where
    there are results. planned: trials that a setting has. note: on the choice. reduced: how the study was cut down
    where that makes it incomparable. settings: among how many it was chosen.
    published: the paper's numbers, by column.
    """

    heading: Heading
    trials: pd.DataFrame
    planned: int
    nothing: str = ""
    settings: int = 0
    note: str = ""
    reduced: str = ""
    published: Mapping[str, Published] = field(default_factory=dict)


def choose(
    heading: Heading,
    frame: Frame,
    mask: npt.NDArray[np.bool_] | pd.Series[bool],
    published: Mapping[str, Published],
    rules: Sequence[SelectionRule] = (LOW_RATE_BEST,),
    label: str = "",
) -> Line:
    """The line of what the first of the rules that chooses anything chooses among some trials of a study.

    label: a column that names what was chosen, for the note.
    """
    part = frame.subset(np.asarray(mask, dtype=np.bool_), "")
    selection = rules[0].select(part)
    for rule in rules[1:]:
        if selection.id is None:
            selection = rule.select(part)
    sizes = part.trials.groupby("setting", sort=False).size()
    measured = bool(selection.measured)
    trials = with_negative_elbo(part.trials[part.trials["setting"] == selection.id])
    return Line(
        heading=heading,
        trials=trials,
        planned=int(sizes.max()) if len(sizes) else 0,
        settings=len(sizes),
        nothing=NONE_LOW if selection.id is None and measured else "",
        note=_note(selection, str(trials[label].iloc[0]) if label and len(trials) else ""),
        reduced=frame.incomparable,
        published=published,
    )


def _note(selection: Selection, label: str) -> str:
    """What was chosen out of how many, where that is not the plain case; why nothing was."""
    if selection.id is None:
        return selection.reason
    if selection.measured < selection.considered:
        among = f"the best of the {selection.measured} settings measured of {selection.considered}"
    elif label and selection.considered > 1:
        among = f"{selection.rule}, of {selection.considered}"
    else:
        return ""
    return f"{label}: {among}" if label else among


def with_negative_elbo(trials: pd.DataFrame) -> pd.DataFrame:
    """−ELBO = D + R, the column that the paper calls ELBO."""
    return trials.assign(negative_elbo=-trials["elbo"]) if "elbo" in trials else trials


def measured_cell(line: Line, column: str) -> Cell:
    """Mean ± standard deviation over the seeds of a line's setting, the published value and the verdict."""
    digits = DECIMALS.get(column, 2)
    cell = Cell(planned=line.planned, digits=digits)
    if len(line.trials):
        cell = summarise(line.trials, column, digits=digits)
    published = line.published.get(column)
    if published is None:
        return cell
    cell = replace(cell, published=published, verdict=line.nothing)
    return judged(cell, reduced=line.reduced)


def shared_cell(line: Line, column: str) -> Cell:
    """What is measured once for all seeds of a setting: one value, without a spread."""
    cell = measured_cell(line, column)
    if not cell.missing:
        cell = replace(cell, std=math.nan, n=1, planned=1)
    return judged(cell, reduced=line.reduced)


def axis_cell(line: Line, axis: str, digits: int) -> Cell:
    """The value of an axis at the setting of a line, and the paper's; λ is 0 where there is no auxiliary decoder."""
    published = line.published.get(axis)
    if line.trials.empty:
        return Cell(published=published, digits=digits)
    value = line.trials[axis].iloc[0] if axis in line.trials else None
    count = len(line.trials)
    return Cell(
        mean=0.0 if value is None or pd.isna(value) else float(value),
        n=count,
        planned=count,
        trials=tuple(line.trials["trial"]),
        published=published,
        digits=digits,
    )


def noted(cells: dict[tuple[str, str], Cell], lines: Sequence[Line], column: str) -> dict[tuple[str, str], Cell]:
    """The cells with the notes of the lines at one column."""
    notes = {(line.heading.name, column): line.note for line in lines if line.note}
    return cells | {place: replace(cells[place], note=note) for place, note in notes.items()}


def marked(
    cells: dict[tuple[str, str], Cell],
    lines: Sequence[Line],
    columns: Sequence[Heading],
    comparisons: int,
    correction: Correction,
    paired: bool,
    alpha: float,
) -> dict[tuple[str, str], Cell]:
    """The cells of some lines with bold for what does not differ from the best of them, column by column.

    comparisons: the n of the paper's Bonferroni correction. Where no test could be made, nothing is bold.
    """
    parts = [line.trials.assign(row=line.heading.name) for line in lines if len(line.trials)]
    if not parts:
        return cells
    trials = pd.concat(parts, ignore_index=True)
    result = dict(cells)
    for column in columns:
        if column.name not in trials or trials[column.name].isna().all():
            continue
        tests = compare(
            trials,
            "row",
            column.name,
            column.goal,
            correction=correction,
            comparisons=comparisons,
            paired=paired,
            alpha=alpha,
        )
        tested = any(not math.isnan(test.p_value) for test in tests)
        for test in tests:
            place = test.setting, column.name
            result[place] = replace(
                result[place],
                mark="bold" if tested and test.differs is False else "plain",
                p_value=test.adjusted,
                note=test.reason if test.n else "",
            )
    return result
