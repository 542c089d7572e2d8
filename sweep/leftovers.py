"""Leftovers: what killed launches left in the store."""

from __future__ import annotations

import math
from collections.abc import Collection

from results import liveness
from results.schema import FINISHED
from results.store import ResultStore
from sweep.kept_logs import ABANDONED, collect_logs
from sweep.launches import ended_here

# A heartbeat's age is the difference of two hosts' clocks, which may disagree by minutes; by an hour they do not.
TIDY_SECONDS = 3600.0


def tidy(store: ResultStore) -> None:
    """Forgets what killed launches left: heartbeats, requests, marks of packs that nobody runs, useless checkpoints.

    What their workers printed is kept. Nothing is touched of a launch that may be alive: one that beat within the last
    hour, unless it was a process of this host that has ended.
    """
    spared = {launch for launch, record in store.beating(TIDY_SECONDS).items() if not ended_here(record)}
    for launch in store.beating(math.inf):
        if launch not in spared:
            store.clear_beat(launch)
            store.clear_stop(launch)
    for name in stops(store):
        if "." in name and name.partition(".")[0] not in spared:
            store.clear_stop(name)
    for pack, record in store.inflight().items():
        if record.get("launch") not in spared:
            store.clear_inflight(pack)
    collect_logs(store, alive=spared, outcome=ABANDONED)
    begun = checkpointed(store)
    finished = _finished(store, {trial for trials in begun.values() for trial in trials})
    for pack, trials in begun.items():
        if not finished.isdisjoint(trials):  # the pack is never made again as it was
            store.delete_checkpoint(pack)


def _finished(store: ResultStore, trials: Collection[str]) -> frozenset[str]:
    """Those of these trials that are finished."""
    rows = store.trials(["trial", "status"], trials).to_pylist() if trials else []
    return frozenset(row["trial"] for row in rows if row["status"] in FINISHED)


def checkpointed(store: ResultStore) -> dict[str, list[str]]:
    """The trials, slot by slot, of the packs that left a checkpoint; none for one that is torn."""
    found = {pack: store.checkpoint_metadata(pack) for pack in store.checkpoints()}
    return {pack: metadata.get("trials", "").split(",") for pack, metadata in found.items() if metadata is not None}


def stops(store: ResultStore) -> list[str]:
    """What was asked to stop, launches and packs, and has not been seen to."""
    return liveness.names(store.files, liveness.STOPS, "json")


def leaving(launch: str, pack: str) -> str:
    """The name of the request that a pack leave its place: of its launch alone, for others may run the pack later."""
    return f"{launch}.{pack}"
