"""What a launch may take, as it is written on the command line."""

from __future__ import annotations

import datetime
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from results.store import ResultStore
from sweep.cli.limits import add_limits, duration, resources_from, size
from sweep.cli.options import Parser, UsageError
from sweep.resources import Resources


def parsed(*arguments: str) -> Any:
    parser = Parser(prog="sweep launch")
    add_limits(parser)
    return parser.parse_args(list(arguments))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("8h", 28800),
        ("90m", 5400),
        ("1h30m", 5400),
        ("45s", 45),
        ("1.5h", 5400),
        ("2d", 172800),
        ("5min", 300),
        ("0s", 0),
    ],
)
def test_times(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "count"), [("4GiB", 4 * 2**30), ("500MB", 500_000_000), ("1.5kB", 1500), ("1024", 1024), ("2 TiB", 2**41)]
)
def test_sizes(text: str, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--for", "8"], "such as 8h"),
        (["--for", "-1h"], "such as 8h|expected one argument"),
        (["--for", "1h2"], "not '1h2'"),
        (["--memory-per-pack", "4 elephants"], "such as 4GiB"),
        (["--gpu-memory", "40GiB"], "A100=40GiB"),
        (["--gpu-memory", "=40GiB"], "A100=40GiB"),
        (["--gpus-per-pack", "1.5"], "a part of a GPU, or a whole number"),
        (["--gpus-per-pack", "0"], "above 0"),
        (["--cpus-per-pack", "nan"], "above 0"),
        (["--max-concurrent", "0"], "from 1"),
        (["--first-failures", "-1"], "from 1"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(arguments: list[str], told: str) -> None:
    with pytest.raises(UsageError, match=told) as caught:
        parsed(*arguments)
    assert "\n" not in str(caught.value)


def test_what_is_asked_for_is_what_packs_take() -> None:
    asked = parsed(
        "--gpus-per-pack", "0.25", "--cpus-per-pack", "2", "--memory-per-pack", "1GB", "--gpu-memory", "T4=16GB"
    )
    assert resources_from(asked) == Resources(cpus=2, gpus=0.25, memory=10**9)
    assert asked.gpu_memory == [("T4", 16 * 10**9)]
    assert resources_from(parsed()) == Resources()
    assert (parsed().budget, parsed().hang_limit, parsed().first_failures) == (0.0, 3600.0, 12)


def test_a_second_launch_of_a_running_study_is_refused_unless_it_is_forced(
    sweep: Callable[..., Any], studies: Path, tmp_path: Path
) -> None:
    store = tmp_path / "runs"
    ResultStore.open(store, create=True).beat("20260101T000000Z-other", ["own/sound"])
    command = ["launch", f"{studies}:sound", "--store", store, "--executor", "local"]
    refused = sweep(*command)
    assert refused.code == 2
    assert "own/sound is being launched by process" in refused.err
    assert "--force" in refused.err
    assert ResultStore.open(store).trials().num_rows == 0
    beside = sweep("launch", f"{studies}:medium", "--store", store, "--executor", "local")
    assert (beside.code, "another launch is at work on this store" in beside.err) == (0, True)
    assert sweep(*command, "--force").code == 0
    assert ResultStore.open(store).trials().num_rows == 8


def elsewhere(store: Path, age: float) -> str:
    """The heartbeat of a launch of own/sound on another host, so many seconds old; its text."""
    opened = ResultStore.open(store, create=True)
    at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age)
    beat = {"launch": "far", "studies": ["own/sound"], "host": "node7", "process": 1, "time": at.isoformat()}
    opened.files.write("heartbeats/far.json", json.dumps(beat).encode())
    return "sweep: note: process 1 on node7, alive "


def test_a_launch_waits_until_one_that_was_killed_elsewhere_is_known_to_be_dead(
    sweep: Callable[..., Any], studies: Path, tmp_path: Path
) -> None:
    """What Kubernetes starts in the place of a lost head comes within seconds, and its answer is final."""
    note = elsewhere(tmp_path / "runs", age=115)  # so that a busy machine, too, has begun before it is 120 s old
    old = time.monotonic() + 5
    ended = sweep("launch", f"{studies}:sound", "--store", tmp_path / "runs", "--executor", "local")
    assert (ended.code, ended.err.count("sweep: note: ")) == (0, 1)
    assert ended.err.startswith(f"{note}11")
    assert time.monotonic() >= old


def test_what_is_done_while_a_launch_waits_is_not_done_again(
    sweep: Callable[..., Any], studies: Path, tmp_path: Path
) -> None:
    store, words = tmp_path / "runs", ("launch", f"{studies}:sound", "--executor", "local")
    assert sweep(*words, "--store", tmp_path / "other").code == 0
    elsewhere(store, age=0)

    def work() -> None:
        """What the other launch does: all, and it ends."""
        shutil.copytree(tmp_path / "other", store, dirs_exist_ok=True)
        ResultStore.open(store).clear_beat("far")

    timer = threading.Timer(1.0, work)
    timer.start()
    ended = sweep(*words, "--store", store)
    timer.join()
    assert (ended.code, ended.err.count("may have been killed")) == (0, 1)
    assert "4 finished, 0 pending" in ended.out
    assert ResultStore.open(store).scan("trials").num_rows == 4


def test_a_launch_that_waits_can_be_interrupted(studies: Path, tmp_path: Path) -> None:
    note = elsewhere(tmp_path / "runs", age=0)
    words = ["launch", f"{studies}:sound", "--store", str(tmp_path / "runs"), "--executor", "local"]
    # A shell has what it starts in the background ignore SIGINT, these tests and all that they start, too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        waiting = subprocess.Popen(
            [sys.executable, "-m", "sweep", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert waiting.stderr is not None
    try:
        assert waiting.stderr.readline().startswith(note)
        waiting.send_signal(signal.SIGINT)
        assert (waiting.communicate(timeout=30)[1], waiting.returncode) == ("sweep: interrupted\n", 75)
    finally:
        waiting.kill()
    assert ResultStore.open(tmp_path / "runs").scan("launches").num_rows == 0


def test_a_launch_whose_time_is_up_stops_and_goes_on_when_launched_again(
    sweep: Callable[..., Any], studies: Path, tmp_path: Path
) -> None:
    command = ["launch", f"{studies}:long", "--store", tmp_path / "runs", "--executor", "local", "--pack", "1"]
    stopped = sweep(*command, "--for", "1s", "--checkpoint-seconds", "0.1")
    assert stopped.code == 75
    assert "to resume: sweep launch" in stopped.out
    assert len(ResultStore.open(tmp_path / "runs").checkpoints()) == 1


def test_a_launch_whose_first_trials_all_fail_alike_is_stopped_and_told_why(
    sweep: Callable[..., Any], studies: Path, tmp_path: Path
) -> None:
    store = tmp_path / "runs"
    faulty = ["launch", f"{studies}:half", "--where", "objective.kind=test-faulty", "--seeds", "8", "--store", store]
    faulty += ["--executor", "local", "--pack", "2"]
    stopped = sweep(*faulty, "--first-failures", "6")
    assert stopped.code == 3
    assert (
        "all failed alike, and so the rest was not begun: error: RuntimeError: no answer from PATH after N"
        in stopped.err
    )
    assert ResultStore.open(store).trials().num_rows == 6
    on = sweep(*faulty, "--first-failures", "0")
    assert on.code == 3
    assert ResultStore.open(store).trials().num_rows == 16


def test_an_evaluation_has_the_same_limits_as_a_launch(
    sweep: Callable[..., Any], studies: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sweep import launch

    made: list[launch.Options] = []

    class Noting(launch.Launch):
        def __init__(self, entries: Any, store: Any, options: launch.Options) -> None:
            made.append(options)
            super().__init__(entries, store, options)

    monkeypatch.setattr("sweep.launch.Launch", Noting)
    monkeypatch.setenv("RATESWEEP_TEST_BROKEN", "1")
    asked = ("--cpus-per-pack", "0.5", "--for", "8h", "--hang-limit", "5m", "--first-failures", "2")
    told = sweep("evaluate", f"{studies}:extended", "--store", store, "--executor", "local", *asked)
    (options,) = made
    assert options.resources == Resources(cpus=0.5)
    assert (options.seconds, options.hang_seconds, options.first_failures) == (8 * 3600, 300, 2)
    assert (told.code, "all failed alike, and so the rest was not begun: " in told.err) == (3, True), told
