from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from sweep.on_ray.scratch import LOCK, LONGEST, PREFIX, PROCESSES, Scratch, remove_abandoned


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("sweep.on_ray.scratch.LONGEST", 1000)
    return tmp_path


def test_a_scratch_folder_is_held_and_then_gone(temporary: Path) -> None:
    scratch = Scratch()
    (scratch.path / "deep").mkdir()
    assert scratch.path.parent == temporary
    remove_abandoned(temporary)
    assert scratch.path.is_dir()
    scratch.remove()
    assert list(temporary.iterdir()) == []


def test_a_long_temporary_path_is_not_used(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweep.on_ray.scratch.LONGEST", LONGEST)
    scratch = Scratch()
    try:
        assert len(str(scratch.path)) <= LONGEST
        assert scratch.path.stat().st_mode & 0o077 == 0
    finally:
        scratch.remove()


def test_what_nobody_holds_is_removed_with_its_processes(temporary: Path) -> None:
    """And nothing else: no folder without a lock, no process of the same number that began at another time."""
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    ours, other = subprocess.Popen(sleep), subprocess.Popen(sleep)
    created = psutil.Process(ours.pid).create_time()
    try:
        left = temporary / f"{PREFIX}left"
        left.mkdir()
        (left / LOCK).touch()
        (left / PROCESSES).write_text(json.dumps([(ours.pid, created), (other.pid, 1.0), (2**22 + 1, 1.0)]))
        (temporary / f"{PREFIX}unlocked").mkdir()
        (temporary / "foreign").mkdir()
        held = Scratch()
        assert ours.wait(10) == -9
        assert other.poll() is None
        assert sorted(temporary.iterdir()) == sorted(
            [held.path, temporary / f"{PREFIX}unlocked", temporary / "foreign"]
        )
        held.remove()
    finally:
        for process in (ours, other):
            process.kill()
            process.wait()


def test_a_folder_that_another_process_holds_is_left_alone(temporary: Path) -> None:
    program = (
        "import sys, tempfile\n"
        f"tempfile.tempdir = {str(temporary)!r}\n"
        "import sweep.on_ray.scratch\n"
        "sweep.on_ray.scratch.LONGEST = 1000\n"
        "held = sweep.on_ray.scratch.Scratch()\n"
        "print(held.path, flush=True)\n"
        "sys.stdin.readline()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        path = Path(other.stdout.readline().strip())
        remove_abandoned(temporary)
        assert path.is_dir()
        other.kill()
        other.wait()
    remove_abandoned(temporary)
    assert not path.exists()
