"""Jobs: what the packs of a launch are, prerequisites first, and which of them wait for which."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from results.quantity import Quantity
from studies.prerequisites import measured_of, prerequisites
from studies.trial import Trial
from sweep.pack import Decision, Task, group
from sweep.plan import Prerequisite, StudyPlan, needed
from sweep.waiting import Job


@dataclass
class _Work:
    """A trial that is to be trained or evaluated, and what is to be measured of it."""

    trial: Trial
    quantities: tuple[Quantity, ...] = ()

    @property
    def wanted(self) -> tuple[str, ...]:
        return tuple(one.key for one in self.quantities)

    def add(self, quantities: Sequence[Quantity]) -> None:
        self.quantities += tuple(one for one in quantities if one.key not in self.wanted)


@dataclass(frozen=True, kw_only=True)
class Jobs:
    """Makes the jobs of a launch.

    decisions: how each shape is packed; measuring: where its trials are evaluated apart. apart: whether a trial is, by
    another pack than that which trains it. begun: trial ids of packs that left a checkpoint.
    """

    decisions: Mapping[str, Decision]
    measuring: Mapping[str, Decision]
    apart: Callable[[Trial], bool]
    begun: Sequence[Sequence[str]]

    def of(self, plans: Sequence[StudyPlan], needs: Iterable[Prerequisite], train: bool) -> list[Job]:
        """Packs to train, prerequisites first, then packs to evaluate; each trial once where studies share it.

        Packs that evaluate apart what others train come before those that evaluate what an earlier launch has trained.

        train: that pending trials are trained; prerequisites are in any case.
        """
        learn: dict[str, _Work] = {}
        measure: dict[str, _Work] = {}
        for one in needs:
            if one.state == "pending":
                learn[one.trial.id] = _Work(one.trial, measured_of(one.trial))
            elif one.lacking:
                measure[one.trial.id] = _Work(one.trial, one.lacking)
        ahead = len(learn)
        for plan in plans:
            finished = {trial.id: trial for trial in plan.finished}
            for trial in plan.pending if train else ():
                learn.setdefault(trial.id, _Work(trial)).add(plan.study.quantities)
            for identity, quantities in plan.unevaluated.items():
                measure.setdefault(identity, _Work(finished[identity])).add(quantities)
        first = self._grouped(list(learn.values())[:ahead], "train", {})
        packs = {trial.id: job.pack.id for job in first if not job.apart for trial in job.pack.trials}
        others = self._grouped(list(learn.values())[ahead:], "train", packs)
        jobs = [*first, *others, *self._grouped(list(measure.values()), "evaluate", packs)]
        return sorted(jobs, key=lambda job: job.pack.task == "evaluate")

    def _grouped(self, works: Sequence[_Work], task: Task, packs: Mapping[str, str]) -> list[Job]:
        """The packs of some trials; those of one pack are measured for the same, with the same prerequisites.

        packs: the packs that train prerequisites, by trial.
        """
        alike: dict[tuple[tuple[str, ...], tuple[str, ...]], list[_Work]] = {}
        for work in works:
            alike.setdefault((work.wanted, needed(work.quantities, work.trial)), []).append(work)
        jobs = []
        for members in alike.values():
            quantities = members[0].quantities
            needs = prerequisites(quantities, members[0].trial).values()
            after = frozenset(packs[one.id] for one in needs if one.id in packs)
            trials = [work.trial for work in members]
            if task == "evaluate":
                packed = group(trials, self._where(trials), task)
                jobs += [Job(pack=pack, quantities=quantities, after=after) for pack in packed]
                continue
            for pack in group(trials, self.decisions, task, self.begun):
                if not (quantities and self.apart(pack.trials[0])):
                    jobs.append(Job(pack=pack, quantities=quantities, after=after))
                    continue
                jobs.append(Job(pack=pack))
                parts = group(pack.trials, self._where(pack.trials), "evaluate")
                after_it = after | {pack.id}
                jobs += [Job(pack=part, quantities=quantities, after=after_it, apart=True) for part in parts]
        return jobs

    def _where(self, trials: Iterable[Trial]) -> dict[str, Decision]:
        """How the trials' shapes are packed to be evaluated."""
        return {one.shape: (self.measuring if self.apart(one) else self.decisions)[one.shape] for one in trials}
