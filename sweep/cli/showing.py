"""`sweep show`: one trial with all that is stored of it, or the trials behind a number of a table."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from models.spec import nearest
from sweep.cli.options import (
    Parser,
    UsageError,
    Verbs,
    add_json,
    add_selection,
    add_store,
    entries,
    open_existing_store,
    print_json,
    verb,
)

if TYPE_CHECKING:
    from results.frame import Frame
    from results.table import Cell, Table

CELL = "TABLE:ROW:COLUMN"


def add(verbs: Verbs[Parser]) -> None:
    """Declares the verb."""
    parser = verb(
        verbs,
        "show",
        run,
        help="show one trial, or the trials behind a number",
        description="Shows a trial: its specification, quantities, curves, provenance, error and attempts. The first "
        "characters of its id are enough. With --cell, the trials behind a number of a table, and their values; NAME… "
        "are then the studies of the table, which may be left out for our own papers.",
        example="sweep show 02aac57b\nsweep show --cell 'best_accuracy:svm_rbf:z2'\n"
        "sweep show --cell 'objectives:free bits:rate' digits/objectives --json",
    )
    parser.add_argument("names", nargs="*", metavar="TRIAL|NAME", help="a trial; with --cell, studies")
    parser.add_argument("--cell", metavar=CELL, help="a number of a table, by the names or labels of row and column")
    add_store(parser)
    add_selection(parser)
    add_json(parser)


def run(namespace: Namespace) -> int:
    """Shows what the command line asks for."""
    return _show_trial(namespace) if namespace.cell is None else _show_cell(namespace)


def _show_trial(namespace: Namespace) -> int:
    from sweep.trial_record import read_trial

    if len(namespace.names) != 1 or not namespace.names[0]:
        raise UsageError(f"sweep show takes one TRIAL, or --cell {CELL}, not {len(namespace.names)} trials")
    if namespace.where or namespace.seeds or namespace.assign:
        raise UsageError("sweep show TRIAL takes no --where, --seeds or --set: they choose the trials of --cell")
    record = read_trial(open_existing_store(namespace), namespace.names[0])
    if namespace.json:
        print_json(record.as_json())
    else:
        print(record.text(), end="")
    return 0


def _show_cell(namespace: Namespace) -> int:
    from sweep.outputs import build_tables, find_table, read_results

    name, row, column = _parse_cell(namespace.cell)
    store = open_existing_store(namespace)
    namespace.names = namespace.names or _studies_of_table(name)
    results = read_results(entries(namespace), store)
    table = find_table(build_tables(results), name)
    shown = _described(table, row, column)
    rows = _behind(table.cell(row, column), list(results.frames.values()))
    if namespace.json:
        print_json(shown | {"trials": rows})
    else:
        _print_cell(shown, rows)
    return 0


def _parse_cell(text: str) -> tuple[str, str, str]:
    """Table, row and column; a row may have colons in it."""
    table, _, rest = text.partition(":")
    row, _, column = rest.rpartition(":")
    if not (table and row and column):
        raise UsageError(f"a cell is {CELL}, such as best_accuracy:svm_rbf:z2, not {text!r}")
    return table, row, column


def _studies_of_table(name: str) -> list[str]:
    """The studies that a table of our papers draws on."""
    from studies.catalogue import papers

    known = {output.name: (*output.studies, *output.also) for paper in papers() for output in paper.tables}
    if name not in known:
        raise UsageError(f"no table {name!r}; {nearest(name, known)}; name the studies of any other table")
    return list(known[name])


def _described(table: Table, row: str, column: str) -> dict[str, Any]:
    """The number as the table has it."""
    at_row, at_column = table.headings(row, column)
    cell = table.cell(row, column)
    return {
        "table": table.name,
        "row": at_row.name,
        "column": at_column.name,
        "title": f"{at_row.title}, {at_column.title}",
        "mean": _number(cell.mean),
        "std": _number(cell.std),
        "n": cell.n,
        "planned": cell.planned,
        "p_value": _number(cell.p_value),
        "text": cell.text,
        "note": cell.note,
        "published": None if cell.published is None else _number(cell.published.value),
        "published_std": None if cell.published is None else _number(cell.published.std),
        "verdict": cell.verdict,
        "reduced": table.reduced,
    }


def _behind(cell: Cell, frames: Sequence[Frame]) -> list[dict[str, Any]]:
    """The trials of a cell, each with its value, its place on the axes of its study, its seed and its status."""
    values = dict(zip(cell.trials, cell.values, strict=True)) if cell.values else {}
    rows = []
    for trial in cell.trials:
        for frame in frames:
            found = frame.trials[frame.trials["trial"] == trial]
            if len(found):
                first = found.iloc[0]
                at = {axis: _plain(first[axis]) for axis in frame.axes}
                told = {"study": frame.study, "seed": int(first["seed"]), "status": str(first["status"])}
                rows.append({"trial": trial, "value": _number(values.get(trial, math.nan))} | told | {"at": at})
                break
    return rows


def _print_cell(shown: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
    print(f"{shown['table']}: {shown['title']}")
    print(f"{_told(shown)}, {shown['n']} of {shown['planned']} planned trials")
    if shown["published"] is not None:
        std = "" if shown["published_std"] is None else f" ± {shown['published_std']:g}"
        print(f"published: {shown['published']:g}{std}" + (f": {shown['verdict']}" if shown["verdict"] else ""))
    for name, label in (("note", ""), ("p_value", "p = "), ("reduced", "reduced: ")):
        if shown[name] not in ("", None):
            print(f"{label}{shown[name]}")
    print()
    if not rows:
        print("no trial stands behind it yet")
    for row in rows:
        at = ", ".join(f"{axis}={value}" for axis, value in row["at"].items())
        value = "" if row["value"] is None else f"{row['value']:<12.9g}"
        print(f"{row['trial']}  {value}  seed {row['seed']}  {at}  ({row['status']} in {row['study']})")
    if rows:
        print(f"\nsweep show {rows[0]['trial']} tells all of the first")


def _told(shown: Mapping[str, Any]) -> str:
    if shown["text"]:
        return str(shown["text"])
    if shown["mean"] is None:
        return "missing"
    return f"{shown['mean']:.9g}" + (f" ± {shown['std']:.6g}" if shown["std"] is not None else "")


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _plain(value: Any) -> Any:
    """A value of a frame as JSON has it."""
    return value.item() if hasattr(value, "item") else value
