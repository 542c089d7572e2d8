"""Launches whose workers only say what they did: what is handed out, what is stored about it, how it ends."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import sys
import types
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.kinds import (
    BetaObjective,
    Binomial,
    ClassifierModel,
    CrossEntropyObjective,
    Digits,
    FlatModel,
    PixelCnnDecoder,
    Training,
)
from results.commit import new_identity, now
from results.files import StoreError
from results.quantity import Estimate, Quantity
from results.store import ResultStore
from studies.axes import axis
from studies.catalogue import Entry
from studies.paths import StudyError
from studies.study import Study
from studies.trial import Trial
from sweep.launch import Launch, Options, Outcome
from sweep.pack import Decision, Pack
from sweep.pack_queue import PackQueue
from sweep.plan import plan_study
from sweep.resources import Resources
from sweep.rows import Attempt, trial_row, value_rows
from sweep.task import PackRecord, PackTask

RATE, ELBO = (Quantity(name=name, unit="nats", goal="none", family="m:f") for name in ("rate", "elbo"))
STUDY = Study(
    name="test/launch",
    question="Who does what?",
    base=Trial(
        data=Digits(),
        model=FlatModel(latent=2, likelihood=Binomial(total=16)),
        objective=BetaObjective(),
        training=Training(steps=10, batch_size=4),
    ),
    axes=axis("objective.beta[0]", (0.5, 1.0, 2.0)),
    seeds=2,
    quantities=(RATE,),
)
TRIALS = STUDY.trials()
Work = Callable[[PackTask, Pack, ResultStore], PackRecord]


def succeed(task: PackTask, pack: Pack, store: ResultStore) -> PackRecord:
    """Stores what a worker would: values of all that was asked for."""
    rows: dict[str, list[dict[str, Any]]] = {"trials": [], "metrics": []}
    held = {row["trial"]: row["attempt"] for row in store.trials(["trial", "attempt"]).to_pylist()}
    weights = {}
    for slot, trial in enumerate(pack.trials):
        attempt = Attempt(trial=trial, identity=new_identity(), slot=slot, started=now(), step=10)
        of = held[trial.id] if pack.task == "evaluate" else attempt.identity
        values: dict[str, Any] = {quantity.name: Estimate(1.0) for quantity in task.quantities}
        rows["metrics"] += value_rows(trial.id, of, "last", values, task.quantities, 16)["metrics"]
        rows["trials"].append(trial_row(attempt, pack, task.settings.launch))
        weights[f"{trial.id}/w"] = np.zeros(1, dtype=np.float32)
    if pack.task == "evaluate":
        store.append("metrics", rows["metrics"])
        return PackRecord(pack=pack.id, counts={"evaluated": len(pack.trials)})
    store.commit(rows, weights)
    return PackRecord(pack=pack.id, counts={"completed": len(pack.trials)}, trial_steps=10 * len(pack.trials))


class Workers:
    """An executor of one slot that does `work`; None is the death of the worker."""

    name = "fake"

    def room(self, resources: Resources, devices: Collection[str]) -> dict[str, int]:
        return {"cpu": 1, "cuda": 1}

    def __init__(self, work: Callable[..., PackRecord | None] = succeed) -> None:
        self.work = work
        self.tasks: list[PackTask] = []
        self.calibrated: list[PackTask] = []
        self.entered = 0

    def __enter__(self) -> Workers:
        self.entered += 1
        return self

    def __exit__(self, *exception: object) -> None:
        self.entered -= 1

    def run(self, queue: PackQueue) -> Iterator[PackRecord]:
        while (task := queue.take()) is not None:
            self.tasks.append(task)
            pack = task.load()
            record = self.work(task, pack, ResultStore.open(task.settings.store))
            if record is None:
                queue.died(pack.id)
                continue
            queue.done(record)
            yield record

    def calibrate(self, task: PackTask) -> Decision:
        self.calibrated.append(task)
        return dataclasses.replace(task.decision, width=5, source="calibrated")


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore.open(tmp_path / "runs", create=True)


def launch(store: ResultStore, workers: Workers, *studies: Study, **options: Any) -> tuple[Launch, Outcome]:
    entries = [Entry(study=study) for study in studies or (STUDY,)]
    made = Launch(entries, store, Options(**options))
    outcome = made.run(workers, lambda queue: contextlib.nullcontext())
    assert workers.entered == 0
    return made, outcome


def trained(workers: Workers) -> list[str]:
    return [trial.id for task in workers.tasks if task.task == "train" for trial in task.load().trials]


def test_a_launch_does_all_once_and_the_next_nothing(store: ResultStore) -> None:
    workers = Workers()
    _, outcome = launch(store, workers)
    assert trained(workers) == [trial.id for trial in TRIALS]
    assert (outcome.exit_code, outcome.statuses) == (0, {"completed": 6})
    again = Workers()
    _, outcome = launch(store, again)
    assert (again.tasks, outcome.exit_code, outcome.statuses) == ([], 0, {})


def test_studies_that_share_trials_train_them_once_for_what_both_ask(store: ResultStore) -> None:
    other = dataclasses.replace(
        STUDY, name="test/other", axes=axis("objective.beta[0]", (2.0, 4.0)), quantities=(ELBO,)
    )
    workers = Workers()
    made, outcome = launch(store, workers, STUDY, other)
    assert made.pending == 8
    assert sorted(trained(workers)) == sorted({trial.id for trial in (*TRIALS, *other.trials())})
    asked = {trial.id: {one.name for one in task.quantities} for task in workers.tasks for trial in task.load().trials}
    for trial in (*TRIALS, *other.trials()):
        ours = {"rate"} if trial in TRIALS else set()
        assert asked[trial.id] == ours | ({"elbo"} if trial in other.trials() else set())
    assert outcome.exit_code == 0


def test_a_study_of_other_quantities_trains_nothing(store: ResultStore) -> None:
    launch(store, Workers())
    workers = Workers()
    wider = dataclasses.replace(STUDY, quantities=(RATE, ELBO))
    made, outcome = launch(store, workers, wider)
    assert (made.pending, made.to_evaluate) == (0, 6)
    assert {task.task for task in workers.tasks} == {"evaluate"}
    assert {one.name for task in workers.tasks for one in task.quantities} == {"elbo"}
    assert (outcome.exit_code, outcome.statuses) == (0, {"evaluated": 6})
    assert plan_study(wider, store).unevaluated == {}


def test_an_evaluation_trains_nothing_and_force_measures_again(store: ResultStore) -> None:
    launch(store, Workers(), STUDY.select("seed=0"))
    workers = Workers()
    made, _ = launch(store, workers, train=False, force=True, quantities=("rate",))
    assert (made.pending, made.to_evaluate) == (0, 3)
    assert {task.task for task in workers.tasks} == {"evaluate"}


def test_packs_have_the_width_of_the_whole_study_whatever_is_pending(store: ResultStore) -> None:
    workers = Workers()
    launch(store, workers, STUDY.select("seed=0", "objective.beta[0]<2"))
    (task,) = workers.tasks
    assert (len(task.trials), task.decision.width, task.decision.source) == (2, 6, "rule")
    ((_, device),) = store.decisions()
    assert device == "cpu"


def test_a_width_that_is_asked_for_holds_for_one_launch(store: ResultStore) -> None:
    workers = Workers()
    launch(store, workers, STUDY.select("seed=0"), width=2)
    assert [len(task.trials) for task in workers.tasks] == [2, 1]
    assert store.decisions() == {}
    workers = Workers()
    launch(store, workers)
    assert [task.decision.width for task in workers.tasks] == [6]


def test_calibration_measures_on_a_worker_once(store: ResultStore) -> None:
    workers = Workers()
    launch(store, workers, STUDY.select("seed=0"), calibrate=True)
    (measured,) = workers.calibrated
    assert len(measured.trials) == len(TRIALS)  # of the whole study
    assert [(task.decision.width, task.decision.source) for task in workers.tasks] == [(5, "calibrated")]
    workers = Workers()
    launch(store, workers, calibrate=True)
    assert workers.calibrated == []
    assert {task.decision.width for task in workers.tasks} == {5}


CLASSIFIER = Trial(
    data=Digits(), model=ClassifierModel(), objective=CrossEntropyObjective(), training=Training(steps=10, batch_size=4)
)
JUDGED = Quantity(name="judged", unit="fraction", goal="maximise", family="m:f", prerequisites="launch_needs:reference")
JUDGING = dataclasses.replace(STUDY, name="test/judging", quantities=(RATE, JUDGED))


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Trial:
    """The classifier with which the trials of `JUDGING` are judged."""
    module = types.ModuleType("launch_needs")
    vars(module)["reference"] = lambda trial: {"reference": CLASSIFIER}
    monkeypatch.setitem(sys.modules, "launch_needs", module)
    return CLASSIFIER


def test_prerequisites_are_done_before_what_needs_them_and_are_no_trials_of_the_study(
    store: ResultStore, judge: Trial
) -> None:
    workers = Workers()
    made, outcome = launch(store, workers, JUDGING, STUDY)
    assert made.pending == len(TRIALS)
    assert trained(workers) == [judge.id, *(trial.id for trial in TRIALS)]
    first = workers.tasks[0]
    assert ([one.name for one in first.quantities], first.decision.width) == (["accuracy"], 1)
    assert (outcome.exit_code, outcome.statuses) == (0, {"completed": 7})
    assert [plan.trials for plan in outcome.plans] == [6, 6]
    assert (judge.shape, "cpu") in store.decisions()
    again = Workers()
    assert (launch(store, again, JUDGING)[1].exit_code, again.tasks) == (0, [])


def test_a_prerequisite_that_is_a_trial_of_a_study_too_is_done_once(store: ResultStore, judge: Trial) -> None:
    classifiers = Study(name="test/classifiers", question="?", base=judge, quantities=(ELBO,), seeds=2)
    workers = Workers()
    _, outcome = launch(store, workers, JUDGING, classifiers)
    assert trained(workers)[0] == judge.id
    assert sorted(trained(workers)) == sorted({judge.id, *(one.id for one in (*TRIALS, *classifiers.trials()))})
    assert [one.name for one in workers.tasks[0].quantities] == ["accuracy", "elbo"]
    assert outcome.exit_code == 0


def test_a_trial_that_others_wait_for_does_not_wait_itself(store: ResultStore, judge: Trial) -> None:
    classifiers = Study(name="test/classifiers", question="?", base=judge, quantities=(JUDGED,))
    with pytest.raises(StudyError, match=f"test/classifiers: trial {judge.id} is a prerequisite of others"):
        launch(store, Workers(), JUDGING, classifiers)


def test_an_evaluation_trains_the_prerequisites_that_are_missing_and_nothing_else(
    store: ResultStore, judge: Trial
) -> None:
    launch(store, Workers(), STUDY.select("seed=0"))
    workers = Workers()
    _, outcome = launch(store, workers, JUDGING, train=False)
    assert trained(workers) == [judge.id]
    assert [task.task for task in workers.tasks] == ["train", "evaluate"]
    assert outcome.statuses == {"completed": 1, "evaluated": 3}


def test_a_finished_prerequisite_gets_the_accuracy_that_it_lacks(store: ResultStore, judge: Trial) -> None:
    launch(store, Workers(), Study(name="test/classifier", question="?", base=judge, quantities=(ELBO,)))
    workers = Workers()
    _, outcome = launch(store, workers, JUDGING)
    assert (outcome.exit_code, outcome.statuses) == (0, {"completed": 6, "evaluated": 1})
    (evaluated,) = [task for task in workers.tasks if task.task == "evaluate"]
    assert [one.name for one in evaluated.quantities] == ["accuracy"]
    assert [trial.id for trial in evaluated.load().trials] == [judge.id]


def test_a_prerequisite_that_kills_its_worker_is_settled_then(store: ResultStore, judge: Trial) -> None:
    def work(task: PackTask, pack: Pack, into: ResultStore) -> PackRecord | None:
        return None if judge in pack.trials else succeed(task, pack, into)

    workers = Workers(work)
    _, outcome = launch(store, workers, JUDGING)
    assert (outcome.exit_code, outcome.statuses) == (3, {"crashed": 1, "completed": 6})
    assert trained(workers) == [*[judge.id] * 3, *(trial.id for trial in TRIALS)]
    launch(store, Workers(), retry=("*",))
    again = plan_study(dataclasses.replace(JUDGING, seeds=3), store)
    assert [(one.state, one.reason) for one in again.prerequisites] == [("failed", "crashed: the worker process died")]


def test_a_calibration_leaves_prerequisites_as_they_are(store: ResultStore, judge: Trial) -> None:
    workers = Workers()
    launch(store, workers, JUDGING, calibrate=True)
    assert [task.decision.shape for task in workers.calibrated] == [TRIALS[0].shape]
    assert store.decisions()[judge.shape, "cpu"]["source"] == "rule"


def test_workers_are_told_where_image_sets_are(
    store: ResultStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RATESWEEP_DATA", "RATESWEEP_OFFLINE", "RATESWEEP_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    told = Launch([], store, Options()).settings
    assert (told.data, told.offline, told.mirror) == ("", False, "")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RATESWEEP_DATA", "sets")
    monkeypatch.setenv("RATESWEEP_OFFLINE", "1")
    monkeypatch.setenv("RATESWEEP_MIRROR", "http://mirror.example")
    told = Launch([], store, Options()).settings
    assert (told.data, told.offline, told.mirror) == (str(tmp_path / "sets"), True, "http://mirror.example")


def test_every_launch_is_recorded_with_how_it_ended(store: ResultStore) -> None:
    made, _ = launch(store, Workers())
    rows = store.scan("launches").to_pylist()
    assert [(row["event"], row["exit_code"]) for row in rows] == [("started", None), ("ended", 0)]
    for row in rows:
        assert (row["launch"], row["study"], row["planned"], row["pending"]) == (made.identity, STUDY.name, 6, 6)
        assert row["process"] == os.getpid()


def test_a_trial_that_kills_its_worker_is_found_and_stored(store: ResultStore) -> None:
    culprit = TRIALS[3]

    def work(task: PackTask, pack: Pack, into: ResultStore) -> PackRecord | None:
        return None if culprit in pack.trials else succeed(task, pack, into)

    workers = Workers(work)
    _, outcome = launch(store, workers)
    assert (outcome.exit_code, outcome.statuses) == (3, {"crashed": 1, "completed": 5})
    (row,) = store.trials(["status", "reason", "step"], [culprit.id]).to_pylist()
    assert (row["status"], row["reason"]) == ("crashed", "the worker process died")
    assert max(task.tries for task in workers.tasks) == 6  # two of the whole, one of each half, and two by itself
    later = Workers()
    assert launch(store, later)[1].exit_code == 3
    assert later.tasks == []
    assert launch(store, later, retry=("crashed",))[1].exit_code == 0
    assert trained(later) == [culprit.id]


def test_a_trial_that_kills_its_worker_while_it_is_evaluated_is_not_measured_again_unasked(store: ResultStore) -> None:
    launch(store, Workers())
    culprit, wider = TRIALS[3], dataclasses.replace(STUDY, quantities=(RATE, ELBO))

    def work(task: PackTask, pack: Pack, into: ResultStore) -> PackRecord | None:
        return None if culprit in pack.trials else succeed(task, pack, into)

    _, outcome = launch(store, Workers(work), wider)
    assert (outcome.exit_code, outcome.statuses) == (3, {"crashed": 1, "evaluated": 5})
    plan = plan_study(wider, store)
    assert (plan.unmeasured, plan.unevaluated) == ({culprit.id: "the worker process died"}, {})
    assert plan_study(STUDY, store).failed == ()  # the rate is there
    later = Workers()
    assert launch(store, later, wider)[1].exit_code == 3
    assert later.tasks == []
    assert launch(store, later, wider, retry=("died",))[1].exit_code == 0
    assert [task.task for task in later.tasks] == ["evaluate"]


def test_on_cuda_what_is_trained_is_evaluated_apart_on_cpus(store: ResultStore) -> None:
    """As their shape is packed there: `--pack W` is about what is trained."""
    workers = Workers()
    _, outcome = launch(store, workers, device="cuda", width=4)
    assert (outcome.exit_code, outcome.statuses) == (0, {"completed": 6})
    told = [(task.task, task.decision.device, len(task.trials), len(task.quantities)) for task in workers.tasks]
    assert told == [
        ("train", "cuda", 4, 0),
        ("evaluate", "cpu", 4, 1),
        ("train", "cuda", 2, 0),
        ("evaluate", "cpu", 2, 1),
    ]
    assert {(device, row["width"]) for (_, device), row in store.decisions().items()} == {("cpu", 6)}
    assert plan_study(STUDY, store).unevaluated == {}


@pytest.mark.parametrize(
    ("options", "tasks"),
    [
        ({"device": "cpu"}, [("train", "cpu")]),
        ({"device": "cuda", "evaluate": "within"}, [("train", "cuda")]),
        ({"device": "cpu", "evaluate": "apart"}, [("train", "cpu"), ("evaluate", "cpu")]),
        ({"device": "cuda"}, [("train", "cuda"), ("evaluate", "cpu")]),
    ],
)
def test_where_trials_are_evaluated(store: ResultStore, options: Any, tasks: list[tuple[str, str]]) -> None:
    workers = Workers()
    launch(store, workers, **options)
    assert [(task.task, task.decision.device) for task in workers.tasks] == tasks


@pytest.mark.parametrize(("evaluate", "tasks"), [(None, ["train"]), ("apart", ["train", "evaluate"])])
def test_models_that_sample_pixel_by_pixel_are_evaluated_where_they_are_trained(
    store: ResultStore, evaluate: str | None, tasks: list[str]
) -> None:
    model = STUDY.base.model.model_copy(update={"decoder": PixelCnnDecoder()})
    slow = dataclasses.replace(STUDY, base=STUDY.base.model_copy(update={"model": model}), seeds=1)
    workers = Workers()
    launch(store, workers, slow, device="cuda", evaluate=evaluate)
    assert [task.task for task in workers.tasks] == tasks
    wider, later = dataclasses.replace(slow, quantities=(RATE, ELBO)), Workers()
    launch(store, later, wider, device="cuda", evaluate=evaluate)
    assert [task.decision.device for task in later.tasks] == ["cpu" if evaluate else "cuda"]


def test_what_an_earlier_launch_trained_is_evaluated_where_this_one_does(store: ResultStore) -> None:
    launch(store, Workers(), STUDY.select("seed=0"))
    workers = Workers()
    wider = dataclasses.replace(STUDY, quantities=(RATE, ELBO))
    _, outcome = launch(store, workers, wider, device="cuda")
    assert (outcome.exit_code, outcome.statuses) == (0, {"completed": 3, "evaluated": 3})
    told = [(task.task, task.decision.device, len(task.trials), len(task.quantities)) for task in workers.tasks]
    assert told == [("evaluate", "cpu", 3, 1), ("train", "cuda", 3, 0), ("evaluate", "cpu", 3, 2)]  # seed after seed


def test_a_trial_that_kills_the_worker_that_evaluates_it_apart_stays_trained(store: ResultStore) -> None:
    culprit = TRIALS[3]

    def work(task: PackTask, pack: Pack, into: ResultStore) -> PackRecord | None:
        return None if task.task == "evaluate" and culprit in pack.trials else succeed(task, pack, into)

    _, outcome = launch(store, Workers(work), evaluate="apart")
    assert (outcome.exit_code, outcome.statuses) == (3, {"completed": 5, "crashed": 1})
    assert store.trials(["status"])["status"].to_pylist() == ["completed"] * 6
    plan = plan_study(STUDY, store)
    assert (plan.unmeasured, plan.unevaluated, plan.pending) == ({culprit.id: "the worker process died"}, {}, ())
    later = Workers()
    assert launch(store, later, retry=("died",))[1].exit_code == 0
    assert [task.task for task in later.tasks] == ["evaluate"]


def test_a_bug_in_a_worker_ends_the_launch_with_its_traceback(store: ResultStore) -> None:
    workers = Workers(lambda task, pack, into: PackRecord(pack=pack.id, traceback="Traceback: ours"))
    _, outcome = launch(store, workers, width=1)
    assert len(workers.tasks) == 1
    assert (outcome.exit_code, outcome.fault, outcome.traceback) == (1, "", "Traceback: ours")
    assert store.scan("launches", ["event", "exit_code"]).to_pylist()[-1] == {"event": "interrupted", "exit_code": 1}


def test_a_store_that_cannot_be_written_stops_the_launch(store: ResultStore) -> None:
    def work(task: PackTask, pack: Pack, into: ResultStore) -> PackRecord:
        return PackRecord(pack=pack.id, fault="cannot write: no space left on device")

    workers = Workers(work)
    _, outcome = launch(store, workers, width=1)
    assert len(workers.tasks) == 1
    assert (outcome.exit_code, outcome.fault) == (75, "cannot write: no space left on device")
    assert store.scan("launches", ["event", "exit_code"]).to_pylist()[-1] == {"event": "interrupted", "exit_code": 75}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_workers_to_stop_and_leaves_all_in_order(store: ResultStore, number: int) -> None:
    before = signal.getsignal(number)

    def work(task: PackTask, pack: Pack, into: ResultStore) -> PackRecord:
        if len(workers.tasks) < 2:
            return succeed(task, pack, into)
        assert not into.stop_requested(task.settings.launch)
        os.kill(os.getpid(), number)
        assert into.stop_requested(task.settings.launch)
        return PackRecord(pack=pack.id, stopped=True)

    workers = Workers(work)
    made, outcome = launch(store, workers, width=2)
    assert (len(workers.tasks), outcome.interrupted, outcome.exit_code) == (2, True, 75)
    assert outcome.statuses == {"completed": 2}
    assert not store.stop_requested(made.identity)
    assert store.beating() == {}
    assert signal.getsignal(number) is before
    again = Workers()
    assert launch(store, again, width=2)[1].exit_code == 0
    assert trained(again) == [trial.id for trial in TRIALS[2:]]


def test_a_launch_says_that_it_is_alive_only_while_it_is(store: ResultStore) -> None:
    def work(task: PackTask, pack: Pack, into: ResultStore) -> PackRecord:
        for _ in range(1000):  # another thread says so
            if into.beating():
                break
        assert list(into.beating()) == [task.settings.launch]
        return succeed(task, pack, into)

    launch(store, Workers(work))
    assert store.beating() == {}


def test_an_error_of_the_executor_comes_through_and_leaves_nothing_behind(store: ResultStore) -> None:
    def work(task: PackTask, pack: Pack, into: ResultStore) -> PackRecord:
        raise StoreError("gone")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(StoreError, match="gone"):
        launch(store, Workers(work))
    assert store.beating() == {}
    assert signal.getsignal(signal.SIGINT) is before


def test_a_pack_that_left_a_checkpoint_is_made_again(store: ResultStore) -> None:
    ids = [TRIALS[4].id, TRIALS[1].id]
    store.save_checkpoint("of-old", {}, {"trials": ",".join(ids)})
    workers = Workers()
    launch(store, workers)
    assert [[trial.id for trial in task.load().trials] for task in workers.tasks] == [
        ids,
        [trial.id for trial in TRIALS if trial.id not in ids],
    ]
    assert store.checkpoints() == []  # all of its trials are done


def test_marks_of_dead_launches_are_removed_and_those_of_live_ones_kept(store: ResultStore) -> None:
    store.mark_inflight("dead-pack", {"launch": "dead"})
    store.mark_inflight("live-pack", {"launch": "live"})
    store.beat("live")
    launch(store, Workers())
    assert list(store.inflight()) == ["live-pack"]
