"""Work: what a launch would run, made by its planner, packer and order, to be rehearsed instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from results.store import ResultStore
from sweep.estimate import Times
from sweep.executor import ExecutorError
from sweep.jobs import Jobs
from sweep.ordering import ordered
from sweep.plan import StudyPlan, decisions_for
from sweep.waiting import Job


@dataclass(kw_only=True)
class Work:
    """What a launch would run: its plans, and the jobs that they make, in the order in which they are handed out."""

    plans: list[StudyPlan]
    jobs: list[Job]

    @classmethod
    def of(
        cls,
        plans: Sequence[StudyPlan],
        store: ResultStore | None,
        times: Times,
        *,
        device: str,
        width: int | None = None,
        elsewhere: bool = False,
        slots: Mapping[str, int] = MappingProxyType({}),
        stored: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
    ) -> Work:
        """store: says how shapes are packed. elsewhere: trials evaluated apart are so on CPUs.

        slots: packs that will run at once by kind of device, for their order. stored: the decisions of the store, where
        they have been read.
        """
        if stored is None and store is not None:
            stored = store.decisions()
        studies = [plan.study for plan in plans]
        needs = list({one.trial.id: one for plan in plans for one in plan.prerequisites}.values())
        decisions = decisions_for(studies, store, device, width, needs, stored)
        measuring = decisions_for(studies, store, "cpu", None, needs, stored) if elsewhere else decisions
        jobs = Jobs(decisions=decisions, measuring=measuring, apart=times.apart, begun=())
        return cls(plans=list(plans), jobs=ordered(jobs.of(plans, needs, True), times.seconds, slots))

    def seconds(self, times: Times) -> dict[str, float]:
        """The seconds of every job by its pack's id. Raises ExecutorError where some are not known."""
        known = {job.pack.id: times.seconds(job.pack) for job in self.jobs}
        unknown = {job.pack.decision.shape: job.pack for job in self.jobs if known[job.pack.id] is None}
        if unknown:
            pack, shapes = next(iter(unknown.values())), {job.pack.decision.shape for job in self.jobs}
            raise ExecutorError(
                f"the time of {len(unknown)} of {len(shapes)} shapes is not known on {pack.decision.device} "
                f"({pack.task}): the store has no trials like them; give --step-seconds or --pack-seconds, and "
                "--evaluate-seconds"
            )
        return {pack: took for pack, took in known.items() if took is not None}

    @property
    def trained(self) -> set[str]:
        """The trials that are to be trained."""
        return {trial.id for job in self.jobs if job.pack.task == "train" for trial in job.pack.trials}

    @property
    def first_seed(self) -> set[str]:
        """The trials of the first picture: of each plan those that are pending at its lowest seed."""
        firsts: set[str] = set()
        for plan in self.plans:
            lowest = min((trial.seed for trial in plan.study.trials()), default=0)
            firsts |= {trial.id for trial in plan.pending if trial.seed == lowest}
        return firsts
