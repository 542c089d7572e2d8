"""`sweep tables`, `sweep figures` and `sweep report`: from the stored results alone, also while a study runs."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from models.spec import nearest
from sweep.cli.options import (
    Parser,
    Verbs,
    add_names,
    add_selection,
    add_store,
    entries,
    open_existing_store,
    verb,
)

if TYPE_CHECKING:
    from results.store import ResultStore
    from results.table import Table
    from studies.catalogue import Entry
    from sweep.outputs import Results

TABLE_FORMATS = {"md": "md", "latex": "tex", "csv": "csv", "html": "html"}  # format -> suffix of its files
FIGURE_FORMATS = ("html", "png", "pdf", "svg")
OUT = "out"
_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
{css}</style>
</head>
<body>
<main style="padding-top: 2rem">
{table}</main>
</body>
</html>
"""


def add(verbs: Verbs[Parser]) -> None:
    """Declares the three verbs."""
    tables = verb(
        verbs,
        "tables",
        run_tables,
        help="print and write tables",
        description="Prints the tables of studies as Markdown and writes each as Markdown, LaTeX, CSV and HTML. A "
        "paper's table is made where all the studies that it draws on are named; a study without tables gets one of "
        "all its settings.",
        example="sweep tables digits\nsweep tables digits/hvae --format latex,csv --out paper/tables",
    )
    _arguments(tables, tuple(TABLE_FORMATS), "md (which is printed too), latex, csv, html")
    _tests(tables)
    _optima(tables)
    figures = verb(
        verbs,
        "figures",
        run_figures,
        help="draw figures",
        description="Draws the figures of studies: interactive HTML always, and PNG, PDF and SVG where Chromium is "
        "found. A study without figures of its own gets each quantity against each axis.",
        example="sweep figures digits\nsweep figures digits/objectives --format html,pdf",
    )
    _arguments(figures, FIGURE_FORMATS, "html, png, pdf, svg; by default all that this machine can make")
    _optima(figures)
    report = verb(
        verbs,
        "report",
        run_report,
        help="write one HTML file with everything",
        description="Writes one HTML file that opens offline: what was asked, how much is done, failures, tables, "
        "interactive figures and provenance. Its path is the last line printed.",
        example="sweep report digits\nsweep report digits/hvae --out hierarchy.html",
    )
    add_names(report)
    add_store(report)
    add_selection(report)
    _tests(report)
    _optima(report)
    report.add_argument(
        "--out", type=Path, metavar="DIR|FILE.html", help=f"where to write it (default: {OUT}/NAME/report.html)"
    )


def _arguments(parser: Parser, formats: Sequence[str], told: str) -> None:
    add_names(parser)
    add_store(parser)
    add_selection(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"where to write them (default: {OUT}/NAME)")
    parser.add_argument(
        "--format", type=_formats(formats), metavar="FORMAT,…", help=f"only these formats, of {told}", default=None
    )


def _tests(parser: Parser) -> None:
    """How tables test their differences; each caption says which it was."""
    parser.add_argument(
        "--correction",
        choices=("bonferroni", "holm", "none"),
        help="for the many comparisons of a column (default: the table's own, Bonferroni for the digits)",
    )
    parser.add_argument("--paired", action="store_true", default=None, help="pair by seed in tests of differences")


def _optima(parser: Parser) -> None:
    """Which models count as optimal for a given total rate; each caption says which it was."""
    parser.add_argument(
        "--hull",
        choices=("text", "visible"),
        help="optima on the upper convex hull (text, the default), or as the code of Xiao & Bamler draws it (visible)",
    )


def _options(namespace: Namespace) -> dict[str, object]:
    """What was asked for of the tests and the optima; what was not is the output's own affair."""
    from studies.paper import OPTIONS

    asked = {name: getattr(namespace, name, None) for name in OPTIONS}
    return {name: value for name, value in asked.items() if value is not None}


def _formats(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """The type of --format: some of the known formats, separated by commas."""

    def parse(text: str) -> tuple[str, ...]:
        chosen = tuple(dict.fromkeys(word.strip().lower() for word in text.split(",") if word.strip()))
        for word in chosen or ("",):
            if word not in known:
                hint = nearest(word, known)
                known_ones = f" of {', '.join(known)}" if hint.startswith("did") else ""
                raise ArgumentTypeError(f"no format {word!r}{known_ones}; {hint}")
        return chosen

    return parse


def run_tables(namespace: Namespace) -> int:
    """Prints and writes the tables."""
    from sweep.outputs import build_tables, left_out

    results, _ = _results(namespace)
    _note(left_out(results, "tables"))
    tables = build_tables(results, _options(namespace))
    formats = namespace.format or tuple(TABLE_FORMATS)
    folder = namespace.out or default_folder(results.entries)
    if "md" in formats:
        print("\n".join(table.markdown() for table in tables), end="")
    write_tables(tables, folder, formats)
    sys.stdout.flush()
    print(f"{_count(len(tables), 'table')} as {', '.join(formats)} in {folder}", file=sys.stderr)
    return 0


def write_tables(tables: Sequence[Table], folder: Path, formats: Sequence[str]) -> list[Path]:
    """Writes NAME.md, NAME.tex, … of every table; equal results give equal bytes."""
    from results.files import LocalFiles

    target = LocalFiles(folder)
    written = []
    for table in tables:
        for name in formats:
            file = f"{table.name}.{TABLE_FORMATS[name]}"
            target.write(file, _written(table, name).encode(), durable=False)
            written.append(folder / file)
    return written


def _written(table: Table, form: str) -> str:
    if form == "html":
        return _page(table)
    return {"md": table.markdown, "latex": table.latex, "csv": table.csv}[form]()


def _page(table: Table) -> str:
    """A table as a page of its own."""
    from html import escape

    css = files("results").joinpath("report.css").read_text(encoding="utf-8")
    return _PAGE.format(title=escape(table.title), css=css, table=table.html())


def run_figures(namespace: Namespace) -> int:
    """Draws and writes the figures."""
    from results.figures import write_figures
    from sweep.outputs import build_figures, left_out

    results, _ = _results(namespace)
    _note(left_out(results, "figures"))
    figures = build_figures(results, _options(namespace))
    folder = namespace.out or default_folder(results.entries)
    written = write_figures(figures, folder, namespace.format)
    for path in written.paths:
        print(path)
    if written.message:
        _note([f"only HTML was written: {written.message}"])
    if not figures:
        _note(["these studies measure no number: there is nothing to draw"])
    return 0


def run_report(namespace: Namespace) -> int:
    """Writes the report and prints its path last."""
    from results.report import write_report
    from sweep.cli.standing import running_packs
    from sweep.launches import live_launches
    from sweep.outputs import build_report, left_out

    results, store = _results(namespace)
    _note([*left_out(results, "tables"), *left_out(results, "figures")])
    packs = running_packs(store, live_launches(store))
    running = {trial for record in packs for trial in record.get("pack", ())}
    report = build_report(results, store, running, _options(namespace))
    out: Path = namespace.out or default_folder(results.entries)
    target = out if out.suffix == ".html" else out / "report.html"
    path = write_report(target, report)
    for study in report.studies:
        print(f"{study.name}: {study.finished} of {study.planned} trials finished")
    print(
        f"{_count(len(report.tables), 'table')}, {_count(len(report.figures), 'figure')}, "
        f"{_count(len(report.failures), 'group')} of failures"
    )
    print(path)
    return 0


def _results(namespace: Namespace) -> tuple[Results, ResultStore]:
    """What is stored of the studies that the command line names; files that were skipped are named on stderr."""
    from sweep.outputs import read_results

    store = open_existing_store(namespace)
    results = read_results(entries(namespace), store)
    _note([f"{name} was skipped: {why}" for name, why in sorted(results.damaged.items())])
    return results, store


def default_folder(chosen: Sequence[Entry]) -> Path:
    """Where the outputs of some studies go: a folder named after their paper, where it is whole, or after them."""
    papers = {entry.paper.name: entry.paper for entry in chosen if entry.paper is not None}
    studies = [entry.study.name for entry in chosen]
    if len(papers) == 1 and all(entry.paper is not None for entry in chosen):
        paper = next(iter(papers.values()))
        for twin in ("", "@small"):
            if {f"{study.name}{twin}" for study in paper.studies} == set(studies):
                return Path(OUT, f"{paper.name}{twin}")
    if len(studies) == 1:
        return Path(OUT, studies[0])
    more = f"+{len(studies) - 2}" if len(studies) > 2 else ""
    return Path(OUT, re.sub(r"/", "-", "+".join(studies[:2])) + more)


def _note(lines: Sequence[str]) -> None:
    for line in lines:
        print(f"sweep: note: {line}", file=sys.stderr)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
