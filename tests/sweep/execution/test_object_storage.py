"""Launches into object storage, killed and resumed, and two at once beside a compaction: the stored rows count."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from results.files import StoreError
from results.store import ResultStore

pytestmark = pytest.mark.slow
PATIENCE = 120.0


def start(study: str, address: str, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sweep", "launch", study, "--store", address, "--pack", "4", *options]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def finished(address: str) -> dict[str, str]:
    """The attempt that counts of each stored trial."""
    try:
        rows = ResultStore.open(address).trials(["trial", "attempt"]).to_pylist()
    except StoreError:
        return {}
    return {row["trial"]: row["attempt"] for row in rows}


def until(process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.2)


def check_whole(address: str, trials: int) -> ResultStore:
    """Every trial is finished, with its values and weights, and no file is damaged."""
    store = ResultStore.open(address)
    assert len(store.trials()) == trials
    assert set(store.trials(["status"])["status"].to_pylist()) == {"completed"}
    metrics = store.winning("metrics", ["trial", "quantity"]).to_pylist()
    assert len({(row["trial"], row["quantity"]) for row in metrics}) == len(metrics) == trials
    assert len(store.weighted()) == trials
    assert store.damaged == {}
    return store


@pytest.mark.parametrize("executor", ["local", "ray"])
def test_a_launch_that_is_killed_goes_on(
    object_storage: Any,
    bucket: str,
    tmp_path: Path,
    write_toy: Callable[..., Path],
    started: Callable[[Path], list[tuple[float, int]]],
    executor: str,
) -> None:
    starts = tmp_path / "starts"
    study = f"{write_toy(tmp_path / 'toy.py', starts)}:calm"
    address = object_storage.address(f"{bucket}/runs")
    process = start(study, address, "--executor", executor)
    children: list[psutil.Process] = []
    try:
        until(process, lambda: len(finished(address)) >= 4)
        children = psutil.Process(process.pid).children(recursive=True)
    finally:
        process.kill()
        process.communicate()
        for child in children:
            if child.is_running():
                child.kill()
    before = finished(address)
    taken = Counter(number for number, _ in started(starts))
    resumed = start(study, address, "--executor", executor)
    told, _ = resumed.communicate(timeout=PATIENCE)
    assert resumed.returncode == 0, told
    store = check_whole(address, 16)
    # What was stored stays, and was not taken up again.
    assert before.items() <= finished(address).items()
    again = Counter(number for number, _ in started(starts)) - taken
    assert sum(again.values()) == 16 - len(before)
    assert len(store.scan("trials", ["attempt"])) == 16
    keys = object_storage.keys(bucket)
    assert not [key for key in keys if not key.endswith("/") and key.split("/")[1] in ("inflight", "tune", "stops")]


def test_two_launches_and_a_compaction_lose_and_double_nothing(
    object_storage: Any, bucket: str, tmp_path: Path, write_toy: Callable[..., Path]
) -> None:
    study = f"{write_toy(tmp_path / 'toy.py', tmp_path / 'starts')}:calm"
    address = object_storage.address(f"{bucket}/runs")
    ResultStore.open(address, create=True)
    launches = [start(study, address, "--executor", "local", "--force") for _ in range(2)]
    seen: set[str] = set()
    merged = 0
    store = ResultStore.open(address)
    while any(launch.poll() is None for launch in launches):
        now = set(store.trials(["trial"])["trial"].to_pylist())
        assert seen <= now
        seen = now
        merged += len(store.compact(minimum=2).merged)
        time.sleep(0.2)
    for launch in launches:
        told, _ = launch.communicate(timeout=PATIENCE)
        assert launch.returncode == 0, told
    assert merged > 0
    check_whole(address, 16)
    attempts = store.scan("trials", ["trial", "attempt"]).to_pylist()
    assert len({row["attempt"] for row in attempts}) == len(attempts) >= 16


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A file system of 2 MiB of its own; mounting it takes rights that not every machine gives."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "ratesweep-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small disk cannot be mounted here: that takes root, and the right to mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_ends_a_launch_that_says_so_and_goes_on_when_there_is_space(
    small_disk: Path, tmp_path: Path, write_toy: Callable[..., Path], started: Callable[..., Any]
) -> None:
    starts = tmp_path / "starts"
    study, root = f"{write_toy(tmp_path / 'toy.py', starts)}:calm", small_disk / "runs"
    ResultStore.open(root, create=True)
    ballast = small_disk / "ballast"
    space = os.statvfs(small_disk)
    ballast.write_bytes(bytes(space.f_bavail * space.f_frsize - 120 * 1024))
    process = start(study, str(root), "--executor", "local")
    told, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 75, told
    assert "no space left on device: the disk is full; free some space, then launch again to go on" in told
    assert "Traceback" not in told
    before = finished(str(root))
    assert len(before) < 16
    store = ResultStore.open(root)
    assert len(store.winning("metrics", ["trial"])) == len(before) == len(store.scan("trials"))
    assert store.damaged == {}
    assert not list(root.rglob("*.tmp"))
    ballast.unlink()
    process = start(study, str(root), "--executor", "local")
    told, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, told
    check_whole(str(root), 16)
    assert before.items() <= finished(str(root)).items()
    assert len(ResultStore.open(root).scan("trials")) == 16
