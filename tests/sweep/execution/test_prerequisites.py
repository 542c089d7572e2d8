"""Quantities that are measured with another trained trial: it is trained once, first, and named in every value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from results.store import ResultStore
from studies.catalogue import find
from sweep.cli.main import main
from sweep.executor import Executor
from sweep.outputs import study_frame
from sweep.plan import plan_study
from sweep.run import run_pack

Launching = Callable[..., Any]
MENDED = "RATESWEEP_TEST_MENDED"


@pytest.fixture
def study(toy: Any) -> Callable[..., Any]:
    """A study of the trials of these numbers, measured by their mean and their distance from their reference."""
    return lambda *numbers: toy.study(toy.trials(*numbers), toy.named(toy.MEAN), toy.named(toy.DISTANCE))


def reference(toy: Any, number: float) -> Any:
    """The reference of the trial of that number."""
    (trial,) = toy.trials(number)
    return toy.references(trial)["reference"]


def distances(store: ResultStore) -> dict[str, tuple[float | None, str | None, str | None]]:
    """trial -> its latest distance, the prerequisite that it was measured with and why it could not be."""
    rows = store.winning("metrics").sort_by("evaluated").to_pylist()
    return {
        row["trial"]: (row["value"], row["prerequisite"], row["error"]) for row in rows if row["quantity"] == "distance"
    }


def check_distances(toy: Any, store: ResultStore, numbers: Sequence[float]) -> None:
    """Oracle: the weights of the trials and of their references."""
    found = distances(store)
    for number in numbers:
        trial, needed = toy.trials(number)[0], reference(toy, number)
        value, used, error = found[trial.id]
        assert (used, error) == (needed.id, None)
        means = [store.weights(one.id)["mean"][0] for one in (trial, needed)]
        assert value == pytest.approx(abs(float(means[0]) - float(means[1])), rel=1e-5)


def test_prerequisites_are_trained_once_and_first(
    toy: Any, store: ResultStore, launch: Launching, study: Any, executor: Executor
) -> None:
    entry = study(1, 2, 3, 10)
    plan = plan_study(entry.study, store)
    assert [(one.trial, one.state) for one in plan.prerequisites] == [
        (reference(toy, 1), "pending"),
        (reference(toy, 10), "pending"),
    ]
    outcome = launch(store, entry, executor=executor, width=2)
    assert (outcome.exit_code, outcome.statuses, outcome.fault) == (0, {"completed": 6}, "")
    assert toy.starts() == dict.fromkeys((1, 2, 3, 10, 20, 21), 1)
    check_distances(toy, store, (1, 2, 3, 10))
    rows = {row["trial"]: row for row in store.trials().to_pylist()}
    for number in (1, 10):
        row = rows[reference(toy, number).id]
        assert (row["status"], row["width"], row["path"]) == ("completed", 1, "sequential")
    for number in (1, 2, 3, 10):
        needed, trial = rows[reference(toy, number).id], rows[toy.trials(number)[0].id]
        assert needed["finished"] <= trial["started"]
    packs = [rows[trial.id]["pack"] for trial in toy.trials(1, 2, 3, 10)]
    assert len(set(packs)) == 3  # 3 and 10 differ in their references
    means = [row for row in store.scan("metrics").to_pylist() if row["quantity"] == "mean"]
    assert {row["prerequisite"] for row in means} == {None}
    frame = study_frame(entry.study, store)
    assert (frame.coverage.planned, frame.coverage.finished) == (4, 4)
    again = launch(store, study(1, 2, 3, 4, 10), executor=executor, width=2)
    assert (again.exit_code, again.statuses) == (0, {"completed": 1})
    assert toy.starts() == dict.fromkeys((1, 2, 3, 4, 10, 20, 21), 1)


def test_what_is_trained_is_measured_with_prerequisites_that_come_later(
    toy: Any, store: ResultStore, launch: Launching, study: Any, executor: Executor
) -> None:
    launch(store, toy.study(toy.trials(1, 2), toy.named(toy.MEAN)), executor=executor)
    outcome = launch(store, study(1, 2), executor=executor, train=False)
    assert (outcome.exit_code, outcome.statuses) == (0, {"completed": 1, "evaluated": 2})
    assert toy.starts() == {1: 1, 2: 1, 20: 1}
    check_distances(toy, store, (1, 2))


def test_a_prerequisite_that_fails_costs_only_the_quantities_that_need_it(
    toy: Any, store: ResultStore, launch: Launching, study: Any, executor: Executor
) -> None:
    entry, needed = study(1, 11), reference(toy, 11)
    outcome = launch(store, entry, executor=executor)
    assert (outcome.exit_code, outcome.fault) == (3, "")
    assert outcome.statuses == {"completed": 2, "error": 1, "evaluation_failed": 1}
    check_distances(toy, store, (1,))
    (failed,) = toy.trials(11)
    value, used, error = distances(store)[failed.id]
    assert (value, used) == (None, needed.id)
    assert error == (
        f"the prerequisite {needed.id} (reference, {needed.model.kind} of {needed.data.kind}) was not trained: "
        "error: RuntimeError: number N will not train"
    )
    frame = study_frame(entry.study, store)
    assert frame.trials["status"].tolist() == ["completed", "evaluation_failed"]
    assert frame.trials["mean"].notna().all()
    again = launch(store, entry, executor=executor)
    assert (again.exit_code, again.statuses) == (3, {})
    assert toy.starts() == dict.fromkeys((1, 11, 20, 22), 1)


@pytest.mark.parametrize("words", ["*", "will not train", "prerequisite", "evaluation_failed"])
def test_retrying_does_the_prerequisite_again_and_measures_what_lacked_it(
    toy: Any, store: ResultStore, launch: Launching, study: Any, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    entry = study(1, 11)
    launch(store, entry)
    assert [(one.state, one.reason) for one in plan_study(study(11, 12).study, store).prerequisites] == [
        ("failed", "error: RuntimeError: number N will not train")
    ]
    monkeypatch.setenv(MENDED, "1")
    outcome = launch(store, entry, retry=(words,))
    assert (outcome.exit_code, outcome.statuses) == (0, {"completed": 1, "evaluated": 1})
    assert toy.starts() == {1: 1, 11: 1, 20: 1, 22: 2}
    check_distances(toy, store, (1, 11))


def test_a_prerequisite_that_is_not_there_is_named_and_others_are_measured(toy: Any, store: ResultStore) -> None:
    trials = toy.trials(1, 2)
    task = toy.task(store, trials, quantities=(toy.named(toy.DISTANCE), toy.named(toy.MEAN)))
    assert run_pack(task).counts == {"evaluation_failed": 2}
    needed = reference(toy, 1)
    for value, used, error in distances(store).values():
        assert (value, used) == (None, needed.id)
        assert error is not None
        assert error.startswith(f"the prerequisite {needed.id} (reference, ")
        assert error.endswith("has not been trained")
    assert {row["quantity"] for row in store.scan("metrics").to_pylist() if row["value"] is not None} == {"mean"}


def test_a_diverged_prerequisite_is_a_failed_one(toy: Any, store: ResultStore, launch: Launching, study: Any) -> None:
    (wild,) = toy.trials(20, steps=24, diverges=5.0)
    run_pack(toy.task(store, [wild]))
    entry = study(1)
    function = f"{toy.module.name}:wild"
    toy.module.module.wild = lambda trial: {"reference": wild}
    quantity = toy.named(toy.DISTANCE)
    entry = toy.study(
        toy.trials(1), toy.named(toy.MEAN), type(quantity)(**vars(quantity) | {"prerequisites": function})
    )
    plan = plan_study(entry.study, store, retry=("*",))
    assert [(one.state, one.reason) for one in plan.prerequisites] == [("failed", "diverged: the loss was not finite")]
    outcome = launch(store, entry)
    assert (outcome.exit_code, outcome.statuses) == (3, {"evaluation_failed": 1})


def test_the_weights_of_prerequisites_are_not_pruned(
    toy: Any, store: ResultStore, launch: Launching, study: Any
) -> None:
    launch(store, study(1, 2, 10))
    needed = {reference(toy, 1).id, reference(toy, 10).id}
    assert store.prune_weights(needed, dry_run=True).files == 0
    record = store.prune_weights()
    assert (record.files, record.kept) == (2, 2)
    assert store.weighted() == needed
    store.compact(minimum=2)
    assert {used for _, used, _ in distances(store).values()} == needed
    launch(store, study(3))
    check_distances(toy, store, (3,))
    assert toy.starts()[20] == 1


def test_prerequisites_are_told_before_and_after(
    write_toy: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_toy(tmp_path / "told.py", tmp_path / "starts", "told")
    path.write_text(
        path.read_text()
        + 'judged = Study(name="toy/judged", question="?", base=trial(1.0), quantities=(RATE, DISTANCE),\n'
        "    axes=axis('objective.number', [1.0, 11.0]))\n"
    )
    needed = [find([f"{path}:judged"])[0].source.get("references")(one)["reference"] for one in _trials(path)]
    store = ("--store", str(tmp_path / "runs"))
    assert main(["plan", f"{path}:judged", *store]) == 0
    told = capsys.readouterr().out
    assert "prerequisites 2: 2 pending\n    told-shift of told-points: pending\n" in told
    assert "unknown yet" in told
    assert main(["launch", f"{path}:judged", *store, "--executor", "local"]) == 3
    told = capsys.readouterr().out
    assert "toy/judged: 2 trials = 2 settings × 1 seed: 0 finished, 2 pending\n2 prerequisites:\n" in told
    assert "toy/judged: 1 of 2 trials finished, 1 failed\n" in told
    assert f"the prerequisite {needed[1].id} (reference, told-shift of told-points) was not trained" in told
    assert main(["show", needed[0].id, *store]) == 0
    assert "completed at step 24" in capsys.readouterr().out
    assert main(["status", f"{path}:judged", *store]) == 3


def _trials(path: Path) -> Sequence[Any]:
    return find([f"{path}:judged"])[0].study.trials()
