"""ResultStore: the append-only tables of what has been done, and the files beside them.

    store.json                    {"format": 1}
    <table>/<commit>.parquet      trials, metrics, curves, images, codes, decisions, launches, logs, footprints
                                  (results/schema.py)
    weights/<commit>.safetensors  entries "<trial>/<tensor>"
    checkpoints/<pack>.safetensors   inflight/<pack>.json   heartbeats/<launch>.json   stops/<launch>[.<pack>].json
    livelogs/<pack>-<log>.log     what a worker prints (sweep/worker_log.py), a row of logs once the pack is done

A commit writes weights, images, codes, curves and metrics first and `trials` last; readers ignore rows whose attempt is
not in `trials`. So nothing ever has to be locked, repaired or written twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from results import compaction, evaluations, liveness, pruning
from results.arrays import strings
from results.commit import PARTS_OF_ATTEMPTS, commit, new_identity, now, write_rows
from results.files import Files, LocalFiles, StoreError
from results.opening import open_files
from results.parts import Row, check_columns, schema_of, to_arrow
from results.scan import collapse, read_parts, ruling_columns, winners
from results.schema import FINISHED, TABLES
from results.wanted import Wanted
from results.weights import Weights, read_weights

Names = Collection[str] | None
RUNNING_SECONDS = 120.0


class ResultStore:
    """A store of results; make one with `ResultStore.open`. It holds no state but `damaged`, so it may be pickled.

    damaged: the files that the last reading of each table skipped, name -> reason (torn, foreign).
    """

    def __init__(self, files: Files) -> None:
        self.files = files
        self.damaged: dict[str, str] = {}

    @classmethod
    def open(cls, path: str | Path, *, create: bool = False) -> ResultStore:
        """The store at `path`, a folder or an address (s3://bucket/prefix, gs://…); with `create` it must be writable,
        and is made where there is none.

        Raises `NoStore` where there is none, and `StoreError`: a file in its place, a folder of other things,
        read-only, a newer format, an address that cannot be opened.
        """
        return cls(open_files(path, create))

    @property
    def location(self) -> str:
        """An absolute path or an address: what `open` takes, in any process on any node that reaches it."""
        return self.files.location

    @property
    def root(self) -> Path:
        """The folder of a store that is in one, for tools that want a path; raises `StoreError` for any other."""
        if not isinstance(self.files, LocalFiles):
            raise StoreError(f"{self.files} is no folder")
        return self.files.root

    # Writing

    def commit(self, tables: Mapping[str, Sequence[Row]], weights: Mapping[str, np.ndarray] | None = None) -> str:
        """Stores the attempts of a pack, all or none, and returns the commit's id, the stem of its files.

        tables: rows of `trials` and of metrics, curves, images, codes of the same attempts. weights: "<trial>/<tensor>"
        -> array; the trials that have some get the file's name in their column `weights`. Raises `StoreError` for rows
        that do not fit the schemas, and when a file cannot be written: then nothing is committed.
        """
        return commit(self.files, tables, weights or {})

    def append(self, table: str, rows: Sequence[Row]) -> str:
        """Adds rows of decisions, launches, or of a later evaluation of stored attempts; the stem of the new file."""
        if table == "trials":
            raise StoreError("trials are committed, with what was measured of them, not appended")
        identity = new_identity()
        write_rows(self.files, f"{table}/{identity}.parquet", to_arrow(table, rows))
        return identity

    # Reading tables

    def scan(self, table: str, columns: Sequence[str] | None = None, trials: Collection[str] | None = None) -> pa.Table:
        """The rows of a table that count: of committed attempts, one a key; null where an older file lacks a column.

        trials: only rows of these. In `trials` every attempt is a row; see `trials()` and `winning()`.
        """
        if table not in PARTS_OF_ATTEMPTS:
            return self._scan(table, columns, trials)
        return self.winning(table, columns, trials, winners=self._scan("trials", ["attempt"], trials))

    def _scan(self, table: str, columns: Names, trials: Names = None, wanted: Wanted | None = None) -> pa.Table:
        chosen = list(columns) if columns is not None else schema_of(table).names
        wanted = wanted if trials is None else Wanted.among("trial", trials)
        check_columns(table, [*chosen, *([wanted.column] if wanted else [])])
        needed = list(dict.fromkeys([*chosen, *ruling_columns(table)]))
        return collapse(read_parts(self.files, table, needed, self.damaged, wanted), table).select(chosen)

    def trials(self, columns: Sequence[str] | None = None, trials: Collection[str] | None = None) -> pa.Table:
        """One row a trial, the attempt that counts: the earliest finished, for ever, or else the latest failed."""
        chosen = list(columns) if columns is not None else schema_of("trials").names
        ruling = ("trial", "attempt", "status", "finished")
        attempts = self._scan("trials", list(dict.fromkeys([*chosen, *ruling])), trials)
        return winners(attempts).select(chosen)

    def attempts(self, trial: str) -> pa.Table:
        """All attempts at a trial, in the order in which they ended."""
        return self._scan("trials", None, [trial]).sort_by([("finished", "ascending"), ("attempt", "ascending")])

    def winning(
        self,
        table: str,
        columns: Sequence[str] | None = None,
        trials: Collection[str] | None = None,
        *,
        winners: pa.Table | None = None,
    ) -> pa.Table:
        """Rows of metrics, curves, images or codes of the attempts that count.

        winners: a table with a column `attempt`, such as `trials()` gave, so that several scans see one state. Read
        before them, as here: a commit that lands in between then shows nothing, rather than a trial without metrics.
        """
        chosen = list(columns) if columns is not None else schema_of(table).names
        counted = self.trials(["attempt"], trials) if winners is None else winners
        wanted = Wanted.among("attempt", counted["attempt"].to_pylist())
        rows = self._scan(table, list(dict.fromkeys([*chosen, "trial"])), wanted=wanted)
        return (rows if trials is None else rows.filter(Wanted.among("trial", trials).mask(rows))).select(chosen)

    def evaluations(self, *, winners: pa.Table | None = None) -> pa.Table:
        """The latest word on each quantity of each finished trial, numbers, images and codes alike.

        Columns trial, key ("rate@v1") and error: why it could not be measured, null where it was. winners: as in
        `winning`, but of finished trials alone.
        """
        counted = self._finished(["attempt"]) if winners is None else winners
        return evaluations.latest(lambda table, columns: self.winning(table, columns, winners=counted))

    def _finished(self, columns: Sequence[str]) -> pa.Table:
        trials = self.trials([*columns, "status"])
        return trials.filter(pc.is_in(trials["status"], value_set=strings(sorted(FINISHED))))

    # Reading what was kept of trials

    def weights(self, trial: str) -> Weights:
        """The stored weights of a trial by tensor name; raises `StoreError` where none are kept."""
        found = self.weights_of([trial])[trial]
        if isinstance(found, StoreError):
            raise found
        return found

    def weights_of(self, trials: Collection[str]) -> dict[str, Weights | StoreError]:
        """trial -> its stored weights by tensor name, or why there are none; a file of several is read once."""
        rows = self.trials(["trial", "weights"], trials).to_pylist()
        return read_weights(self.files, {row["trial"]: row["weights"] for row in rows}, trials)

    def weighted(self, *, winners: pa.Table | None = None) -> frozenset[str]:
        """The finished trials whose weights are at hand, so that they can be evaluated without training.

        winners: of finished trials, with their column `weights`.
        """
        trials = self._finished(["trial", "weights"]) if winners is None else winners
        names = [name.removeprefix("weights/") for name in self.files.names("weights")]
        held = pc.is_in(trials["weights"], value_set=strings(names))
        return frozenset(trials["trial"].filter(held).to_pylist())

    def curves(self, trial: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """The training curves of a trial: name -> (steps, values)."""
        rows = self.winning("curves", ["name", "step", "value"], [trial]).sort_by("name")
        return {
            row["name"]: (np.asarray(row["step"], dtype=np.int64), np.asarray(row["value"], dtype=np.float64))
            for row in rows.to_pylist()
        }

    def image(self, trial: str, name: str, version: int | None = None) -> np.ndarray | None:
        """A stored stack of pictures, uint8 (n, C, H, W); of several versions the latest; None where there is none."""
        return self._array("images", trial, name, version)

    def codes(self, trial: str, name: str, version: int | None = None) -> np.ndarray | None:
        """Stored latent points, float32, in their shape; of several versions the latest; None where there is none."""
        return self._array("codes", trial, name, version)

    def _array(self, table: str, trial: str, name: str, version: int | None) -> np.ndarray | None:
        rows = self.winning(table, ["name", "version", "shape", "values"], [trial])
        rows = rows.filter(pc.equal(rows["name"], name))
        if version is not None:
            rows = rows.filter(pc.equal(rows["version"], version))
        if not len(rows):
            return None
        last = rows.slice(int(np.argmax(rows["version"].to_numpy())), 1)
        values: np.ndarray = last["values"][0].values.to_numpy(zero_copy_only=False)
        return values.reshape(last["shape"][0].as_py()).copy()

    # Decisions

    def decide(self, rows: Sequence[Row]) -> None:
        """Stores how trials of a shape are packed on a kind of device; where a decision stands, that one holds."""
        self.append("decisions", rows)

    def decisions(self) -> dict[tuple[str, str], dict[str, Any]]:
        """(shape, device) -> the decision that holds: the first."""
        held: dict[tuple[str, str], dict[str, Any]] = {}
        for row in self._scan("decisions", None).sort_by("decided").to_pylist():
            held.setdefault((row["shape"], row["device"]), row)
        return held

    # Work under way

    def save_checkpoint(self, pack: str, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
        """Replaces the pack's checkpoint, whole or not at all."""
        liveness.save_checkpoint(self.files, pack, tensors, metadata)

    def load_checkpoint(self, pack: str) -> tuple[dict[str, np.ndarray], dict[str, str]] | None:
        """The pack's tensors and metadata; None where there is none, or a torn one, which `damaged` reports."""
        return liveness.load_checkpoint(self.files, pack, self.damaged)

    def delete_checkpoint(self, pack: str) -> None:
        self.files.delete(liveness.file_name(liveness.CHECKPOINTS, pack, "safetensors"))

    def checkpoints(self) -> list[str]:
        """The packs that have a checkpoint."""
        return liveness.names(self.files, liveness.CHECKPOINTS, "safetensors")

    def checkpoint_metadata(self, pack: str) -> dict[str, str] | None:
        """What a checkpoint says of itself, read without its tensors; None where there is none."""
        return liveness.checkpoint_metadata(self.files, pack)

    def mark_inflight(self, pack: str, record: Mapping[str, Any]) -> None:
        """Says, in plain JSON values, that a pack has been started (replaces what was said of it before)."""
        liveness.mark_inflight(self.files, pack, record)

    def inflight(self) -> dict[str, dict[str, Any]]:
        """pack -> its record, for the packs that have started and not been cleared."""
        return liveness.read_records(self.files, liveness.INFLIGHT, self.damaged)

    def clear_inflight(self, pack: str) -> None:
        self.files.delete(liveness.file_name(liveness.INFLIGHT, pack, "json"))

    def beat(self, launch: str, studies: Sequence[str] = ()) -> None:
        """Says that a launch, of these studies, is alive now, with host, process and time."""
        liveness.beat(self.files, launch, studies, now())

    def beating(self, within: float = RUNNING_SECONDS, at: datetime | None = None) -> dict[str, dict[str, Any]]:
        """launch -> {launch, studies, host, process, kernel, time, seconds} of those that beat within so many seconds
        of a time, or of now."""
        return liveness.beating(self.files, within, at or now(), self.damaged)

    def clear_beat(self, launch: str) -> None:
        """A launch has ended."""
        self.files.delete(liveness.file_name(liveness.HEARTBEATS, launch, "json"))

    def request_stop(self, launch: str) -> None:
        """Asks a launch and its workers, wherever they are, or the worker of one pack, to stop at their next look."""
        self.files.write(liveness.file_name(liveness.STOPS, launch, "json"), b"{}\n", durable=False)

    def stop_requested(self, launch: str) -> bool:
        return self.files.exists(liveness.file_name(liveness.STOPS, launch, "json"))

    def clear_stop(self, launch: str) -> None:
        """The workers of a launch have stopped."""
        self.files.delete(liveness.file_name(liveness.STOPS, launch, "json"))

    # Upkeep

    def size(self) -> int:
        """Bytes of the tables and weights on disk."""
        return sum(sum(self.files.sizes(folder).values()) for folder in (*TABLES, "weights"))

    def compact(self, minimum: int = 64) -> compaction.CompactionRecord:
        """Merges the part files of each table that has at least `minimum`; safe at any time and beside anything."""
        return compaction.compact(self.files, minimum, new_identity(), self.damaged)

    def prune_weights(self, trials: Collection[str] | None = None, *, dry_run: bool = False) -> pruning.PruneRecord:
        """Removes the weights of these trials, or of all; a pack's file stays while another trial in it is kept.

        The weights of prerequisites that stored values were measured with stay: they are trained once for all trials.
        """
        attempts, used = self._scan("trials", ["trial", "weights"]), self._scan("metrics", ["prerequisite"])
        spared = {trial for ids in pc.unique(used["prerequisite"]).to_pylist() if ids for trial in ids.split(",")}
        return pruning.prune_weights(self.files, attempts, trials, spared, dry_run)

    def prune_checkpoints(self, *, dry_run: bool = False) -> pruning.PruneRecord:
        """Removes the checkpoints, but for those of packs in flight while a launch is alive."""
        running = self.inflight() if self.beating() else ()
        return pruning.prune_checkpoints(self.files, running, dry_run)
