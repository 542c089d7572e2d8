"""Tables written as semantic HTML, each number with the ids of the trials behind it."""

from __future__ import annotations

import functools
import html
import math
import re
from typing import TYPE_CHECKING

from results.table_formats import Item

if TYPE_CHECKING:
    from results.table import Cell, Table


_SPECIAL = re.compile("[&<>\"']")


def html_text(table: Table) -> str:
    """A `<figure>` with the table, to be styled by the page that holds it. Classes:

    results-table: the figure, with id `table-NAME`; table-title, table-legend, table-reduced: parts of the caption.
    value: the cells. A value has its trials' ids in `data-trials`, its row and column in
    `data-row` and `data-column`, the numbers in full in `title`; it is also `bold`, `missing` or `partial` where that
    holds.
    spread, coverage, footnote: the parts of a value after its mean; published, verdict: lines below it, the latter
        with its first word as another class; table-notes: the list below the table.
    """
    layout = table.layout
    quote = html.escape
    reduced = " table-reduced" if table.reduced else ""
    lines = [
        f'<figure class="results-table{reduced}" id="table-{quote(table.name)}">',
        "<table>",
        f'<caption><strong class="table-title">{quote(table.title)}</strong> '
        f'<span class="table-legend">{quote(table.legend)}</span></caption>',
        "<thead><tr>" + "".join(f'<th scope="col">{quote(text)}</th>' for text in layout.header) + "</tr></thead>",
        "<tbody>",
    ]
    for label, items in layout.rows:
        cells = "".join(_html_item(item) for item in items)
        lines.append(f'<tr><th scope="row">{quote(label)}</th>{cells}</tr>')
    if not layout.rows:
        empty = "No rows: there is nothing to show."
        lines.append(f'<tr><td class="missing" colspan="{len(layout.header)}">{empty}</td></tr>')
    lines += ["</tbody>", "</table>"]
    notes = [f"<li><sup>{letter}</sup> {quote(note)}</li>" for letter, note in layout.footnotes]
    notes += [f"<li>{quote(note)}</li>" for note in table.notes]
    if notes:
        lines += ['<ul class="table-notes">', *notes, "</ul>"]
    return "\n".join([*lines, "</figure>"]) + "\n"


def _html_item(item: Item) -> str:
    cell = item.cell
    classes = ["value"]
    if cell.mark == "bold":
        classes.append("bold")
    if cell.missing:
        classes.append("missing")
    elif cell.partial:
        classes.append("partial")
    parts = [_escaped(item.value)]
    if item.spread:
        parts.append(f'<span class="spread">{_escaped(item.spread)}</span>')
    inner = " ".join(parts)
    if cell.mark == "bold":
        inner = f"<strong>{inner}</strong>"
    if item.coverage:
        inner += f' <span class="coverage">{_escaped(item.coverage)}</span>'
    if item.footnote:
        inner += f'<sup class="footnote">{item.footnote}</sup>'
    if item.published:
        inner += f' <span class="published">published {_escaped(item.published)}</span>'
    if item.verdict:
        word = item.verdict.partition(" ")[0]
        inner += f' <span class="verdict {_escaped(word)}">{_escaped(item.verdict)}</span>'
    named = f'data-row="{_escaped_name(item.row)}" data-column="{_escaped_name(item.column)}"'
    more = f'data-trials="{_escaped(" ".join(cell.trials))}" title="{_escaped(_tooltip(cell))}"'
    return f'<td class="{" ".join(classes)}" {named} {more}>{inner}</td>'


def _escaped(text: str) -> str:
    return html.escape(text) if _SPECIAL.search(text) else text


_escaped_name = functools.lru_cache(maxsize=4096)(_escaped)  # of rows and columns: each is at many cells


def _tooltip(cell: Cell) -> str:
    parts = [] if math.isnan(cell.mean) else [f"mean {cell.mean:.6g}"]
    if not math.isnan(cell.std):
        parts.append(f"std {cell.std:.6g}")
    parts.append(f"n = {cell.n} of {cell.planned}")
    if not math.isnan(cell.p_value):
        parts.append(f"p = {cell.p_value:.3g}")
    if cell.note:
        parts.append(cell.note)
    return "; ".join(parts)
