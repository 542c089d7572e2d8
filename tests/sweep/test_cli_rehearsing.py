from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweep.rehearsal.scenarios import SCENARIOS

Sweep = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[2]


def rehearsed(sweep: Sweep, *arguments: object) -> Any:
    told = sweep("rehearse", *arguments, "--json")
    assert (told.code, told.err) == (0, "")
    return json.loads(told.out)


def test_a_study_with_given_times_on_a_cluster_of_gpus(sweep: Sweep, tmp_path: Path) -> None:
    """By hand: 441 trials are 7 packs of 64, of 1,000 steps at 0.09 s, two rounds of 90 s on 4 GPUs."""
    store = tmp_path / "runs"
    about = ("digits/hvae", "--store", store, "--nodes", 2, "--gpus", 2, "--evaluate", "within")
    record = rehearsed(sweep, *about, "--step-seconds", 0.09, "--price-per-hour", 3)
    assert (record["studies"], record["trials"], record["packs"]) == (["digits/hvae"], 441, 7)
    assert record["makespan_seconds"] == pytest.approx(180.0)
    assert record["device_hours"]["cuda"] == pytest.approx(7 * 90 / 3600)
    assert record["cost"] == pytest.approx(3 * 4 * 180 / 3600)
    assert (record["ratio"], record["violations"]) == (pytest.approx(1.0), [])
    assert rehearsed(sweep, *about, "--pack-seconds", 90)["makespan_seconds"] == pytest.approx(180.0)
    assert not store.exists()
    text = sweep("rehearse", *about, "--pack-seconds", 90, "--price-per-hour", 3).out
    assert "makespan      3 min 0 s on 4 GPUs, 1.00 times its lower bound of 3 min 0 s" in text
    assert "GPU-hours     0.2 used" in text
    assert "cost          0.60, of these 0.00 in vain" in text


def test_times_come_from_the_store_and_only_what_is_pending_may_be_rehearsed(
    sweep: Sweep, studies: Path, half_done: Path
) -> None:
    before = sorted((path, path.stat().st_mtime_ns) for path in half_done.rglob("*"))
    about = (f"{studies}:sound", "--store", half_done, "--cpus", 2, "--seeds", 3)
    whole, rest = rehearsed(sweep, *about), rehearsed(sweep, *about, "--pending")
    assert (whole["trials"], rest["trials"]) == (6, 2)
    assert whole["device_hours"]["cpu"] > 0
    assert whole["violations"] == rest["violations"] == []
    assert sorted((path, path.stat().st_mtime_ns) for path in half_done.rglob("*")) == before


def test_faults_are_told_and_the_seed_says_which(sweep: Sweep, tmp_path: Path) -> None:
    about = ("digits/hvae", "--store", tmp_path, "--nodes", 2, "--gpus", 1, "--pack-seconds", 600, "--seed", 1)
    rates = ("--failures", 0.3, "--errors", 0.01, "--divergences", 0.05, "--evaluate", "within")
    first, again = (rehearsed(sweep, *about, *rates) for _ in range(2))
    assert first == again
    assert first["attempts"]["died"] > 0
    assert first["statuses"]["error"] > 0
    assert first["violations"] == []
    text = sweep("rehearse", *about, *rates).out
    assert "× worker died" in text
    assert "× pack raised" in text
    assert "every trial ended, none finished twice, none is lost" in text


def test_a_rehearsal_that_stops_of_itself_ends_with_3(sweep: Sweep, tmp_path: Path) -> None:
    """Nearly all trials raise, the first twelve among them."""
    about = ("digits/hvae", "--store", tmp_path, "--cpus", 1, "--pack", 1, "--pack-seconds", 9, "--errors", 0.999)
    told = sweep("rehearse", *about)
    assert (told.code, told.err) == (3, "")
    assert "halted        the trials that ended first all failed alike: error: RuntimeError" in told.out


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ({}, 0),
        ({"wrong": ["a trial is lost"]}, 3),
        ({"innocents": 1}, 3),
        ({"halted": "error: no"}, 3),
        ({"makespan": 1e6}, 3),
    ],
)
def test_a_check_that_fails_or_a_limit_that_is_passed_is_told_by_3(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch, found: dict[str, Any], code: int
) -> None:
    report = dataclasses.replace(SCENARIOS["hvae-441"].run(), **found)
    monkeypatch.setattr("sweep.rehearsal.scenarios.Scenario.run", lambda scenario: report)
    told = sweep("rehearse", "--scenario", "hvae-441")
    assert told.code == code
    assert ("more than 1.10 times the lower bound" in told.out) is ("makespan" in found)


def test_a_scenario_by_name(sweep: Sweep) -> None:
    told = sweep("rehearse", "--scenario", "hvae-441")
    assert (told.code, told.err) == (0, "")
    assert told.out.startswith(f"hvae-441: {SCENARIOS['hvae-441'].about}\n")
    assert f"note          {SCENARIOS['hvae-441'].note}" in told.out
    assert list(json.loads(sweep("rehearse", "--scenario", "hvae-441", "--json").out)) == ["hvae-441"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "name a study, or give --scenario NAME"),
        (("--scenario", "unifrom"), "no scenario 'unifrom'; did you mean uniform?"),
        (("digits/hvae", "--scenario", "uniform"), "--scenario brings its own study"),
        (("digits/hvae", "--failures", "2"), "--failures: a share from 0 and below 1, not '2'"),
        (("digits/hvae", "--pack-seconds", "0"), "--pack-seconds: a number above 0, not '0'"),
        (("digits/hvae", "--pack-seconds", "9", "--step-seconds", "1"), "give one of them"),
        (("digits/hvae",), "the time of 1 of 1 shapes is not known on cpu (train)"),
    ],
)
def test_mistakes_are_one_line(sweep: Sweep, tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    ended = sweep("rehearse", *arguments, "--store", tmp_path / "runs")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("sweep: error: ")
    assert ended.err.count("\n") == 1
    assert told in ended.err


def test_rehearsing_and_planning_load_neither_torch_nor_ray(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from sweep.cli.main import main\n"
        f"assert main(['rehearse', 'digits/hvae@small', '--pack-seconds', '9', '--store', {str(tmp_path)!r}]) == 0\n"
        f"assert main(['plan', 'digits/hvae@small', '--store', {str(tmp_path)!r}]) == 0\n"
        "print(*sorted({'torch', 'ray', 'sklearn'} & set(sys.modules)), file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr.strip()) == (0, "")
