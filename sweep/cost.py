"""Cost: what a launch of what is pending would take of devices and of time, from times of packs, never from a guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sweep.estimate import Basis, Spent, Times
from sweep.pack import Pack
from sweep.rehearsal.cluster import HOUR, Cluster, Node
from sweep.rehearsal.life import makespan
from sweep.rehearsal.work import Work
from sweep.waiting import Job


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What the work that is pending takes.

    hours: of devices, by kind; makespan: seconds until all is done on these slots where nothing fails. Both are None
    while a shape is unknown; unknown: a pack of each such shape. bases: what the times rest on. unmeasured: trials
    whose evaluation is not in it, as nothing like them has been evaluated; without: prerequisites that are not.
    """

    hours: Mapping[str, float] | None
    makespan: float | None
    slots: Mapping[str, int]
    bases: tuple[Basis, ...] = ()
    unknown: tuple[Pack, ...] = ()
    unmeasured: int = 0
    without: int = 0


def cost(work: Work, times: Times, slots: Mapping[str, int]) -> Cost:
    """The cost of some work. slots: packs that run at once, by kind of device."""
    needs = {one.trial.id for plan in work.plans for one in plan.prerequisites}
    trained = [job.pack for job in work.jobs if job.pack.task == "train"]
    strange = [pack for pack in trained if times.seconds(pack) is None]
    without = [pack for pack in strange if needs.issuperset(trial.id for trial in pack.trials)]
    unknown = {pack.decision.shape: pack for pack in strange if pack not in without}
    unmeasured = {trial.id for job in work.jobs if _evaluates(work, job, times) for trial in job.pack.trials}
    told = Cost(
        hours=None,
        makespan=None,
        slots=slots,
        bases=tuple(sorted({basis for pack in trained if (basis := times.basis(pack)) is not None})),
        unknown=tuple(unknown.values()),
        unmeasured=len(unmeasured),
        without=sum(len(pack.trials) for pack in without),
    )
    if unknown:
        return told
    known = replace(times, otherwise=0.0)
    for pack in without:
        nothing = Spent(fused={pack.decision.width: 0.0}, alone=0.0)
        known = known.with_spent(pack.decision.shape, pack.decision.device, nothing)
    hours: dict[str, float] = {}
    for job in work.jobs:
        hours[job.device] = hours.get(job.device, 0.0) + (known.seconds(job.pack) or 0.0) / HOUR
    return replace(told, hours=hours, makespan=makespan(work, known, Cluster(nodes=(Node(slots=slots),))))


def _evaluates(work: Work, job: Job, times: Times) -> bool:
    """Whether a job evaluates trials, and nothing like them has been evaluated on its device."""
    measures = job.pack.task == "evaluate" or (
        any(plan.study.quantities for plan in work.plans) and not times.apart(job.pack.trials[0])
    )
    return measures and (job.pack.decision.shape, job.device) not in times.evaluation
