"""`sweep submit`, `logs` and `cancel` without a cluster: what they refuse, what they read, what they ask of a store."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from results.commit import now
from results.store import ResultStore
from studies.catalogue import find
from sweep.cli import forwarding, logs, submitting
from sweep.cli.main import parser
from sweep.worker_log import FOLDER, log_row

Sweep = Callable[..., Any]
HEAD = ("--address", "http://127.0.0.1:1")


@pytest.fixture
def opened(store: Path) -> ResultStore:
    return ResultStore.open(store)


@pytest.fixture
def failed(studies: Path, opened: ResultStore) -> dict[str, Any]:
    """Of own/half, the trial that failed last."""
    rows = [row for row in opened.trials().to_pylist() if row["status"] == "error"]
    found: dict[str, Any] = max(rows, key=lambda row: row["finished"])
    return found


def told(trials: list[str], log: str = "one") -> dict[str, object]:
    return {"log": log, "pack": f"pack{log}", "launch": "l", "host": "node7", "process": 7, "trials": trials}


# logs


def test_the_logs_of_a_trial_are_its_packs_and_its_traceback(
    sweep: Sweep, store: Path, opened: ResultStore, failed: dict[str, Any]
) -> None:
    trial = failed["trial"]
    opened.append("logs", [log_row(told([trial, "f" * 16]), now(), now(), "1 error", "a warning\n")])
    opened.append("logs", [log_row(told(["f" * 16], "two"), now(), now(), "1 completed", "another's\n")])
    shown = sweep("logs", trial[:8], "--store", store)
    assert (shown.code, shown.err) == (0, "")
    lines = shown.out.splitlines()
    assert lines[0].startswith("== pack packone (2 trials), process 7 on node7, launch l, ")
    assert lines[0].endswith(" s: 1 error")
    assert lines[1] == "a warning"
    assert lines[2] == f"== error at step {failed['step']}, attempt {failed['attempt']}"
    assert lines[3].startswith("Traceback")
    assert lines[-1] == "RuntimeError: no answer from /data/volume7 after 17 tries"
    assert "another's" not in shown.out


def test_a_study_shows_the_trial_that_failed_last(
    sweep: Sweep, studies: Path, store: Path, failed: dict[str, Any]
) -> None:
    shown = sweep("logs", f"{studies}:half", "--store", store)
    assert shown.err == f"trial {failed['trial']} failed last, of 4: {failed['reason']}\n"
    assert shown.out == sweep("logs", failed["trial"], "--store", store).out


def test_a_trial_that_never_ended_is_found_by_its_log(sweep: Sweep, store: Path, opened: ResultStore) -> None:
    header = told(["abcd" * 4]) | {"started": now().isoformat()}
    opened.files.write(f"{FOLDER}/packone-one.log", json.dumps(header).encode() + b"\nstill at it\n")
    opened.beat("l", ["own/half"])
    lines = sweep("logs", "abcd", "--store", store).out.splitlines()
    assert (lines[0].endswith(": running"), lines[1]) == (True, "still at it")
    later = told(["abcd" * 4], "two") | {"started": now().isoformat()}
    opened.files.write(f"{FOLDER}/packone-two.log", json.dumps(later).encode() + b"\nonce more\n")
    lines = sweep("logs", "abcd", "--store", store).out.splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == [
        "the worker process died",
        "still at it",
        "running",
        "once more",
    ]
    opened.clear_beat("l")
    assert ": running" not in sweep("logs", "abcd", "--store", store).out


def test_a_launch_that_was_killed_on_this_host_writes_no_log(
    sweep: Sweep, store: Path, opened: ResultStore, ended_process: int
) -> None:
    """Though its heartbeat is young: nobody waits for it to grow old."""
    header = told(["abcd" * 4]) | {"started": now().isoformat()}
    opened.files.write(f"{FOLDER}/packone-one.log", json.dumps(header).encode() + b"\nlast words\n")
    opened.beat("l", ["own/half"])
    beat = store / "heartbeats" / "l.json"
    beat.write_text(json.dumps(json.loads(beat.read_text()) | {"process": ended_process}))
    lines = sweep("logs", "abcd", "--store", store).out.splitlines()
    assert (lines[0].endswith(": the worker process died"), lines[1]) == (True, "last words")
    assert sweep("logs", "abcd" * 4, "--store", store, "--follow").out.splitlines() == lines


def test_a_silent_trial_says_so(sweep: Sweep, store: Path, opened: ResultStore) -> None:
    trial = next(row["trial"] for row in opened.trials().to_pylist() if row["status"] == "completed")
    assert sweep("logs", trial, "--store", store).out == f"trial {trial}: nothing was printed\n"


def test_a_log_is_followed_to_its_end(
    sweep: Sweep, store: Path, opened: ResultStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also over its being cut back meanwhile."""
    monkeypatch.setattr(logs, "FOLLOW_SECONDS", 0.01)
    trial, header = "abcd" * 4, told(["abcd" * 4])
    name = f"{FOLDER}/packone-one.log"
    lines = [f"line {number}\n" for number in range(100)]

    def work() -> None:
        for number in range(1, len(lines) + 1):
            text = "".join(lines[max(0, number - 50) : number])
            live = json.dumps(header | {"started": now().isoformat()})
            opened.files.write(name, f"{live}\n{text}".encode(), durable=False)
            time.sleep(0.005)
        opened.append("logs", [log_row(header, now(), now(), "1 completed", "".join(lines[50:]))])
        opened.files.delete(name)
        opened.clear_beat("l")

    opened.beat("l", ["own/half"])
    opened.files.write(name, json.dumps(header | {"started": now().isoformat()}).encode() + b"\n")
    thread = threading.Thread(target=work)
    thread.start()
    shown = sweep("logs", trial, "--store", store, "--follow")
    thread.join()
    assert shown.code == 0
    assert shown.out.splitlines()[1:] == [line.rstrip() for line in lines]


@pytest.mark.parametrize(
    ("name", "words"),
    [("ffffffff", "no trial 'ffffffff' in "), ("digits", "no trial of digits has failed"), ("digit", "did you mean")],
)
def test_logs_of_what_is_not_there(sweep: Sweep, store: Path, name: str, words: str) -> None:
    ended = sweep("logs", name, "--store", store)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert ended.err.count("\n") == 1


# cancel


def test_only_the_launches_of_the_study_are_asked_to_stop(
    sweep: Sweep, studies: Path, store: Path, opened: ResultStore
) -> None:
    opened.beat("mine", ["own/half", "own/sound"])
    opened.beat("other", ["own/long"])
    ended = sweep("cancel", f"{studies}:half", "--store", store)
    host = f"process {os.getpid()} on {socket.gethostname()}"
    assert (ended.code, ended.out, ended.err) == (0, f"asked to stop: {host} (launch mine)\n", "")
    assert (opened.stop_requested("mine"), opened.stop_requested("other")) == (True, False)


def test_nobody_to_be_stopped_is_a_mistake(sweep: Sweep, studies: Path, store: Path) -> None:
    ended = sweep("cancel", f"{studies}:half", "--store", store)
    assert (ended.code, ended.err) == (2, f"sweep: error: no launch of own/half is at work on {store}\n")


def test_waiting_ends_with_the_launch_or_with_patience(
    sweep: Sweep, studies: Path, store: Path, opened: ResultStore
) -> None:
    opened.beat("mine", ["own/half"])
    ended = sweep("cancel", f"{studies}:half", "--store", store, "--wait", 1)
    assert (ended.code, ended.err) == (75, "sweep: error: still at work after 1 s\n")

    def stop() -> None:
        while not opened.stop_requested("mine"):
            time.sleep(0.01)
        opened.clear_beat("mine")

    opened.clear_stop("mine")
    thread = threading.Thread(target=stop)
    thread.start()
    ended = sweep("cancel", f"{studies}:half", "--store", store, "--wait")
    thread.join()
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.endswith("ended: 1 launch; the same launch again resumes\n")


# submit


def forwarded(*arguments: str) -> list[str]:
    namespace = parser().parse_args(arguments)
    namespace.arguments = arguments
    return list(forwarding.forwarded(namespace, forwarding.renamed(namespace, lambda file: file.name)))


def test_all_that_launch_takes_is_forwarded_as_it_was_written() -> None:
    """But where to, which is the cluster's own, and what is for the submission alone."""
    launch = ["digits/hvae", "a/b.py:c@small", "--store", "/runs", "--where=seed=0", "--where", "objective.beta[0]<3"]
    launch += ["--seeds", "3", "--pack=4", "--calibrate", "--device", "cuda", "--max-concurrent", "7", "--for", "8h"]
    launch += ["--gpus-per-pack", "0.5", "--retry-failed", "crashed", "--force"]
    own = ["--address=http://h:1", "--wait", "--submission-id", "x", "--working-dir", "."]
    words = forwarded("submit", *launch[:7], *own, *launch[7:])
    assert words == [launch[0], "b.py:c@small", *launch[2:]]
    again = parser().parse_args(["launch", *words])
    assert (again.where, again.seeds, again.pack) == (["seed=0", "objective.beta[0]<3"], 3, 4)


def test_the_store_of_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATESWEEP_STORE", "s3://bucket/runs")
    assert forwarded("submit", "digits", *HEAD) == ["digits", "--store", "s3://bucket/runs"]


@pytest.fixture
def listening() -> Iterator[str]:
    """The address of something that is no job server: it hangs up."""
    server = socket.create_server(("127.0.0.1", 0))

    def refuse() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connection.close()

    thread = threading.Thread(target=refuse, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def test_what_is_no_job_server_is_one_line(sweep: Sweep, listening: str, tmp_path: Path) -> None:
    ended = sweep("submit", "digits", "--store", tmp_path, "--address", listening)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"sweep: error: the job server at {listening} refuses: ")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "the following arguments are required: --address"),
        (("--address", "head:8265"), "--address is that of the head's job server, http://HEAD:8265, not 'head:8265'"),
        (("--address", "http://head:port"), "not 'http://head:port'"),
        (HEAD, "no job server of Ray listens at http://127.0.0.1:1: Connection refused"),
        ((*HEAD, "--store", "runs"), "--store must mean the same on the nodes of the cluster, so it is absolute"),
        ((*HEAD, "--where", "model.latents=7"), "model.latents"),
        ((*HEAD, "--executor", "local"), "has no option --executor"),
        ((*HEAD, "--working-dir", "/nowhere"), "--working-dir must be a folder, not /nowhere"),
    ],
)
def test_mistakes_are_one_line(sweep: Sweep, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    ended = sweep("submit", "digits", "--store", tmp_path, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert ended.err.count("\n") == 1


def test_two_files_of_one_name_cannot_travel_together(sweep: Sweep, studies: Path, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(studies.read_text().replace("test-faulty", "test-faulty-too"))
    names = (f"{studies}:sound", f"{tmp_path}/own.py:half")
    ended = sweep("submit", *names, "--store", tmp_path / "runs", *HEAD)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "names of their own, not twice own.py" in ended.err


def test_one_file_may_be_named_in_two_ways(studies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(studies.parent)
    assert forwarding.by_base_name([Path("own.py"), studies]).keys() == {"own.py"}
    words = forwarded("submit", "./own.py:sound", f"{studies}:half@small", "--store", "/runs", *HEAD)
    assert words[:2] == ["own.py:sound", "own.py:half@small"]


def test_a_folder_that_travels_may_hold_two_files_of_one_name(studies: Path, tmp_path: Path) -> None:
    for folder, text in (("a", "test-faulty-a"), ("b", "test-faulty-b")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own.py").write_text(studies.read_text().replace("test-faulty", text))
    names = (f"{tmp_path}/a/own.py:sound", f"{tmp_path}/b/own.py:half")
    arguments = ("submit", *names, "--store", "/runs", *HEAD, "--working-dir", str(tmp_path))
    namespace = parser().parse_args(arguments)
    namespace.arguments = arguments
    made = submitting._submission(namespace, find(namespace.names))
    assert list(made.words) == ["a/own.py:sound", "b/own.py:half", "--store", "/runs"]


def test_a_folder_that_travels_holds_the_users_file(sweep: Sweep, studies: Path, tmp_path: Path) -> None:
    arguments = (
        "submit",
        f"{studies}:sound@small",
        "--store",
        "/runs",
        *HEAD,
        "--working-dir",
        str(studies.parents[1]),
    )
    namespace = parser().parse_args(arguments)
    namespace.arguments = arguments
    made = submitting._submission(namespace, find(namespace.names))
    assert (list(made.words), made.files) == ([f"{studies.parent.name}/own.py:sound@small", "--store", "/runs"], {})
    ended = sweep(*arguments[:-1], tmp_path)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert f"own.py is not in --working-dir {tmp_path}" in ended.err


def test_a_study_at_work_is_not_submitted_again(sweep: Sweep, studies: Path, store: Path, opened: ResultStore) -> None:
    opened.beat("mine", [find([f"{studies}:half"])[0].study.name])
    submit = ("submit", f"{studies}:half", "--store", store, *HEAD)
    ended = sweep(*submit)
    assert (ended.code, ended.out) == (2, "")
    assert f"launch mine (process {os.getpid()} on {socket.gethostname()}) is at work on these studies" in ended.err
    assert "no job server" in sweep(*submit, "--force").err


def test_without_the_client_of_jobs_the_extra_is_named(
    sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "aiohttp" else found(name, *rest)
    )
    ended = sweep("submit", "digits", "--store", tmp_path, *HEAD)
    assert (ended.code, ended.err) == (
        2,
        "sweep: error: Ray's job client is not installed here: install ratesweep[cluster]\n",
    )
