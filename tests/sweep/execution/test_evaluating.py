"""What cannot be measured of a trained trial: seen, not tried again unasked, and mended from the stored weights."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from results.frame import Frame
from results.store import ResultStore
from studies.study import Study
from sweep.outputs import study_frame
from sweep.plan import plan_study
from sweep.run import run_pack

Launching = Callable[..., Any]
Outcomes = Callable[[ResultStore], dict[str, Any]]
PATHS = ("fused", "sequential")
REASON = "ArithmeticError: a rate of N cannot be measured"
MENDED = "RATESWEEP_TEST_MENDED"


def frame_of(study: Study, store: ResultStore) -> Frame:
    """The study's frame, whose coverage must agree with the plan."""
    frame, plan = study_frame(study, store), plan_study(study, store)
    assert plan.trials == len(plan.finished) + len(plan.failed) + len(plan.pending) == len(study)
    counts = frame.coverage
    assert (counts.finished, counts.failed, counts.missing) == tuple(
        map(len, (plan.finished, plan.failed, plan.pending))
    )
    return frame


@pytest.fixture
def half_measured(toy: Any, store: ResultStore, launch: Launching) -> Any:
    """A study of two trained trials, the second of which has a mean but no rate."""
    entry = toy.study(toy.trials(6, 7, steps=64, rate=0.2), toy.quantity, toy.named(toy.MEAN))
    outcome = launch(store, entry)
    assert (outcome.exit_code, outcome.statuses) == (3, {"completed": 1, "evaluation_failed": 1})
    assert toy.starts() == {6: 1, 7: 1}
    return entry


def test_a_failed_quantity_is_a_failure_of_its_trial_until_it_is_retried(
    toy: Any, half_measured: Any, store: ResultStore, launch: Launching, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = half_measured.study
    frame = frame_of(study, store)
    assert frame.trials["status"].tolist() == ["completed", "evaluation_failed"]
    assert frame.trials["reason"].tolist() == ["", REASON]
    assert frame.trials["rate"].isna().tolist() == [False, True]
    assert frame.trials["mean"].notna().all()
    failed = study.trials()[1]
    plan = plan_study(study, store)
    assert (plan.failed, plan.unevaluated, plan.unmeasured) == ((failed,), {}, {failed.id: REASON})
    again = launch(store, half_measured)
    assert (again.exit_code, again.statuses) == (3, {})
    for words in (("*",), ("evaluation_failed",), ("cannot be measured",)):
        plan = plan_study(study, store, retry=words)
        assert (len(plan.finished), len(plan.failed), len(plan.pending), plan.retried) == (2, 0, 0, 0)
        assert plan.unevaluated == {failed.id: (toy.quantity,)}
    for words in (("error",), ("other words",)):
        assert plan_study(study, store, retry=words).failed == (failed,)
    retried = launch(store, half_measured, retry=("*",))
    assert (retried.exit_code, retried.statuses) == (3, {"evaluation_failed": 1})
    monkeypatch.setenv(MENDED, "1")
    mended = launch(store, half_measured, retry=("cannot be measured",))
    assert (mended.exit_code, mended.statuses) == (0, {"evaluated": 1})
    assert toy.starts() == {6: 1, 7: 1}
    assert store.scan("trials").num_rows == 2
    frame = frame_of(study, store)
    assert frame.trials["status"].tolist() == ["completed"] * 2
    means = [store.weights(trial)["mean"][0] for trial in frame.trials["trial"]]
    np.testing.assert_allclose(frame.trials["rate"], 0.5 * np.square(means), rtol=1e-6)


def test_a_new_version_of_the_quantity_is_measured_from_the_weights_unasked(
    toy: Any, half_measured: Any, store: ResultStore, launch: Launching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MENDED, "1")
    trials = half_measured.study.trials()
    newer = toy.study(list(trials), toy.named(toy.RATE, version=2), toy.named(toy.MEAN))
    assert set(plan_study(newer.study, store).unevaluated) == {trial.id for trial in trials}
    outcome = launch(store, newer)
    assert (outcome.exit_code, outcome.statuses) == (0, {"evaluated": 2})
    assert toy.starts() == {6: 1, 7: 1}
    assert frame_of(newer.study, store).trials["status"].tolist() == ["completed"] * 2
    assert frame_of(half_measured.study, store).trials["status"].tolist() == ["completed", "evaluation_failed"]


def test_a_study_that_does_not_ask_for_the_quantity_does_not_see_its_failure(
    toy: Any, half_measured: Any, store: ResultStore, launch: Launching
) -> None:
    other = toy.study(list(half_measured.study.trials()), toy.named(toy.MEAN), name="toy/other")
    assert (launch(store, other).exit_code, frame_of(other.study, store).coverage.finished) == (0, 2)


def weights_files(store: ResultStore) -> dict[str, Path]:
    """The file of each trial's weights."""
    rows = store.trials(["trial", "weights"]).to_pylist()
    return {row["trial"]: store.root / "weights" / row["weights"] for row in rows}


def rewrite(path: Path, **tensors: np.ndarray) -> None:
    """The file with other tensors of its one trial."""
    (name,) = load_file(path)
    save_file({f"{name.partition('/')[0]}/{key}": value for key, value in tensors.items()}, path)


@pytest.mark.parametrize("path", PATHS)
def test_weights_that_cannot_be_used_are_their_own_trials_failure(
    toy: Any, store: ResultStore, another_store: ResultStore, path: str
) -> None:
    model = toy.Shift() if path == "fused" else toy.SlowShift()
    trials = toy.trials(*range(1, 8), model=model)
    quantities = (toy.named(toy.HALF_RATE), toy.named(toy.MEAN))
    for into in (store, another_store):
        for trial in trials:  # each in a file of its own
            run_pack(toy.task(into, [trial]))
    files = [weights_files(store)[trial.id] for trial in trials]
    files[0].write_bytes(files[0].read_bytes()[:-3])
    rewrite(files[2], mean=np.zeros(2, np.float32))
    rewrite(files[3], average=np.zeros(1, np.float32))
    rewrite(files[4], mean=np.zeros(1, np.float64))
    files[6].unlink()
    record = run_pack(toy.task(store, trials, task="evaluate", quantities=quantities))
    assert (record.counts, record.fault, record.stopped) == ({"evaluated": 2, "evaluation_failed": 5}, "", False)
    errors = {(row["trial"], row["key"]): row["error"] for row in store.evaluations().to_pylist()}
    told = {
        0: "StoreError: PATH: not a whole safetensors file",
        2: "EvaluationError: the stored 'mean' is float32 of shape (N,), and the model's float32 of shape (N,)",
        3: "EvaluationError: the stored weights",
        4: "EvaluationError: the stored 'mean' is float64",
        6: "StoreError: the weights of trial",
    }
    for slot, reason in told.items():
        for key in ("half_rate@v1", "mean@v1"):
            assert errors[trials[slot].id, key].startswith(reason)
    assert run_pack(toy.task(another_store, trials, task="evaluate", quantities=quantities)).counts == {"evaluated": 7}
    sound = [trials[1].id, trials[5].id]
    columns = ["trial", "quantity", "value", "standard_error"]
    here, there = (
        one.scan("metrics", columns, sound).sort_by([("trial", "ascending"), ("quantity", "ascending")])
        for one in (store, another_store)
    )
    assert here.num_rows == 2 * 3
    assert here.equals(there)


def test_what_is_read_of_the_store_does_not_grow_with_the_trials_of_a_pack(
    toy: Any, store: ResultStore, files_read: list[str]
) -> None:
    trials = toy.trials(*range(1, 9))
    run_pack(toy.task(store, trials))
    read = []
    for part in (trials[:2], trials):
        files_read.clear()
        task = toy.task(store, part, task="evaluate", quantities=(toy.named(toy.HALF_RATE),))
        assert run_pack(task).counts == {"evaluated": len(part)}
        read.append(sorted(name for name in files_read if name.startswith(("trials/", "weights/"))))
    assert read[0] == read[1]
    assert len([name for name in read[1] if name.startswith("weights/")]) == 1


def test_a_pack_without_any_weights_or_that_cannot_be_built_fails_trial_by_trial(
    toy: Any, store: ResultStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = toy.trials(1, 2)
    run_pack(toy.task(store, trials))
    task = toy.task(store, trials, task="evaluate", quantities=(toy.named(toy.HALF_RATE),))
    (file,) = set(weights_files(store).values())
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert run_pack(task).counts == {"evaluation_failed": 2}
    file.write_bytes(whole)

    def unbuildable(spec: Any, data: Any) -> Any:
        raise ImportError("no such network any more")

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules[toy.module.name], "build_shift", unbuildable)
        record = run_pack(task)
    assert (record.counts, record.fault, record.traceback) == ({"evaluation_failed": 2}, "", "")
    rows = [row for row in store.scan("metrics").to_pylist() if row["quantity"] == "half_rate"]
    assert [row["error"] for row in rows] == ["ImportError: no such network any more"] * 2
    assert "in unbuildable" in rows[0]["traceback"]
    assert run_pack(task).counts == {"evaluated": 2}
    assert toy.starts() == {1: 1, 2: 1}


@pytest.mark.parametrize("path", PATHS)
def test_a_trial_that_diverges_by_its_last_step_is_diverged_at_that_step(
    toy: Any, store: ResultStore, another_store: ResultStore, outcome_of: Outcomes, path: str
) -> None:
    """At a learning rate of 1e20 the squares of a finite parameter are infinite; at 1e39 it is infinite itself."""
    model = toy.Shift() if path == "fused" else toy.SlowShift()
    calm = toy.trials(1, 2, model=model, steps=1)
    wild = [toy.trials(3, model=model, steps=1, rate=rate)[0] for rate in (1e20, 1e39)]
    assert run_pack(toy.task(store, [calm[0], *wild, calm[1]])).counts == {"completed": 2, "diverged": 2}
    for trial in wild:
        (row,) = store.trials(None, [trial.id]).to_pylist()
        assert (row["status"], row["step"]) == ("diverged", 1)
        assert row["reason"] == "the loss was not finite after the last step"
        assert store.curves(trial.id)["loss"][0].tolist() == [1]
    run_pack(toy.task(another_store, calm))
    undisturbed, found = outcome_of(another_store), outcome_of(store)
    assert {trial.id: found[trial.id] for trial in calm} == undisturbed
