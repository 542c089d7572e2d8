"""The logs of packs as a reader finds them: those that are being written, and those that the store keeps.

A worker that dies leaves its live file behind. Whoever notices the death (the driver of its launch, or the next launch
where the driver died too) makes a row of it.
"""

from __future__ import annotations

import contextlib
import datetime
import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import pyarrow.compute as pc

from results.commit import now
from results.files import StoreError, Vanished
from results.store import ResultStore
from sweep.blame import DIED
from sweep.launches import live_launches
from sweep.worker_log import FOLDER, KEPT_BYTES, log_row

ABANDONED = "cut short: its worker or its launch died"
_COLUMNS = ("log", "pack", "launch", "host", "process", "trials")


@dataclass(frozen=True, kw_only=True)
class PackLog:
    """What a worker printed during one run of a pack. ended: None while it runs, and where nobody has seen its end."""

    log: str
    pack: str
    launch: str
    host: str
    process: int
    trials: tuple[str, ...]
    started: datetime.datetime
    ended: datetime.datetime | None
    outcome: str
    text: str

    @property
    def running(self) -> bool:
        """Whether it is being written, as far as one can tell."""
        return self.ended is None and not self.outcome

    def heading(self) -> str:
        """One line: what ran where and when, and how it ended."""
        when = self.started.isoformat(sep=" ", timespec="seconds")
        if self.ended is not None:
            when += f", {(self.ended - self.started).total_seconds():.1f} s"
        count = f"{len(self.trials)} trial{'' if len(self.trials) == 1 else 's'}"
        where = f"process {self.process} on {self.host}, launch {self.launch}"
        state = "running" if self.running else self.outcome or "ended"
        return f"== pack {self.pack} ({count}), {where}, {when}: {state}"


def live_logs(store: ResultStore, packs: Collection[str] | None = None) -> dict[str, PackLog]:
    """The logs that are being written, or whose worker died, by the name of their file.

    packs: only of these; the files of others are not read.
    """
    found: dict[str, PackLog] = {}
    names = store.files.names(FOLDER)
    if packs is not None:
        begins = tuple(f"{FOLDER}/{pack}-" for pack in packs)
        names = [name for name in names if name.startswith(begins)]
    for name in names:
        with contextlib.suppress(Vanished, ValueError, KeyError, TypeError):  # finished meanwhile, or a torn header
            header, _, text = store.files.read(name).partition(b"\n")
            told: dict[str, Any] = json.loads(header)
            found[name] = PackLog(
                **{column: told[column] for column in _COLUMNS if column != "trials"},
                trials=tuple(told["trials"]),
                started=datetime.datetime.fromisoformat(told["started"]),
                ended=None,
                outcome="",
                text=text[-KEPT_BYTES:].decode(errors="replace"),
            )
    return found


def logs_of(store: ResultStore, trial: str) -> list[PackLog]:
    """The logs of the packs that had a trial in them, the earliest first, also those that are being written.

    Where a later run of the trial has begun, or the launch is dead, a log without an end is that of a dead worker.
    """
    live = [log for log in live_logs(store).values() if trial in log.trials]
    known = {log.log: log for log in (*live, *stored_logs(store, trial))}  # a row takes the place of its live file
    logs = sorted(known.values(), key=lambda log: (log.started, log.log))
    alive = live_launches(store) if live else {}
    return [
        replace(log, outcome=DIED) if log.ended is None and (log is not logs[-1] or log.launch not in alive) else log
        for log in logs
    ]


def stored_logs(store: ResultStore, trial: str) -> list[PackLog]:
    """Those of them that the store keeps."""
    known = store.scan("logs", ["log", "trials"]).to_pylist()
    wanted = [row["log"] for row in known if trial in (row["trials"] or ())]
    if not wanted:
        return []
    rows = store.scan("logs")
    rows = rows.filter(pc.is_in(rows["log"], value_set=pc.cast(wanted, rows["log"].type)))
    return [PackLog(**row | {"trials": tuple(row["trials"])}) for row in rows.sort_by("started").to_pylist()]


def logged_trials(store: ResultStore) -> set[str]:
    """The ids of all trials of which there is a log, also of those that have never ended."""
    stored = {trial for trials in store.scan("logs", ["trials"])["trials"].to_pylist() for trial in trials or ()}
    return stored.union(*(log.trials for log in live_logs(store).values()))


def collect_logs(
    store: ResultStore, *, packs: Collection[str] | None = None, alive: Collection[str] = (), outcome: str = DIED
) -> int:
    """Makes rows of the live files that nobody writes any more, and removes these; how many there were.

    packs: of these packs, whose worker is known to be dead; None: of all but those of the launches that are `alive`.
    """
    collected = 0
    for name, log in live_logs(store, packs).items():
        if log.pack in packs if packs is not None else log.launch not in alive:
            if log.text.strip():
                told: dict[str, object] = {column: getattr(log, column) for column in _COLUMNS}
                told["trials"] = list(log.trials)
                store.append("logs", [log_row(told, log.started, _last_written(store, name), outcome, log.text)])
            store.files.delete(name)
            collected += 1
    return collected


def _last_written(store: ResultStore, name: str) -> datetime.datetime:
    try:
        return now() - datetime.timedelta(seconds=store.files.age(name))
    except StoreError:
        return now()
