"""What a study costs in a large store: its own rows, each file once, and no pandas; counted, not timed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa
import pytest

from results import compaction, parts
from results.parts import Part
from results.reading import Reading
from results.scan import check_files
from results.store import ResultStore

Row = Callable[..., dict[str, Any]]
PACKS, WIDTH = 6, 4


@pytest.fixture
def packs(store: ResultStore, attempt: Row, metric: Row, moment: Any) -> list[list[str]]:
    """Trials of some packs, one a study, say; one quantity was measured later, of all."""
    named = [[f"t{pack}{slot}" for slot in range(WIDTH)] for pack in range(PACKS)]
    for trials in named:
        images = [
            {"trial": one, "attempt": f"a-{one}", "name": "samples", "version": 1, "shape": [2], "levels": 16}
            | {"values": [1, 2], "evaluated": moment(0)}
            for one in trials
        ]
        store.commit(
            {
                "trials": [attempt(one, f"a-{one}") for one in trials],
                "metrics": [metric(one, f"a-{one}", "rate", 1.0) for one in trials],
                "images": images,
            }
        )
    for trials in named:
        store.append("metrics", [metric(one, f"a-{one}", "psnr", 2.0, 1) for one in trials])
    return named


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many row groups were read, by table."""
    counted: Counter[str] = Counter()
    read = Part._read

    def counting(self: Part, groups: Iterable[int], columns: Any) -> pa.Table:
        listed = list(groups)
        counted[self.table] += len(listed)
        return read(self, listed, columns)

    monkeypatch.setattr(Part, "_read", counting)
    return counted


def test_a_study_of_a_compacted_store_is_read_alone(
    store: ResultStore, packs: list[list[str]], reads: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "_GROUP_BYTES", 1)  # a row group for each source
    whole = store.evaluations().sort_by([("trial", "ascending"), ("key", "ascending")])
    store.compact(minimum=2)
    reads.clear()
    reading = Reading(store, packs[3])
    own = reading.evaluations.sort_by([("trial", "ascending"), ("key", "ascending")])
    assert own.to_pylist() == [row for row in whole.to_pylist() if row["trial"] in packs[3]]
    assert len(own) == 3 * WIDTH
    # Its pack, and what was measured of it later; of pictures the names and the columns asked for.
    assert reads == {"trials": 1, "metrics": 2, "images": 2}
    assert (reading.weighted, reading.statuses) == (frozenset(), dict.fromkeys(packs[3], ("completed", "")))
    assert reads == {"trials": 1, "metrics": 2, "images": 2}  # nothing is read twice


def test_compaction_puts_the_rows_of_an_attempt_together_also_the_later_ones(
    store: ResultStore, packs: list[list[str]]
) -> None:
    store.compact(minimum=2)
    (file,) = store.files.names("metrics")
    with Part(store.files, "metrics", file) as part:
        stored = part.read(["attempt"])["attempt"].to_pylist()
    assert [name[:4] for name in stored] == [f"a-t{pack}" for pack in range(PACKS) for _ in range(2 * WIDTH)]


def test_texts_that_are_decoded_last_are_the_same(
    store: ResultStore, packs: list[list[str]], metric: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append("metrics", [metric("t10", "a-t10", "elbo", None, error="dark", traceback="in full")])
    store.compact(minimum=2)
    plain = {table: store.scan(table) for table in ("metrics", "images")}
    some = store.scan("metrics", ["trial", "error", "value"], packs[1])
    monkeypatch.setattr(parts, "_MANY", 0)
    assert {table: store.scan(table) for table in ("metrics", "images")} == plain
    assert store.scan("metrics", ["trial", "error", "value"], packs[1]) == some
    assert some["error"].to_pylist().count("dark") == 1


def test_a_look_at_all_files_reads_no_rows_and_names_the_torn(
    store: ResultStore, packs: list[list[str]], reads: Counter[str]
) -> None:
    torn, garbled = store.files.names("images")[0], store.files.names("metrics")[0]
    store.files.write(torn, store.files.read(torn)[:-9])
    content = store.files.read(garbled)
    store.files.write(garbled, content[:4] + bytes(196) + content[200:])
    check_files(store.files, store.damaged)
    assert (list(store.damaged), +reads) == ([torn], Counter())
    store.scan("metrics")  # finds the garbled pages, and a later look at the footers does not forget them
    check_files(store.files, store.damaged)
    assert sorted(store.damaged) == [torn, garbled]
    for name in (torn, garbled):
        store.files.delete(name)
    check_files(store.files, store.damaged)
    assert store.damaged == {}


def test_a_file_that_was_found_whole_is_not_looked_at_again(
    folder_store: ResultStore, attempt: Row, metric: Row, files_read: list[str]
) -> None:
    store, whole = folder_store, set[str]()

    def committed(trial: str) -> str:
        rows = {"trials": [attempt(trial, "a")], "metrics": [metric(trial, "a", "rate", 1.0)]}
        return f"metrics/{store.commit(rows)}.parquet"

    def looked_at() -> list[str]:
        files_read.clear()
        check_files(store.files, store.damaged, whole)
        return sorted(files_read)

    def tear(name: str) -> None:
        store.files.write(name, store.files.read(name)[:-9])

    _, torn = committed("t1"), committed("t2")
    tear(torn)
    parts = [*store.files.names("metrics"), *store.files.names("trials")]
    assert looked_at() == parts
    assert looked_at() == [torn]  # it may have been replaced by a copy
    assert sorted([*whole, torn]) == parts
    new = committed("t3")
    tear(new)
    assert looked_at() == sorted([torn, new, store.files.names("trials")[-1]])
    assert sorted(store.damaged) == sorted([torn, new])
