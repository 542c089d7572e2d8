"""Checks after a rehearsal: what must hold whatever went wrong, read from the store that the rehearsal has written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import pyarrow as pa

from results.scan import winners
from results.schema import FINISHED
from results.store import ResultStore
from sweep.counts import Counts


def violations(store: ResultStore, planned: Collection[str], counts: Counts, *, whole: bool = True) -> list[str]:
    """What is wrong, in words: trials lost, doubled or foreign in the store, and sums that do not add up in the queue.

    planned: ids of all trials that were to be trained, prerequisites among them. whole: that the launch ran to its end.
    """
    rows = store.scan("trials", ["trial", "attempt", "status", "finished"])
    stored = _statuses(rows)
    finished = Counter(trial for trial, status in stored if status in FINISHED)
    known = {trial for trial, _ in stored}
    ruling = dict(_statuses(winners(rows)))
    said = Counter(ruling.values())
    found = {
        "lost": len(set(planned) - known) if whole else 0,
        "foreign": len(known - set(planned)),
        "finished more than once": sum(count > 1 for count in finished.values()),
        "finished and failed again": sum(finished[trial] > 0 and ruling[trial] not in FINISHED for trial in known),
    }
    wrong = [f"{count:,} trials {what}" for what, count in found.items() if count]
    if not whole:
        return wrong
    if counts.done != len(planned):
        wrong.append(f"the queue counts {counts.done:,} trials done, of {len(planned):,}")
    if counts.evaluated != counts.to_evaluate:
        wrong.append(f"the queue counts {counts.evaluated:,} trials evaluated, of {counts.to_evaluate:,}")
    if counts.packs_done != counts.packs:
        wrong.append(f"the queue counts {counts.packs_done:,} packs done, of {counts.packs:,}")
    for status in said.keys() | counts.statuses.keys():
        told = counts.statuses.get(status, 0)
        completed = told + counts.statuses.get("evaluated", 0) if status == "completed" else told
        if status != "evaluated" and completed != said[status]:
            wrong.append(f"the queue counts {completed:,} trials {status}, the store {said[status]:,}")
    return wrong


def _statuses(table: pa.Table) -> list[tuple[str, str]]:
    return list(zip(table["trial"].to_pylist(), table["status"].to_pylist(), strict=True))
