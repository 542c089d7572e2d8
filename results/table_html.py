"""Tables written as semantic HTML, each number with the ids of the trials behind it."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING

from results.table_formats import Item, lay_out

if TYPE_CHECKING:
    from results.table import Cell, Table


def html_text(table: Table) -> str:
    """A `<figure>` with the table, to be styled by the page that holds it. Classes:

    results-table: the figure, with id `table-NAME`; table-title, table-legend, table-reduced: parts of the caption.
    value: the cells. A value has its trials' ids in `data-trials`, its row and column in
    `data-row` and `data-column`, the numbers in full in `title`; it is also `bold`, `missing` or `partial` where that
    holds.
    spread, coverage, footnote: the parts of a value after its mean; published, verdict: lines below it, the latter
        with its first word as another class; table-notes: the list below the table.
    """
    layout = lay_out(table)
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
    parts = [html.escape(item.value)]
    if item.spread:
        parts.append(f'<span class="spread">{html.escape(item.spread)}</span>')
    inner = " ".join(parts)
    if cell.mark == "bold":
        inner = f"<strong>{inner}</strong>"
    if item.coverage:
        inner += f' <span class="coverage">{html.escape(item.coverage)}</span>'
    if item.footnote:
        inner += f'<sup class="footnote">{item.footnote}</sup>'
    if item.published:
        inner += f' <span class="published">published {html.escape(item.published)}</span>'
    if item.verdict:
        word = item.verdict.partition(" ")[0]
        inner += f' <span class="verdict {html.escape(word)}">{html.escape(item.verdict)}</span>'
    attributes = {
        "class": " ".join(classes),
        "data-row": item.row,
        "data-column": item.column,
        "data-trials": " ".join(cell.trials),
        "title": _tooltip(cell),
    }
    written = " ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items())
    return f"<td {written}>{inner}</td>"


def _tooltip(cell: Cell) -> str:
    parts = [f"{name} {value:.6g}" for name, value in (("mean", cell.mean), ("std", cell.std)) if not math.isnan(value)]
    parts.append(f"n = {cell.n} of {cell.planned}")
    if not math.isnan(cell.p_value):
        parts.append(f"p = {cell.p_value:.3g}")
    if cell.note:
        parts.append(cell.note)
    return "; ".join(parts)
