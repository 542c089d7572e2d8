"""`sweep status`: how far studies are, who is at work, what failed and what is damaged."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sweep.cli import options, work
from sweep.cli.options import Parser, UsageError, Verbs
from sweep.exit_codes import SOME_FAILED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.store import ResultStore
    from studies.catalogue import Entry
    from sweep.store_pace import PaceOfStore

WATCH_SECONDS = 2.0
SHOWN_PACKS = 8  # a cluster has hundreds


def add(verbs: Verbs[Parser]) -> None:
    """Declares status."""
    status = options.verb(
        verbs,
        "status",
        show_status,
        help="what is done, running, failed and missing",
        description="Says of each study how many trials are done, running, failed and missing. Failures are grouped by "
        "their reason, each with the region of the grid that they share and one trial to look at. Damaged files of the "
        "store are named. Reads the store only, also while a launch writes into it. Exit codes: 3 where some trials "
        "failed, else 0, also while trials are running or missing; 2 bad input.",
        example="sweep status digits/hvae\nsweep status digits --watch\nsweep status digits/hvae --json",
    )
    options.add_names(status)
    options.add_store(status)
    options.add_selection(status)
    options.add_json(status)
    status.add_argument("--watch", action="store_true", help="refresh until all is done; Ctrl-C ends it")


def show_status(namespace: argparse.Namespace) -> int:
    """The verb `status`."""
    if namespace.json and namespace.watch:
        raise UsageError("--watch is for eyes and --json for scripts; give one of them")
    entries = options.entries(namespace)
    store = options.open_existing_store(namespace)
    if namespace.watch:
        return _watch(entries, store)
    records = status_records(entries, store)
    if namespace.json:
        options.print_json(records[0] if len(records) == 1 else records)
    else:
        print("\n".join(_lines(records)))
    return _exit_code(records)


def _exit_code(records: Sequence[Mapping[str, Any]]) -> int:
    needs = [one for record in records for one in record["prerequisites"]]
    failed = any(record["failed"] for record in records) or any(one["state"] == "failed" for one in needs)
    return SOME_FAILED if failed else 0


def status_records(
    entries: Sequence[Entry], store: ResultStore, pace: PaceOfStore | None = None, whole: set[str] | None = None
) -> list[dict[str, Any]]:
    """What `status --json` prints, a record a study.

    pace: what has watched the trials of all of them before; whole: the part files that were found whole before, and
    gets those that are now.
    """
    from results.reading import Reading
    from results.scan import check_files
    from sweep.cli.standing import failure_records, running_packs, standing
    from sweep.launches import gone_launches, live_launches
    from sweep.sources import other_source

    alive = live_launches(store)
    packs = running_packs(store, alive)
    running = {trial for pack in packs for trial in pack.get("pack", ())}
    records = []
    for entry in entries:
        reading = Reading(store, [trial.id for trial in entry.study.trials()])
        found = standing(entry.study, store, running, reading)
        at_work = {trial.id for trial in entry.study.trials()} | {one.trial.id for one in found.prerequisites}
        other = other_source(entry, store, reading)
        records.append(
            {
                "study": found.study,
                "reduced": found.reduced,
                "trials": found.trials,
                "done": found.done,
                "completed": found.completed,
                "diverged": found.diverged,
                "running": found.running,
                "failed": found.failed,
                "missing": found.missing,
                "to_evaluate": found.unevaluated,
                "prerequisites": work.prerequisite_records(found.prerequisites),
                "other_source": other and vars(other),
                "failures": failure_records(found.failures),
                "divergences": failure_records(found.divergences),
                "packs": [_pack_record(pack) for pack in packs if at_work.intersection(pack.get("pack", ()))],
                "launches": [alive[launch] for launch in sorted(alive)],
            }
        )
    found_pace = (pace or _pace_of(entries)).look(store, packs)
    gone = gone_launches(store, alive)
    check_files(store.files, store.damaged, whole)  # also of the tables that a standing does not need
    for record in records:
        record["pace"] = found_pace and vars(found_pace)
        record["gone"] = gone
        record["damaged"] = dict(sorted(store.damaged.items()))
        record["store"] = store.location
    return records


def _pace_of(entries: Sequence[Entry]) -> PaceOfStore:
    from sweep.store_pace import PaceOfStore

    return PaceOfStore.of(trial for entry in entries for trial in entry.study.trials())


def _pack_record(pack: Mapping[str, Any]) -> dict[str, Any]:
    from results.commit import now
    from sweep.launches import silent

    names = ("id", "launch", "host", "process", "phase", "step", "steps", "trial", "done", "at")
    told = {name: pack.get(name) for name in names}
    return told | {"trials": len(pack.get("pack", ())), "silent": silent(pack, now())}


def _lines(records: Sequence[dict[str, Any]]) -> list[str]:
    from sweep.launches import where
    from sweep.progress.drawing import duration

    lines = []
    for record in records:
        lines += _study_lines(record)
    last = records[-1]
    lines += _pace_lines(last["pace"])
    lines += [_launch_line(launch) for launch in last["launches"]]
    for launch in last["gone"]:
        said = f"last heard of {duration(launch['seconds'])} ago"
        lines.append(f"gone: {where(launch)}, {said} (launch {launch['launch']})")
    for name, fault in last["damaged"].items():
        lines.append(f"damaged, and skipped: {last['store']}/{name}: {fault}")
    return lines


def _pace_lines(pace: Mapping[str, Any] | None) -> list[str]:
    """How fast all of the studies get on, and when they will be done at that pace."""
    from sweep.progress.drawing import duration

    if pace is None:
        return []
    parts = [f"{work.counted(pace['trials'], 'trial')} finished in the last {duration(pace['seconds'])}"]
    if pace["steps_per_second"] >= 1:
        parts.append(f"{pace['steps_per_second']:,.0f} trial-steps/s")
    if pace["left"] is not None:
        parts.append(f"about {duration(pace['left'])} left")
    return [f"pace: {', '.join(parts)}"]


def _launch_line(launch: Mapping[str, Any]) -> str:
    from sweep.launches import LATE_SECONDS, where
    from sweep.progress.drawing import duration

    late = f", silent for {duration(launch['seconds'])}" if launch["seconds"] >= LATE_SECONDS else ""
    return f"at work: {where(launch)}{late} (launch {launch['launch']})"


def _study_lines(record: Mapping[str, Any]) -> list[str]:
    from sweep.cli.standing import failure_lines
    from sweep.failures import FailureGroup
    from sweep.sources import OtherSource

    name = record["study"] + (f" ({record['reduced']})" if record["reduced"] else "")
    lines = [f"{name}: {record['done']:,} of {work.counted(record['trials'], 'trial')} done"]
    for state, groups in (("diverged", "divergences"), ("failed", "failures"), ("running", ""), ("missing", "")):
        if record[state]:
            lines.append(f"  {state:9} {record[state]:,}")
            lines += failure_lines([FailureGroup(**group) for group in record.get(groups, ())], "    ")
    if record["to_evaluate"]:
        lines.append(f"  {record['to_evaluate']:,} of the completed trials lack quantities (sweep evaluate)")
    if record["prerequisites"]:
        lines += [f"  {work.counted(len(record['prerequisites']), 'prerequisite')}:"]
        lines += work.prerequisite_lines(record["prerequisites"], "    ")
    if record["other_source"]:
        lines.append(f"  {OtherSource(**record['other_source'])}")
    if record["packs"]:
        lines.append("  running packs:")
        lines += [f"    {_pack_line(pack)}" for pack in record["packs"][:SHOWN_PACKS]]
    if len(record["packs"]) > SHOWN_PACKS:
        lines.append(f"    and {len(record['packs']) - SHOWN_PACKS:,} more")
    return lines


def _pack_line(pack: Mapping[str, Any]) -> str:
    from sweep.progress.drawing import duration

    told = f"{pack['id']}: {work.counted(pack['trials'], 'trial')}"
    if pack["phase"] == "train":
        told += f", step {pack['step'] or 0:,} of {pack['steps'] or 0:,}"
    elif pack["phase"] == "evaluate":
        told += f", {pack['done'] or 0:,} evaluated"
    if pack["silent"] is not None:
        where = f" on {pack['host']}" if pack["host"] else ""
        told += f", silent for {duration(pack['silent'])} (process {pack['process']}{where})"
    return told


def _watch(entries: Sequence[Entry], store: ResultStore) -> int:
    """Shows the status again and again: in place on a terminal, elsewhere whenever more than its pace has changed."""
    from sweep.progress.display import Canvas

    canvas, pace = Canvas(sys.stdout), _pace_of(entries)
    terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    before: list[str] = []
    whole: set[str] = set()
    try:
        while True:
            records = status_records(entries, store, pace, whole)
            lines = _lines(records)
            if terminal:
                _, rows = canvas.size()
                more = len(lines) - (rows - 1)
                canvas.draw([*lines[: rows - 2], f"and {more + 1:,} more lines"] if more > 0 else lines)
            elif (kept := [line for line in lines if not line.startswith("pace:")]) != before:
                print("\n".join(lines), flush=True)
                before = kept
            if not any(record["running"] or record["missing"] for record in records):
                return _exit_code(records)
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        if terminal:
            print()  # after the terminal's ^C
        return 0
