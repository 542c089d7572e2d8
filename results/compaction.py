"""Compaction: the many part files of a table merged into one, safe against readers, writers and a crash at any point.

The merged file is written whole before the first source is deleted. In between a row stands in two files, which readers
collapse; a crash there leaves just that. Rows of attempts that are not (or not yet) committed are carried over as they
are, since their commit may be under way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from results.files import Files, Vanished
from results.parts import Damaged, Part, part_writer, schema_of
from results.scan import ruling_columns, standing
from results.schema import TABLES

STALE_SECONDS = 3600.0
# A larger file is left as it is: every launch compacts, and would else write all that the store holds anew each time.
_LARGEST_BYTES = 256 * 2**20
_GROUP_BYTES = 64 * 2**20  # row groups of the merged file, and so the memory that merging takes
_BATCH_BYTES = 8 * 2**20  # part files, as they are stored, that are read at once
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


def compact(files: Files, minimum: int, part: str, damaged: MutableMapping[str, str]) -> CompactionRecord:
    """Merges the part files of each table that has at least `minimum` of them into `<table>/<part>.parquet`.

    Files above 256 MiB are left alone, and do not count.
    Temporary files older than an hour are removed too. Raises `StoreError` where the disk fails.
    """
    merged: dict[str, int] = {}
    rows: dict[str, int] = {}
    before = after = 0
    with ThreadPoolExecutor(files.readers) as pool:
        for table in TABLES:
            for _ in range(_ATTEMPTS):
                try:
                    sizes = {name: size for name, size in files.sizes(table).items() if size <= _LARGEST_BYTES}
                    if len(sizes) < max(minimum, 2):
                        break
                    sources = _sources(files, pool, table, sizes, damaged)
                    if len(sources) < 2:
                        break
                    name = f"{table}/{part}.parquet"
                    count = files.backoff.again(partial(_merge, files, pool, table, sources, name))
                except (Vanished, Damaged):
                    continue  # another compaction was faster, or a file went bad under it
                deque(pool.map(files.delete, sources), maxlen=0)
                merged[table], rows[table] = len(sources), count
                before, after = before + sum(source.size for source in sources.values()), after + files.size(name)
                break
    return CompactionRecord(
        merged=merged,
        rows=rows,
        bytes_before=before,
        bytes_after=after,
        temporary=files.delete_temporary(STALE_SECONDS),
        damaged=dict(damaged),
    )


@dataclass(frozen=True)
class _Source:
    """A part file that can be read throughout; keys: its ruling columns; groups: its rows, where they are kept."""

    size: int
    keys: pa.Table
    groups: list[pa.Table] | None


def _sources(
    files: Files, pool: Executor, table: str, sizes: Mapping[str, int], damaged: MutableMapping[str, str]
) -> dict[str, _Source]:
    """The part files that can be read throughout, large columns too, by name: none other may be deleted."""
    ruling = ruling_columns(table)
    nothing = schema_of(table).empty_table().select(ruling)

    def looked_at(name: str, keep: bool) -> _Source | str:
        if not name.endswith(".parquet"):
            return "not a Parquet file"

        def look() -> _Source:
            groups = _groups(files, table, name)
            kept = list(groups) if keep else None
            keys = [group.select(ruling) for group in (groups if kept is None else kept)]
            return _Source(sizes[name], pa.concat_tables([nothing, *keys]), kept)

        try:
            return files.backoff.again(look)
        except Damaged as fault:
            return str(fault)

    names = sorted(sizes)
    small = np.cumsum([sizes[name] for name in names]) <= _BATCH_BYTES  # a further read of each costs more than that
    found: dict[str, _Source] = {}
    for name, source in zip(names, pool.map(looked_at, names, small), strict=True):
        damaged.pop(name, None)
        if isinstance(source, str):
            damaged[name] = source
        else:
            found[name] = source
    return found


def _merge(files: Files, pool: Executor, table: str, sources: Mapping[str, _Source], target: str) -> int:
    """Writes the rows of the sources that stand into one file, some 64 MiB at a time, and counts them.

    The sources go in the order of their first attempts, and so of their launches: a study's rows lie together, and a
    reader of them skips the row groups of others, of which the statistics tell the attempts.
    """
    schema = schema_of(table)
    keys = [source.keys for source in sources.values()]
    kept = np.split(standing(pa.concat_tables(keys), table), np.cumsum([len(each) for each in keys])[:-1])
    masks = dict(zip(sources, kept, strict=True))
    ordered = sorted(zip(map(_first_attempt, keys), sources, strict=True))
    with files.create(target) as file, part_writer(file, schema) as writer:
        waiting: list[pa.Table] = []
        size = 0
        for names in _batches({name: sources[name].size for _, name in ordered}):
            for name, groups in zip(names, _read(files, pool, table, names, sources), strict=True):
                start = 0
                for group in groups:
                    waiting.append(group.filter(pa.array(masks[name][start : start + len(group)])))
                    start += len(group)
                    size += waiting[-1].nbytes
                    if size > _GROUP_BYTES:
                        _write(writer, waiting, schema)
                        size = 0
        _write(writer, waiting, schema)
    return int(sum(mask.sum() for mask in kept))


def _first_attempt(keys: pa.Table) -> str:
    """The least of a file's attempts; nothing where it has none."""
    least = pc.min(keys["attempt"]).as_py() if "attempt" in keys.column_names else None
    return least or ""


def _batches(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """The files in order, small ones together up to so many bytes: they are read at once, a large one by groups."""
    batch: list[str] = []
    size = 0
    for name, own in sizes.items():
        if batch and size + own > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(name)
        size += own
    yield batch


def _read(
    files: Files, pool: Executor, table: str, names: Sequence[str], sources: Mapping[str, _Source]
) -> Iterable[Iterable[pa.Table]]:
    def read(name: str) -> list[pa.Table]:
        kept = sources[name].groups
        return list(_groups(files, table, name)) if kept is None else kept

    if len(names) == 1 and sources[names[0]].groups is None:
        return [_groups(files, table, names[0])]
    return pool.map(read, names)


def _groups(files: Files, table: str, name: str) -> Iterator[pa.Table]:
    """The row groups of a file."""
    with Part(files, table, name) as part:
        for group in range(part.groups):
            yield part.group(group, schema_of(table).names)


def _write(writer: pq.ParquetWriter, waiting: list[pa.Table], schema: pa.Schema) -> None:
    """The waiting rows as one row group; none are left waiting."""
    if waiting:
        writer.write_table(pa.concat_tables(waiting).combine_chunks().cast(schema))
        waiting.clear()
