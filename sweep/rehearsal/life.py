"""A study's whole life, rehearsed: planned, packed, ordered, run with all that goes wrong, stored and checked."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from results.quantity import Quantity
from results.store import ResultStore
from studies.study import Study
from studies.trial import Trial
from sweep.blame import Death
from sweep.bookkeeping import Bookkeeping
from sweep.estimate import Times
from sweep.executor import ExecutorError
from sweep.jobs import Jobs
from sweep.ordering import ordered
from sweep.pack import Pack
from sweep.pack_queue import PackQueue
from sweep.plan import StudyPlan, decisions_for, plan_study
from sweep.rehearsal.bound import Bound, lower_bound
from sweep.rehearsal.checks import violations
from sweep.rehearsal.cluster import HOUR, Cluster, Faults
from sweep.rehearsal.simulation import Simulation
from sweep.rehearsal.worker import Worker
from sweep.task import PackTask, Settings
from sweep.waiting import Job

LAUNCH = "rehearsal"
FIRST_FAILURES = 12  # as in a launch
MEMORY_FOLDER = Path("/dev/shm")
ROOM = 1_000_000_000  # bytes free, from which the store of a rehearsal is kept in memory


@dataclass(frozen=True, kw_only=True)
class Report:
    """How a rehearsal went. Times in seconds of the simulated clock; by kind of device where there are several.

    picture: when every setting had its first seed, None where some trial has no end. hours: of devices at work, by
    kind; lost: of these, in vain; away: while nodes were gone. innocents: trials marked as crashed that kill nothing.
    halted: why the launch stopped of itself, as the first trials all failed alike. wrong: which invariants do not hold.
    """

    trials: int
    packs: int
    statuses: Mapping[str, int]
    makespan: float
    bound: Bound
    picture: float | None
    slots: Mapping[str, int]
    hours: Mapping[str, float]
    lost: Mapping[str, float]
    away: Mapping[str, float]
    attempts: Mapping[str, int]
    kinds: Mapping[str, int]
    innocents: int
    halted: str
    wrong: Sequence[str]
    files: int = 0

    @property
    def ratio(self) -> float:
        """Of makespan to its lower bound; 1 where there was nothing to do."""
        return self.makespan / self.bound.seconds if self.bound.seconds else 1.0

    @property
    def utilisation(self) -> dict[str, float]:
        """The share of the time of devices, while their node was there, in which they were at work."""
        there = {
            device: count * self.makespan / HOUR - self.away.get(device, 0.0) for device, count in self.slots.items()
        }
        return {device: self.hours.get(device, 0.0) / hours for device, hours in there.items() if hours > 0}

    def record(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "trials": self.trials,
            "packs": self.packs,
            "statuses": dict(self.statuses),
            "makespan_seconds": self.makespan,
            "lower_bound_seconds": self.bound.seconds,
            "lower_bound": vars(self.bound),
            "ratio": self.ratio,
            "first_picture_seconds": self.picture,
            "slots": dict(self.slots),
            "device_hours": dict(self.hours),
            "device_hours_lost": dict(self.lost),
            "device_hours_away": dict(self.away),
            "utilisation": self.utilisation,
            "attempts": dict(self.attempts),
            "within_packs": dict(self.kinds),
            "innocents_marked": self.innocents,
            "halted": self.halted,
            "violations": list(self.wrong),
        }


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
    ) -> Work:
        """store: says what is finished and how shapes are packed. elsewhere: trials evaluated apart are so on CPUs.

        slots: packs that will run at once by kind of device, for their order.
        """
        found = [plan_study(study, store) for study in studies] if plans is None else list(plans)
        needs = list({one.trial.id: one for plan in found for one in plan.prerequisites}.values())
        decisions = decisions_for(studies, store, device, width, needs)
        measuring = decisions_for(studies, store, "cpu", None, needs) if elsewhere else decisions
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
            pack = next(iter(unknown.values()))
            raise ExecutorError(
                f"the time of {len(unknown)} of {len({job.pack.decision.shape for job in self.jobs})} shapes is not "
                f"known on {pack.decision.device} ({pack.task}): the store has no trials like them; give "
                "--step-seconds or --pack-seconds"
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


def rehearse(
    work: Work,
    times: Times,
    cluster: Cluster,
    faults: Faults,
    *,
    checkpoint_seconds: float = 60.0,
    footprint: Callable[[Trial], int] | None = None,
) -> Report:
    """Runs the work on the cluster, into a store of its own that is removed afterwards, and checks what it holds."""
    seconds = work.seconds(times)
    with temporary_store() as store:
        worker = Worker(
            times=times,
            faults=faults,
            make_task=work.again,
            store=store,
            checkpoint_seconds=checkpoint_seconds,
            footprint=footprint,
        )
        simulation = simulated(work, worker, cluster, faults, FIRST_FAILURES)
        files = len(store.files.names("trials"))
        counts, halted = simulation.queue.snapshot(), simulation.queue.halted
        wrong = violations(store, work.trained, counts, whole=not halted)
    blamed = [trial for trial, status in worker.outcome.items() if status == "crashed"]
    firsts = work.first_seed
    return Report(
        trials=len(work.trained),
        packs=len(work.jobs),
        statuses=worker.summary(),
        makespan=simulation.makespan,
        bound=lower_bound(work.jobs, seconds, cluster.slots),
        picture=max(worker.when[trial] for trial in firsts) if firsts and firsts <= worker.when.keys() else None,
        slots=cluster.slots,
        hours={device: took / HOUR for device, took in simulation.busy.items()},
        lost={device: took / HOUR for device, took in worker.lost.items()},
        away={device: took / HOUR for device, took in simulation.away.items()},
        attempts=simulation.attempts,
        kinds=worker.kinds | Counter(narrowed=counts.narrowed),
        innocents=sum(not faults.hits("poisons", trial) for trial in blamed),
        halted=halted,
        wrong=wrong,
        files=files,
    )


def makespan(work: Work, times: Times, cluster: Cluster) -> float:
    """Seconds until all work is done where nothing goes wrong; nothing is stored. Raises ExecutorError: see `Work`."""
    work.seconds(times)
    worker = Worker(times=times, faults=Faults(), make_task=work.again)
    return simulated(work, worker, cluster, Faults()).makespan


def simulated(work: Work, worker: Worker, cluster: Cluster, faults: Faults, first_failures: int = 0) -> Simulation:
    """The simulation after its run; what a launch stores by itself goes to the worker's store, where it has one."""
    inflight: dict[str, Mapping[str, object]] = {}
    books: Bookkeeping | None = None
    if worker.store is not None:
        books = Bookkeeping(store=worker.store, launch=LAUNCH, plans=work.plans, prerequisites={}, make_task=work.task)

    def crashed(pack: Pack, trials: list[Trial], death: Death) -> None:
        if books is not None:
            books.crashed(pack, trials, death)
        for trial in trials if pack.task == "train" else ():
            worker.ended(trial, death.status, simulation.makespan)

    queue = PackQueue(
        work.jobs,
        inflight=lambda: inflight,
        crashed=crashed,
        remember=(lambda footprint: None) if books is None else books.remember,
        first_failures=first_failures,
    )
    simulation = Simulation(
        queue=queue, cluster=cluster, worker=worker, faults=faults, packs=work.packs, inflight=inflight
    )
    simulation.run()
    return simulation


@contextlib.contextmanager
def temporary_store() -> Iterator[ResultStore]:
    """A store that is removed afterwards; in memory where there is room."""
    roomy = MEMORY_FOLDER.is_dir() and os.access(MEMORY_FOLDER, os.W_OK)
    roomy = roomy and shutil.disk_usage(MEMORY_FOLDER).free > ROOM
    with tempfile.TemporaryDirectory(prefix="rehearsal-", dir=MEMORY_FOLDER if roomy else None) as folder:
        yield ResultStore.open(Path(folder) / "store", create=True)
