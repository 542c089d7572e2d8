"""Where studies stand in a store: what is done, running, failed and missing, and who is at work on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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


def standing(study: Study, store: ResultStore, running: Collection[str] = ()) -> Standing:
    """The standing of a study; `running` are the trials in packs of live launches."""
    from results.schema import EVALUATION_FAILED, FAILED, FINISHED
    from sweep.failures import grouped
    from sweep.plan import plan_study

    rows = study.planned()
    stored = store.trials(["trial", "status", "reason"], rows["trial"].tolist()).to_pandas().set_index("trial")
    found = stored.reindex(rows["trial"]).reset_index(drop=True)
    rows["status"] = found["status"].astype(object).where(found["status"].notna(), "missing")
    rows["reason"] = found["reason"].astype(object).where(found["reason"].notna(), "")
    plan = plan_study(study, store)
    unmeasured = rows["trial"].map(plan.unmeasured)
    rows.loc[unmeasured.notna(), "status"] = EVALUATION_FAILED
    rows.loc[unmeasured.notna(), "reason"] = unmeasured[unmeasured.notna()]
    unfinished = ~rows["status"].isin(FINISHED)
    rows.loc[unfinished & rows["trial"].isin(set(running)), "status"] = "running"
    counts = {str(status): int(count) for status, count in rows["status"].value_counts().items()}
    axes = study.axis_columns()
    return Standing(
        study=study.name,
        reduced=study.reduced,
        trials=len(rows),
        completed=counts.get("completed", 0),
        diverged=counts.get("diverged", 0),
        failed=sum(counts.get(status, 0) for status in FAILED),
        running=counts.get("running", 0),
        missing=counts.get("missing", 0),
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
