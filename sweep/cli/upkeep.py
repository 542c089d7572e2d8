"""`sweep compact`, `sweep prune` and `sweep export`: keeping a store in order, and taking its numbers elsewhere."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from sweep.cli.options import (
    Parser,
    UsageError,
    Verbs,
    add_selection,
    add_store,
    entries,
    open_existing_store,
    verb,
)

if TYPE_CHECKING:
    from results.pruning import PruneRecord

SUFFIXES = (".parquet", ".csv")


def add(verbs: Verbs[Parser]) -> None:
    """Declares the three verbs."""
    compact = verb(
        verbs,
        "compact",
        run_compact,
        help="merge the store's many files into few",
        description="Merges the part files of each table into one, and removes what killed writers left. Safe at any "
        "time, also while a launch runs; a launch does it by itself when it ends.",
        example="sweep compact --store runs",
    )
    add_store(compact)
    prune = verb(
        verbs,
        "prune",
        run_prune,
        help="give back the disk that weights or checkpoints take",
        description="Removes stored weights, of all trials or of those of some studies, or checkpoints of packs that "
        "do not run. Numbers, pictures and curves stay. What has no weights can be measured no further: a new "
        "quantity would need the trial to be trained again.",
        example="sweep prune --checkpoints\nsweep prune --weights digits/hvae --dry-run",
    )
    prune.add_argument("names", nargs="*", metavar="NAME", help="studies, with --weights (default: every trial)")
    prune.add_argument("--weights", action="store_true", help="remove weights")
    prune.add_argument("--checkpoints", action="store_true", help="remove checkpoints of packs that do not run")
    prune.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    add_store(prune)
    add_selection(prune)
    export = verb(
        verbs,
        "export",
        run_export,
        help="write a study as one wide table for other programs",
        description="Writes one row a planned trial, one column an axis, a quantity and its standard error, as Parquet "
        "or CSV.",
        example="sweep export digits/hvae hvae.parquet\n"
        "sweep export digits/hvae vae.csv --where 'objective.beta[0]=1.0'",
    )
    export.add_argument("name", metavar="NAME", help="a study")
    export.add_argument("file", metavar="FILE", help="ends in .parquet or .csv")
    add_store(export)
    add_selection(export)


def run_compact(namespace: Namespace) -> int:
    """Merges whatever is in more than one file."""
    record = open_existing_store(namespace).compact(minimum=2)
    for table, parts in record.merged.items():
        print(f"{table}: {parts} files became 1 ({record.rows[table]} rows)")
    if record.merged:
        print(f"{_size(record.bytes_before)} became {_size(record.bytes_after)}")
    else:
        print("nothing to merge")
    if record.temporary:
        print(f"{record.temporary} temporary files of killed writers removed")
    for name, why in record.damaged.items():
        print(f"sweep: note: {name} was left alone: {why}", file=sys.stderr)
    return 0


def run_prune(namespace: Namespace) -> int:
    """Removes weights, checkpoints or both."""
    if not (namespace.weights or namespace.checkpoints):
        raise UsageError("say what to prune: --weights, --checkpoints or both")
    if namespace.checkpoints and namespace.names:
        raise UsageError("a checkpoint is of a pack, which several studies may share: --checkpoints takes no NAME")
    if not namespace.names and (namespace.where or namespace.seeds or namespace.assign):
        raise UsageError("--where, --seeds and --set choose trials of studies: give their NAME, too")
    store = open_existing_store(namespace)
    if namespace.weights:
        trials = None
        if namespace.names:
            trials = {trial.id for entry in entries(namespace) for trial in entry.study.trials()}
        record = store.prune_weights(trials, dry_run=namespace.dry_run)
        _tell("weights", record, "needed by other trials or as prerequisites, or by a commit under way")
    if namespace.checkpoints:
        _tell("checkpoints", store.prune_checkpoints(dry_run=namespace.dry_run), "of packs that run now")
    return 0


def _tell(what: str, record: PruneRecord, why: str) -> None:
    done = "would be freed" if record.dry_run else "freed"
    print(f"{what}: {_count(record.files, 'file')}, {_size(record.bytes)} {done}")
    if record.kept:
        stay = "would stay" if record.dry_run else "stays" if record.kept == 1 else "stay"
        print(f"{what}: {_count(record.kept, 'file')} {stay} ({why})")


def run_export(namespace: Namespace) -> int:
    """Writes the frame of one study."""
    from pathlib import Path

    from sweep.outputs import study_frame

    if Path(namespace.file).suffix not in SUFFIXES:
        raise UsageError(f"an export ends in {' or '.join(SUFFIXES)}, not {namespace.file!r}")
    namespace.names = [namespace.name]
    chosen = entries(namespace)
    if len(chosen) > 1:
        names = ", ".join(entry.study.name for entry in chosen)
        raise UsageError(f"an export is of one study; {namespace.name} has {names}")
    store = open_existing_store(namespace)
    frame = study_frame(chosen[0].study, store)
    for name, why in sorted(store.damaged.items()):
        print(f"sweep: note: {name} was skipped: {why}", file=sys.stderr)
    path = frame.export(namespace.file)
    reduced = f"; reduced: {frame.reduced}" if frame.reduced else ""
    print(f"{frame.study}: {frame.coverage}, {len(frame.trials)} rows of {len(frame.trials.columns)} columns{reduced}")
    print(path)
    return 0


def _size(number: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
