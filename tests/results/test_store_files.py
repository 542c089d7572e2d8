"""Stores that are none, and files that are torn, foreign, of older or of newer code."""

from __future__ import annotations

import datetime
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from results import pruning, schema
from results.files import LocalFiles, StoreError, Vanished
from results.store import ResultStore

Row = Callable[..., dict[str, Any]]


def test_what_is_not_a_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no store at .*/nowhere; launch a study into it first"):
        ResultStore.open(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
    file = tmp_path / "file"
    file.write_text("results")
    for create in (True, False):
        with pytest.raises(StoreError, match=f"a store is a folder, and {file} is a file"):
            ResultStore.open(file, create=create)
    with pytest.raises(StoreError, match=r"file/below.*not a directory"):
        ResultStore.open(file / "below", create=True)
    with pytest.raises(StoreError, match=r"is not a store .* holds other things .file"):
        ResultStore.open(tmp_path, create=True)


def test_an_empty_folder_becomes_a_store_and_stays_it(tmp_path: Path, attempt: Row) -> None:
    root = tmp_path / "volume"
    (root / "lost+found").mkdir(parents=True)
    (root / ".store.json.0123.tmp").write_text("{")  # an earlier attempt at making one was killed
    ResultStore.open(root, create=True).commit({"trials": [attempt("t", "a")]})
    assert len(ResultStore.open(root, create=True).trials()) == 1
    assert len(ResultStore.open(root).trials()) == 1


def test_an_unwritable_store_can_still_be_read(
    folder_store: ResultStore, attempt: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = folder_store
    store.commit({"trials": [attempt("t", "a")]})

    def read_only(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    # Permissions do not stop root, and no read-only mount is at hand: the rename fails as it would there.
    monkeypatch.setattr("os.replace", read_only)
    with pytest.raises(StoreError, match=r"cannot write .*: read-only file system"):
        ResultStore.open(store.root, create=True)
    assert len(ResultStore.open(store.root).trials()) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"format": 2}', "written by a newer version .format 2.; this code reads up to 1"),
        ('{"form', "store.json is not JSON"),
        ("[]", "names no format"),
        ('{"format": "one"}', "names no format"),
    ],
)
def test_the_mark_of_a_store_is_checked(store: ResultStore, content: str, message: str) -> None:
    store.files.write("store.json", content.encode())
    with pytest.raises(StoreError, match=message):
        ResultStore.open(store.location)


def flip(content: bytes) -> bytes:
    """Garbles the pages and leaves the footer whole."""
    return content[:4] + bytes(196) + content[200:]


def rewrite(content: bytes, change: Callable[[pa.Table], pa.Table]) -> bytes:
    made = io.BytesIO()
    pq.write_table(change(pq.read_table(io.BytesIO(content))), made)
    return made.getvalue()


def damage_file(store: ResultStore, name: str, damage: Callable[[bytes], bytes]) -> None:
    store.files.write(name, damage(store.files.read(name)))


def marked(table: pa.Table, version: int, name: str) -> pa.Table:
    return table.replace_schema_metadata({schema.FORMAT_KEY: str(version).encode(), schema.TABLE_KEY: name.encode()})


def cut(content: bytes) -> bytes:
    return content[:-10]


def empty(content: bytes) -> bytes:
    return b""


def be_text(content: bytes) -> bytes:
    return b"trial,value\nt,1\n" * 9


def be_of_another_program(content: bytes) -> bytes:
    return rewrite(content, lambda _: pa.table({"trial": ["t"], "value": [1.0]}))


def be_of_another_table(content: bytes) -> bytes:
    return rewrite(content, lambda table: marked(table, 1, "trials"))


def hold_text(content: bytes) -> bytes:
    return rewrite(content, lambda table: table.set_column(table.column_names.index("value"), "value", pa.array(["x"])))


def lack_a_key(content: bytes) -> bytes:
    return rewrite(content, lambda table: table.drop_columns("quantity"))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (cut, "not a whole Parquet file"),
        (empty, "not a whole Parquet file"),
        (be_text, "not a whole Parquet file"),
        (flip, "its pages cannot be read"),
        (be_of_another_program, "a Parquet file of another program"),
        (be_of_another_table, "a part of the table 'trials'"),
        (hold_text, "'value' holds string, not double"),
        (lack_a_key, "it has no column 'quantity'"),
    ],
)
def test_torn_and_foreign_files_are_skipped_and_named(
    store: ResultStore, attempt: Row, metric: Row, damage: Callable[[bytes], bytes], reason: str
) -> None:
    bad = store.commit({"trials": [attempt("t", "a")], "metrics": [metric("t", "a", "rate", 1.0)]})
    store.commit({"trials": [attempt("u", "b")], "metrics": [metric("u", "b", "rate", 2.0)]})
    damage_file(store, f"metrics/{bad}.parquet", damage)
    assert store.scan("metrics", ["trial", "value"]).to_pylist() == [{"trial": "u", "value": 2.0}]
    assert list(store.damaged) == [f"metrics/{bad}.parquet"]
    assert reason in store.damaged[f"metrics/{bad}.parquet"]
    # Compaction neither reads it in nor deletes it.
    store.append("metrics", [metric("u", "b", "psnr", 3.0)])
    assert store.compact(minimum=2).merged["metrics"] == 2
    assert store.files.exists(f"metrics/{bad}.parquet")
    assert len(store.scan("metrics")) == 2
    assert list(store.damaged) == [f"metrics/{bad}.parquet"]
    assert store.files.delete(f"metrics/{bad}.parquet")
    store.scan("metrics")
    assert store.damaged == {}


def test_strange_files_beside_the_parts_are_named_too(store: ResultStore, attempt: Row) -> None:
    store.commit({"trials": [attempt("t", "a")]})
    store.files.write("trials/notes.txt", b"mine")
    store.files.write("trials/.hidden", b"a desktop's")
    assert len(store.trials()) == 1
    assert store.damaged == {"trials/notes.txt": "not a Parquet file"}


def test_a_file_of_newer_code_is_refused(store: ResultStore, attempt: Row) -> None:
    commit = store.commit({"trials": [attempt("t", "a")]})
    name = f"trials/{commit}.parquet"
    damage_file(store, name, lambda content: rewrite(content, lambda table: marked(table, 2, "trials")))
    with pytest.raises(StoreError, match=f"{commit}.parquet was written by a newer version .format 2.; .* up to 1"):
        store.trials()
    store.commit({"trials": [attempt("u", "b")]})
    with pytest.raises(StoreError, match="newer version"):
        store.compact(minimum=2)
    assert len(store.files.names("trials")) == 2


def test_columns_that_older_code_did_not_write_are_null(store: ResultStore, attempt: Row) -> None:
    older = store.commit({"trials": [attempt("t", "a", train_seconds=2.0)]})
    store.commit({"trials": [attempt("u", "b", train_seconds=3.0)]})
    # Of the same format, newer code may have written a column more.
    damage_file(
        store,
        f"trials/{older}.parquet",
        lambda content: rewrite(
            content,
            lambda table: table.drop_columns(["train_seconds", "source"]).append_column("mood", pa.array(["good"])),
        ),
    )
    assert store.trials(["trial", "train_seconds"]).to_pylist() == [
        {"trial": "t", "train_seconds": None},
        {"trial": "u", "train_seconds": 3.0},
    ]
    assert store.damaged == {}
    assert store.compact(minimum=2).rows == {"trials": 2}
    assert store.trials(["train_seconds"])["train_seconds"].to_pylist() == [None, 3.0]


def test_checkpoints_come_back_bit_for_bit_or_not_at_all(store: ResultStore) -> None:
    assert store.load_checkpoint("p1") is None
    state = {"t/w": np.array([1.0, np.nan, -0.0]), "t/step": np.array(7), "t/w.T": np.arange(6.0).reshape(2, 3).T}
    store.save_checkpoint("p1", {"t/w": np.zeros(1)}, {"step": "1"})
    store.save_checkpoint("p1", state, {"step": "7"})
    loaded = store.load_checkpoint("p1")
    assert loaded is not None
    tensors, metadata = loaded
    assert metadata == {"step": "7"}
    assert {name: value.dtype for name, value in tensors.items()} == {name: v.dtype for name, v in state.items()}
    for name, value in state.items():
        assert tensors[name].shape == value.shape
        assert tensors[name].tobytes() == value.tobytes()
    damage_file(store, "checkpoints/p1.safetensors", lambda content: content[:-3])
    assert store.load_checkpoint("p1") is None
    assert "not a whole safetensors file" in store.damaged["checkpoints/p1.safetensors"]
    store.delete_checkpoint("p1")
    store.delete_checkpoint("p1")
    assert store.load_checkpoint("p1") is None
    assert store.damaged == {}
    with pytest.raises(StoreError, match="a name in checkpoints/ is of letters"):
        store.save_checkpoint("../p1", state, {})


def test_inflight_marks(store: ResultStore) -> None:
    store.mark_inflight("p1", {"launch": "l", "trials": ["t", "u"]})
    store.mark_inflight("p2", {"launch": "l"})
    store.files.write("inflight/p3.json", b'{"lau')
    assert store.inflight() == {"p1": {"launch": "l", "trials": ["t", "u"]}, "p2": {"launch": "l"}}
    assert store.damaged == {"inflight/p3.json": "not JSON"}
    store.clear_inflight("p1")
    store.clear_inflight("p1")
    assert list(store.inflight()) == ["p2"]
    with pytest.raises(StoreError, match="plain JSON values"):
        store.mark_inflight("p4", {"at": object()})


def test_a_mark_replaces_the_one_before_whatever_their_lengths(store: ResultStore) -> None:
    for count in (3, 400, 1):
        record = {"launch": "l", "pack": [f"t{number}" for number in range(count)]}
        store.mark_inflight("p1", record)
        assert store.inflight() == {"p1": record}
    assert store.damaged == {}


def test_a_file_in_place_of_a_folder_is_told(tmp_path: Path) -> None:
    store = ResultStore.open(tmp_path / "runs", create=True)
    (store.root / "plain").write_text("")
    with pytest.raises(StoreError, match=r"cannot write .*plain/p1.json: .* is a file, not a folder"):
        store.files.overwrite("plain/p1.json", b"{}")


def test_heartbeats(store: ResultStore) -> None:
    store.beat("l1")
    old = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=300)
    store.files.write("heartbeats/l0.json", json.dumps({"launch": "l0", "time": old.isoformat()}).encode())
    store.files.write("heartbeats/l2.json", json.dumps({"launch": "l2"}).encode())
    assert list(store.beating(within=60)) == ["l1"]
    assert sorted(store.beating(within=600)) == ["l0", "l1"]
    assert store.damaged == {"heartbeats/l2.json": "not a heartbeat: it has no time"}
    store.clear_beat("l1")
    assert store.beating(within=60) == {}


def test_weights_are_pruned_by_whole_files(store: ResultStore, attempt: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = {"trials": [attempt("t", "a"), attempt("u", "b")]}
    store.commit(pack, {"t/w": np.ones(5), "u/w": np.ones(5)})
    store.commit({"trials": [attempt("v", "c")]}, {"v/w": np.ones(5)})
    size = sum(store.files.sizes("weights").values())
    record = store.prune_weights(["t", "v"], dry_run=True)
    assert (record.files, record.kept, record.dry_run) == (1, 1, True)
    assert store.weighted() == {"t", "u", "v"}
    assert store.prune_weights(["t", "v"]).files == 1
    assert store.weighted() == {"t", "u"}
    store.files.write("weights/orphan.safetensors", b"of a commit that may be under way")
    record = store.prune_weights()
    assert (record.files, record.kept) == (1, 1)
    assert 0 < record.bytes < size
    assert store.files.exists("weights/orphan.safetensors")
    monkeypatch.setattr(pruning, "ORPHAN_SECONDS", -1.0)
    assert store.prune_weights().files == 1
    assert len(store.trials()) == 3


def test_checkpoints_of_running_packs_are_spared(store: ResultStore) -> None:
    for pack in ("p1", "p2"):
        store.save_checkpoint(pack, {"w": np.ones(3)}, {})
    store.mark_inflight("p1", {})
    store.beat("l")
    record = store.prune_checkpoints(dry_run=True)
    assert (record.files, record.kept) == (1, 1)
    assert record.bytes == store.files.size("checkpoints/p2.safetensors")
    store.prune_checkpoints()
    assert store.files.names("checkpoints") == ["checkpoints/p1.safetensors"]
    # The launch is dead: what it left is no longer needed by anyone alive.
    store.clear_beat("l")
    assert store.prune_checkpoints().files == 1


def test_what_is_gone_is_told_from_what_cannot_be_read(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    for read in (files.open, files.read, files.size, files.age):
        with pytest.raises(Vanished):
            read("trials/none.parquet")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match=r"cannot read .*folder: is a directory") as caught:
        files.read("folder")
    assert not isinstance(caught.value, Vanished)
    (tmp_path / "plain").write_text("")
    with pytest.raises(StoreError, match=r"cannot list .*plain"):
        files.names("plain")
    shutil.rmtree(tmp_path / "folder")
    assert files.names("folder") == []
    assert not files.delete("folder/none")
