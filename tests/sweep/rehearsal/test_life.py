from __future__ import annotations

import heapq
from dataclasses import replace
from typing import Any

import pytest

from results.quantity import Quantity
from results.store import ResultStore
from sweep.estimate import Spent, Times
from sweep.executor import ExecutorError
from sweep.plan import plan_study
from sweep.rehearsal.checks import violations
from sweep.rehearsal.cluster import Cluster, Faults, Node
from sweep.rehearsal.life import makespan, rehearse, simulated
from sweep.rehearsal.life import temporary_store as store_of_its_own
from sweep.rehearsal.report import Report
from sweep.rehearsal.scenarios import GB, LIMIT, SCENARIOS, gpus, grid
from sweep.rehearsal.work import Work
from sweep.rehearsal.worker import Worker

STUDY = grid("life", 128, latents=2)
SHAPES = list(dict.fromkeys(trial.shape for trial in STUDY.trials()))
TIMES = Times(
    training={(shape, "cuda"): Spent(fused={64: took}) for shape, took in zip(SHAPES, (600.0, 900.0), strict=True)}
)
PACKS = 128 * 2 * 3 // 64
FEW = grid("few", 16, seeds=2)
FEW_TIMES = Times(training={(FEW.trials()[0].shape, "cuda"): Spent(fused={32: 100.0})})


def run(faults: Faults = Faults(), cluster: Cluster = Cluster(nodes=gpus(2, 2)), **more: Any) -> Report:  # noqa: B008
    work = Work.of([plan_study(STUDY, None)], None, TIMES, device="cuda", slots=cluster.slots)
    return rehearse(work, TIMES, cluster, faults, **more)


def test_undisturbed_it_is_list_scheduling_of_the_packs_in_their_order() -> None:
    cluster = Cluster(nodes=gpus(3, 1))
    work = Work.of([plan_study(STUDY, None)], None, TIMES, device="cuda", slots=cluster.slots)
    free = [0.0] * 3
    for job in work.jobs:
        heapq.heappush(free, heapq.heappop(free) + (TIMES.seconds(job.pack) or 0.0))
    assert makespan(work, TIMES, cluster) == pytest.approx(max(free))
    report = run(cluster=cluster)
    assert report.makespan == pytest.approx(max(free))
    assert report.hours["cuda"] == pytest.approx(6 * (600 + 900) / 3600)
    assert (report.statuses, report.attempts) == ({"completed": len(STUDY)}, {"started": PACKS, "ended": PACKS})
    assert report.wrong == []


def test_the_same_seed_is_the_same_rehearsal_and_another_seed_another() -> None:
    faults = Faults(deaths=0.2, node_loss=0.3, errors=0.002, poisons=0.002, divergences=0.02, out_of_memory=0.3, seed=3)
    first, again, other = (run(one).record() for one in (faults, faults, replace(faults, seed=4)))
    assert first == again
    assert first != other


@pytest.mark.parametrize("seed", range(6))
def test_whatever_goes_wrong_every_trial_ends_once_as_the_faults_say(seed: int) -> None:
    """Oracle: which trials are hit is a function of seed and trial alone, so every status is known beforehand."""
    faults = Faults(
        deaths=0.15, node_loss=0.3, errors=0.004, poisons=0.004, divergences=0.02, out_of_memory=0.5, seed=seed
    )
    report = run(faults)
    hit = {
        kind: {trial.id for trial in STUDY.trials() if faults.hits(kind, trial.id)}
        for kind in ("errors", "poisons", "divergences")
    }
    assert report.wrong == []
    assert report.innocents == 0
    assert report.trials == sum(report.statuses.values()) == len(STUDY)
    assert report.statuses.get("diverged", 0) == len(hit["divergences"] - hit["errors"] - hit["poisons"])
    both = hit["errors"] & hit["poisons"]
    failed = report.statuses.get("error", 0) + report.statuses.get("crashed", 0)
    assert failed == len(hit["errors"] | hit["poisons"])
    assert report.statuses.get("crashed", 0) in range(len(hit["poisons"] - both), len(hit["poisons"]) + 1)


def test_lost_nodes_cost_what_no_checkpoint_holds_and_no_trial_is_blamed() -> None:
    cluster = Cluster(nodes=gpus(4, 1), away=600.0)
    often, never = (run(Faults(node_loss=0.9, seed=1), cluster, checkpoint_seconds=60.0 * scale) for scale in (1, 1e9))
    for report in (often, never):
        assert report.statuses == {"completed": len(STUDY)}
        assert (report.wrong, report.innocents) == ([], 0)
        assert report.attempts["lost_with_node"] > 0
        assert report.hours["cuda"] == pytest.approx(6 * 1500 / 3600 + report.lost["cuda"])
        assert report.away["cuda"] <= report.attempts["nodes_lost"] * 600 / 3600 + 1e-9
    assert often.lost["cuda"] <= often.attempts["lost_with_node"] * 60 / 3600
    assert never.lost["cuda"] > often.lost["cuda"]


def test_a_small_device_narrows_each_shape_once_for_all_that_come_after() -> None:
    """By hand: slots of 1 GB, so 64 of them fit 80 GB, and half of them the small one."""
    cluster = Cluster(nodes=(*gpus(1, 1, 80 * GB), *gpus(1, 1, 40 * GB)))
    report = run(cluster=cluster, footprint=lambda trial: GB)
    assert report.kinds["out_of_memory"] == len(SHAPES)  # one small device, which remembers
    assert report.kinds["narrowed"] > 0
    assert report.statuses == {"completed": len(STUDY)}
    assert report.wrong == []


def test_a_trial_that_fits_no_device_fails_by_itself() -> None:
    cluster = Cluster(nodes=gpus(1, 1, 40 * GB))
    work = Work.of([plan_study(FEW, None)], None, FEW_TIMES, device="cuda")
    report = rehearse(work, FEW_TIMES, cluster, Faults(), footprint=lambda trial: 41 * GB if trial.seed else GB)
    assert report.statuses == {"completed": 16, "out_of_memory": 16}
    assert report.wrong == []


def test_evaluation_apart_follows_training_on_cpus() -> None:
    rate = Quantity(name="rate", unit="nats", goal="none", family="m:f")
    study = replace(STUDY, quantities=(rate,))
    times = replace(TIMES, apart=lambda trial: True, otherwise=2.0)
    cluster = Cluster(nodes=(Node(slots={"cuda": 2, "cpu": 2}),))
    work = Work.of([plan_study(study, None)], None, times, device="cuda", elsewhere=True, slots=cluster.slots)
    report = rehearse(work, times, cluster, Faults(deaths=0.2, divergences=0.05, seed=5))
    assert report.wrong == []
    assert report.hours["cpu"] >= 2.0 * report.statuses["completed"] / 3600 - 1e-9
    assert report.bound.chain == pytest.approx(900.0 + 32 * 2.0)  # a pack, then the 32 of a pack on CPUs
    assert report.picture is not None


def test_all_that_fails_alike_halts_the_rehearsal_as_it_halts_a_launch() -> None:
    work = Work.of([plan_study(FEW, None)], None, FEW_TIMES, device="cuda", width=4)
    report = rehearse(work, FEW_TIMES, Cluster(nodes=gpus(1, 2)), Faults(errors=0.999999))
    assert report.halted.startswith("error: RuntimeError")
    assert set(report.statuses) == {"error"}
    assert report.trials > sum(report.statuses.values()) >= 12
    assert report.wrong == []


def test_unknown_times_and_a_missing_device_are_refused() -> None:
    cluster = Cluster(nodes=gpus(1, 1))
    with pytest.raises(ExecutorError, match="time of 2 of 2 shapes is not known on cuda"):
        rehearse(Work.of([plan_study(STUDY, None)], None, Times(), device="cuda"), Times(), cluster, Faults())
    with pytest.raises(ExecutorError, match="packs are for cuda, and the cluster has none"):
        run(cluster=Cluster(nodes=(Node(slots={"cpu": 4}),)))
    with pytest.raises(ExecutorError, match=r"deaths is a share from 0 and below 1, not 1\.5"):
        Faults(deaths=1.5)


def test_the_checks_see_what_is_lost_doubled_foreign_or_miscounted() -> None:
    work = Work.of([plan_study(STUDY, None)], None, TIMES, device="cuda")
    cluster = Cluster(nodes=gpus(1, 4))
    with store_of_its_own() as store:
        worker = Worker(times=TIMES, faults=Faults(), store=store)
        counts = simulated(work, worker, cluster, Faults()).queue.snapshot()
        planned = work.trained
        assert violations(store, planned, counts) == []
        assert violations(store, planned - {STUDY.trials()[0].id}, counts)[0] == "1 trials foreign"
        assert violations(store, planned | {"another"}, counts)[0] == "1 trials lost"
        assert violations(store, planned, replace(counts, statuses={"completed": 3}))
        assert violations(store, planned, replace(counts, packs_done=0))
        pack = work.jobs[0].pack
        worker.finished.clear()
        execution = worker.begin(pack, 0, None)
        assert worker.end(execution, 0.0, execution.seconds) is not None
        assert violations(store, planned, counts)[0] == f"{len(pack.trials)} trials finished more than once"


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_scenario_ends_near_its_lower_bound_with_every_trial_finished_once(name: str) -> None:
    report = SCENARIOS[name].run()
    assert report.wrong == []
    assert report.statuses == {"completed": len(SCENARIOS[name].study)}
    assert 1.0 <= report.ratio <= LIMIT
    assert max(report.utilisation.values()) <= 1.0 + 1e-9


def test_the_rehearsed_store_is_gone_afterwards() -> None:
    with store_of_its_own() as store:
        root = store.root
        assert isinstance(store, ResultStore)
        assert root.exists()
    assert not root.exists()
