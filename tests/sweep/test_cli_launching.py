from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from results.store import ResultStore
from studies.catalogue import find

ROOT = Path(__file__).parents[2]
Sweep = Callable[..., Any]
LOCAL = ("--executor", "local")


def executions(store: Path) -> int:
    """How many attempts at trials have been stored."""
    return ResultStore.open(store).scan("trials", ["trial"]).num_rows


def start(*arguments: object, limit: int | None = None) -> subprocess.Popen[str]:
    """The command in a process of its own; limit: bytes that a file may have, beyond which the disk is full."""
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n" if limit else ""
    program = f"{limited}import sys; from sweep.cli.main import run; run()"
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_first_launch_told_what_failed_and_where(sweep: Sweep, studies: Path, tmp_path: Path) -> None:
    told = sweep("launch", f"{studies}:half", "--store", tmp_path / "runs", *LOCAL)
    assert told.code == 3
    assert told.out.splitlines() == [
        "own/half: 8 trials = 4 settings × 2 seeds: 0 finished, 8 pending",
        "own/half: 4 of 8 trials finished, 4 failed",
        "own/half: not completed",
        "  4 × error: RuntimeError: no answer from PATH after N tries, all where objective = faulty "
        f"(sweep show {find([f'{studies}:half'])[0].study.select('objective=faulty').trials()[0].id})",
        f"store: {tmp_path / 'runs'}",
        f"to try again: sweep launch {studies}:half --store {tmp_path / 'runs'} --executor local --retry-failed",
    ]
    *_, progress = told.err.splitlines()  # under load there are lines on the way
    assert progress.startswith("8/8 trials in ")
    assert progress.endswith(", 4 failed (error)")


def test_launching_again_does_nothing_and_starts_nothing(
    sweep: Sweep, studies: Path, half_done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.launch.Launch.run", lambda *arguments: pytest.fail("a launch ran"))
    failed = sweep("launch", f"{studies}:half", "--store", half_done)
    assert failed.code == 3
    assert "nothing to do: 4 trials failed" in failed.out
    assert "4 × error" in failed.out
    finished = sweep("launch", f"{studies}:sound", "--store", half_done)
    assert (finished.code, finished.err) == (0, "")
    assert "nothing to do: all trials are finished" in finished.out
    assert f"next: sweep report {studies}:sound --store {half_done}" in finished.out


@pytest.mark.parametrize("asked", [["--retry-failed", "no answer"], ["--retry-failed", "--reason", "no answer"]])
def test_failed_trials_are_done_again_when_asked(
    sweep: Sweep, studies: Path, store: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    monkeypatch.setenv("RATESWEEP_TEST_MENDED", "1")
    told = sweep("launch", f"{studies}:half", "--store", store, *LOCAL, *asked)
    assert told.code == 0
    assert "4 finished, 4 pending (4 failed before)" in told.out
    assert "own/half: 8 of 8 trials finished" in told.out
    assert executions(store) == 8 + 4


def test_to_try_again_it_prints_the_same_words_but_force(sweep: Sweep, studies: Path, store: Path) -> None:
    """What a launch may take stays as it was asked for; what was to be retried is not widened."""
    asked = ("--cpus-per-pack", "0.5", "--for=8h", "--retry-failed", "no answer", "--pack", "2", *LOCAL)
    told = sweep("launch", f"{studies}:half", "--force", "--store", store, *asked)
    assert told.code == 3
    words = f"--cpus-per-pack 0.5 --for=8h --retry-failed 'no answer' --pack 2 {' '.join(LOCAL)}"
    assert f"to try again: sweep launch {studies}:half --store {store} {words}\n" in told.out


def test_more_seeds_train_only_the_new_ones(sweep: Sweep, studies: Path, store: Path) -> None:
    told = sweep("launch", f"{studies}:sound", "--store", store, *LOCAL, "--seeds", 3)
    assert told.code == 0
    assert executions(store) == 8 + 2
    assert "next: sweep report" in told.out
    assert "--seeds 3" in told.out


def test_an_overlapping_study_trains_nothing_and_fills_in_what_it_lacks(
    sweep: Sweep, studies: Path, store: Path
) -> None:
    told = sweep("launch", f"{studies}:extended", "--store", store, *LOCAL)
    assert told.code == 0
    assert "4 finished, 0 pending, 4 to evaluate" in told.out
    assert executions(store) == 8
    frame = sweep("plan", f"{studies}:extended", "--store", store, "--json")
    assert json.loads(frame.out)["to_evaluate"] == 0


def test_evaluate_measures_what_is_lacking_and_trains_nothing(sweep: Sweep, studies: Path, store: Path) -> None:
    told = sweep("evaluate", f"{studies}:extended", f"{studies}:long", "--store", store, *LOCAL)
    assert told.code == 0  # the trials of `long` are pending, which is no failure of an evaluation
    assert executions(store) == 8
    again = sweep("evaluate", f"{studies}:extended", "--store", store, *LOCAL)
    assert (again.code, again.err) == (0, "")
    assert "nothing to do" in again.out
    forced = sweep("evaluate", f"{studies}:extended", "--store", store, *LOCAL, "--force", "--quantity", "rate")
    assert "4 to evaluate" in forced.out
    rows = ResultStore.open(store).scan("metrics", ["quantity", "value"]).to_pandas()
    values = rows.groupby("quantity")["value"].apply(sorted)
    assert values["twice_rate"] == pytest.approx([2 * value for value in values["rate"]])


def test_an_evaluation_that_fails_keeps_the_trials_and_says_why(
    sweep: Sweep, studies: Path, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATESWEEP_TEST_BROKEN", "1")
    told = sweep("evaluate", f"{studies}:extended", "--store", store, *LOCAL)
    extended, where = f"{studies}:extended", ("--store", store)
    assert told.code == 3
    assert "4 × evaluation failed: RuntimeError: half of the reference is missing (sweep show" in told.out
    assert "own/extended: 0 of 4 trials finished, 4 failed\n" in told.out
    assert f"to try again: sweep evaluate {extended} --store {store} --executor local --retry-failed\n" in told.out
    for verb in ("evaluate", "launch"):
        again = sweep(verb, extended, *where, *LOCAL)
        assert (again.code, again.err) == (3, "")
        assert "nothing to do: 4 trials failed, and --retry-failed was not given" in again.out
    record = json.loads(sweep("status", extended, *where, "--json").out)
    assert (record["trials"], record["completed"], record["failed"], record["to_evaluate"]) == (4, 0, 4, 0)
    assert [(group["status"], group["count"]) for group in record["failures"]] == [("evaluation_failed", 4)]
    shown = sweep("show", record["failures"][0]["example"], *where).out
    assert "RuntimeError: half of the reference is missing\n" in shown
    assert "error of twice_rate\n" in shown
    assert "in twice" in shown
    assert sweep("export", extended, tmp_path / "wide.csv", *where).code == 0
    wide = pd.read_csv(tmp_path / "wide.csv")
    assert set(wide["status"]) == {"evaluation_failed"}
    assert wide["rate"].notna().all()
    assert wide["twice_rate"].isna().all()
    assert sweep("report", extended, *where, "--out", tmp_path / "report.html").code == 0
    assert "half of the reference is missing" in (tmp_path / "report.html").read_text()
    assert sweep("status", f"{studies}:sound", *where).code == 0
    # As the advice says, once it has been mended: from the stored weights.
    monkeypatch.delenv("RATESWEEP_TEST_BROKEN")
    planned = json.loads(sweep("plan", extended, *where, "--retry-failed", "--json").out)
    assert (planned["finished"], planned["failed"], planned["pending"], planned["to_evaluate"]) == (4, 0, 0, 4)
    mended = sweep("evaluate", extended, *where, *LOCAL, "--retry-failed", "reference is missing")
    assert mended.code == 0
    assert "own/extended: 4 of 4 trials finished\n" in mended.out
    assert executions(store) == 8
    assert sweep("launch", extended, *where, *LOCAL).code == 0


def test_a_bug_of_ours_in_a_worker_is_told_with_its_traceback(
    sweep: Sweep, studies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.run.prepare", lambda threads: 1 / 0)
    told = sweep("launch", f"{studies}:sound", "--store", tmp_path / "runs", *LOCAL)
    assert told.code == 1
    assert "ZeroDivisionError: division by zero\nsweep: this is a bug in ratesweep" in told.err
    monkeypatch.undo()
    assert sweep("launch", f"{studies}:sound", "--store", tmp_path / "runs", *LOCAL).code == 0


def test_trials_without_weights_are_not_evaluated_and_it_says_so(sweep: Sweep, studies: Path, store: Path) -> None:
    ResultStore.open(store).prune_weights()
    told = sweep("plan", f"{studies}:extended", "--store", store)
    assert "not evaluable 4 lack quantities" in told.out
    for verb in ("evaluate", "launch"):
        told = sweep(verb, f"{studies}:extended", "--store", store, *LOCAL)
        assert (told.code, told.err) == (3, "")
        assert "nothing to do for 4 trials: quantities are lacking, and the weights" in told.out
    assert executions(store) == 8


def test_a_diverged_trial_is_finished_and_told(sweep: Sweep, studies: Path, tmp_path: Path) -> None:
    told = sweep("launch", f"{studies}:exploding", "--store", tmp_path / "runs", *LOCAL)
    assert told.code == 0
    assert "2 of 2 trials finished" in told.out
    assert "1 × diverged" in told.out
    assert "training.optimiser.learning_rate = 1e+30" in told.out
    assert ", 1 diverged" in told.err


def test_a_reduced_twin_says_so(sweep: Sweep, studies: Path, half_done: Path) -> None:
    told = sweep("launch", f"{studies}:sound@small", "--store", half_done, *LOCAL)
    assert (told.code, told.err) == (0, "")
    assert "own/sound@small (one learning rate): 2 trials = 1 setting × 2 seeds: 2 finished" in told.out


def test_a_launch_beside_another_is_warned(sweep: Sweep, studies: Path, store: Path) -> None:
    ResultStore.open(store).beat("other")  # by this very process, which is alive
    told = sweep("launch", f"{studies}:sound", "--store", store, *LOCAL, "--seeds", 3)
    assert told.code == 0
    assert f"sweep: note: another launch is at work on this store (process {os.getpid()} on " in told.err


def test_a_dead_launch_on_this_host_is_no_other(sweep: Sweep, studies: Path, store: Path, ended_process: int) -> None:
    opened = ResultStore.open(store)
    opened.beat("dead")
    record = store / "heartbeats" / "dead.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"process": ended_process}))
    told = sweep("launch", f"{studies}:sound", "--store", store, *LOCAL, "--seeds", 3)
    assert (told.code, "note" in told.err) == (0, False)


def test_a_width_that_is_asked_for_is_used_and_recorded(sweep: Sweep, studies: Path, tmp_path: Path) -> None:
    store = tmp_path / "runs"
    assert sweep("launch", f"{studies}:sound", "--store", store, *LOCAL, "--pack", 3).code == 0
    rows = ResultStore.open(store).scan("trials", ["width", "pack"]).to_pandas()
    assert set(rows.width) == {3}
    assert rows.pack.nunique() == 2


def test_calibration_is_stored(sweep: Sweep, studies: Path, tmp_path: Path) -> None:
    store = tmp_path / "runs"
    assert sweep("launch", f"{studies}:medium", "--store", store, *LOCAL, "--calibrate").code == 0
    (decision,) = ResultStore.open(store).decisions().values()
    assert decision["source"] == "calibrated"
    rows = ResultStore.open(store).scan("trials", ["width", "path"]).to_pylist()
    assert {(row["width"], row["path"]) for row in rows} == {(decision["width"], decision["path"])}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_cleanly_and_the_same_command_goes_on(studies: Path, tmp_path: Path, number: int) -> None:
    store = tmp_path / "runs"
    process = start(
        "launch", f"{studies}:long", "--store", store, *LOCAL, "--where", "seed=0", "--checkpoint-seconds", 1
    )
    for _ in range(600):
        if any((store / "inflight").glob("*.json")) and '"step": 0' not in _inflight(store):
            break
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 75
    assert "Traceback" not in err
    words = f"{studies}:long --store {store} --executor local --where seed=0 --checkpoint-seconds 1"
    assert f"interrupted; to resume: sweep launch {words}\n" in out
    assert len(list((store / "checkpoints").glob("*"))) == 1
    assert list((store / "heartbeats").glob("*")) == list((store / "stops").glob("*")) == []
    launches = ResultStore.open(store).scan("launches", ["event", "exit_code"]).to_pylist()
    assert sorted((row["event"], row["exit_code"]) for row in launches) == [("interrupted", 75), ("started", None)]


def _inflight(store: Path) -> str:
    try:
        return "".join(path.read_text() for path in (store / "inflight").glob("*.json"))
    except FileNotFoundError:
        return '"step": 0'


@pytest.mark.slow
def test_a_disk_that_fills_up_stops_the_launch_resumably(sweep: Sweep, studies: Path, tmp_path: Path) -> None:
    store = tmp_path / "runs"
    process = start("launch", f"{studies}:sound", "--store", store, *LOCAL, limit=9_000)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 75
    *_, last = err.splitlines()
    assert last.startswith("sweep: error: stopped: cannot write ")
    assert "too large" in last
    assert "Traceback" not in err
    assert "to resume: sweep launch" in out or "own/sound: 4 trials" in out
    assert executions(store) == 0
    assert sweep("launch", f"{studies}:sound", "--store", store, *LOCAL).code == 0


def test_a_full_disk_at_the_start_is_an_error(studies: Path, tmp_path: Path) -> None:
    process = start("launch", f"{studies}:sound", "--store", tmp_path / "runs", *LOCAL, limit=10)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err.startswith("sweep: error: cannot write ")
    assert err.count("\n") == 1


def test_without_ray_it_names_the_local_executor(
    sweep: Sweep, studies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    told = sweep("launch", f"{studies}:sound", "--store", tmp_path / "runs")
    assert told.code == 2
    assert told.err.count("\n") == 1
    assert "Ray is not installed" in told.err
    assert "--executor local" in told.err
