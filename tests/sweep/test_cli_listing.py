from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studies.catalogue import find, papers
from sweep.cli.listing import size
from sweep.cli.options import WIDTH

Sweep = Callable[..., Any]
PLANNED = {"study", "trials", "settings", "seeds", "finished", "failed", "pending", "to_evaluate", "prerequisites"}
COSTS = {"packs", "disk_bytes", "hours"}


def plan(sweep: Sweep, *arguments: object) -> Any:
    told = sweep("plan", *arguments, "--json")
    assert (told.code, told.err) == (0, "")
    return json.loads(told.out)


def test_list_names_every_study_with_its_question_size_and_axes(sweep: Sweep) -> None:
    told = sweep("list")
    text = " ".join(told.out.split())
    for paper in papers():
        assert f"{paper.name}: {paper.title}" in text
        for study in paper.studies:
            assert f"{study.name}: {len(study)} trials" in text
            assert study.question in text
            assert all(column in text for column in study.axis_columns())
    assert "objective.beta[0] 21 values from 0.1 to 10" in text
    assert "5 values: β = 1, β = 0.1, KL annealing, free bits, target rate" in text
    assert max(map(len, told.out.splitlines())) <= WIDTH


def test_list_as_json_says_the_same(sweep: Sweep) -> None:
    record = json.loads(sweep("list", "--json").out)
    paper, dueling, layers = record["papers"]
    assert (paper["name"], dueling["name"], layers["name"]) == ("digits", "dueling", "hvae")
    assert [study["trials"] for study in dueling["studies"]] == [576, 54, 30, 288, 12]
    assert [study["trials"] for study in layers["studies"]] == [441] * 4
    hvae, objectives = paper["studies"]
    assert (hvae["name"], hvae["trials"], hvae["settings"], hvae["seeds"]) == ("digits/hvae", 441, 441, [0])
    axis = hvae["axes"][0]
    assert (axis["name"], axis["count"], axis["minimum"], axis["maximum"]) == ("objective.beta[1]", 21, 0.1, 10)
    assert len(axis["values"]) == 21
    assert (objectives["trials"], objectives["settings"], objectives["seeds"]) == (15, 5, [0, 1, 2])
    assert "minimum" not in objectives["axes"][0]
    assert hvae["small"]["name"] == "digits/hvae@small"
    assert hvae["small"]["trials"] == len(find(["digits/hvae@small"])[0].study)
    assert "distortion" in hvae["quantities"]


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
