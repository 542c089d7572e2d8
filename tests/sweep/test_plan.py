from __future__ import annotations

import dataclasses
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.kinds import (
    BetaObjective,
    Binomial,
    ClassifierModel,
    CrossEntropyObjective,
    Digits,
    FlatModel,
    FreeBitsObjective,
    Training,
)
from results.commit import new_identity, now
from results.quantity import Estimate, Quantity
from results.schema import EVALUATION_FAILED, FAILED, FINISHED
from results.store import ResultStore
from studies.axes import axis, product
from studies.quantities import CLASSIFICATION
from studies.study import Study
from studies.trial import Trial
from sweep.failures import Fault
from sweep.pack import Pack, decide
from sweep.plan import StudyPlan, count_packs, decisions_for, disk_bytes, plan_study, trial_bytes
from sweep.rows import Attempt, trial_row, value_rows

RATE, ELBO = (Quantity(name=name, unit="nats", goal="none", family="m:f") for name in ("rate", "elbo"))
STUDY = Study(
    name="test/plan",
    question="What is left?",
    base=Trial(
        data=Digits(),
        model=FlatModel(latent=2, likelihood=Binomial(total=16)),
        objective=BetaObjective(),
        training=Training(steps=10, batch_size=4),
    ),
    axes=product(
        axis("model.latent", (2, 3)), axis("objective", (BetaObjective(beta=(0.5,)), FreeBitsObjective(floor=1.0)))
    ),
    seeds=2,
    quantities=(RATE, ELBO),
)
TRIALS = STUDY.trials()
STATUSES = sorted((FINISHED | FAILED) - {EVALUATION_FAILED})  # of attempts


def commit(
    store: ResultStore,
    trial: Trial,
    status: str = "completed",
    reason: str = "",
    measured: tuple[Quantity, ...] = (),
    kept: bool = True,
    seconds: tuple[float, float] = (3.0, 1.0),
    faults: dict[Quantity, str] | None = None,
) -> None:
    """One attempt at a trial, as a worker stores it."""
    pack = Pack(trials=(trial,), decision=decide(trial, 2, "cpu"))
    attempt = Attempt(trial=trial, identity=new_identity(), slot=0, started=now())
    attempt.train_seconds, attempt.evaluate_seconds = seconds
    if status != "completed":
        attempt.failed(status, reason)
    values = {quantity.name: Estimate(1.0) for quantity in measured}
    tables: dict[str, Any] = {"trials": [trial_row(attempt, pack, "one")]}
    wrong = {quantity.name: Fault(reason=why) for quantity, why in (faults or {}).items()}
    tables |= value_rows(trial.id, attempt.identity, "last", values, (*measured, *(faults or {})), 16, wrong)
    weights = {f"{trial.id}/w": np.zeros(3, dtype=np.float32)} if status == "completed" and kept else {}
    store.commit(tables, weights)


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore.open(tmp_path / "runs", create=True)


def ids(trials: tuple[Trial, ...]) -> list[str]:
    return [trial.id for trial in trials]


def packs_by_hand(plan: StudyPlan, width: int) -> int:
    counts: dict[str, int] = {}
    for trial in plan.pending:
        counts[trial.shape] = counts.get(trial.shape, 0) + 1
    return sum(-(-count // width) for count in counts.values())


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(TRIALS) - 1), st.sampled_from(STATUSES)), max_size=16),
    st.sets(st.sampled_from([*sorted(FAILED), "*", "volume"])),
    st.integers(1, 3),
)
def test_a_plan_agrees_with_the_history_of_every_trial(
    history: list[tuple[int, str]], retry: set[str], width: int
) -> None:
    """Oracle: what is told of attempts one after another, of which the first finished or else the last counts."""
    stand: dict[int, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = ResultStore.open(Path(folder) / "runs", create=True)
        for position, status in history:
            commit(store, TRIALS[position], status, f"lost volume N of {status}")
            if stand.get(position) not in FINISHED:
                stand[position] = status
        plan = plan_study(STUDY, store, retry=retry)
        packs = count_packs(plan, decisions_for([STUDY], store, "cpu", width))
    again = FAILED if retry & {"*", "volume"} else FAILED & retry
    finished = [trial.id for position, trial in enumerate(TRIALS) if stand.get(position) in FINISHED]
    failed = [trial.id for position, trial in enumerate(TRIALS) if stand.get(position) in FAILED - again]
    assert ids(plan.finished) == finished
    assert ids(plan.failed) == failed
    assert ids(plan.pending) == [trial.id for trial in TRIALS if trial.id not in {*finished, *failed}]
    assert plan.trials == len(plan.finished) + len(plan.failed) + len(plan.pending) == len(STUDY)
    assert plan.retried == sum(status in again for status in stand.values())
    assert set(plan.unevaluated) == {TRIALS[position].id for position, state in stand.items() if state == "completed"}
    assert packs == packs_by_hand(plan, width)


def test_without_a_store_all_is_pending() -> None:
    plan = plan_study(STUDY, None)
    assert plan.pending == TRIALS
    assert (plan.finished, plan.failed, plan.unevaluated) == ((), (), {})
    assert disk_bytes(plan, trial_bytes(None)) is None


def test_a_trial_that_another_study_finished_is_finished(store: ResultStore) -> None:
    half = STUDY.base.model_copy(update={"objective": BetaObjective(beta=(0.5,))})
    other = Study(name="test/other", question="?", base=half, axes=axis("model.latent", (3, 4)), seeds=(1, 2))
    for trial in other.trials():
        commit(store, trial)
    (shared,) = {*ids(TRIALS)} & {*ids(other.trials())}
    assert ids(plan_study(STUDY, store).finished) == [shared]


def test_more_seeds_redo_nothing(store: ResultStore) -> None:
    for trial in TRIALS:
        commit(store, trial)
    plan = plan_study(STUDY.with_seeds(3), store)
    assert ids(plan.finished) == ids(TRIALS)
    assert {trial.seed for trial in plan.pending} == {2}
    assert len(plan.pending) == len(STUDY.settings)


def test_finished_trials_are_evaluated_for_what_they_lack(store: ResultStore) -> None:
    commit(store, TRIALS[0], measured=(RATE, ELBO))
    commit(store, TRIALS[1], measured=(RATE,))
    commit(store, TRIALS[2], "diverged")
    commit(store, TRIALS[3], "error", "ValueError")
    assert plan_study(STUDY, store).unevaluated == {TRIALS[1].id: (ELBO,)}
    assert plan_study(STUDY, store, quantities=("rate",)).unevaluated == {}
    everything = plan_study(STUDY, store, quantities=("rate",), force=True).unevaluated
    assert everything == {TRIALS[0].id: (RATE,), TRIALS[1].id: (RATE,)}


def test_a_new_version_of_a_quantity_is_lacking(store: ResultStore) -> None:
    commit(store, TRIALS[0], measured=(RATE, ELBO))
    newer = dataclasses.replace(RATE, version=2)
    plan = plan_study(dataclasses.replace(STUDY, quantities=(newer, ELBO)), store)
    assert plan.unevaluated == {TRIALS[0].id: (newer,)}


def test_what_could_not_be_measured_is_failed_until_it_is_asked_for_again(store: ResultStore) -> None:
    commit(store, TRIALS[0], measured=(ELBO,), faults={RATE: "no volume"})
    commit(store, TRIALS[1], faults={RATE: "no volume", ELBO: "no light"})
    commit(store, TRIALS[2], faults={dataclasses.replace(RATE, version=2): "of another version"})
    commit(store, TRIALS[3], kept=False, faults={ELBO: "no light"})
    commit(store, TRIALS[4], "error", "no volume")
    failed = {TRIALS[0].id: "no volume", TRIALS[1].id: "no volume; no light", TRIALS[3].id: "no light"}
    plan = plan_study(STUDY, store)
    assert plan.unmeasured == failed
    assert ids(plan.failed) == [*failed, TRIALS[4].id]
    assert (ids(plan.finished), plan.unevaluated) == ([TRIALS[2].id], {TRIALS[2].id: (RATE, ELBO)})
    assert plan.trials == len(STUDY)
    again = plan_study(STUDY, store, retry=("no light",))
    assert (again.unmeasured, again.retried, again.weightless) == ({TRIALS[0].id: "no volume"}, 0, 1)
    assert again.unevaluated == {TRIALS[1].id: (RATE, ELBO), TRIALS[2].id: (RATE, ELBO)}
    everything = plan_study(STUDY, store, retry=("*",))
    assert (everything.failed, everything.retried) == ((), 1)
    assert everything.unevaluated[TRIALS[0].id] == (RATE,)
    one = plan_study(STUDY, store, quantities=("elbo",))
    assert one.unmeasured == {TRIALS[1].id: "no light", TRIALS[3].id: "no light"}
    assert plan_study(STUDY, store, force=True).unmeasured == {}


def test_what_has_no_weights_cannot_be_evaluated_and_is_counted(store: ResultStore) -> None:
    commit(store, TRIALS[0], measured=(RATE,), kept=False)
    commit(store, TRIALS[1], measured=(RATE,))
    plan = plan_study(STUDY, store)
    assert (set(plan.unevaluated), plan.weightless) == ({TRIALS[1].id}, 1)
    store.prune_weights()
    plan = plan_study(STUDY, store)
    assert (plan.unevaluated, plan.weightless) == ({}, 2)
    assert ids(plan.finished) == ids(TRIALS[:2])


def test_disk_is_what_stored_trials_take(store: ResultStore) -> None:
    assert disk_bytes(plan_study(STUDY, store), trial_bytes(store)) is None
    for trial in TRIALS[:2]:
        commit(store, trial)
    assert disk_bytes(plan_study(STUDY, store), trial_bytes(store)) == int(store.size() / 2 * 6)


def test_decisions_come_from_the_whole_enumeration_whatever_is_selected(store: ResultStore) -> None:
    whole = decisions_for([STUDY], store, "cpu")
    assert {one.width for one in whole.values()} == {2}
    assert decisions_for([STUDY.select("seed=1")], store, "cpu") == whole


def test_a_stored_decision_holds_and_a_width_that_is_asked_for_overrides_it(store: ResultStore) -> None:
    rule = decisions_for([STUDY], store, "cpu")
    first, *others = rule.values()
    measured = dataclasses.replace(first, width=7, source="calibrated")
    store.decide([vars(measured) | {"decided": now()}])
    store.decide([vars(first) | {"decided": now()}])  # too late
    assert decisions_for([STUDY], store, "cpu") == {measured.shape: measured} | {one.shape: one for one in others}
    assert {one.width for one in decisions_for([STUDY], store, "cpu", 5).values()} == {5}
    assert {one.width for one in decisions_for([STUDY], store, "cuda").values()} == {2}


JUDGED = Quantity(name="judged", unit="fraction", goal="maximise", family="m:f", prerequisites="plan_needs:reference")
JUDGING = dataclasses.replace(STUDY, name="test/judging", quantities=(RATE, JUDGED))


def classifier(seed: int) -> Trial:
    return Trial(
        data=Digits(),
        model=ClassifierModel(),
        objective=CrossEntropyObjective(),
        training=Training(steps=10, batch_size=4),
        seed=seed,
    )


@pytest.fixture
def needs(monkeypatch: pytest.MonkeyPatch) -> list[Trial]:
    """The two classifiers with which the trials of `JUDGING` are judged, by their seed."""
    classifiers = [classifier(seed) for seed in range(2)]
    module = types.ModuleType("plan_needs")
    vars(module)["reference"] = lambda trial: {"reference": classifier(trial.seed)}
    monkeypatch.setitem(sys.modules, "plan_needs", module)
    return classifiers


def stand(plan: StudyPlan) -> list[tuple[Trial, str, str, tuple[Quantity, ...]]]:
    return [(one.trial, one.state, one.reason, one.lacking) for one in plan.prerequisites]


def test_prerequisites_are_those_of_what_is_pending_or_to_be_evaluated(store: ResultStore, needs: list[Trial]) -> None:
    plan = plan_study(JUDGING, None)
    assert stand(plan) == [(one, "pending", "", ()) for one in needs]
    assert [one.roles for one in plan.prerequisites] == [("reference",)] * 2
    assert plan.trials == len(JUDGING)
    assert plan_study(STUDY, None).prerequisites == ()
    assert stand(plan_study(JUDGING.select("seed=1"), None)) == [(needs[1], "pending", "", ())]
    for trial in TRIALS:
        commit(store, trial, measured=(RATE,) if trial.seed else (RATE, JUDGED))
    assert stand(plan_study(JUDGING, store)) == [(needs[1], "pending", "", ())]  # seed 0 is measured
    assert plan_study(JUDGING, store, quantities=("rate",), force=True).prerequisites == ()
    assert len(plan_study(JUDGING, store, quantities=("judged",), force=True).prerequisites) == 2
    store.prune_weights()
    assert plan_study(JUDGING, store).prerequisites == ()  # nothing can be measured


def test_without_training_only_what_is_evaluated_has_prerequisites(store: ResultStore, needs: list[Trial]) -> None:
    commit(store, next(trial for trial in TRIALS if trial.seed == 1), measured=(RATE,))
    assert [one.trial for one in plan_study(JUDGING, store).prerequisites] == needs
    assert [one.trial for one in plan_study(JUDGING, store, train=False).prerequisites] == [needs[1]]


def test_the_state_of_a_prerequisite_is_that_of_its_weights(store: ResultStore, needs: list[Trial]) -> None:
    first, second = needs
    commit(store, first, measured=CLASSIFICATION)
    commit(store, second, "diverged", "the loss was not finite")
    expected = [(first, "finished", "", ()), (second, "failed", "diverged: the loss was not finite", ())]
    assert stand(plan_study(JUDGING, store)) == expected
    assert stand(plan_study(JUDGING, store, retry=("*",))) == expected  # a divergence is a result
    store.prune_weights()
    assert stand(plan_study(JUDGING, store))[0] == (first, "failed", "its weights are gone", ())


def test_a_prerequisite_that_was_not_measured_itself_can_be_used(store: ResultStore, needs: list[Trial]) -> None:
    first, second = needs
    commit(store, first)
    commit(store, second, faults={CLASSIFICATION[0]: "no light"})
    expected = [(first, "finished", "", CLASSIFICATION), (second, "failed", "no light", ())]
    assert stand(plan_study(JUDGING, store)) == expected
    assert stand(plan_study(JUDGING, store, retry=("no light",)))[1] == (second, "finished", "", CLASSIFICATION)
    for trial in TRIALS:
        commit(store, trial, measured=(RATE, JUDGED))
    assert stand(plan_study(JUDGING, store)) == expected  # though no trial needs them any more
    store.prune_weights()
    assert stand(plan_study(JUDGING, store)) == expected[1:]  # the first cannot be measured any more


def test_a_failed_prerequisite_is_retried_itself_or_with_what_lacked_it(store: ResultStore, needs: list[Trial]) -> None:
    first, second = needs
    commit(store, first, "error", "no volume")
    commit(store, second, "crashed", "it died")
    states = {words: [state for _, state, _, _ in stand(plan_study(JUDGING, store, retry=words))] for words in (
        (), ("*",), ("no volume",), ("crashed",), ("other words",)
    )}  # fmt: skip
    assert states == {
        (): ["failed", "failed"],
        ("*",): ["pending", "pending"],
        ("no volume",): ["pending", "failed"],
        ("crashed",): ["failed", "pending"],
        ("other words",): ["failed", "failed"],
    }
    for trial in TRIALS:
        fault = f"the prerequisite {needs[trial.seed].id} has failed" + (" at night" if trial.seed else "")
        commit(store, trial, measured=(RATE,), faults={JUDGED: fault})
    told = [(first, "failed", "error: no volume", ()), (second, "failed", "crashed: it died", ())]
    assert stand(plan_study(JUDGING, store)) == told
    assert stand(plan_study(JUDGING, store, retry=("at night",))) == [told[0], (second, "pending", "", ())]


def test_prerequisites_have_packs_of_their_own(needs: list[Trial]) -> None:
    plan = plan_study(JUDGING, None)
    decisions = decisions_for([JUDGING], None, "cpu", 8, plan.prerequisites)
    decision = decisions[needs[0].shape]
    assert (decision.width, decision.path, decision.source) == (1, "sequential", "rule")
    assert {one.width for shape, one in decisions.items() if shape != needs[0].shape} == {8}
    assert count_packs(plan, decisions) == 8  # four shapes, whose two seeds differ in their prerequisites
    assert count_packs(plan_study(STUDY, None), decisions) == 4


def test_planning_writes_nothing(store: ResultStore) -> None:
    commit(store, TRIALS[0])
    before = {path: path.stat().st_mtime_ns for path in store.root.rglob("*")}
    plan = plan_study(STUDY, store, retry=("*",))
    decisions_for([STUDY], store, "cpu")
    disk_bytes(plan, trial_bytes(store))
    assert {path: path.stat().st_mtime_ns for path in store.root.rglob("*")} == before
