"""Many part files become one; readers, writers and crashes change nothing of what is read."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from results import compaction
from results.commit import write_rows
from results.files import Files, LocalFiles, StoreError
from results.parts import to_arrow
from results.scan import collapse, winners
from results.store import ResultStore

Row = Callable[..., dict[str, Any]]


class Crash(BaseException):
    """The process is dead."""


class Overlaid:
    """Other files, some of whose methods a subclass replaces."""

    def __init__(self, files: Files) -> None:
        self.files = files

    def __getattr__(self, name: str) -> Any:
        return getattr(self.files, name)


def fill(store: ResultStore, attempt: Row, metric: Row, moment: Any, count: int) -> None:
    for number in range(count):
        name = f"a{number}"
        picture = {"trial": f"t{number}", "attempt": name, "name": "samples", "version": 1, "shape": [3]}
        picture |= {"values": [number, 1, 2], "evaluated": moment(0), "levels": 16}
        store.commit(
            {
                "trials": [attempt(f"t{number}", name, number)],
                "metrics": [metric(f"t{number}", name, "rate", float(number))],
                "images": [picture],
                "curves": [{"trial": f"t{number}", "attempt": name, "name": "loss", "step": [1], "value": [2.0]}],
            },
            {f"t{number}/w": np.full(2, float(number))},
        )


def contents(store: ResultStore) -> dict[str, Any]:
    """Everything a reader can see."""
    tables = {table: store.scan(table).to_pylist() for table in ("trials", "metrics", "images", "curves", "decisions")}
    return {table: sorted(rows, key=str) for table, rows in tables.items()}


def test_a_table_becomes_one_file_and_reads_the_same(
    store: ResultStore, attempt: Row, metric: Row, moment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "_GROUP_BYTES", 500)  # several row groups
    fill(store, attempt, metric, moment, 6)
    store.append("metrics", [metric("t1", "a1", "rate", 11.0, 50)])
    before = contents(store)
    assert store.compact(minimum=64).merged == {}
    record = store.compact(minimum=2)
    assert record.merged == {"trials": 6, "metrics": 7, "curves": 6, "images": 6}
    assert record.rows == {"trials": 6, "metrics": 6, "curves": 6, "images": 6}
    assert record.bytes_after < record.bytes_before
    for table in record.merged:
        (name,) = store.files.names(table)
        with store.files.open(name) as file:
            assert pq.read_metadata(file).num_rows == 6
    assert contents(store) == before
    np.testing.assert_array_equal(store.image("t4", "samples"), [4, 1, 2])
    np.testing.assert_array_equal(store.weights("t4")["w"], [4.0, 4.0])
    # More commits, and again.
    store.commit({"trials": [attempt("new", "n")]})
    assert store.compact(minimum=2).merged == {"trials": 2}
    assert len(store.trials()) == 7


def test_a_large_file_is_neither_counted_nor_written_again(
    store: ResultStore, attempt: Row, metric: Row, moment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, attempt, metric, moment, 40)
    store.compact(minimum=2)
    ((large, size),) = store.files.sizes("trials").items()
    content = store.files.read(large)
    monkeypatch.setattr(compaction, "_LARGEST_BYTES", size - 1)
    for number in range(3):
        store.commit({"trials": [attempt(f"new{number}", f"n{number}")]})
    assert max(size for name, size in store.files.sizes("trials").items() if name != large) < size
    before = contents(store)
    assert "trials" not in store.compact(minimum=4).merged
    record = store.compact(minimum=3)
    assert (record.merged["trials"], record.rows["trials"]) == (3, 3)
    assert store.files.read(large) == content
    assert len(store.files.names("trials")) == 2
    assert contents(store) == before


@pytest.mark.parametrize("survivors", range(4))
def test_a_crash_between_writing_and_deleting_is_harmless(
    store: ResultStore, attempt: Row, metric: Row, moment: Any, survivors: int
) -> None:
    """Killed after 0, 1, 2 or 3 of the sources of a table were deleted."""
    fill(store, attempt, metric, moment, 4)
    before = contents(store)

    class Dying(Overlaid):
        left = survivors
        lock = threading.Lock()

        def delete(self, name: str) -> bool:
            with self.lock:
                if not self.left:
                    raise Crash
                self.left -= 1
            return self.files.delete(name)

    with pytest.raises(Crash):
        ResultStore(Dying(store.files)).compact(minimum=2)
    assert len(store.files.names("trials")) == 5 - survivors
    assert contents(store) == before
    assert len(store.trials()) == 4
    store.compact(minimum=2)
    assert contents(store) == before
    assert len(store.files.names("trials")) == 1


def test_a_commit_under_way_is_not_lost(store: ResultStore, attempt: Row, metric: Row) -> None:
    """Compaction may fall between the metrics and the trials of a commit."""
    store.commit({"trials": [attempt("t", "a")], "metrics": [metric("t", "a", "rate", 1.0)]})
    write_rows(store.files, "metrics/under-way.parquet", to_arrow("metrics", [metric("u", "b", "rate", 2.0)]))
    assert store.compact(minimum=2).merged == {"metrics": 2}
    assert store.scan("metrics", ["value"])["value"].to_pylist() == [1.0]
    write_rows(store.files, "trials/under-way.parquet", to_arrow("trials", [attempt("u", "b")]))
    assert sorted(store.scan("metrics", ["value"])["value"].to_pylist()) == [1.0, 2.0]


def test_a_file_that_vanishes_while_it_is_read_is_looked_for_again(
    store: ResultStore, attempt: Row, metric: Row, moment: Any, clock: Any
) -> None:
    fill(store, attempt, metric, moment, 5)

    class Overtaken(Overlaid):
        """Another process compacts after this one has listed and before it reads."""

        backoff = clock.backoff()
        done = False

        def open(self, name: str) -> pa.NativeFile:
            if not self.done:
                self.done = True
                store.compact(minimum=2)
            return self.files.open(name)

    assert len(ResultStore(Overtaken(store.files)).trials()) == 5
    assert clock.slept == []

    class Emptying(Overlaid):
        backoff = clock.backoff()

        def open(self, name: str) -> pa.NativeFile:
            self.files.delete(name)
            write_rows(self.files, f"trials/{random.random()}.parquet", to_arrow("trials", []))
            return self.files.open(name)

    with pytest.raises(StoreError, match="kept changing"):
        ResultStore(Emptying(store.files)).trials()
    assert 20 < sum(clock.slept) < 30


def test_an_old_listing_of_a_network_file_system_is_given_time(
    store: ResultStore, attempt: Row, metric: Row, moment: Any, clock: Any
) -> None:
    fill(store, attempt, metric, moment, 5)
    before = store.files.names("trials")
    store.compact(minimum=2)

    class Cached(Overlaid):
        """A client that for ten seconds sees of a folder what another has merged and deleted."""

        backoff = clock.backoff()

        def names(self, folder: str) -> list[str]:
            return before if sum(clock.slept) < 10 else self.files.names(folder)

    assert len(ResultStore(Cached(store.files)).trials()) == 5
    assert clock.slept[:3] == [0.05, 0.1, 0.2]
    assert max(clock.slept) == 2


def test_a_listing_that_a_compaction_overtakes_is_made_again(tmp_path: Path) -> None:
    """A folder read while it changes may show neither the sources nor the merged file."""

    class Racing(LocalFiles):
        listings = 0

        def _list(self, folder: str) -> set[str]:
            self.listings += 1
            shown = {1: {"trials/1", "trials/2"}, 2: {"trials/2"}, 3: {"trials/merged"}}
            return shown.get(self.listings, {"trials/merged", "trials/new"})

    assert Racing(tmp_path).names("trials") == ["trials/merged", "trials/new"]


def test_readers_see_every_trial_while_others_write_and_compact(store: ResultStore, attempt: Row, metric: Row) -> None:
    for number in range(8):
        name = f"a{number}"
        store.commit({"trials": [attempt(f"t{number}", name)], "metrics": [metric(f"t{number}", name, "rate", 1.0)]})
    stop = threading.Event()
    faults: list[str] = []
    reads = [0]

    def read() -> None:
        own = ResultStore.open(store.location)
        least = 8
        while not stop.is_set():
            trials, metrics = own.trials(["trial", "attempt"]), own.winning("metrics", ["trial"])
            # What was seen once is never lost, every trial has its metric, and none stands twice.
            if len(trials) < least or len(metrics) < len(trials) or len(set(trials["trial"].to_pylist())) < len(trials):
                faults.append(f"{least} -> {len(trials)} trials, {len(metrics)} metrics")
            if own.damaged:
                faults.append(str(own.damaged))
            least = len(trials)
            reads[0] += 1

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(8, 40):
        name = f"a{number}"
        store.commit({"trials": [attempt(f"t{number}", name)], "metrics": [metric(f"t{number}", name, "rate", 1.0)]})
        if number % 4 == 0:
            store.compact(minimum=2)
    stop.set()
    for reader in readers:
        reader.join()
    assert faults == []
    assert reads[0] > 3
    assert len(store.trials()) == 40


STATUSES = st.sampled_from(["completed", "diverged", "error", "crashed"])
ATTEMPTS = st.lists(
    st.tuples(st.sampled_from("tuv"), STATUSES, st.integers(0, 5)), min_size=1, max_size=8
)  # (trial, status, ended)
VALUES = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 3), st.integers(0, 3)), max_size=10)  # attempt, at, value


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(attempts=ATTEMPTS, values=VALUES, cuts=st.lists(st.integers(0, 12)), seed=st.integers(0, 99))
def test_no_order_of_files_or_rows_changes_what_counts(
    attempt: Row, metric: Row, attempts: Any, values: Any, cuts: Any, seed: int
) -> None:
    """The rules as one would state them, row by row, against rows shuffled, doubled and compacted at some point."""
    rows = [
        attempt(trial, f"a{number}", ended, status=status) for number, (trial, status, ended) in enumerate(attempts)
    ]
    metrics = [
        metric(rows[index % len(rows)]["trial"], f"a{index % len(rows)}", "rate", float(value), at)
        for index, at, value in values
    ]
    expected: dict[str, dict[str, Any]] = {}
    for row in rows:
        rank = {"completed": 0, "diverged": 0}.get(row["status"], 1)
        seconds = row["finished"].timestamp() * (1 if rank == 0 else -1)
        order = (rank, seconds, row["attempt"])
        if row["trial"] not in expected or order < expected[row["trial"]]["order"]:
            expected[row["trial"]] = {"order": order, "attempt": row["attempt"]}
    latest: dict[str, tuple[float, float]] = {}
    for row in metrics:
        order_of_value = (-row["evaluated"].timestamp(), row["value"])
        latest[row["attempt"]] = min(latest.get(row["attempt"], order_of_value), order_of_value)

    shuffle = random.Random(seed)

    def mixed(rows: list[dict[str, Any]], table: str) -> pa.Table:
        doubled = rows + shuffle.sample(rows, len(rows) // 2)
        shuffle.shuffle(doubled)
        parts = np.array_split(np.arange(len(doubled)), sorted(cut % (len(doubled) + 1) for cut in cuts))
        arrow = [to_arrow(table, [doubled[index] for index in part]) for part in parts]
        half = len(arrow) // 2
        compacted = collapse(pa.concat_tables([to_arrow(table, []), *arrow[:half]]), table)
        return collapse(pa.concat_tables([*arrow[half:], compacted]), table)

    counted = winners(mixed(rows, "trials"))
    assert {row["trial"]: row["attempt"] for row in counted.to_pylist()} == {
        trial: row["attempt"] for trial, row in expected.items()
    }
    assert counted["trial"].to_pylist() == sorted(expected)
    standing = mixed(metrics, "metrics")
    assert {row["attempt"]: row["value"] for row in standing.to_pylist()} == {
        name: value for name, (_, value) in latest.items()
    }
    assert len(standing) == len(latest)
