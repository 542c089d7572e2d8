"""Launches, as a store tells of them: which are alive, which are gone, and where each is or was."""

from __future__ import annotations

import datetime
import math
import socket
import sys
import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from results import liveness
from results.commit import now

if TYPE_CHECKING:
    from results.store import ResultStore

LATE_SECONDS = 60.0  # a launch beats every twenty seconds
SILENT_SECONDS = 120.0  # workers tell of their steps once a second, but of one evaluation only when it begins
WATCH_SECONDS = 2.0  # between looks at a heartbeat that is watched


def live_launches(store: ResultStore, at: datetime.datetime | None = None) -> dict[str, dict[str, Any]]:
    """The launches that have lately said that they are alive, without those of this host whose process has ended.

    at: the time for which this is asked; None: now.
    """
    return {launch: record for launch, record in store.beating(at=at).items() if not ended_here(record)}


def _here(record: Mapping[str, Any]) -> bool:
    """Whether a launch is or was a process of this host, so that its number says whether it is alive.

    A heartbeat of an older version does not say of which kernel it is: then the name of the host has to do.
    """
    same = record.get("kernel", "") in ("", liveness.kernel())
    return same and record.get("host") == socket.gethostname()


def ended_here(record: Mapping[str, Any]) -> bool:
    """Whether a launch was a process of this host that is there no more."""
    import psutil

    return _here(record) and not psutil.pid_exists(int(record.get("process", 0)))


def at_work_on(
    store: ResultStore, studies: Collection[str], at: datetime.datetime | None = None
) -> list[dict[str, Any]]:
    """What the live launches of any of these studies last said."""
    return [record for record in live_launches(store, at).values() if set(studies) & set(record.get("studies", ()))]


def _to_stderr(note: str) -> None:
    print(f"sweep: note: {note}", file=sys.stderr, flush=True)


def surely_at_work_on(
    store: ResultStore,
    studies: Collection[str],
    note: Callable[[str], None] = _to_stderr,
    clock: Callable[[], datetime.datetime] = now,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[dict[str, Any] | None, bool]:
    """What a launch of any of these studies that is alive beyond doubt last said, if any; and whether one had to wait.

    The heartbeat of a launch elsewhere looks alive for a while after the launch was killed. So it is watched until it
    beats again, or is too old to be that of a live launch; `note` is told why, once, before that.
    """
    first: dict[str, str] = {}
    waited = False
    while found := at_work_on(store, studies, clock()):
        for record in found:
            if _here(record) or first.setdefault(record["launch"], record["time"]) != record["time"]:
                return record, waited
        if not waited:
            note(_why_one_waits(found[0]))
            waited = True
        sleep(WATCH_SECONDS)
    return None, waited


def _why_one_waits(other: Mapping[str, Any]) -> str:
    told = f"{where(other)}, alive {other['seconds']:.0f} s ago, was at work on {', '.join(other['studies'])}"
    return f"{told} and may have been killed; waiting, some two minutes at most, to see"


def gone_launches(store: ResultStore, alive: Collection[str]) -> list[dict[str, Any]]:
    """Launches that have left a heartbeat and are not alive: killed, or their host is lost. `seconds` is its age."""
    beats = store.beating(math.inf)
    return [beats[launch] for launch in sorted(beats) if launch not in alive]


def silent(pack: Mapping[str, Any], at: datetime.datetime) -> float | None:
    """For how many seconds the worker of a running pack has said nothing, where that is long; else None."""
    seconds = liveness.seconds_since(pack.get("at"), at)
    return seconds if seconds is not None and seconds >= SILENT_SECONDS else None


def where(record: Mapping[str, Any]) -> str:
    """'process 12 on node7', of what a launch or a worker last said."""
    return f"process {record.get('process')} on {record.get('host')}"
