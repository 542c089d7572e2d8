"""Tables written as LaTeX with booktabs, in characters that pdflatex can set."""

from __future__ import annotations

import functools
import itertools
import re
import textwrap
import unicodedata
from typing import TYPE_CHECKING

from results.table_formats import Item, Layout

if TYPE_CHECKING:
    from results.table import Table

_TEXT = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    '"': "''",  # a straight quote is another glyph in LaTeX's default font encoding
    "[": "{[}",  # at the head of a row it would be an argument of the line break before it
    "*": "{*}",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "\u00a0": "~",
}

_MATH = {
    "<": "<",
    ">": ">",
    "|": "|",
    "−": "-",
    "±": r"\pm",
    "×": r"\times",
    "·": r"\cdot",
    "≤": r"\leq",
    "≥": r"\geq",
    "≠": r"\neq",
    "≈": r"\approx",
    "∞": r"\infty",
    "→": r"\to",
    "←": r"\leftarrow",
    "↑": r"\uparrow",
    "↓": r"\downarrow",
    "∈": r"\in",
    "√": r"\surd",
    "∂": r"\partial",
    "‖": r"\|",
    "ε": r"\varepsilon",
    "ς": r"\varsigma",
    "ο": "o",
}

# A run of characters of which some are none that stand for themselves; in a group, so that a split keeps it.
_SPECIAL = re.compile(r"([^A-Za-z0-9 .,:;()/=+'!?@-]+)")

# Columns, and characters in a row, above which the type is smaller and the table may reach into both margins.
_LARGE, _WIDE = 5, 90
_TINY = r"\tiny "
_LONG = 2_400  # characters of notes above which they and the caption are set smaller still, to fit the page
_HEADING = 16  # characters of a heading in a line of a large table
# Grey needs the package xcolor; in a document without it, what is grey is printed like the rest.
_GREY = r"\providecommand{\textcolor}[3][]{#3}"


def latex(table: Table) -> str:
    """A `table` environment; the trials behind each number follow as comments.

    Published numbers and verdicts have lines of their own, grey where the document loads xcolor.
    """
    layout = table.layout
    places = len(layout.header)
    compared = any(item.published or item.verdict for _, items in layout.rows for item in items)
    large = places > _LARGE or _width(layout) > _WIDE
    dense = large and compared  # three lines a row: the page must be used well
    notes = [rf"\textsuperscript{{{letter}}}~{escape(note)}" for letter, note in layout.footnotes]
    notes += [escape(note) for note in table.notes]
    long = sum(map(len, notes)) > _LONG
    small = r"\footnotesize " if dense or long else ""
    lines = [
        r"\begin{table}[htbp]",
        r"\centering",
        *([_GREY] if compared else []),
        rf"\caption{{{small}\textbf{{{escape(table.title)}.}} {escape(table.legend)}}}",
        rf"\label{{tab:{_label(table.name)}}}",
        r"\medskip",  # article sets a caption for a place below: above a table it would touch the rule
    ]
    if dense:
        lines.append(r"\renewcommand{\arraystretch}{0.82}")
    if large:
        lines += [r"\scriptsize", r"\setlength{\tabcolsep}{3pt}", r"\makebox[\linewidth][c]{%"]
    lines += [
        rf"\begin{{tabular}}{{l{'r' * (places - 1)}}}",
        r"\toprule",
        " & ".join(_header(text, large) for text in layout.header) + r" \\",
        r"\midrule",
    ]
    for place, (label, items) in enumerate(layout.rows):
        if large and place:
            lines.append(r"\addlinespace[1pt]" if dense else r"\addlinespace")
        lines.append(" & ".join([escape(label), *(_item(item, large, compared) for item in items)]) + r" \\")
        for name in ("published", "verdict"):
            below = [escape(getattr(item, name)) for item in items]
            if any(below):
                lines.append(" & ".join(_grey(text, large) for text in (rf"\quad {name}", *below)) + r" \\")
    if not layout.rows:
        lines.append(rf"\multicolumn{{{places}}}{{l}}{{No rows: there is nothing to show.}} \\")
    lines += [r"\bottomrule", r"\end{tabular}}" if large else r"\end{tabular}"]
    if notes:
        size = r"\tiny" if long else r"\scriptsize" if dense else r"\footnotesize"
        lines += [r"\par\medskip", rf"\begin{{minipage}}{{\linewidth}}{size}\raggedright"]
        lines += [" \\par\n".join(notes), r"\end{minipage}"]
    lines.append(r"\end{table}")
    for _, items in layout.rows:
        for item in items:
            if item.cell.trials:
                lines.append(f"% {' '.join(f'{item.row}:{item.column}'.split())} = {' '.join(item.cell.trials)}")
    return "\n".join(lines) + "\n"


def _width(layout: Layout) -> int:
    """Characters of the widest entry of each column, added up."""
    rows = [[label, *(max(_lines(item), key=len) for item in items)] for label, items in layout.rows]
    return sum(max(map(len, column)) for column in zip(layout.header, *rows, strict=True))


def _lines(item: Item) -> tuple[str, str, str]:
    return f"{item.value} {item.spread} {item.coverage}".strip(), item.published, item.verdict


def escape(text: str) -> str:
    """Text as LaTeX source: special characters escaped, Greek letters and symbols in mathematics.

    Letters with accents stay as they are, for LaTeX's default UTF-8 input; other scripts need another engine.
    """
    # Most of a table are digits, and most of the rest the same few signs again.
    parts = _SPECIAL.split(text.replace("\n", " "))
    return parts[0] if len(parts) == 1 else "".join(map(_escape_run, parts))


@functools.lru_cache(maxsize=4096)
def _escape_run(text: str) -> str:
    source: list[str] = []
    for mathematical, run in itertools.groupby(text, key=lambda each: _symbol(each) is not None):
        if mathematical:
            source.append(f"${_formula([symbol for symbol in map(_symbol, run) if symbol is not None])}$")
        else:
            source.append("".join(_TEXT.get(character, character) for character in run))
    return "".join(source)


def _formula(symbols: list[tuple[str, str]]) -> str:
    """Symbols side by side; those of one script in a row share a group, as two in a row are an error."""
    groups = [
        (script, " ".join(body for _, body in run)) for script, run in itertools.groupby(symbols, lambda each: each[0])
    ]
    parts: list[str] = []
    for place, (script, body) in enumerate(groups):
        between = "{}" if script and place and groups[place - 1][0] else ""
        parts.append(f"{between}{script}{{{body}}}" if script else body)
    return " ".join(parts)


def _symbol(character: str) -> tuple[str, str] | None:
    """A character as mathematics, with _ or ^ where it is a subscript or superscript; None where it is text."""
    if character.isascii() or character in _MATH:
        return ("", _MATH[character]) if character in _MATH else None
    name = unicodedata.name(character, "")
    for kind, script in (("SUBSCRIPT ", "_"), ("SUPERSCRIPT ", "^")):
        if name.startswith(kind):
            sign = {"MINUS": "-", "PLUS SIGN": "+"}.get(name.removeprefix(kind), "")
            return (script, sign or str(unicodedata.digit(character))) if sign or character.isdigit() else None
    if name.startswith("GREEK SMALL LETTER ") and name.count(" ") == 3:
        return "", "\\" + name.rsplit(" ", 1)[1].lower().replace("lamda", "lambda")
    if name.startswith("GREEK CAPITAL LETTER ") and name.count(" ") == 3:
        return "", _capital(name.rsplit(" ", 1)[1].capitalize().replace("Lamda", "Lambda"))
    return None


def _capital(name: str) -> str:
    """Capital Greek letters that look like Latin ones have no command of their own."""
    latin = {"Alpha": "A", "Beta": "B", "Epsilon": "E", "Zeta": "Z", "Eta": "H", "Iota": "I", "Kappa": "K", "Mu": "M"}
    latin |= {"Nu": "N", "Omicron": "O", "Rho": "P", "Tau": "T", "Chi": "X"}
    return rf"\mathrm{{{latin[name]}}}" if name in latin else f"\\{name}"


def _item(item: Item, large: bool, compared: bool) -> str:
    """The number; in a large table its parts are stacked, unless the lines below are as wide as the whole."""
    bold = item.mark == "bold"
    footnote = rf"\textsuperscript{{{item.footnote}}}" if item.footnote else ""
    if large and item.spread and not compared:
        return _stack(_bold(escape(item.value), bold), _bold(escape(item.spread), bold), item.coverage) + footnote
    value = _bold(escape(f"{item.value} {item.spread}".strip()), bold)
    return " ".join(part for part in (value, item.coverage and escape(item.coverage)) if part) + footnote


def _grey(source: str, large: bool) -> str:
    """What stands below a number; in a large table also in smaller type."""
    return rf"\textcolor[gray]{{0.4}}{{{_TINY * large}{source}}}" if source else ""


def _bold(source: str, bold: bool) -> str:
    return rf"\textbf{{{source}}}" if bold and source else source


def _header(text: str, large: bool) -> str:
    """The heading of a column; in a large table of several short lines, the unit below the label."""
    if not large:
        return escape(text)
    label, separator, unit = text.partition(" (")
    lines = textwrap.wrap(label, _HEADING) + ([f"({unit}"] if separator else [])
    return _stack(*map(escape, lines)) if len(lines) > 1 else escape(text)


def _stack(*lines: str) -> str:
    """Lines above each other, to keep the columns of a large table narrow."""
    stacked = r" \\ ".join(line for line in lines if line)
    return rf"\shortstack[r]{{{stacked}}}"


def _label(name: str) -> str:
    return "".join(character if character.isalnum() and character.isascii() else "-" for character in name)
