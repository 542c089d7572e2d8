"""Tables written as LaTeX with booktabs, in characters that pdflatex can set."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from results.table_formats import Item, lay_out

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
    "⁻": "^{-}",
    "⁺": "^{+}",
}

_LARGE = 5  # columns above which the type is smaller


def latex(table: Table) -> str:
    """A `table` environment; the trials behind each number follow as comments."""
    layout = lay_out(table)
    places = len(layout.header)
    lines = [
        r"\begin{table}[htbp]",
        r"\centering",
        rf"\caption{{\textbf{{{escape(table.title)}.}} {escape(table.legend)}}}",
        rf"\label{{tab:{_label(table.name)}}}",
    ]
    if places > _LARGE:
        lines += [r"\scriptsize", r"\setlength{\tabcolsep}{3pt}"]
    lines += [
        rf"\begin{{tabular}}{{l{'r' * (places - 1)}}}",
        r"\toprule",
        " & ".join(escape(text) for text in layout.header) + r" \\",
        r"\midrule",
    ]
    for label, items in layout.rows:
        lines.append(" & ".join([escape(label), *(_item(item) for item in items)]) + r" \\")
    if not layout.rows:
        lines.append(rf"\multicolumn{{{places}}}{{l}}{{No rows: there is nothing to show.}} \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    notes = [rf"\textsuperscript{{{letter}}}~{escape(note)}" for letter, note in layout.footnotes]
    notes += [escape(note) for note in table.notes]
    if notes:
        lines += [r"\par\medskip", r"\begin{minipage}{\linewidth}\footnotesize\raggedright"]
        lines += [" \\par\n".join(notes), r"\end{minipage}"]
    lines.append(r"\end{table}")
    for _, items in layout.rows:
        for item in items:
            if item.cell is not None and item.cell.trials:
                lines.append(f"% {' '.join(f'{item.row}:{item.column}'.split())} = {' '.join(item.cell.trials)}")
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Text as LaTeX source: special characters escaped, Greek letters and symbols in mathematics.

    Letters with accents stay as they are, for LaTeX's default UTF-8 input; other scripts need another engine.
    """
    source: list[str] = []
    symbols: list[str] = []
    for character in text.replace("\n", " "):
        symbol = _symbol(character)
        if symbol is not None:
            symbols.append(symbol)
            continue
        if symbols:
            source.append(f"${' '.join(symbols)}$")
            symbols = []
        source.append(_TEXT.get(character, character))
    if symbols:
        source.append(f"${' '.join(symbols)}$")
    return "".join(source)


def _symbol(character: str) -> str | None:
    """A character as mathematics, or None where it is text."""
    if character.isascii() or character in _MATH:
        return _MATH.get(character)
    name = unicodedata.name(character, "")
    for kind, sign in (("SUBSCRIPT", "_"), ("SUPERSCRIPT", "^")):
        if name.startswith(f"{kind} ") and character.isdigit():
            return f"{sign}{unicodedata.digit(character)}"
    if name.startswith("GREEK SMALL LETTER ") and name.count(" ") == 3:
        return "\\" + name.rsplit(" ", 1)[1].lower().replace("lamda", "lambda")
    if name.startswith("GREEK CAPITAL LETTER ") and name.count(" ") == 3:
        return _capital(name.rsplit(" ", 1)[1].capitalize().replace("Lamda", "Lambda"))
    return None


def _capital(name: str) -> str:
    """Capital Greek letters that look like Latin ones have no command of their own."""
    latin = {"Alpha": "A", "Beta": "B", "Epsilon": "E", "Zeta": "Z", "Eta": "H", "Iota": "I", "Kappa": "K", "Mu": "M"}
    latin |= {"Nu": "N", "Omicron": "O", "Rho": "P", "Tau": "T", "Chi": "X"}
    return rf"\mathrm{{{latin[name]}}}" if name in latin else f"\\{name}"


def _item(item: Item) -> str:
    value = escape(f"{item.value} {item.spread}".strip())
    if item.mark == "bold" and value:
        value = rf"\textbf{{{value}}}"
    footnote = rf"\textsuperscript{{{item.footnote}}}" if item.footnote else ""
    return " ".join(part for part in (value, escape(item.coverage)) if part) + footnote


def _label(name: str) -> str:
    return "".join(character if character.isalnum() and character.isascii() else "-" for character in name)
