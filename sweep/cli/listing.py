"""`sweep list` and `sweep plan`: what there is to run, and what a launch would do. Neither writes anything."""

from __future__ import annotations

import argparse
import textwrap
from collections import Counter
from typing import TYPE_CHECKING, Any

from sweep.cli import options, work
from sweep.cli.options import WIDTH, Parser, Verbs

if TYPE_CHECKING:
    from results.store import ResultStore
    from studies.paper import Paper
    from studies.study import Study
    from sweep.pack import Decision
    from sweep.plan import StudyPlan

UNKNOWN = "unknown yet"


def add(verbs: Verbs[Parser]) -> None:
    """Declares list and plan."""
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
    plan = options.verb(
        verbs,
        "plan",
        plan_studies,
        help="what a launch would do",
        description="Says what `sweep launch` with the same arguments would do: how many trials are finished (also by "
        "another study), failed and pending, in how many packs they are trained, and what that takes, from what has "
        "been measured in the store. Writes nothing.",
        example="sweep plan digits/hvae\nsweep plan digits --seeds 3 --where 'objective.beta[0]<=1' --json",
    )
    options.add_names(plan)
    options.add_store(plan)
    options.add_selection(plan)
    work.add_work(plan)
    options.add_json(plan)


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


def plan_studies(namespace: argparse.Namespace) -> int:
    """The verb `plan`."""
    from sweep.plan import decisions_for, plan_study
    from sweep.sources import other_source

    entries = options.entries(namespace)
    device = work.device_of(namespace)
    store = options.open_store_if_any(namespace)
    retry = work.retried(namespace, entries, store)
    plans = [plan_study(entry.study, store, retry=retry) for entry in entries]
    decisions = decisions_for([plan.study for plan in plans], store, device, namespace.pack)
    if store is not None:
        options.note_damaged(store)
    root = str(options.store_path(namespace).expanduser().absolute())
    records = [_plan_record(plan, store, decisions) | {"device": device, "store": root} for plan in plans]
    others = [other_source(entry, store) for entry in entries]
    for record, other in zip(records, others, strict=True):
        record["other_source"] = other and vars(other)
    if namespace.json:
        options.print_json(records[0] if len(records) == 1 else records)
        return 0
    for plan, record, other in zip(plans, records, others, strict=True):
        print("\n".join(_plan_lines(plan, record)))
        if other is not None:
            print(f"  {other}")
    distinct = len({trial.id for plan in plans for trial in plan.pending})
    if distinct < sum(len(plan.pending) for plan in plans):
        print(f"together: {work.counted(distinct, 'trial')} pending, as these studies share some")
    print(f"store: {root}{'' if store is not None else ' (not there yet)'}")
    return 0


def _plan_record(plan: StudyPlan, store: ResultStore | None, decisions: dict[str, Decision]) -> dict[str, Any]:
    from sweep.plan import count_packs, disk_bytes, hours

    settings, seeds = work.extent(plan)
    shapes = {trial.shape for trial in plan.study.trials()}
    packing = [decisions[shape] for shape in sorted(shapes)]
    return {
        "study": plan.study.name,
        "reduced": plan.study.reduced,
        "trials": plan.trials,
        "settings": settings,
        "seeds": seeds,
        "finished": len(plan.finished),
        "failed": len(plan.failed),
        "pending": len(plan.pending),
        "retried": plan.retried,
        "to_evaluate": len(plan.unevaluated),
        "without_weights": plan.weightless,
        "prerequisites": work.prerequisite_records(plan.prerequisites),
        "packs": count_packs(plan, decisions),
        "packing": [
            {"shape": one.shape, "width": one.width, "path": one.path, "threads": one.threads, "source": one.source}
            for one in packing
        ],
        "disk_bytes": disk_bytes(plan, store),
        "hours": hours(plan, store),
    }


def _plan_lines(plan: StudyPlan, record: dict[str, Any]) -> list[str]:
    from sweep.progress.drawing import duration

    rows = {
        "trials": work.enumeration(plan).removeprefix(f"{plan.trials:,} ").removeprefix("trials").removeprefix("trial"),
        "finished": "",
        "failed": "" if not record["failed"] else " (sweep launch --retry-failed does them again)",
        "pending": f" in {work.counted(record['packs'], 'pack')}" if record["pending"] else "",
    }
    if record["retried"]:
        rows["pending"] += f", {record['retried']:,} of them failed before"
    lines = [plan.study.name + (f" ({plan.study.reduced})" if plan.study.reduced else "")]
    lines += [f"  {name:13} {record[name]:,}{more}" for name, more in rows.items()]
    if record["to_evaluate"]:
        lines.append(f"  {'to evaluate':13} {record['to_evaluate']:,} finished trials lack quantities of the study")
    if record["without_weights"]:
        lines.append(
            f"  {'not evaluable':13} {record['without_weights']:,} lack quantities, and their weights are gone"
        )
    needs = record["prerequisites"]
    states = [f"{count:,} {state}" for state, count in Counter(one["state"] for one in needs).items()]
    lines.append(f"  {'prerequisites':13} " + (f"{len(needs):,}: {', '.join(states)}" if needs else "none"))
    lines += work.prerequisite_lines(needs, "    ")
    disk, hours = record["disk_bytes"], record["hours"]
    lines.append(f"  {'disk':13} {UNKNOWN if disk is None else 'about ' + size(disk) if disk else 'nothing more'}")
    time = UNKNOWN if hours is None else f"about {duration(hours * 3600)} of one worker" if hours else "nothing more"
    if hours is not None and any(one["state"] == "pending" for one in needs):
        time += ", without the prerequisites"
    lines.append(f"  {'time':13} {time}")
    return lines


def size(count: int) -> str:
    """Bytes as one reads them."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.3g} {unit}"
