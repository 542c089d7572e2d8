"""Compaction: the many part files of a table merged into one, safe against readers, writers and a crash at any point.

The merged file is written whole before the first source is deleted. In between a row stands in two files, which readers
collapse; a crash there leaves just that. Rows of attempts that are not (or not yet) committed are carried over as they
are, since their commit may be under way.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from results.files import LocalFiles, Vanished
from results.parts import Damaged, Part, part_writer, schema_of
from results.scan import ruling_columns, standing
from results.schema import TABLES

STALE_SECONDS = 3600.0
_GROUP_BYTES = 64 * 2**20  # row groups of the merged file, and so the memory that merging takes
_ATTEMPTS = 5


@dataclass(frozen=True, kw_only=True)
class CompactionRecord:
    """What a compaction did.

    merged: table -> part files that became one. rows: table -> rows of the merged file. bytes_before, bytes_after: of
    those tables. temporary: files of killed writers removed. damaged: part files left alone, each with its reason.
    """

    merged: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    bytes_before: int = 0
    bytes_after: int = 0
    temporary: int = 0
    damaged: dict[str, str] = field(default_factory=dict)


def compact(files: LocalFiles, minimum: int, part: str, damaged: MutableMapping[str, str]) -> CompactionRecord:
    """Merges the part files of each table that has at least `minimum` of them into `<table>/<part>.parquet`.

    Temporary files older than an hour are removed too. Raises `StoreError` where the disk fails.
    """
    merged: dict[str, int] = {}
    rows: dict[str, int] = {}
    before = after = 0
    for table in TABLES:
        for _ in range(_ATTEMPTS):
            try:
                if len(files.names(table)) < max(minimum, 2):
                    break
                sources = _sources(files, table, damaged)
                if len(sources) < 2:
                    break
                size = sum(files.size(name) for name in sources)
                name = f"{table}/{part}.parquet"
                count = _merge(files, table, sources, name)
            except (Vanished, Damaged):
                continue  # another compaction was faster, or a file went bad under it
            for source in sources:
                files.delete(source)
            merged[table], rows[table] = len(sources), count
            before, after = before + size, after + files.size(name)
            break
    return CompactionRecord(
        merged=merged,
        rows=rows,
        bytes_before=before,
        bytes_after=after,
        temporary=files.delete_temporary(STALE_SECONDS),
        damaged=dict(damaged),
    )


def _sources(files: LocalFiles, table: str, damaged: MutableMapping[str, str]) -> list[str]:
    """The part files that can be read throughout, large columns too: none other may be deleted."""
    sound = []
    for name in files.names(table):
        damaged.pop(name, None)
        try:
            if not name.endswith(".parquet"):
                raise Damaged("not a Parquet file")
            with Part(files, table, name) as part:
                for group in range(part.groups):
                    part.group(group, schema_of(table).names)
            sound.append(name)
        except Damaged as fault:
            damaged[name] = str(fault)
    return sound


def _merge(files: LocalFiles, table: str, sources: Sequence[str], target: str) -> int:
    """Writes the rows of the sources that stand into one file, some 64 MiB at a time, and counts them."""
    schema = schema_of(table)
    keys, counts = [], []
    for name in sources:
        with Part(files, table, name) as part:
            keys.append(part.read(ruling_columns(table)))
            counts.append(len(keys[-1]))
    kept = np.split(standing(pa.concat_tables(keys), table), np.cumsum(counts)[:-1])
    with files.create(target) as file, part_writer(file, schema) as writer:
        waiting: list[pa.Table] = []
        size = 0
        for name, mask in zip(sources, kept, strict=True):
            with Part(files, table, name) as part:
                start = 0
                for group in range(part.groups):
                    read = part.group(group, schema.names)
                    waiting.append(read.filter(pa.array(mask[start : start + len(read)])))
                    start += len(read)
                    size += waiting[-1].nbytes
                    if size > _GROUP_BYTES:
                        _write(writer, waiting, schema)
                        size = 0
        _write(writer, waiting, schema)
    return int(sum(mask.sum() for mask in kept))


def _write(writer: pq.ParquetWriter, waiting: list[pa.Table], schema: pa.Schema) -> None:
    """The waiting rows as one row group; none are left waiting."""
    if waiting:
        writer.write_table(pa.concat_tables(waiting).combine_chunks().cast(schema))
        waiting.clear()
