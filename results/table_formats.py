"""Tables written as Markdown and CSV, and the layout that Markdown, HTML and LaTeX share.

All of it is a function of the table alone, so equal tables give equal bytes.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from results.table import Cell, Published, Table

CSV_COLUMNS = (
    "row",
    "column",
    "mean",
    "std",
    "n",
    "planned",
    "mark",
    "p_value",
    "unit",
    "text",
    "published",
    "published_std",
    "published_n",
    "verdict",
    "note",
    "reduced",
    "trials",  # ids, separated by spaces
)

MISSING = "–"
_UNPUBLISHED = ("", "", "")
_SPECIAL = re.compile(r"[\\|*_`<>\[\]#]")  # of Markdown


class Item(NamedTuple):
    """What is printed at one place: the number, its spread, how much of it is there, and the letter of its footnote.

    published, verdict: what stands below the number, of the literature. A tuple, as a large table has 100,000 of them.
    """

    value: str
    spread: str
    coverage: str
    mark: str
    footnote: str
    published: str
    verdict: str
    cell: Cell
    row: str
    column: str


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A table as printed: a header, a label and items for each row, lettered footnotes."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Item, ...]], ...]
    footnotes: tuple[tuple[str, str], ...]


def lay_out(table: Table) -> Layout:
    """Arranges a table for printing."""
    cells = table.cells
    ordered = [[cells[row.name, column.name] for column in table.columns] for row in table.rows]
    notes = list(dict.fromkeys(cell.note for line in ordered for cell in line if cell.note))
    letters = {note: _letter(position) for position, note in enumerate(notes)}
    header = (table.stub, *(column.title for column in table.columns))
    names = [column.name for column in table.columns]
    rows = []
    for row, line in zip(table.rows, ordered, strict=True):
        items = [
            _item(cell, letters[cell.note] if cell.note else "", row.name, name)
            for name, cell in zip(names, line, strict=True)
        ]
        rows.append((row.title, tuple(items)))
    footnotes = tuple((letter, note) for note, letter in letters.items())
    return Layout(header=header, rows=tuple(rows), footnotes=footnotes)


def number(value: float, digits: int) -> str:
    """A number with this many decimals, a proper minus sign, and no negative zero."""
    text = f"{value:.{digits}f}"
    if text[0].isdigit():
        return text
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")


def _item(cell: Cell, footnote: str, row: str, column: str) -> Item:
    value, spread, coverage = cell.text, "", ""
    if cell.missing:
        value = MISSING
        coverage = f"(0/{cell.planned})" if cell.planned else ""
    else:
        if not cell.text:
            value = number(cell.mean, cell.digits)
            spread = "" if math.isnan(cell.std) else f"± {number(cell.std, cell.digits)}"
        if cell.partial:
            coverage = f"({cell.n}/{cell.planned} {cell.counted})"
    return Item(
        value=value,
        spread=spread,
        coverage=coverage,
        mark=cell.mark,
        footnote=footnote,
        published="" if cell.published is None else _published(cell.published, cell.digits),
        verdict=cell.verdict,
        cell=cell,
        row=row,
        column=column,
    )


def _published(published: Published, digits: int) -> str:
    digits = digits if published.digits is None else published.digits
    return number(published.value, digits) + (
        "" if math.isnan(published.std) else f" ± {number(published.std, digits)}"
    )


def _letter(position: int) -> str:
    """a, b, …, z, aa, ab, …"""
    text = ""
    while position >= 0:
        position, remainder = divmod(position, 26)
        text = string.ascii_lowercase[remainder] + text
        position -= 1
    return text


def markdown(table: Table) -> str:
    """A Markdown section: heading, legend, table, notes. Published numbers and verdicts have lines of their own."""
    layout = table.layout
    grid = [[_escape_markdown(text) for text in layout.header]]
    for label, items in layout.rows:
        grid.append([_escape_markdown(label), *(_markdown_item(item) for item in items)])
        for name in ("published", "verdict"):
            below = [getattr(item, name) for item in items]
            if any(below):
                grid.append([f"↳ {name}", *map(_escape_markdown, below)])
    widths = [max(3, *(len(line[place]) for line in grid)) for place in range(len(layout.header))]
    lines = [f"### {_escape_markdown(table.title)}", "", _escape_markdown(table.legend), ""]
    header, *body = (_padded(line, widths) for line in grid)
    ruler = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines += [header, _padded(ruler, widths), *body]
    if not layout.rows:
        lines += ["", "*No rows: there is nothing to show.*"]
    notes = [f"[{letter}] {_escape_markdown(note)}" for letter, note in layout.footnotes]
    notes += [_escape_markdown(note) for note in table.notes]
    if notes:
        lines += ["", *(f"- {note}" for note in notes)]
    return "\n".join(lines) + "\n"


def _padded(line: Sequence[str], widths: Sequence[int]) -> str:
    texts = [text.rjust(width) for text, width in zip(line, widths, strict=True)]
    texts[0] = line[0].ljust(widths[0])
    return "| " + " | ".join(texts) + " |"


def _markdown_item(item: Item) -> str:
    value = _escape_markdown(f"{item.value} {item.spread}".strip())
    if item.mark == "bold" and value:
        value = f"**{value}**"
    if not item.coverage and not item.footnote:
        return value
    footnote = f"[{item.footnote}]" if item.footnote else ""
    return " ".join(part for part in (value, item.coverage, footnote) if part)


def _escape_markdown(text: str) -> str:
    return " ".join(_SPECIAL.sub(r"\\\g<0>", text).split())


def csv_text(table: Table) -> str:
    """One line a cell in the order of the table, columns `CSV_COLUMNS`; missing numbers are empty fields.

    Floats are written by `repr`, so reading them gives the same bits; names are those of rows and columns, not labels.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    places = itertools.product(table.rows, [(column.name, column.unit) for column in table.columns])
    writer.writerows(
        (
            row.name,
            column,
            _exact(cell.mean),
            _exact(cell.std),
            cell.n,
            cell.planned,
            cell.mark,
            _exact(cell.p_value),
            unit,
            cell.text,
            *(_UNPUBLISHED if cell.published is None else _exactly(cell.published)),
            cell.verdict,
            cell.note,
            table.reduced,
            " ".join(cell.trials),
        )
        for row, (column, unit) in places
        for cell in (table.cells[row.name, column],)
    )
    return buffer.getvalue()


def _exactly(published: Published) -> tuple[str, str, object]:
    return _exact(published.value), _exact(published.std), "" if published.n is None else published.n


def _exact(value: float) -> str:
    return repr(float(value)) if value == value else ""
