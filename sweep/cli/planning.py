"""`sweep plan`: what a launch would do, and what it would take. Nothing is written."""

from __future__ import annotations

import argparse
import datetime
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweep.cli import fetching, options, work
from sweep.cli.options import Parser, Verbs

if TYPE_CHECKING:
    from results.store import ResultStore
    from studies.catalogue import Entry
    from sweep.cost import Cost
    from sweep.estimate import Times
    from sweep.pack import Decision, Pack
    from sweep.plan import StudyPlan

UNKNOWN = "unknown yet"
BASES = {
    "measured": "what packs of these shapes took",
    "scaled": "trials that differ in their number of steps alone",
    "calibrated": "some steps of each shape on this machine",
}


def add(verbs: Verbs[Parser]) -> None:
    """Declares plan."""
    plan = options.verb(
        verbs,
        "plan",
        plan_studies,
        help="what a launch would do, and what it would take",
        description="Says what `sweep launch` with the same arguments would do: how many trials are finished (also by "
        "another study), failed and pending, in how many packs they are trained, and what that takes of devices and of "
        "time, from what has been measured in the store, or from some steps measured now (--calibrate). The finishing "
        "time is that of a rehearsal in which nothing fails (see `sweep rehearse`). Writes nothing.",
        example="sweep plan digits/hvae\nsweep plan digits --seeds 3 --where 'objective.beta[0]<=1' --json\n"
        "sweep plan digits/hvae --calibrate --slots 8",
    )
    options.add_names(plan)
    options.add_store(plan)
    options.add_selection(plan)
    options.add_data(plan)
    work.add_work(plan)
    plan.add_argument(
        "--slots",
        type=options.whole,
        metavar="N",
        help="packs that run at once: GPUs, or CPUs where there is none (default: those of this machine)",
    )
    plan.add_argument(
        "--calibrate",
        action="store_true",
        help="measure some steps of each shape that the store knows nothing of, in this process",
    )
    options.add_json(plan)


def plan_studies(namespace: argparse.Namespace) -> int:
    """The verb `plan`."""
    from results.opening import locate
    from results.reading import Reading
    from sweep.plan import decisions_for, plan_study, trial_bytes
    from sweep.sources import other_source

    entries = options.entries(namespace)
    device = work.device_of(namespace)
    store = options.open_store_if_any(namespace)
    retry = work.retried(namespace, entries, store)
    readings = [None if store is None else Reading(store, _identities(entry)) for entry in entries]
    plans = [
        plan_study(one.study, store, retry=retry, reading=read) for one, read in zip(entries, readings, strict=True)
    ]
    stored = {} if store is None else store.decisions()
    decisions = decisions_for([plan.study for plan in plans], store, device, namespace.pack, stored=stored)
    costs = _costs(namespace, entries, plans, store, device, stored)
    if store is not None:
        options.note_damaged(store)
    place = str(locate(options.store_place(namespace)))
    each = trial_bytes(store)
    records = [
        _plan_record(plan, each, decisions, cost) | {"device": device, "store": place}
        for plan, cost in zip(plans, costs, strict=False)
    ]
    others = [other_source(entry, store, read) for entry, read in zip(entries, readings, strict=True)]
    for record, other in zip(records, others, strict=True):
        record["other_source"] = other and vars(other)
    if namespace.json:
        options.print_json(records[0] if len(records) == 1 else records)
        return 0
    for plan, record, other, cost in zip(plans, records, others, costs, strict=False):
        print("\n".join([*_plan_lines(plan, record), *cost_lines(cost, device)]))
        if other is not None:
            print(f"  {other}")
    if len(plans) > 1:
        distinct = len({trial.id for plan in plans for trial in plan.pending})
        shared = ", as these studies share some" if distinct < sum(len(plan.pending) for plan in plans) else ""
        print(
            "\n".join([f"together: {work.counted(distinct, 'trial')} pending{shared}", *cost_lines(costs[-1], device)])
        )
    print(f"store: {place}{'' if store is not None else ' (not there yet)'}")
    return 0


def _identities(entry: Entry) -> list[str]:
    return [trial.id for trial in entry.study.trials()]


def _costs(
    namespace: argparse.Namespace,
    entries: Sequence[Entry],
    plans: Sequence[StudyPlan],
    store: ResultStore | None,
    device: str,
    stored: Mapping[tuple[str, str], Mapping[str, Any]],
) -> list[Cost]:
    """What each study takes by itself and, of several, what they take together, as the last."""
    from sweep.cost import cost
    from sweep.estimate import times_from
    from sweep.launch import Options
    from sweep.plan import trials_of
    from sweep.rehearsal.work import Work

    launched = Options(device=device)
    times = times_from(store, trials_of(plans), launched.apart)
    slots = slots_of(device, namespace.slots)

    def made(chosen: Sequence[StudyPlan], known: Times) -> Work:
        return Work.of(
            chosen,
            store,
            known,
            device=device,
            width=namespace.pack,
            elsewhere=launched.elsewhere,
            slots=slots,
            stored=stored,
        )

    if namespace.calibrate:
        with options.data_from(namespace):
            times = _calibrated([job.pack for job in made(plans, times).jobs], times, entries)
    groups = [[plan] for plan in plans] + ([plans] if len(plans) > 1 else [])
    return [cost(made(group, times), times, slots) for group in groups]


def _calibrated(packs: Sequence[Pack], times: Times, entries: Sequence[Entry]) -> Times:
    """The times, with those of shapes that are trained, and not known, as they are measured here."""
    from sweep.calibrating import pack_seconds
    from sweep.estimate import Spent
    from sweep.task import PackTask, Settings, Source

    unknown: dict[str, Pack] = {}
    for pack in packs:
        if pack.task == "train" and times.seconds(pack) is None:
            unknown.setdefault(pack.decision.shape, pack)
    fetching.provide_all(pack.trials[0].data for pack in unknown.values())
    modules = {entry.source.name: Source.of(entry.source) for entry in entries if entry.source is not None}
    for shape, pack in unknown.items():
        settings = Settings(store="", launch="plan")
        took = pack_seconds(PackTask.of(pack, (), settings, tuple(modules.values()), 0))
        if took is not None:
            fused = {pack.decision.width: took} if pack.decision.path == "fused" else {}
            alone = None if fused else took / len(pack.trials)
            spent = Spent(fused=fused, alone=alone, basis="calibrated")
            times = times.with_spent(shape, pack.decision.device, spent)
    return times


def slots_of(device: str, asked: int | None) -> dict[str, int]:
    """Packs that run at once by kind of device: as asked for, or as this machine has CPUs or GPUs."""
    cpus = os.cpu_count() or 1
    if device == "cpu":
        return {"cpu": asked or cpus}
    found = sum(name.removeprefix("nvidia").isdecimal() for name in os.listdir("/dev"))
    gpus = asked or max(1, found)
    return {device: gpus, "cpu": max(1, cpus - gpus)}


def cost_lines(cost: Cost, device: str) -> list[str]:
    """A cost as one reads it."""
    from sweep.progress.drawing import duration

    if cost.hours is None or cost.makespan is None:
        shapes = work.counted(len(cost.unknown), "shape")
        return [f"  {'time':13} {UNKNOWN} for {shapes} (--calibrate measures some steps of each)"]
    if not cost.hours:
        return [f"  {'time':13} nothing more"]
    name = {"cpu": "worker", "cuda": "GPU"}
    hours = " and ".join(_device_time(took, name[kind]) for kind, took in sorted(cost.hours.items(), reverse=True))
    slots = work.counted(cost.slots[device], name[device])
    ends = datetime.datetime.now() + datetime.timedelta(seconds=cost.makespan)
    at = f"{ends:%H:%M}" if cost.makespan < 20 * 3600 else f"{ends:%d %B, %H:%M}"
    lines = [f"  {'time':13} about {hours}; {duration(cost.makespan)} on {slots}, done about {at}"]
    told = [BASES[basis] for basis in cost.bases if basis in BASES]
    lines += [f"  {'':13} from {' and '.join(told)}"] if told else []
    if cost.unmeasured:
        lines.append(f"  {'':13} without the evaluation of {work.counted(cost.unmeasured, 'trial')}: no trial of")
        lines[-1] += " their shape has been evaluated on this device"
    if cost.without:
        lines.append(f"  {'':13} without {work.counted(cost.without, 'prerequisite')}, of which nothing is known")
    return lines


def _device_time(hours: float, device: str) -> str:
    """'3.2 GPU-hours', '5 min 20 s of a GPU'."""
    from sweep.progress.drawing import duration

    if hours < 1:
        return f"{duration(hours * 3600)} of a {device}"
    return f"{hours:,.0f} {device}-hours" if hours >= 100 else f"{hours:.2g} {device}-hours"


def _plan_record(plan: StudyPlan, each: float | None, decisions: dict[str, Decision], cost: Cost) -> dict[str, Any]:
    from sweep.plan import count_packs, disk_bytes

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
        "disk_bytes": disk_bytes(plan, each),
        "hours": None if cost.hours is None else sum(cost.hours.values()),
        "device_hours": None if cost.hours is None else dict(cost.hours),
        "makespan_seconds": cost.makespan,
        "slots": dict(cost.slots),
        "times_from": list(cost.bases),
        "unknown_shapes": [pack.decision.shape for pack in cost.unknown],
        "trials_without_evaluation": cost.unmeasured,
        "prerequisites_without_time": cost.without,
    }


def _plan_lines(plan: StudyPlan, record: dict[str, Any]) -> list[str]:
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
    disk = record["disk_bytes"]
    lines.append(f"  {'disk':13} {UNKNOWN if disk is None else 'about ' + size(disk) if disk else 'nothing more'}")
    return lines


def size(count: int) -> str:
    """Bytes as one reads them."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.3g} {unit}"
