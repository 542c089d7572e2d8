"""The Ray executor's own: addresses, its environment, what it leaves behind, and users' files on its workers."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from results.store import ResultStore
from sweep.executor import ExecutorError
from sweep.on_ray.cluster import connect
from sweep.on_ray.environment import ENVIRONMENT, check_listening, death_of, embedded_variables, environment
from sweep.on_ray.executor import RayExecutor
from sweep.on_ray.scratch import PREFIX, PROCESSES
from sweep.resources import Resources

TOY = Path(__file__).parent / "files" / "toy.py"


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
    return port


@pytest.fixture
def web_server() -> Iterator[int]:
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    server.RequestHandlerClass.log_message = lambda *_: None  # type: ignore[method-assign,assignment]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def silent_server() -> Iterator[int]:
    """It accepts a connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def refused(address: str) -> str:
    begun = time.monotonic()
    with pytest.raises(ExecutorError) as caught:
        check_listening(address)
    assert time.monotonic() - begun < 10
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_address_where_nobody_listens_is_refused_at_once(closed_port: int) -> None:
    assert refused(f"127.0.0.1:{closed_port}") == f"no Ray listens at 127.0.0.1:{closed_port}: Connection refused"


def test_the_ray_of_this_machine_that_has_ended_is_refused_at_once(
    closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Ray takes for the address of the machine's own may be of one that is gone."""
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{closed_port}")
    begun = time.monotonic()
    with pytest.raises(ExecutorError, match=f"no Ray listens at .*:{closed_port}: Connection refused"):
        connect("auto")
    assert time.monotonic() - begun < 30


def test_an_address_where_something_else_listens_is_refused(
    web_server: int, silent_server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.on_ray.environment.CONNECT_SECONDS", 0.5)
    assert "is not a Ray head; its port is 6379" in refused(f"127.0.0.1:{web_server}")
    assert "no Ray listens" in refused(f"127.0.0.1:{silent_server}")


@pytest.mark.parametrize(
    "address", ["", "head", "6379", ":6379", "head:", "head:ray", "head:-1", "ray://head:10001", "head:99999"]
)
def test_an_address_is_a_host_and_a_port(address: str) -> None:
    assert re.search(r"host:port|no Ray listens", refused(address))


def test_an_unknown_host_is_refused() -> None:
    assert "no Ray listens at no-such-host.invalid:6379" in refused("no-such-host.invalid:6379")


@pytest.mark.parametrize(
    ("said", "told", "lost"),
    [
        ("", "the worker process died", False),
        ("Worker exit type: SYSTEM_ERROR detail: ... connection error code 2. End of file. ...", "signal", False),
        ("the worker was killed: The node was running low on memory, and", "short of memory", False),
        ("Worker exits with an exit code 3.", "it exited", False),
        ("The actor died because its node has died. Node Id: ab\n\tthe actor's node was terminated", "lost", True),
        ("ray.exceptions.ActorUnavailableError: The actor is unavailable. RpcError: Socket closed", "reached", True),
        (
            "The actor 49d0 is unavailable: The actor is temporarily unavailable: RpcError: RPC error: Socket closed "
            "rpc_code: 14. The task may or may not have been executed on the actor.",
            "could not be reached",
            True,
        ),
        ("ray::run_task()\nTypeError: cannot unpickle 0x7f33", "TypeError: cannot unpickle ADDRESS", False),
    ],
)
def test_a_death_is_told_in_one_short_line(tmp_path: Path, said: str, told: str, lost: bool) -> None:
    file = tmp_path / "error.txt"
    file.write_text(said)
    death = death_of(str(file))
    assert death.why.startswith("the worker process died")
    assert told in death.why
    assert "\n" not in death.why
    assert len(death.why) <= 300
    assert (death.lost, death.status) == (lost, "out_of_memory" if death.starved else "crashed")
    assert death.starved == ("memory" in told)
    assert death_of(None) == death_of(str(tmp_path / "none"))
    assert death_of(None).why == "the worker process died"


def scratch_folders(process: psutil.Process) -> set[Path]:
    """The scratch folders that a process was told of."""
    words = (word.rpartition("=")[2] for word in process.cmdline())
    return {Path("/", *Path(word).parts[1:3]) for word in words if Path(word).match(f"/tmp/{PREFIX}*/**")}


@pytest.mark.slow
def test_a_ray_of_our_own_is_gone_when_it_is_left(toy: Any, store: ResultStore, launch: Callable[..., Any]) -> None:
    environment, handler = dict(os.environ), signal.getsignal(signal.SIGTERM)
    me = psutil.Process()
    others = set(me.children(recursive=True))  # a server that other tests use, say
    with RayExecutor(cpus=2) as executor:
        assert executor.room(Resources(), {"cpu"}) == {"cpu": 2}
        assert signal.getsignal(signal.SIGTERM) is handler
        processes = [process for process in me.children(recursive=True) if process not in others]
        listening = [one for process in processes for one in process.net_connections("inet") if one.status == "LISTEN"]
        assert len(listening) > 2
        assert {one.laddr.ip.removeprefix("::ffff:") for one in listening} == {"127.0.0.1"}
        (folder,) = {path for process in processes for path in scratch_folders(process)}
        inner = RayExecutor()
        assert launch(store, toy.study(toy.trials(1)), executor=inner).exit_code == 0
        processes += [process for process in me.children(recursive=True) if process not in others]
        assert RayExecutor().room(Resources(cpus=2), {"cpu"}) == {"cpu": 1}
    psutil.wait_procs(processes, timeout=60)
    assert [process for process in processes if process.is_running()] == []
    assert not folder.exists()
    assert dict(os.environ) == environment
    assert signal.getsignal(signal.SIGTERM) is handler
    assert not (store.root / "tune").exists()


@contextlib.contextmanager
def a_cluster(*nodes: tuple[str, ...], cpus: int) -> Iterator[str]:
    """The address of a head with so many CPUs, its own temporary folder and port; nodes: commands before theirs."""
    with socket.create_server(("", 0)) as free:
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="ray-head-", dir="/tmp"))
    address, ray = f"127.0.0.1:{port}", str(Path(sys.executable).parent / "ray")
    head = ["--head", f"--port={port}", f"--num-cpus={cpus}", f"--temp-dir={folder}", "--include-dashboard=false"]
    started: list[psutil.Popen] = []

    def start(*command: str) -> None:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
        variables = os.environ | {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
        started.append(psutil.Popen([*command, "--block"], env=variables, **quiet))

    try:
        start(ray, "start", *head)
        for _ in range(300):
            with contextlib.suppress(ExecutorError):
                check_listening(address)
                break
            time.sleep(0.1)
        for node in nodes:
            start(*node, ray, "start", f"--address={address}", "--num-cpus=1")
        for _ in range(60 if nodes else 0):
            told = subprocess.run([ray, "status", f"--address={address}"], capture_output=True, text=True, check=False)
            if f"/{cpus + len(nodes)}.0 CPU" in told.stdout:
                break
            time.sleep(0.5)
        yield address
    finally:
        processes = [one for each in started for one in (each, *each.children(recursive=True))]
        for each in started:
            each.terminate()
        _, alive = psutil.wait_procs(processes, timeout=10)
        for process in alive:
            process.kill()
        shutil.rmtree(folder, ignore_errors=True)


def launch_calm(store: ResultStore, address: str, **variables: str) -> None:
    sweep = [sys.executable, "-m", "sweep", "launch", f"{TOY}:calm", "--store", store.location, "--pack", "8"]
    environment = os.environ | {"RAY_AUTH_MODE": "disabled"} | variables
    done = subprocess.run([*sweep, "--address", address], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert store.trials().num_rows == 16


@pytest.mark.slow
def test_a_running_cluster_is_used_and_left_running(store: ResultStore) -> None:
    with a_cluster(cpus=1) as address:
        launch_calm(store, address)
        assert not (store.root / "tune").exists()
        check_listening(address)


@pytest.mark.slow
def test_workers_need_nothing_of_the_drivers_disk(store: ResultStore) -> None:
    """All packs run on a node where an empty disk that cannot be written hides the driver's temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="d-", dir="/tmp"))  # short, or it would not be taken
    before = folder.stat().st_mtime_ns
    hide = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o ro,size=64k hidden "$0" && exec "$@"', str(folder))
    if subprocess.run([*hide, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("a disk cannot be hidden here: that takes root, and the right to mount")
    with a_cluster(hide, cpus=0) as address:
        launch_calm(store, address, TMPDIR=str(folder))
    assert folder.stat().st_mtime_ns > before  # something was there, and is gone
    folder.rmdir()
    assert not (store.root / "tune").exists()


@pytest.mark.slow
def test_what_is_evaluated_apart_takes_no_gpu(toy: Any, store: ResultStore, launch: Callable[..., Any]) -> None:
    """A Ray that is told of a GPU which is not there: packs on CPUs are run, and who is given the GPU finds none."""
    import ray

    launch(store, toy.study(toy.trials(1, 2)))
    more = toy.study(toy.trials(1, 2, 3), toy.quantity, toy.named(toy.HALF_RATE))
    with environment(ENVIRONMENT | embedded_variables()):
        ray.init(address="local", num_cpus=3, num_gpus=1, include_dashboard=False, log_to_driver=False)
        try:
            outcome = launch(store, more, executor=RayExecutor(), device="cuda")
        finally:
            ray.shutdown()
    assert (
        outcome.fault == f"the pack was decided for CUDA, and the worker on {socket.gethostname()} has no CUDA device"
    )
    assert (outcome.exit_code, outcome.statuses) == (75, {"evaluated": 2})
    assert toy.starts() == {1: 1, 2: 1}


@pytest.mark.slow
def test_what_a_killed_ray_left_is_removed_by_the_next(tmp_path: Path) -> None:
    program = (
        "import os, signal\n"
        "import ray\n"  # as in a notebook, where it has read its environment before us
        "from sweep.on_ray.executor import RayExecutor\n"
        "with RayExecutor(cpus=1) as executor:\n"
        "    print(executor._scratch.path, flush=True)\n"
        "    {}\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", program.format("os.kill(os.getpid(), signal.SIGKILL)")],
        capture_output=True,
        text=True,
        check=False,
    )
    left = Path(killed.stdout.strip())
    assert killed.returncode == -signal.SIGKILL
    noted = json.loads((left / PROCESSES).read_text())
    assert len(noted) > 3
    subprocess.run([sys.executable, "-c", program.format("pass")], capture_output=True, check=True)
    assert not left.exists()
    time.sleep(0.5)
    for pid, created in noted:
        assert not psutil.pid_exists(pid) or psutil.Process(pid).create_time() != created
