"""Where the results of a report come from: code, packages, hosts, hours, launches, in a reader's words."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa

from results.store import ResultStore

COLUMNS = [
    "trial", "code", "packages", "host", "device", "precision", "path", "width", "threads", "launch", "source",
    "train_seconds", "evaluate_seconds",
]  # fmt: skip
SHOWN_LAUNCHES = 20


def origins(store: ResultStore, trials: Collection[str]) -> dict[str, list[str]]:
    """Name -> lines, of the attempts that count of these trials: what a report states as their provenance.

    Hours are those of a worker, training and evaluation, failed and replaced attempts left out.
    """
    rows = store.trials(COLUMNS, trials).to_pandas()
    told = {"Store": [store.location]}
    if len(rows):
        told["Code"] = _counted(rows, "code")
        told["Packages"] = [
            ", ".join(f"{name} {version}" for name, version in json.loads(text or "{}").items())
            for text in rows["packages"].drop_duplicates()
        ]
        told["Hosts"] = _counted(rows, "host")
        told["Execution"] = _execution(rows)
        told["Compute"] = _hours(rows)
        if rows["source"].notna().any():
            told["User's files (SHA-256)"] = _counted(rows.dropna(subset="source"), "source")
        told["Launches"] = _launches(rows, store.scan("launches"))
    if store.damaged:
        told["Skipped files"] = [f"{name}: {why}" for name, why in sorted(store.damaged.items())]
    return told


def _counted(rows: pd.DataFrame, column: str) -> list[str]:
    counts = rows[column].fillna("not recorded").value_counts()
    return [f"{value} ({count} trials)" for value, count in counts.sort_index().items()]


def _execution(rows: pd.DataFrame) -> list[str]:
    columns = ["device", "precision", "path", "width", "threads"]
    counts = rows.groupby(columns, dropna=False).size().reset_index(name="trials")
    return [
        f"{one.device}, {one.precision}, {one.path} packs of {one.width} trials, "
        f"{one.threads} {'thread' if one.threads == 1 else 'threads'} ({one.trials} trials)"
        for one in counts.itertuples()
    ]


def _hours(rows: pd.DataFrame) -> list[str]:
    lines = []
    for device, part in rows.groupby("device", dropna=False):
        training, evaluating = (part[name].sum() / 3600 for name in ("train_seconds", "evaluate_seconds"))
        kind = "GPU" if str(device).startswith("cuda") else "CPU"
        lines.append(
            f"{training + evaluating:.3g} {kind} hours: {training:.3g} of training, {evaluating:.3g} of evaluation"
        )
    return lines


def _launches(rows: pd.DataFrame, events: pa.Table) -> list[str]:
    """One line a launch that finished some of the trials, in the order of time."""
    counts = rows["launch"].value_counts()
    known: dict[str, dict[str, Mapping[str, Any]]] = {}
    for event in events.to_pylist():
        known.setdefault(event["launch"], {})[event["event"]] = event
    lines = [
        _launch(str(launch), int(count), known.get(str(launch), {})) for launch, count in counts.sort_index().items()
    ]
    if len(lines) > SHOWN_LAUNCHES:
        lines = [f"{len(lines) - SHOWN_LAUNCHES} earlier launches", *lines[-SHOWN_LAUNCHES:]]
    return lines


def _launch(launch: str, count: int, events: Mapping[str, Mapping[str, Any]]) -> str:
    begun = events.get("started")
    if begun is None:
        return f"{launch}: {count} trials"
    ended = events.get("ended") or events.get("interrupted")
    how = (
        "not ended" if ended is None else f"{ended['event']} after {(ended['at'] - begun['at']).total_seconds():.0f} s"
    )
    return f"{begun['at']:%Y-%m-%d %H:%M} UTC on {begun['host']}, {how}: {count} trials, by {begun['command']}"
