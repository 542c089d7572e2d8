"""Leftovers: which launches are alive, and what killed ones left in the store."""

from __future__ import annotations

import datetime
import math
import socket
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from results import liveness
from results.commit import now
from results.schema import FINISHED
from results.store import RUNNING_SECONDS, ResultStore
from sweep.kept_logs import ABANDONED, collect_logs

# A heartbeat's age is the difference of two hosts' clocks, which may disagree by minutes; by an hour they do not.
TIDY_SECONDS = 3600.0
WATCH_SECONDS = 2.0  # between looks at a heartbeat that is watched


def live_launches(store: ResultStore, at: datetime.datetime | None = None) -> dict[str, dict[str, Any]]:
    """The launches that have lately said that they are alive, without those of this host whose process has ended.

    at: the time for which this is asked; None: now.
    """
    beating = store.beating(RUNNING_SECONDS, at)
    return {launch: record for launch, record in beating.items() if not _ended_here(record)}


def _here(record: Mapping[str, Any]) -> bool:
    """Whether a launch is or was a process of this host, so that its number says whether it is alive.

    A heartbeat of an older version does not say of which kernel it is: then the name of the host has to do.
    """
    same = record.get("kernel", "") in ("", liveness.kernel())
    return same and record.get("host") == socket.gethostname()


def _ended_here(record: Mapping[str, Any]) -> bool:
    """Whether a launch was a process of this host that is there no more."""
    import psutil

    return _here(record) and not psutil.pid_exists(int(record.get("process", 0)))


def at_work_on(
    store: ResultStore, studies: Collection[str], at: datetime.datetime | None = None
) -> list[dict[str, Any]]:
    """What the live launches of any of these studies last said."""
    return [record for record in live_launches(store, at).values() if set(studies) & set(record.get("studies", ()))]


def surely_at_work_on(
    store: ResultStore,
    studies: Collection[str],
    waits: Callable[[Mapping[str, Any]], None],
    clock: Callable[[], datetime.datetime] = now,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any] | None:
    """What a launch of any of these studies that is alive beyond doubt last said; None where there is none.

    The heartbeat of a launch elsewhere looks alive for a while after the launch was killed. So it is watched until it
    beats again, or is too old to be that of a live launch; `waits` is told of it once, before that.
    """
    first: dict[str, str] = {}
    watching = False
    while found := at_work_on(store, studies, clock()):
        for record in found:
            if _here(record) or first.setdefault(record["launch"], record["time"]) != record["time"]:
                return record
        if not watching:
            waits(found[0])
            watching = True
        sleep(WATCH_SECONDS)
    return None


def tidy(store: ResultStore) -> None:
    """Forgets what killed launches left: heartbeats, requests, marks of packs that nobody runs, useless checkpoints.

    What their workers printed is kept. Nothing is touched of a launch that may be alive: one that beat within the last
    hour, unless it was a process of this host that has ended.
    """
    spared = {launch for launch, record in store.beating(TIDY_SECONDS).items() if not _ended_here(record)}
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
    for pack, trials in checkpointed(store).items():
        states = store.trials(["status"], trials)["status"].to_pylist()
        if any(state in FINISHED for state in states):  # the pack is never made again as it was
            store.delete_checkpoint(pack)


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
