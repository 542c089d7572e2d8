"""A study's whole life, rehearsed: its work run with all that goes wrong, stored and checked."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from results.store import ResultStore
from studies.trial import Trial
from sweep.estimate import Times
from sweep.failures import FIRST_FAILURES
from sweep.pack_queue import PackQueue
from sweep.rehearsal.books import RehearsedBooks
from sweep.rehearsal.bound import lower_bound
from sweep.rehearsal.checks import violations
from sweep.rehearsal.cluster import HOUR, Cluster, Faults
from sweep.rehearsal.report import Report
from sweep.rehearsal.simulation import Simulation
from sweep.rehearsal.work import Work
from sweep.rehearsal.worker import Worker

MEMORY_FOLDER = Path("/dev/shm")
ROOM = 1_000_000_000  # bytes free, from which the store of a rehearsal is kept in memory


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
            store=store,
            checkpoint_seconds=checkpoint_seconds,
            footprint=footprint,
        )
        simulation = simulated(work, worker, cluster, faults, FIRST_FAILURES)
        commits = len(store.files.names("trials"))
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
        commits=commits,
    )


def makespan(work: Work, times: Times, cluster: Cluster) -> float:
    """Seconds until all work is done where nothing goes wrong; nothing is stored. Raises ExecutorError: see `Work`."""
    work.seconds(times)
    worker = Worker(times=times, faults=Faults())
    return simulated(work, worker, cluster, Faults()).makespan


def simulated(work: Work, worker: Worker, cluster: Cluster, faults: Faults, first_failures: int = 0) -> Simulation:
    """The simulation after its run; what a launch stores by itself goes to the worker's store, where it has one."""
    books = RehearsedBooks.of(work, worker)
    queue = PackQueue(work.jobs, books, first_failures=first_failures)
    simulation = Simulation(queue=queue, cluster=cluster, worker=worker, faults=faults, books=books)
    simulation.run()
    return simulation


@contextlib.contextmanager
def temporary_store() -> Iterator[ResultStore]:
    """A store that is removed afterwards; in memory where there is room."""
    roomy = MEMORY_FOLDER.is_dir() and os.access(MEMORY_FOLDER, os.W_OK)
    roomy = roomy and shutil.disk_usage(MEMORY_FOLDER).free > ROOM
    with tempfile.TemporaryDirectory(prefix="rehearsal-", dir=MEMORY_FOLDER if roomy else None) as folder:
        yield ResultStore.open(Path(folder) / "store", create=True)
