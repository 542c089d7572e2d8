"""Work: what a launch would run, made by its planner, packer and order, to be rehearsed instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from results.quantity import Quantity
from results.store import ResultStore
from studies.study import Study
from sweep.estimate import Times
from sweep.executor import ExecutorError
from sweep.jobs import Jobs
from sweep.ordering import ordered
from sweep.pack import Pack
from sweep.plan import StudyPlan, decisions_for, plan_study
from sweep.task import PackTask, Settings
from sweep.waiting import Job

LAUNCH = "rehearsal"


@dataclass(kw_only=True)
class Work:
    """What a launch would run: its plans, and the jobs that they make, in the order in which they are handed out.

    packs: by id, those that the queue has handed out so far.
    """

    plans: list[StudyPlan]
    jobs: list[Job]
    packs: dict[str, Pack] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        studies: Sequence[Study],
        store: ResultStore | None,
        times: Times,
        *,
        device: str,
        width: int | None = None,
        plans: Sequence[StudyPlan] | None = None,
        elsewhere: bool = False,
        slots: Mapping[str, int] = MappingProxyType({}),
        stored: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
    ) -> Work:
        """store: says what is finished and how shapes are packed. elsewhere: trials evaluated apart are so on CPUs.

        slots: packs that will run at once by kind of device, for their order. stored: the decisions of the store, where
        they have been read.
        """
        found = [plan_study(study, store) for study in studies] if plans is None else list(plans)
        needs = list({one.trial.id: one for plan in found for one in plan.prerequisites}.values())
        if stored is None and store is not None:
            stored = store.decisions()
        decisions = decisions_for(studies, store, device, width, needs, stored)
        measuring = decisions_for(studies, store, "cpu", None, needs, stored) if elsewhere else decisions
        work = cls(plans=found, jobs=[])
        jobs = Jobs(decisions=decisions, measuring=measuring, apart=times.apart, begun=(), make_task=work.task)
        work.jobs = ordered(jobs.of(found, needs, True), times.seconds, slots)
        return work

    def task(self, pack: Pack, quantities: tuple[Quantity, ...], retry: int) -> PackTask:
        """A task that stays in this process: it names its pack, and carries no specifications."""
        identity = pack.id
        self.packs[identity] = pack
        settings = Settings(store="", launch=LAUNCH)
        return PackTask(
            pack=identity,
            trials=(),
            decision=pack.decision,
            quantities=(),
            settings=settings,
            task=pack.task,
            retry=retry,
        )

    def again(self, pack: Pack) -> PackTask:
        """The task of a part of a pack that a worker has made, for its rows."""
        return self.task(pack, (), 0)

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
