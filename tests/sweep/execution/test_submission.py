"""A launch as a job of a real cluster: submitted once, cancelled through the store, resumed by another submission."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from results.store import ResultStore
from sweep.kept_logs import stored_logs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[3]
TOKEN = "0123456789abcdef" * 4
PATIENCE = 120.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass(frozen=True, kw_only=True)
class Head:
    """A cluster of one node with a job server, in a session of its own."""

    address: str
    environment: dict[str, str]

    def sweep(self, *arguments: object, **more: str) -> tuple[int, str, str]:
        """How the command ends on a machine that has the token of the cluster, and what it says."""
        ended = subprocess.run(
            [sys.executable, "-m", "sweep", *map(str, arguments)],
            env=self.environment | more,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return ended.returncode, ended.stdout, ended.stderr


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    folder = tempfile.mkdtemp(prefix="rs-", dir="/tmp")  # the paths of Ray's sockets are long enough
    port, dashboard = free_port(), free_port()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "TUNE_"))}
    environment = kept | {"PATH": path, "PYTHONPATH": str(ROOT), "HOME": folder, "TMPDIR": folder}
    environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "RAY_USAGE_STATS_ENABLED": "0"}
    ports = [
        f"--port={port}",
        f"--dashboard-port={dashboard}",
        "--dashboard-host=127.0.0.1",
        f"--ray-client-server-port={free_port()}",
    ]
    ports += [f"--dashboard-agent-listen-port={free_port()}", f"--metrics-export-port={free_port()}"]
    start = [Path(sys.executable).with_name("ray"), "start", "--head", "--block", "--num-cpus=2", "--num-gpus=0"]
    process = subprocess.Popen(
        [*start, *ports, "--node-ip-address=127.0.0.1", f"--temp-dir={folder}", "--disable-usage-stats"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    children: list[psutil.Process] = []
    try:
        deadline = time.monotonic() + PATIENCE
        while not listens(dashboard):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield Head(address=f"http://127.0.0.1:{dashboard}", environment=environment)
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            children += psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=20)
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        if process.poll() is None:
            process.kill()
            process.communicate()
        shutil.rmtree(folder, ignore_errors=True)


def listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.05)


def finished(store: Path) -> dict[str, str]:
    if not (store / "store.json").exists():
        return {}
    rows = ResultStore.open(store).trials(["trial", "attempt"]).to_pydict()
    return dict(zip(*rows.values(), strict=True))


def test_a_job_is_submitted_once_cancelled_and_resumed(
    head: Head, tmp_path: Path, write_toy: Callable[..., Path]
) -> None:
    path = write_toy(tmp_path / "toy.py", tmp_path / "starts", trials=8)
    path.write_text(path.read_text().replace("def load_points(spec):", 'def load_points(spec):\n    print("loading")'))
    store = tmp_path / "store"
    names = (f"{path}:calm", "--store", store)
    where = ("--address", head.address, "--pack", 2, "--checkpoint-seconds", 0.3)

    code, out, err = head.sweep("submit", *names, *where)
    assert (code, err) == (0, "")
    assert out.startswith("submitted: sweep-toy-calm-")
    for verb in ("status", "logs", "cancel"):
        assert f" sweep {verb} " in out
    code, out, err = head.sweep("submit", *names, *where)
    assert (code, out) == (2, "")
    assert "has not ended" in err or "is at work on these studies" in err

    until(lambda: finished(store))
    code, out, err = head.sweep("cancel", *names, "--wait", 60)
    assert (code, err) == (0, "")
    assert "asked to stop: process " in out
    assert out.endswith("ended: 1 launch; the same launch again resumes\n")
    done = finished(store)
    assert 0 < len(done) < 8
    code, out, err = head.sweep("cancel", *names)
    assert (code, out) == (2, "")
    assert err == f"sweep: error: no launch of toy/calm is at work on {store}\n"

    opened = ResultStore.open(store)
    until(lambda: {row["event"] for row in opened.scan("launches").to_pylist()} == {"started", "interrupted"})
    until(lambda: "has not ended" not in head.sweep("submit", *names, *where, "--submission-id", "again", "--wait")[2])
    assert len(finished(store)) == opened.scan("trials").num_rows == 8
    assert done.items() <= finished(store).items()
    events = {(row["launch"], row["event"], row["exit_code"]) for row in opened.scan("launches").to_pylist()}
    assert sorted((event, code) for _, event, code in events if code is not None) == [("ended", 0), ("interrupted", 75)]
    assert {log.text for trial in done for log in stored_logs(opened, trial)} == {"loading\n"}

    code, out, err = head.sweep("submit", *names, *where, "--submission-id", "again")
    assert (code, out) == (2, "")
    assert "already exists" in err
    assert err.count("\n") == 1


def test_another_token_is_refused_in_one_line(head: Head, tmp_path: Path) -> None:
    submit = ("submit", "digits@small", "--store", tmp_path, "--address", head.address)
    code, out, err = head.sweep(*submit, RAY_AUTH_TOKEN="f" * 64)
    assert (code, out) == (2, "")
    assert err.startswith(f"sweep: error: {head.address} asks for another token (401): set RAY_AUTH_MODE=token, and ")
    assert err.count("\n") == 1
