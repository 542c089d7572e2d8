from __future__ import annotations

import datetime
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from results.store import ResultStore
from studies.catalogue import find
from sweep.cli import watching

ROOT = Path(__file__).resolve().parents[2]
Sweep = Callable[..., Any]
KEYS = {
    "study", "reduced", "trials", "done", "completed", "diverged", "running", "failed", "missing", "to_evaluate",
    "prerequisites", "other_source", "failures", "divergences", "packs", "launches", "damaged", "store", "pace", "gone",
}  # fmt: skip


def status(sweep: Sweep, *arguments: object) -> Any:
    told = sweep("status", *arguments, "--json")
    found = json.loads(told.out)
    failed = any(record["failed"] for record in (found if isinstance(found, list) else [found]))
    assert (told.code, told.err) == (3 if failed else 0, "")
    return found


def test_failures_are_grouped_with_the_region_that_they_share(sweep: Sweep, studies: Path, half_done: Path) -> None:
    record = status(sweep, f"{studies}:half", "--store", half_done)
    assert record.keys() == KEYS
    assert (record["trials"], record["done"], record["failed"], record["missing"]) == (8, 4, 4, 0)
    (group,) = record["failures"]
    assert group == {
        "status": "error",
        "reason": "RuntimeError: no answer from PATH after N tries",
        "count": 4,
        "region": "objective = faulty",
        "example": find([f"{studies}:half"])[0].study.select("objective=faulty").trials()[0].id,
    }
    text = sweep("status", f"{studies}:half", "--store", half_done).out
    assert text.splitlines() == [
        "own/half: 4 of 8 trials done",
        "  failed    4",
        f"    4 × error: {group['reason']}, all where objective = faulty (sweep show {group['example']})",
    ]


@pytest.mark.parametrize(("name", "code"), [("half", 3), ("sound", 0), ("extended", 0), ("long", 0)])
def test_the_exit_code_says_whether_trials_failed(
    sweep: Sweep, studies: Path, half_done: Path, name: str, code: int
) -> None:
    """Not whether some are missing: that is no fault."""
    assert sweep("status", f"{studies}:{name}", "--store", half_done).code == code
    assert sweep("status", f"{studies}:{name}", "--store", half_done, "--json").code == code
    assert sweep("status", f"{studies}:sound", f"{studies}:{name}", "--store", half_done).code == code


def test_missing_trials_and_lacking_quantities_are_counted(sweep: Sweep, studies: Path, half_done: Path) -> None:
    record = status(sweep, f"{studies}:extended", "--store", half_done, "--seeds", 3)
    assert (record["trials"], record["done"], record["missing"], record["to_evaluate"]) == (6, 4, 2, 4)
    text = sweep("status", f"{studies}:extended", "--store", half_done, "--seeds", 3).out
    assert "  missing   2\n" in text
    assert "4 of the completed trials lack quantities" in text


def test_several_studies_are_a_list_whose_counts_add_up(sweep: Sweep, studies: Path, half_done: Path) -> None:
    records = status(sweep, f"{studies}:half", f"{studies}:long", "digits@small", "--store", half_done)
    assert [record["study"] for record in records][:2] == ["own/half", "own/long"]
    for record in records:
        assert record["trials"] == record["done"] + record["failed"] + record["running"] + record["missing"]
        assert record["done"] == record["completed"] + record["diverged"]


@pytest.fixture
def at_work(store: Path, studies: Path) -> Path:
    """A store in which this process is a live launch at a pack of own/long, and a dead one left a pack behind."""
    opened = ResultStore.open(store)
    trials = [trial.id for trial in find([f"{studies}:long"])[0].study.trials()]
    opened.beat("alive")
    record = {"process": os.getpid(), "at": "2026-01-01T00:00:00+00:00", "phase": "train", "steps": 200_000}
    opened.mark_inflight("first", record | {"launch": "alive", "pack": trials[:3], "step": 4_000})
    opened.mark_inflight("second", record | {"launch": "dead", "pack": trials[3:], "step": 10})
    return store


def test_what_runs_is_in_packs_of_live_launches(sweep: Sweep, studies: Path, at_work: Path) -> None:
    record = status(sweep, f"{studies}:long", "--store", at_work)
    assert (record["running"], record["missing"], record["done"]) == (3, 1, 0)
    (pack,) = record["packs"]
    assert (pack["id"], pack["trials"], pack["phase"]) == ("first", 3, "train")
    assert (pack["step"], pack["steps"]) == (4_000, 200_000)
    (launch,) = record["launches"]
    assert (launch["launch"], launch["process"], launch["host"]) == ("alive", os.getpid(), socket.gethostname())
    assert record["pace"] is not None
    text = sweep("status", f"{studies}:long", "--store", at_work).out
    assert "  running   3\n" in text
    assert "first: 3 trials, step 4,000 of 200,000" in text
    assert f"at work: process {os.getpid()} on " in text
    assert status(sweep, f"{studies}:sound", "--store", at_work)["packs"] == []


def test_a_heartbeat_of_long_ago_is_no_life(sweep: Sweep, studies: Path, at_work: Path) -> None:
    beat = at_work / "heartbeats" / "alive.json"
    beat.write_text(json.dumps(json.loads(beat.read_text()) | {"time": "2020-01-01T00:00:00+00:00"}))
    record = status(sweep, f"{studies}:long", "--store", at_work)
    assert (record["running"], record["missing"], record["launches"], record["pace"]) == (0, 4, [], None)
    assert [one["launch"] for one in record["gone"]] == ["alive"]
    text = sweep("status", f"{studies}:long", "--store", at_work).out
    assert re.search(
        rf"^gone: process {os.getpid()} on \S+, last heard of \d+ d \d+ h ago \(launch alive\)$", text, re.M
    )
    assert "at work" not in text


def test_a_pack_of_which_nothing_is_heard_is_silent_and_a_late_heartbeat_is_told(
    sweep: Sweep, studies: Path, at_work: Path
) -> None:
    """A live launch says nothing of its workers: each has a mark of its own."""
    opened = ResultStore.open(at_work)
    marks, at = opened.inflight()["first"], datetime.datetime.now(datetime.UTC)
    for seconds, told in ((30, None), (240, "silent for 4 min ")):
        said = (at - datetime.timedelta(seconds=seconds)).isoformat()
        opened.mark_inflight("first", marks | {"at": said, "host": "node7"})
        text = sweep("status", f"{studies}:long", "--store", at_work).out
        assert ("silent" in text) == (told is not None)
        if told:
            assert told in text
            assert f"(process {os.getpid()} on node7)" in text
    beat = at_work / "heartbeats" / "alive.json"
    said = (at - datetime.timedelta(seconds=80)).isoformat()
    beat.write_text(json.dumps(json.loads(beat.read_text()) | {"time": said}))
    text = sweep("status", f"{studies}:long", "--store", at_work).out
    assert re.search(r"^at work: process \d+ on \S+, silent for 1 min \d+ s \(launch alive\)$", text, re.M)


def test_what_a_worker_says_that_is_no_record_harms_nothing(sweep: Sweep, studies: Path, at_work: Path) -> None:
    (at_work / "inflight" / "torn.json").write_text('{"pack": [')
    ResultStore.open(at_work).mark_inflight("odd", {"launch": "alive"})
    record = status(sweep, f"{studies}:long", "--store", at_work)
    assert record["running"] == 3
    assert "inflight/torn.json" in record["damaged"]


@pytest.mark.parametrize("table", ["metrics", "curves", "launches", "trials"])
def test_a_torn_file_is_named_and_skipped(sweep: Sweep, studies: Path, store: Path, table: str) -> None:
    torn = sorted((store / table).glob("*.parquet"))[-1]
    torn.write_bytes(torn.read_bytes()[:-20])
    record = status(sweep, f"{studies}:half", "--store", store)
    assert list(record["damaged"]) == [f"{table}/{torn.name}"]
    text = sweep("status", f"{studies}:half", "--store", store).out
    assert f"damaged, and skipped: {torn}: " in text
    if table in ("trials", "metrics"):
        plan = sweep("plan", f"{studies}:half", "--store", store)
        assert plan.code == 0
        assert plan.err.startswith(f"sweep: note: a damaged file is skipped: {torn}: ")


def test_watching_ends_when_all_is_done(sweep: Sweep, studies: Path, half_done: Path) -> None:
    told = sweep("status", f"{studies}:half", "--store", half_done, "--watch")
    assert told.code == 3
    assert sweep("status", f"{studies}:sound", "--store", half_done, "--watch").code == 0
    assert told.out == sweep("status", f"{studies}:half", "--store", half_done).out


def test_watching_shows_changes_until_it_is_interrupted(
    sweep: Sweep, studies: Path, at_work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter(["same", "launch ended", "interrupt"])

    def sleep(seconds: float) -> None:
        match next(looks):
            case "launch ended":
                ResultStore.open(at_work).clear_beat("alive")
            case "interrupt":
                raise KeyboardInterrupt

    monkeypatch.setattr(watching.time, "sleep", sleep)
    told = sweep("status", f"{studies}:long", "--store", at_work, "--watch")
    assert (told.code, told.err) == (0, "")
    assert told.out.count("own/long: 0 of 4 trials done") == 2  # what has not changed is not said again
    assert told.out.index("running   3") < told.out.index("missing   4")


def test_watching_opens_the_files_of_other_tables_once(
    sweep: Sweep, studies: Path, at_work: Path, monkeypatch: pytest.MonkeyPatch, files_read: list[str]
) -> None:
    """Those of curves, say, which a standing does not need: they are looked at for damage alone."""
    looks = iter(range(3))

    def sleep(seconds: float) -> None:
        if next(looks) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(watching.time, "sleep", sleep)
    assert sweep("status", f"{studies}:long", "--store", at_work, "--watch").code == 0
    opened = sorted(name for name in files_read if name.startswith("curves/"))
    assert opened == ResultStore.open(at_work).files.names("curves") != []


def test_watching_is_not_for_scripts(sweep: Sweep, studies: Path, half_done: Path) -> None:
    told = sweep("status", f"{studies}:half", "--store", half_done, "--watch", "--json")
    assert (told.code, told.out) == (2, "")
    assert "give one of them" in told.err


def test_a_status_needs_no_pandas(studies: Path, half_done: Path) -> None:
    """Its import would be a fifth of the time that a status takes."""
    program = (
        "import sys\n"
        "from sweep.cli.main import main\n"
        f"code = main(['status', '{studies}:half', '--store', '{half_done}'])\n"
        "print(code, *sorted({'pandas', 'scipy', 'torch', 'ray'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.stdout.splitlines()[-1], run.stderr) == ("3", "")
