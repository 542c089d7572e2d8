"""Where studies stand in a store: what is done, running, failed and missing, and who is at work on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from results.reading import Reading
    from results.store import ResultStore
    from studies.study import Study
    from sweep.failures import FailureGroup
    from sweep.plan import Prerequisite


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One study: trials = completed + diverged + failed + running + missing.

    failed: also those that were trained, and of which a quantity of the study could not be measured.
    failures: the failed trials by reason; divergences: the diverged ones. running: pending trials in a pack of a live
    launch. unevaluated: completed trials that lack a quantity of the study. prerequisites: of what is missing or
    unevaluated; they are not among the trials.
    """

    study: str
    reduced: str
    trials: int
    completed: int
    diverged: int
    failed: int
    running: int
    missing: int
    unevaluated: int
    failures: tuple[FailureGroup, ...]
    divergences: tuple[FailureGroup, ...]
    prerequisites: tuple[Prerequisite, ...] = ()

    @property
    def done(self) -> int:
        return self.completed + self.diverged


def standing(
    study: Study, store: ResultStore, running: Collection[str] = (), reading: Reading | None = None
) -> Standing:
    """The standing of a study.

    running: the trials in packs of live launches. reading: of the store, of these trials, where that has been done.
    """
    from results.reading import Reading
    from results.schema import EVALUATION_FAILED, FAILED, FINISHED
    from sweep.failures import grouped
    from sweep.plan import plan_study

    rows = study.columns()
    reading = reading or Reading(store, rows["trial"])
    plan = plan_study(study, store, reading=reading)
    found = [reading.statuses.get(trial, ("missing", "")) for trial in rows["trial"]]
    for place, trial in enumerate(rows["trial"]):
        if trial in plan.unmeasured:
            found[place] = EVALUATION_FAILED, plan.unmeasured[trial]
        if trial in running and found[place][0] not in FINISHED:
            found[place] = "running", found[place][1]
    rows["status"], rows["reason"] = [status for status, _ in found], [reason for _, reason in found]
    counts = Counter(rows["status"])
    axes = study.axis_columns()
    return Standing(
        study=study.name,
        reduced=study.reduced,
        trials=len(found),
        completed=counts["completed"],
        diverged=counts["diverged"],
        failed=sum(counts[status] for status in FAILED),
        running=counts["running"],
        missing=counts["missing"],
        unevaluated=len(plan.unevaluated) + plan.weightless,
        failures=tuple(grouped(rows, axes, FAILED)),
        divergences=tuple(grouped(rows, axes, frozenset({"diverged"}))),
        prerequisites=plan.prerequisites,
    )


def running_packs(store: ResultStore, alive: Collection[str]) -> list[dict[str, Any]]:
    """What the workers of live launches last said of the packs that they are at."""
    packs = store.inflight()
    return [record | {"id": pack} for pack, record in sorted(packs.items()) if record.get("launch") in alive]


def failure_lines(groups: Collection[FailureGroup], indent: str) -> list[str]:
    """Failures as one reads them, a group a line: how many, why, where in the grid, and one to look at."""
    lines = []
    for group in groups:
        status = group.status.replace("_", " ")
        reason = f": {group.reason}" if group.reason else ""
        where = f", all where {group.region}" if group.region else ""
        lines.append(f"{indent}{group.count:,} × {status}{reason}{where} (sweep show {group.example})")
    return lines


def failure_records(groups: Collection[FailureGroup]) -> list[Mapping[str, Any]]:
    return [vars(group) for group in groups]
