"""Tables: rows of cells, each a mean over seeds that knows how complete it is and which trials stand behind it.

A table is data; `results.table_formats`, `table_html` and `table_latex` write it down. Nothing is dropped: a table has
a cell for every row and column, a cell without values is shown as missing, one with some of its seeds says how many.
"""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from results import table_formats, table_html, table_latex
from results.files import StoreError
from results.frame import Frame
from results.quantity import Goal
from results.significance import mean_and_std

Mark = Literal["bold", "plain"]


class NoSuchCell(StoreError):
    """A row or column that a table does not have; the message names the nearest."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """A published number to stand beside ours.

    std, n: its standard deviation and number of runs, where stated. digits: decimals with which it is printed, so that
    it is known to half a unit of the last; by default those of our cell.
    """

    value: float
    std: float = math.nan
    n: int | None = None
    digits: int | None = None

    @classmethod
    def printed(cls, value: str, std: str = "", n: int | None = None) -> Published:
        """A number as it is printed: "0.90" has two decimals."""
        return cls(value=float(value), std=float(std) if std else math.nan, n=n, digits=len(value.partition(".")[2]))


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One number of a table and where it comes from.

    mean, std: over `n` of `planned` trials, std with ddof = 1, NaN where there is none; in the column's unit.
    counted: what these are, as printed where some are missing: the seeds of a setting, or models.
    mark: 'bold' as the caption explains it; p_value: of the test behind the mark, corrected, NaN where there is none.
    published, verdict: the number of a paper, and how ours compares with it.
    trials: ids of the trials behind the number, and values: theirs in the same order, where they are known.
    note: shown as a footnote; digits: decimals shown.
    text: shown in place of the number, in a column of words.
    """

    mean: float = math.nan
    std: float = math.nan
    n: int = 0
    planned: int = 0
    counted: str = "seeds"
    mark: Mark = "plain"
    p_value: float = math.nan
    published: Published | None = None
    verdict: str = ""
    trials: tuple[str, ...] = ()
    values: tuple[float, ...] = ()
    note: str = ""
    digits: int = 2
    text: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.n <= self.planned:
            raise ValueError(f"a cell has between 0 and all of its {self.planned} planned trials, not {self.n}")
        if math.isnan(self.mean) and self.n and not self.text:
            raise ValueError(f"a cell of {self.n} trials has a mean")
        if self.values and len(self.values) != len(self.trials):
            raise ValueError(f"a cell has one value for each of its {len(self.trials)} trials, not {len(self.values)}")

    @property
    def missing(self) -> bool:
        """Whether there is nothing to show."""
        return self.n == 0 and not self.text

    @property
    def partial(self) -> bool:
        """Whether some of its planned trials have a value and some have not."""
        return 0 < self.n < self.planned


@dataclass(frozen=True, kw_only=True)
class Heading:
    """A row or a column: `name` as in CSV files and on the command line, `label` as printed, unit and goal if any."""

    name: str
    label: str = ""
    unit: str = ""
    goal: Goal = "none"

    @property
    def title(self) -> str:
        """Label, unit and an arrow for which way is better; fractions and counts go without unit."""
        unit = f" ({self.unit})" if self.unit not in ("", "fraction", "count") else ""
        arrow = {"minimise": " ↓", "maximise": " ↑", "none": ""}[self.goal]
        return f"{self.label or self.name}{unit}{arrow}"


@dataclass(frozen=True, kw_only=True)
class Table:
    """A titled grid of cells.

    caption: what the numbers are, which test was made and what bold means; selection: the rule that chose what is
        shown.
    columns, rows: headings, in order; stub: heading of the column of row labels.
    cells: by (row name, column name), one for each pair.
    coverage: (present, planned) trials of the studies behind the table; notes: shown below it.
    reduced: how the study was reduced; where not empty, the legend says that nothing is comparable with published
        numbers, unless it is `comparable` all the same.
    """

    name: str
    title: str
    caption: str
    columns: tuple[Heading, ...]
    rows: tuple[Heading, ...]
    cells: Mapping[tuple[str, str], Cell]
    coverage: tuple[int, int]
    stub: str = ""
    notes: tuple[str, ...] = ()
    selection: str = ""
    reduced: str = ""
    comparable: bool = False

    def __post_init__(self) -> None:
        for what, headings in (("row", self.rows), ("column", self.columns)):
            names = [heading.name for heading in headings]
            if len(set(names)) < len(names):
                raise ValueError(f"table {self.name} has a {what} twice: {', '.join(names)}")
        expected = {(row.name, column.name) for row in self.rows for column in self.columns}
        if expected != set(self.cells):
            wrong = sorted(expected.symmetric_difference(self.cells))
            raise ValueError(f"table {self.name} needs one cell for each row and column; see {wrong[0]}")

    def cell(self, row: str, column: str) -> Cell:
        """The cell at a row and a column, each by name or label, capitals and spaces aside.

        Raises NoSuchCell with the nearest name.
        """
        at_row, at_column = self.headings(row, column)
        return self.cells[at_row.name, at_column.name]

    def headings(self, row: str, column: str) -> tuple[Heading, Heading]:
        """The row and the column that `cell` finds."""
        at_row = _find(self.rows, row, f"table {self.name} has no row")
        at_column = _find(self.columns, column, f"table {self.name} has no column")
        return at_row, at_column

    @functools.cached_property
    def layout(self) -> table_formats.Layout:
        """This table arranged for printing, in whatever format."""
        return table_formats.lay_out(self)

    @property
    def legend(self) -> str:
        """The whole caption: what is shown, how it was chosen, how complete it is, whether it is reduced."""
        present, planned = self.coverage
        if planned == 0:
            coverage = "No trials are planned."
        elif all(cell.missing for cell in self.cells.values()):
            coverage = f"No results yet: 0 of {planned} planned trials."
        elif present < planned:
            coverage = f"{present} of {planned} planned trials have all of these values."
        else:
            coverage = f"All {planned} planned trials."
        selection = f"Shown: {self.selection}." if self.selection else ""
        reduced = f"Reduced study ({self.reduced}): not comparable with published numbers."
        if self.comparable or not self.reduced:
            reduced = f"A part of the study: {self.reduced}." if self.reduced else ""
        return " ".join(part for part in (self.caption, selection, coverage, reduced) if part)

    def markdown(self) -> str:
        """A GitHub-flavoured Markdown section, padded to read well as plain text."""
        return self._markdown

    @functools.cached_property
    def _markdown(self) -> str:
        return table_formats.markdown(self)

    def latex(self) -> str:
        """A LaTeX table environment; the document needs the package booktabs."""
        return table_latex.latex(self)

    def csv(self) -> str:
        """One line a cell, every float exact (`repr`), for machines: see `results.table_formats.CSV_COLUMNS`."""
        return table_formats.csv_text(self)

    def html(self) -> str:
        """A fragment of semantic HTML: see `results.table_html` for its classes."""
        return table_html.html_text(self)


def summarise(rows: pd.DataFrame, column: str, *, digits: int = 2) -> Cell:
    """The cell of one setting: mean and standard deviation of a column over the setting's planned trials.

    rows: one for each planned trial, with a column `trial`. Trials without a value count as planned only, also where
    the frame has no such column at all.
    """
    if column not in rows.columns:
        return Cell(planned=len(rows), digits=digits)
    present = rows[rows[column].notna()]
    values = present[column].to_numpy(np.float64)
    mean, std = mean_and_std(values)
    return Cell(
        mean=mean,
        std=std,
        n=len(present),
        planned=len(rows),
        trials=tuple(present["trial"]),
        values=tuple(values.tolist()),
        digits=digits,
    )


def coverage(frame: Frame, columns: Sequence[str]) -> tuple[int, int]:
    """(present, planned): trials that have a value in every one of these columns, and all trials of the study."""
    trials = frame.trials
    if any(column not in trials.columns for column in columns):
        return 0, len(trials)
    return int(trials[list(columns)].notna().all(axis=1).sum()), len(trials)


def describe_status(frame: Frame) -> tuple[str, ...]:
    """A note on how many trials completed, diverged and failed; none where all completed."""
    counts = frame.coverage
    return (f"{frame.study}: {counts}.",) if counts.completed < counts.planned else ()


def _find(headings: Sequence[Heading], word: str, complaint: str) -> Heading:
    known = {heading.label: heading for heading in headings if heading.label}
    known |= {heading.name: heading for heading in headings}
    if word in known:
        return known[word]
    plain = {_plain(spelling): heading for spelling, heading in known.items()}
    if _plain(word) in plain:
        return plain[_plain(word)]
    close = difflib.get_close_matches(_plain(word), plain, n=3, cutoff=0.5)
    names = [heading.name for heading in headings]
    if close:
        hint = f"did you mean {' or '.join(dict.fromkeys(plain[match].name for match in close))}?"
    else:
        hint = f"there are {', '.join(names)}" if names else "it has none"
    raise NoSuchCell(f"{complaint} {word!r}; {hint}")


def _plain(word: str) -> str:
    return "".join(word.casefold().split())
