"""A writer may die, or the disk fill, at any point: nothing half-done is ever seen, and nothing stored is lost."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from results.files import Files, LocalFiles, StorageFull, StoreError
from results.store import ResultStore

Row = Callable[..., dict[str, Any]]
FILES = ("weights", "images", "codes", "curves", "metrics", "trials")


class Killed(BaseException):
    """The process is dead: nothing more is done."""


class DyingFiles:
    """Storage as a process sees it that is killed before it makes, or after it has made, its n-th file."""

    def __init__(self, files: Files, lives: int) -> None:
        self.files = files
        self.lives = lives
        self.made: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.files, name)

    def write(self, name: str, content: bytes, *, durable: bool = True) -> None:
        self.breathe()
        self.files.write(name, content, durable=durable)
        self.made.append(name.split("/")[0])
        self.lives -= 1
        self.breathe()

    def delete(self, name: str) -> bool:
        self.breathe()
        return self.files.delete(name)

    def breathe(self) -> None:
        if self.lives <= 0:
            raise Killed


@pytest.fixture
def pack(attempt: Row, metric: Row, moment: Any) -> Callable[[str, str], dict[str, Any]]:
    def rows(trial: str, name: str) -> dict[str, Any]:
        array = {"trial": trial, "attempt": name, "version": 1, "shape": [2], "values": [1, 2], "evaluated": moment(0)}
        return {
            "trials": [attempt(trial, name)],
            "metrics": [metric(trial, name, "rate", 1.0)],
            "curves": [{"trial": trial, "attempt": name, "name": "loss", "step": [1], "value": [2.0]}],
            "images": [array | {"name": "samples", "levels": 16}],
            "codes": [array | {"name": "modes"}],
        }

    return rows


@pytest.mark.parametrize("lives", range(1, len(FILES) + 1))
def test_a_kill_after_any_file_leaves_all_or_nothing(store: ResultStore, pack: Any, lives: int) -> None:
    store.commit(pack("before", "a0"), {"before/w": np.ones(2)})
    dying = DyingFiles(store.files, lives)
    with pytest.raises(Killed):
        ResultStore(dying).commit(pack("t", "a1"), {"t/w": np.ones(2)})
    assert tuple(dying.made) == FILES[:lives]
    whole = lives == len(FILES)
    expected = ["before", "t"] if whole else ["before"]
    assert store.trials()["trial"].to_pylist() == expected
    for table in ("metrics", "curves", "images", "codes"):
        assert sorted(store.scan(table, ["trial"])["trial"].to_pylist()) == expected
    assert store.weighted() == set(expected)
    assert store.damaged == {}
    # Launched again, the trial is committed once, whatever lies about.
    if not whole:
        store.commit(pack("t", "a2"), {"t/w": np.ones(2)})
        assert store.winning("metrics", ["trial", "attempt"], ["t"])["attempt"].to_pylist() == ["a2"]


@pytest.mark.parametrize("place", FILES)
def test_a_disk_that_fails_at_any_file_commits_nothing_and_leaves_nothing(
    folder_store: ResultStore, pack: Any, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    store = folder_store
    real = os.fsync

    def full(descriptor: int) -> None:
        if f"/{place}/" in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        told = f"cannot write .*/{place}/.*: no space left on device: the disk is full; .*; nothing was committed"
        with pytest.raises(StorageFull, match=told):
            store.commit(pack("t", "a"), {"t/w": np.ones(2)})
    assert [path for path in store.root.rglob("*") if path.is_file()] == [store.root / "store.json"]
    store.commit(pack("t", "a"), {"t/w": np.ones(2)})
    assert len(store.trials()) == 1


def test_a_folder_that_fails_after_the_rename_takes_the_commit_back(
    folder_store: ResultStore, pack: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ResultStore(LocalFiles(folder_store.root, clock.backoff()))
    store.commit(pack("before", "a0"))
    real = os.fsync

    def failing(descriptor: int) -> None:
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith("/trials"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(StoreError, match="input/output error; tried 7 times in 26 s; nothing was committed"):
            store.commit(pack("t", "a"))
    assert store.trials()["trial"].to_pylist() == ["before"]


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = textwrap.dedent(code)
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_real_limit_on_file_size_is_one_clear_error(folder_store: ResultStore, attempt: Row) -> None:
    store = folder_store
    store.commit({"trials": [attempt("before", "a0")]})
    done = run(
        """
        import datetime, resource, sys
        import numpy as np
        from results.files import StoreError
        from results.store import ResultStore

        store = ResultStore.open(sys.argv[1], create=True)
        at = datetime.datetime.now(datetime.UTC)
        row = {"trial": "t", "attempt": "a", "status": "completed", "finished": at}
        noise = np.random.default_rng(0)
        picture = {"trial": "t", "attempt": "a", "name": "samples", "version": 1, "shape": [200_000], "evaluated": at}
        picture["values"] = noise.integers(0, 255, 200_000)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        for tables, weights in (
            ({"trials": [row]}, {"t/w": noise.normal(size=100_000)}),
            ({"trials": [row], "images": [picture]}, None),
        ):
            try:
                store.commit(tables, weights)
            except StoreError as error:
                print(error)
        """,
        str(store.root),
    )
    assert done.returncode == 0, done.stderr
    weights, images = done.stdout.splitlines()
    assert weights.startswith(f"cannot write {store.root}/weights/")
    assert images.startswith(f"cannot write {store.root}/images/")
    for line in (weights, images):
        assert line.endswith(": file too large; nothing was committed")
    assert done.stderr == ""
    assert not [path for path in store.root.rglob("*") if path.name.endswith(".tmp")]
    assert store.trials()["trial"].to_pylist() == ["before"]


def test_a_process_killed_while_it_writes_leaves_only_a_temporary_file(folder_store: ResultStore, attempt: Row) -> None:
    store = folder_store
    store.commit({"trials": [attempt("before", "a0")]})
    done = run(
        """
        import os, signal, sys
        from results.store import ResultStore

        store = ResultStore.open(sys.argv[1])
        with store.files.create("trials/torn.parquet") as file:
            file.write(b"PAR1")
            os.kill(os.getpid(), signal.SIGKILL)
        """,
        str(store.root),
    )
    assert done.returncode == -9
    (left,) = [path for path in (store.root / "trials").iterdir() if path.name.startswith(".")]
    assert store.trials()["trial"].to_pylist() == ["before"]
    assert store.damaged == {}
    # A writer may still be at it; an hour later it is not.
    assert store.compact().temporary == 0
    os.utime(left, (0, 0))
    assert store.compact().temporary == 1
    assert not left.exists()


def test_two_writers_at_once_lose_and_double_nothing(store: ResultStore, pack: Any) -> None:
    def write(writer: int) -> None:
        own = ResultStore.open(store.location)
        for number in range(10):
            own.commit(pack(f"t{number}", f"w{writer}-{number}"))

    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(store.scan("trials")) == 20
    assert sorted(store.trials()["trial"].to_pylist()) == sorted(f"t{number}" for number in range(10))
    assert len(store.winning("metrics")) == 10
    # Both attempts ended at the same instant: all readers still agree on one.
    assert set(store.trials()["attempt"].to_pylist()) == {f"w0-{number}" for number in range(10)}
