"""What workers print is kept: of threads and native code, of a process that dies, never more than a bound."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from results.store import ResultStore
from sweep import worker_log
from sweep.kept_logs import ABANDONED, collect_logs, live_logs, stored_logs
from sweep.leftovers import tidy
from sweep.task import PackRecord, PackTask
from sweep.worker_log import CUT, FOLDER, KEPT_BYTES, WorkerLog, captured, outcome_of


@contextlib.contextmanager
def own_streams() -> Iterator[None]:
    """Streams that print to the descriptors 1 and 2, as those of a process do; pytest's own do not."""
    kept = sys.stdout, sys.stderr
    with open(1, "w", buffering=1, closefd=False) as out, open(2, "w", buffering=1, closefd=False) as err:
        sys.stdout, sys.stderr = out, err
        try:
            yield
        finally:
            sys.stdout, sys.stderr = kept


@pytest.fixture
def task(toy: Any, store: ResultStore) -> PackTask:
    made: PackTask = toy.task(store, toy.trials(1, 2))
    return made


def test_what_python_and_native_code_print_becomes_a_row(
    task: PackTask, store: ResultStore, capfd: pytest.CaptureFixture[str]
) -> None:
    os.write(1, b"before\n")
    with own_streams(), captured(task) as log:
        assert log is not None
        print("from Python")
        print("a warning", file=sys.stderr)
        os.write(2, b"from below\n")
        os.system("echo from a child")
        (live,) = live_logs(store).values()
        assert (live.trials, live.ended, live.outcome) == (task.ids, None, "")
        log.outcome = outcome_of(PackRecord(pack=task.pack, counts={"completed": 1, "out_of_memory": 1}))
    os.write(1, b"after\n")
    assert capfd.readouterr() == ("before\nafter\n", "")
    assert store.files.names(FOLDER) == []
    for trial in task.ids:
        (kept,) = stored_logs(store, trial)
        assert set(kept.text.splitlines()) == {"from Python", "a warning", "from below", "from a child"}
        assert (kept.pack, kept.launch, kept.process) == (task.pack, "test", os.getpid())
        assert kept.outcome == "1 completed, 1 out of memory"
        assert kept.ended is not None
        assert kept.heading().startswith(f"== pack {task.pack} (2 trials), process {os.getpid()} on ")
    assert stored_logs(store, "0" * 16) == []


def test_a_silent_pack_leaves_nothing(task: PackTask, store: ResultStore) -> None:
    from sweep.run import run_pack

    with captured(task):
        record = run_pack(task)
    assert record.counts == {"completed": 2}
    assert (store.files.names(FOLDER), store.files.names("logs")) == ([], [])


def test_a_flood_is_cut_back_to_its_end(task: PackTask, store: ResultStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_log, "TEND_SECONDS", 0.01)
    with captured(task) as log:
        assert log is not None
        for number in range(30_000):
            os.write(1, f"line {number:040}\n".encode())
        while os.fstat(log.descriptor).st_size > worker_log.LONGEST_BYTES or len(log.text()) <= len(CUT):
            pass  # what is printed while a log is cut back may come before what is kept of it, or be lost
        os.write(1, b"the end\n")
    (kept,) = stored_logs(store, task.ids[0])
    assert len(kept.text) <= KEPT_BYTES + len(CUT)
    lines = kept.text.splitlines()
    assert (lines[0], lines[-2:]) == (CUT.strip(), [f"line {29_999:040}", "the end"])
    assert all(len(line) == 45 for line in lines[1:-1])


@pytest.mark.parametrize("after", [b"", b"\nthe end\n"])
def test_a_flood_without_lines_is_kept_to_its_end(task: PackTask, store: ResultStore, after: bytes) -> None:
    """A bar of progress, which returns to the first column over and over, and ends in a new line if at all."""
    printed = b"".join(b"\r%040d" % number for number in range(8_000)) + after
    log = WorkerLog(store, task)
    os.write(log.descriptor, printed)
    for _ in range(3):
        assert log.text() == CUT + printed[-KEPT_BYTES:].decode()
        log.tend()
    assert os.fstat(log.descriptor).st_size < 2 * KEPT_BYTES
    log.close()


def test_a_store_without_room_for_a_log_stops_no_pack(
    task: PackTask, store: ResultStore, capfd: pytest.CaptureFixture[str]
) -> None:
    (store.files.root / FOLDER).write_text("a file in its place")
    with captured(task) as log:
        assert log is None
        os.write(1, b"seen\n")
    assert capfd.readouterr().out == "seen\n"


DYING = """
    import ctypes, faulthandler, os, sys
    from results.store import ResultStore
    from sweep.task import PackTask, Settings
    from sweep.pack import Decision
    from sweep.worker_log import captured

    faulthandler.enable()
    decision = Decision(shape="s", device="cpu", width=1, path="fused")
    task = PackTask(
        pack="abc", trials=(), decision=decision, quantities=(), settings=Settings(store=sys.argv[1], launch="gone"),
        ids=("11", "22"),
    )
    with captured(task):
        print("last words", flush=True)
        ctypes.string_at(0)
"""


def test_a_segmentation_fault_leaves_its_words(store: ResultStore) -> None:
    died = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(DYING), str(store.files.root)], capture_output=True, check=False
    )
    assert died.returncode == -11
    assert (died.stdout, died.stderr) == (b"", b"")
    (live,) = live_logs(store).values()
    assert live.trials == ("11", "22")
    assert collect_logs(store, packs=["another"]) == 0
    assert collect_logs(store, alive=["gone"]) == 0
    tidy(store)  # nobody beats for that launch
    (kept,) = stored_logs(store, "22")
    assert kept.text.startswith("last words\nFatal Python error: Segmentation fault\n")
    assert "string_at" in kept.text
    assert (kept.outcome, store.files.names(FOLDER)) == (ABANDONED, [])
    assert kept.ended is not None


def test_of_a_dead_worker_the_logs_of_its_pack_alone_are_read(
    task: PackTask, store: ResultStore, files_read: list[str]
) -> None:
    names = {}
    for pack in ("a1", "a1b", "b2"):
        log = WorkerLog(store, replace(task, pack=pack))
        os.write(log.descriptor, f"words of {pack}\n".encode())
        os.close(log.descriptor)
        names[pack] = log.name
    files_read.clear()
    assert collect_logs(store, packs=["a1"]) == 1
    assert {name for name in files_read if name.startswith(FOLDER)} == {names["a1"]}
    assert [log.text for log in stored_logs(store, task.ids[0])] == ["words of a1\n"]
    assert store.files.names(FOLDER) == sorted([names["a1b"], names["b2"]])


def test_logs_are_merged_and_equal_ones_collapse(task: PackTask, store: ResultStore) -> None:
    for word in ("one", "two"):
        with own_streams(), captured(task):
            print(word)
    (first, second) = stored_logs(store, task.ids[0])
    assert [first.text, second.text] == ["one\n", "two\n"]
    row = vars(second) | {"trials": list(second.trials), "ended": second.started, "outcome": "thought dead"}
    store.append("logs", [row])  # by a driver that saw the file before the worker ended
    assert store.compact(minimum=2).merged == {"logs": 3}
    assert stored_logs(store, task.ids[0]) == [first, second]


def test_on_object_storage_the_tail_is_uploaded_now_and_then(
    task: PackTask, store: ResultStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There, nothing can be appended to a file: here, the same without the right to a file of the store."""
    monkeypatch.setattr(worker_log, "LocalFiles", type("Other", (), {}))
    monkeypatch.setattr(worker_log, "TEND_SECONDS", 0.01)
    monkeypatch.setattr(worker_log, "UPLOAD_SECONDS", 0.02)
    with captured(task):
        assert live_logs(store) == {}
        for word in ("one", "two"):
            os.write(2, f"{word}\n".encode())
            while not any(log.text.endswith(f"{word}\n") for log in live_logs(store).values()):
                pass
    (kept,) = stored_logs(store, task.ids[0])
    assert kept.text == "one\ntwo\n"
    assert store.files.names(FOLDER) == []


@pytest.mark.slow
def test_on_a_real_bucket_a_live_log_is_seen_and_leaves_one_row(
    object_storage: Any, bucket: str, toy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_log, "TEND_SECONDS", 0.05)
    monkeypatch.setattr(worker_log, "UPLOAD_SECONDS", 0.1)
    store = ResultStore.open(object_storage.address(f"{bucket}/runs"), create=True)
    task = toy.task(store, toy.trials(1, 2))
    with captured(task):
        pass
    assert not [key for key in object_storage.keys(bucket) if "logs/" in key]
    with captured(task) as log:
        assert log is not None
        os.write(1, b"one\n")
        while not live_logs(store):
            pass
        (live,) = live_logs(store).values()
        assert (live.text, live.trials) == ("one\n", task.ids)
        os.write(1, b"two\n")
    assert store.files.names(FOLDER) == []
    dead = log.header.replace(str(log.row["log"]).encode(), b"dead") + b"last\n"
    store.files.write(f"{FOLDER}/{task.pack}-dead.log", dead)
    assert collect_logs(store, packs=[task.pack]) == 1
    assert sorted(one.text for one in stored_logs(store, task.ids[1])) == ["last\n", "one\ntwo\n"]
