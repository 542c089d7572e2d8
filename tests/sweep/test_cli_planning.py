from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from results.store import ResultStore
from sweep.cli.planning import size

Sweep = Callable[..., Any]
PLANNED = {"study", "trials", "settings", "seeds", "finished", "failed", "pending", "to_evaluate", "prerequisites"}
COSTS = {"packs", "disk_bytes", "hours"}


def plan(sweep: Sweep, *arguments: object) -> Any:
    told = sweep("plan", *arguments, "--json")
    assert (told.code, told.err) == (0, "")
    return json.loads(told.out)


def test_a_plan_without_a_store_finds_all_pending_and_makes_none(sweep: Sweep, tmp_path: Path) -> None:
    for there in (False, True):
        store = tmp_path / "runs"
        if there:
            store.mkdir()
        record = plan(sweep, "digits/hvae", "--store", store)
        assert record.keys() >= PLANNED | COSTS
        assert (record["trials"], record["pending"], record["finished"], record["failed"]) == (441, 441, 0, 0)
        assert (record["settings"], record["seeds"], record["packs"]) == (441, 1, 14)
        assert record["prerequisites"] == []
        assert record["hours"] is None
        assert record["disk_bytes"] is None
        assert store.exists() == there
        assert not there or list(store.iterdir()) == []


def test_several_studies_are_a_list(sweep: Sweep, tmp_path: Path) -> None:
    records = plan(sweep, "digits", "digits@small", "--store", tmp_path / "runs")
    assert [record["study"] for record in records] == [
        "digits/hvae",
        "digits/objectives",
        "digits/hvae@small",
        "digits/objectives@small",
    ]
    assert records[0]["reduced"] == ""
    assert "200 of 1000 steps" in records[2]["reduced"]


def test_a_plan_of_several_studies_reads_the_store_for_each_once(
    sweep: Sweep, studies: Path, half_done: Path, files_read: list[str]
) -> None:
    """Its attempts, that is; decisions, and what trials take of the disk, are the store's."""
    read = []
    for names in (["half"], ["half", "sound", "extended"]):
        files_read.clear()
        plan(sweep, *(f"{studies}:{name}" for name in names), "--store", half_done)
        read.append(Counter(name.partition("/")[0] for name in files_read))
    files = ResultStore.open(half_done).files
    one, several = read
    assert one["decisions"] == several["decisions"] == len(files.names("decisions"))
    assert several["trials"] - one["trials"] == 2 * len(files.names("trials"))


def test_the_plan_of_a_half_done_study(sweep: Sweep, studies: Path, half_done: Path) -> None:
    before = sorted((path, path.stat().st_mtime_ns) for path in half_done.rglob("*"))
    record = plan(sweep, f"{studies}:half", "--store", half_done)
    assert (record["trials"], record["finished"], record["failed"], record["pending"]) == (8, 4, 4, 0)
    assert (record["packs"], record["hours"], record["disk_bytes"], record["to_evaluate"]) == (0, 0, 0, 0)
    retry = plan(sweep, f"{studies}:half", "--store", half_done, "--retry-failed")
    assert (retry["finished"], retry["failed"], retry["pending"], retry["retried"]) == (4, 0, 4, 4)
    assert (retry["packs"], retry["hours"]) == (1, None)  # of the shape that failed nothing has been measured
    assert retry["disk_bytes"] > 0
    more = plan(sweep, f"{studies}:half", "--store", half_done, "--seeds", 3, "--where", "objective=sound")
    assert (more["trials"], more["settings"], more["seeds"], more["pending"]) == (6, 2, 3, 2)
    assert more["hours"] > 0
    assert "only objective=sound" in more["reduced"]
    assert sorted((path, path.stat().st_mtime_ns) for path in half_done.rglob("*")) == before


def test_another_study_of_the_same_trials_only_evaluates(sweep: Sweep, studies: Path, half_done: Path) -> None:
    record = plan(sweep, f"{studies}:extended", "--store", half_done)
    assert (record["trials"], record["finished"], record["pending"], record["to_evaluate"]) == (4, 4, 0, 4)
    told = sweep("plan", f"{studies}:extended", "--store", half_done).out
    assert "4 finished trials lack quantities" in told


def test_the_text_of_a_plan(sweep: Sweep, studies: Path, half_done: Path) -> None:
    names = [f"{studies}:{name}" for name in ("half", "long", "exploding")]
    text = sweep("plan", *names, "--store", half_done, "--retry-failed", "error", "--pack", 2).out
    assert "own/half\n  trials        8 = 4 settings × 2 seeds\n  finished      4\n" in text
    assert "pending       4 in 2 packs, 4 of them failed before" in text
    assert "unknown yet" in text
    assert f"store: {half_done}\n" in text


def test_seeds_beyond_the_studys_extend_it(sweep: Sweep, studies: Path, half_done: Path) -> None:
    two, four = (plan(sweep, f"{studies}:sound", "--store", half_done, *more) for more in ((), ("--seeds", 4)))
    assert two["finished"] == four["finished"] == two["trials"] == 4
    assert four["pending"] == 4


def test_studies_in_which_no_trial_meets_the_conditions_are_left_out_and_said_so(sweep: Sweep, tmp_path: Path) -> None:
    told = sweep("plan", "digits", "--where", "objective.beta[1]=10", "--store", tmp_path / "runs", "--json")
    assert told.code == 0
    assert json.loads(told.out)["trials"] == 21
    assert told.err.startswith("sweep: note: digits/objectives is left out: ")
    assert told.err.count("\n") == 1


def test_the_store_may_come_from_the_environment(
    sweep: Sweep, studies: Path, half_done: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RATESWEEP_STORE", str(half_done))
    assert plan(sweep, f"{studies}:half")["store"] == str(half_done)
    assert plan(sweep, f"{studies}:half", "--store", tmp_path)["store"] == str(tmp_path)
    monkeypatch.delenv("RATESWEEP_STORE")
    monkeypatch.chdir(tmp_path)
    assert plan(sweep, f"{studies}:half")["store"] == str(tmp_path / "runs")


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (45_415_737, "45.4 MB"), (3e12, "3 TB"), (4e15, "4e+03 TB")],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


def test_a_plan_says_devices_and_finishing_time_from_packs_of_the_same_shapes(
    sweep: Sweep, studies: Path, half_done: Path
) -> None:
    """Twice the slots is half the time where packs are many, and the hours of devices stay as they are."""
    few, many = (
        plan(sweep, f"{studies}:sound", "--store", half_done, "--seeds", 10, "--pack", 2, "--slots", slots)
        for slots in (1, 4)
    )
    assert few["packs"] == many["packs"] == 8
    assert few["times_from"] == ["measured"]
    assert few["makespan_seconds"] == pytest.approx(few["hours"] * 3600)
    assert many["makespan_seconds"] == pytest.approx(few["makespan_seconds"] / 4)
    assert (many["hours"], many["slots"]) == (few["hours"], {"cpu": 4})
    text = sweep("plan", f"{studies}:sound", "--store", half_done, "--seeds", 10, "--slots", 4).out
    assert " of a worker; " in text
    assert " on 4 workers, done about " in text
    assert "from what packs of these shapes took" in text


def test_steps_scale_what_a_shorter_trial_took(sweep: Sweep, studies: Path, half_done: Path) -> None:
    record = plan(sweep, f"{studies}:medium", "--store", half_done)
    assert (record["times_from"], record["unknown_shapes"]) == (["scaled"], [])
    assert record["hours"] > 0
    assert (
        "from trials that differ in their number of steps alone"
        in sweep("plan", f"{studies}:medium", "--store", half_done).out
    )


def test_some_steps_are_measured_where_that_is_asked_for_and_nothing_is_stored(
    sweep: Sweep, studies: Path, tmp_path: Path
) -> None:
    store = tmp_path / "runs"
    unknown = plan(sweep, f"{studies}:medium", "--store", store)
    assert (unknown["hours"], len(unknown["unknown_shapes"])) == (None, 1)
    assert "unknown yet for 1 shape" in sweep("plan", f"{studies}:medium", "--store", store).out
    record = plan(sweep, f"{studies}:medium", "--store", store, "--calibrate")
    assert (record["times_from"], record["unknown_shapes"]) == (["calibrated"], [])
    assert 0 < record["hours"] < 1
    assert record["trials_without_evaluation"] == record["pending"] == 4
    assert not store.exists()
    told = sweep("plan", f"{studies}:medium", "--store", store, "--calibrate").out
    assert "from some steps of each shape on this machine" in told
    assert "without the evaluation of 4 trials: no trial of their shape has been evaluated on this device" in told


def test_several_studies_are_told_together_too(sweep: Sweep, studies: Path, half_done: Path) -> None:
    text = sweep("plan", f"{studies}:sound", f"{studies}:medium", "--store", half_done, "--seeds", 4).out
    together = text[text.index("together: ") :]
    assert together.startswith("together: 12 trials pending\n  time ")
