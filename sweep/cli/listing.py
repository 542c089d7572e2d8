"""`sweep list`: what there is to run. Nothing is written."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING, Any

from sweep.cli import options, work
from sweep.cli.options import WIDTH, Parser, Verbs

if TYPE_CHECKING:
    from studies.paper import Paper
    from studies.study import Study


def add(verbs: Verbs[Parser]) -> None:
    """Declares list."""
    listed = options.verb(
        verbs,
        "list",
        list_studies,
        help="the papers and studies that there are",
        description="Lists the papers and their studies, each with the question that it asks, its number of trials and "
        "the axes along which it varies. A study of your own, in a file, is named by path/to/file.py:study in the "
        "other verbs.",
        example="sweep list\nsweep list --json",
    )
    options.add_json(listed)


def list_studies(namespace: argparse.Namespace) -> int:
    """The verb `list`."""
    from studies.catalogue import papers

    if namespace.json:
        options.print_json({"papers": [_paper_record(paper) for paper in papers()]})
        return 0
    for paper in papers():
        print(f"{paper.name}: {paper.title}")
        print(_indented(paper.reference, 2))
        for study in paper.studies:
            print("\n".join(_study_lines(study)))
    return 0


def _indented(text: str, by: int) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=" " * by, subsequent_indent=" " * by)


def _study_lines(study: Study) -> list[str]:
    seeds = work.counted(len(study.seed_values), "seed")
    size = f"{work.counted(len(study), 'trial')} = {work.counted(len(study.settings), 'setting')} × {seeds}"
    lines = ["", f"  {study.name}: {size}", _indented(study.question, 4)]
    axes = _axes(study)
    width = max((len(axis["name"]) for axis in axes), default=0)
    for axis in axes:
        begun = f"    {axis['name']:{width}}  "
        lines.append(textwrap.fill(_range(axis), WIDTH, initial_indent=begun, subsequent_indent=" " * len(begun)))
    if study.reduction is not None:
        small = study.small()
        lines.append(_indented(f"{small.name}: {work.counted(len(small), 'trial')} ({small.reduced})", 4))
    return lines


def _range(axis: dict[str, Any]) -> str:
    values = work.counted(axis["count"], "value")
    if "minimum" in axis:
        return f"{values} from {axis['minimum']:g} to {axis['maximum']:g}"
    return f"{values}: {', '.join(str(value) for value in axis['values'])}"


def _axes(study: Study) -> list[dict[str, Any]]:
    """Each axis of a study: its name, its number of values, and their range or the values themselves."""
    axes = []
    for column in study.axis_columns():
        values: dict[Any, None] = {}
        for assignment in study.axes:
            if column in assignment.values:
                values[assignment.labels.get(column, _written(assignment.values[column]))] = None
        axis: dict[str, Any] = {"name": column, "count": len(values), "values": list(values)}
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            axis |= {"minimum": min(values), "maximum": max(values)}
        axes.append(axis)
    return axes


def _written(value: Any) -> Any:
    from models.spec import Spec

    if isinstance(value, Spec):
        return getattr(value, "kind", None) or value.canonical_json
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _paper_record(paper: Paper) -> dict[str, Any]:
    return {
        "name": paper.name,
        "title": paper.title,
        "reference": paper.reference,
        "studies": [_study_record(study) for study in paper.studies],
        "tables": [output.name for output in paper.tables],
        "figures": [output.name for output in paper.figures],
    }


def _study_record(study: Study) -> dict[str, Any]:
    record: dict[str, Any] = {
        "name": study.name,
        "question": study.question,
        "trials": len(study),
        "settings": len(study.settings),
        "seeds": list(study.seed_values),
        "axes": _axes(study),
        "quantities": [quantity.name for quantity in study.quantities],
    }
    if study.reduction is not None:
        small = study.small()
        record["small"] = {"name": small.name, "trials": len(small), "reduced": small.reduced}
    return record
