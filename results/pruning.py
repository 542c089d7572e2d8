"""Pruning: giving back the disk that weights and checkpoints take, with a record of what went and what stayed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from results.files import Files, Vanished

ORPHAN_SECONDS = 3600.0  # a weights file without a trial may belong to a commit under way


@dataclass(frozen=True, kw_only=True)
class PruneRecord:
    """files, bytes: removed, or with `dry_run` those that would be. kept: files left, since other work needs them."""

    files: int
    bytes: int
    kept: int
    dry_run: bool


def prune_weights(
    files: Files, attempts: pa.Table, trials: Collection[str] | None, spared: Collection[str], dry_run: bool
) -> PruneRecord:
    """Removes the weights files all of whose trials are among `trials` (None: all), and orphans over an hour old.

    attempts: columns trial, weights. A file holds the trials of one pack; where only some are to go, it stays. spared:
    trials whose weights stay in any case.
    """
    held = attempts.filter(pc.is_valid(attempts["weights"])).select(["trial", "weights"])
    keep = pc.is_in(held["trial"], value_set=pa.array(sorted(spared), pa.string()))
    if trials is not None:
        asked = pc.is_in(held["trial"], value_set=pa.array(sorted(trials), pa.string()))
        keep = pc.or_(keep, pc.invert(asked))
    needed = held.filter(keep)
    known, staying = set(held["weights"].to_pylist()), set(needed["weights"].to_pylist())
    names = files.names("weights")
    going = []
    for name in names:
        own = name.removeprefix("weights/")
        if own not in staying if own in known else _older(files, name, ORPHAN_SECONDS):
            going.append(name)
    return _prune(files, going, len(names) - len(going), dry_run)


def prune_checkpoints(files: Files, packs: Iterable[str], dry_run: bool) -> PruneRecord:
    """Removes the checkpoints but for those of `packs`, which are running."""
    spared = {f"checkpoints/{pack}.safetensors" for pack in packs}
    names = files.names("checkpoints")
    going = [name for name in names if name not in spared]
    return _prune(files, going, len(names) - len(going), dry_run)


def _older(files: Files, name: str, seconds: float) -> bool:
    try:
        return files.age(name) > seconds
    except Vanished:
        return False


def _prune(files: Files, going: Iterable[str], kept: int, dry_run: bool) -> PruneRecord:
    count = size = 0
    for name in going:
        try:
            size += files.size(name)
        except Vanished:
            continue
        count += 1
        if not dry_run:
            files.delete(name)
    return PruneRecord(files=count, bytes=size, kept=kept, dry_run=dry_run)
