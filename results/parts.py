"""Part files: rows to Parquet and back, one file a table and commit, checked against the schemas."""

from __future__ import annotations

import contextlib
import datetime
import difflib
import functools
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from results.faults import of_storage
from results.files import Files, StoreError
from results.schema import EVALUATION_FAILED, FAILED, FINISHED, FORMAT, FORMAT_KEY, KEYS, TABLE_KEY, TABLES
from results.wanted import Wanted

Row = Mapping[str, object]

# Tables whose rows are large: of these only the row groups that hold a wanted trial are read.
_LARGE = frozenset({"curves", "images", "codes"})
# Tables with many rows an attempt: their texts repeat, and are decoded only of the rows that are wanted.
_REPEATING = frozenset({"metrics", *_LARGE})
_MANY = 10_000  # rows from which that is worth opening the file once more
# What else, beside its key, a row cannot do without.
_NEEDED = {
    "trials": ("trial", "status", "finished"),
    "metrics": ("evaluated",),
    "images": ("evaluated",),
    "codes": ("evaluated",),
}


class Damaged(Exception):
    """A file that is not a part of its table; the message is the reason."""


def schema_of(table: str) -> pa.Schema:
    """The schema of a table; raises `StoreError` with the nearest name where there is none."""
    if table not in TABLES:
        raise StoreError(f"no table {table!r} in a store; {nearest(table, TABLES)}")
    return TABLES[table]


def check_columns(table: str, columns: Iterable[str]) -> None:
    """Raises `StoreError` for a column that the table has not."""
    known = schema_of(table).names
    for column in columns:
        if column not in known:
            raise StoreError(f"the table {table} has no column {column!r}; {nearest(column, known)}")


def to_arrow(table: str, rows: Sequence[Row]) -> pa.Table:
    """Rows as an Arrow table of exactly the table's schema; a column that a row lacks is null.

    Array values may be numpy arrays of any shape; they are laid out row-major. Raises `StoreError` for an unknown
    column, a value of another type (nothing is truncated), a time without a zone, or a row without its key.
    """
    schema = schema_of(table)
    known = frozenset(schema.names)
    for row in rows:
        if not row.keys() <= known:
            check_columns(table, row)
    columns = []
    for field in schema:
        values = [row.get(field.name) for row in rows]
        if not _PLAIN.get(field.type, _NONE).issuperset(map(type, values)):
            values = [_value(table, field, value) for value in values]
        try:
            columns.append(pa.array(values, type=field.type))
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise StoreError(f"{table}.{field.name} holds {field.type}: {error}") from None
    made = pa.Table.from_arrays(columns, schema=schema)
    for column in (*KEYS[table], *_NEEDED.get(table, ())):
        # Whether the last or the averaged weights were measured is not a question for every kind of trial.
        if column != "weights" and made[column].null_count:
            raise StoreError(f"every row of {table} needs a value of {column!r}")
    if "shape" in schema.names and "values" in schema.names:
        _check_shapes(table, rows)
    if table == "trials":
        known = (FINISHED | FAILED) - {EVALUATION_FAILED}
        for status in made["status"].to_pylist():
            if status not in known:
                raise StoreError(f"no status {status!r}; known: {', '.join(sorted(known))}")
    return made


_NONE: frozenset[type] = frozenset()
_PLAIN = {  # what Arrow takes for what it is, value by value
    pa.string(): frozenset({str, type(None)}),
    pa.int32(): frozenset({int, type(None)}),
    pa.int64(): frozenset({int, type(None)}),
    pa.float64(): frozenset({float, type(None)}),
}


def _value(table: str, field: pa.Field, value: object) -> object:
    if isinstance(value, np.ndarray):
        value = value.ravel()
    kind = field.type.value_type if pa.types.is_list(field.type) else field.type
    # Arrow itself cuts 3.7 to 3 without a word, and takes a time without a zone for UTC.
    if pa.types.is_integer(kind) and value is not None:
        numbers = np.asarray(value)
        if numbers.size and numbers.dtype.kind not in "iu":
            raise StoreError(f"{table}.{field.name} holds {field.type}: {value!r} is not of integers")
    if isinstance(value, datetime.datetime) and value.tzinfo is None:
        raise StoreError(f"{table}.{field.name} needs a time with its zone, not {value!r}")
    return value


def _check_shapes(table: str, rows: Sequence[Row]) -> None:
    for row in rows:
        shape, size = [int(side) for side in np.ravel(np.asarray(row["shape"]))], np.size(np.asarray(row["values"]))
        if math.prod(shape) != size:
            raise StoreError(f"{table}: {row['name']!r} of shape {shape} cannot have {size} values")


def write_part(file: BinaryIO, table: pa.Table) -> None:
    """An Arrow table as Parquet, with the schema's metadata."""
    with part_writer(file, table.schema) as writer:
        writer.write_table(table)


def part_writer(file: BinaryIO, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(file, schema, compression="zstd")


class Part:
    """One open part file; of an older schema, its missing columns are null.

    threads: columns are decoded side by side, where few files are read at once. Raises `Damaged` for a file that is
    torn or not ours, `StoreError` for one of a newer format, `Vanished`, and `Unsteady` where the storage fails in the
    middle of it.
    """

    def __init__(self, files: Files, table: str, name: str, *, threads: bool = False) -> None:
        self.table = table
        self.threads = threads
        self.schema = schema_of(table)
        self._files, self._name = files, name
        source = files.open(name)
        try:
            with self._parsing("not a whole Parquet file"):
                self.file = pq.ParquetFile(source)
                footer = self.file.metadata
                if table in _REPEATING and footer.num_rows > _MANY:
                    texts = _texts(self.schema, footer.schema.names)
                    self.file = pq.ParquetFile(source, metadata=footer, read_dictionary=texts)
                self.stored = self.file.schema_arrow
            self._check(name)
        except (Damaged, StoreError):
            source.close()
            raise
        self._source = source

    @contextlib.contextmanager
    def _parsing(self, fault: str) -> Iterator[None]:
        """Tells the faults of the content from those of the storage."""
        with self._files.reading(self._name):
            try:
                yield
            except (pa.ArrowException, OSError) as error:
                if isinstance(error, OSError) and of_storage(error):
                    raise
                raise Damaged(f"{fault} ({_first_line(error)})") from None

    def _check(self, name: str) -> None:
        metadata = self.stored.metadata or {}
        version = metadata.get(FORMAT_KEY, b"").decode(errors="replace")
        if not version.isdecimal():
            raise Damaged("a Parquet file of another program")
        if int(version) > FORMAT:
            raise StoreError(
                f"{name} was written by a newer version (format {version}); this code reads up to {FORMAT}: update it"
            )
        owner = metadata.get(TABLE_KEY, b"").decode(errors="replace")
        if owner != self.table:
            raise Damaged(f"a part of the table {owner!r}")
        for field in self.schema:
            held = self.stored.field(field.name).type if field.name in self.stored.names else field.type
            held = held.value_type if pa.types.is_dictionary(held) else held
            if held != field.type:
                raise Damaged(f"{field.name!r} holds {held}, not {field.type}")
        for column in KEYS[self.table]:
            if column not in self.stored.names:
                raise Damaged(f"it has no column {column!r}")

    def close(self) -> None:
        self._source.close()

    def __enter__(self) -> Part:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def groups(self) -> int:
        return int(self.file.num_row_groups)

    def read(self, columns: Sequence[str], wanted: Wanted | None = None) -> pa.Table:
        """The columns of all row groups; with `wanted`, its rows alone, from the row groups that may hold any."""
        if wanted is None:
            return self._plain(self._read(range(self.groups), columns), columns)
        groups = [group for group in range(self.groups) if self._may_hold(group, wanted)]
        if self.table in _LARGE:
            found = [self._wanted(group, columns, wanted) for group in groups]
            return pa.concat_tables([self._plain(self._read((), columns), columns), *found])
        whole = self._read(groups, list(dict.fromkeys([*columns, wanted.column])))
        return self._plain(whole.filter(wanted.mask(whole)), columns)

    def group(self, group: int, columns: Sequence[str]) -> pa.Table:
        """One row group."""
        return self._plain(self._read((group,), columns), columns)

    def _wanted(self, group: int, columns: Sequence[str], wanted: Wanted) -> pa.Table:
        """Those of one row group: the large columns are read only where there are any."""
        mask = wanted.mask(self._read((group,), [wanted.column]))
        groups = (group,) if pc.any(mask).as_py() else ()
        read = self._read(groups, columns)
        return self._plain(read.filter(mask) if groups else read, columns)

    def _may_hold(self, group: int, wanted: Wanted) -> bool:
        bounds = self._bounds(group, wanted.column)
        return bounds is None or wanted.between(*bounds)

    def _bounds(self, group: int, column: str) -> tuple[str, str] | None:
        """The least and the largest value of a column in a row group; None where its writer did not say."""
        if column not in self.stored.names:
            return None
        row_group = self.file.metadata.row_group(group)
        chunks = (row_group.column(place) for place in range(row_group.num_columns))
        statistics = next((chunk.statistics for chunk in chunks if chunk.path_in_schema == column), None)
        if statistics is None or not statistics.has_min_max:
            return None
        return str(statistics.min), str(statistics.max)

    def _read(self, groups: Iterable[int], columns: Sequence[str]) -> pa.Table:
        """The columns that the file has, as they are encoded in it."""
        stored = [column for column in columns if column in self.stored.names]
        with self._parsing("its pages cannot be read"):
            return self.file.read_row_groups(list(groups), columns=stored, use_threads=self.threads)

    def _plain(self, read: pa.Table, columns: Sequence[str]) -> pa.Table:
        """Exactly these columns, of the schema's types; null those that the file has not."""
        schema = _part_of(self.table, tuple(columns))
        if read.schema.equals(schema):
            return read.replace_schema_metadata()
        filled = [
            read[field.name].cast(field.type)
            if field.name in read.column_names
            else pa.chunked_array([pa.nulls(len(read), field.type)])
            for field in schema
        ]
        return pa.Table.from_arrays(filled, schema=schema)


@functools.lru_cache
def _part_of(table: str, columns: tuple[str, ...]) -> pa.Schema:
    """The schema of these columns of a table."""
    whole = schema_of(table)
    return pa.schema([whole.field(column) for column in columns])


def _texts(schema: pa.Schema, stored: Collection[str]) -> list[str]:
    return [field.name for field in schema if field.type == pa.string() and field.name in stored]


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__


def nearest(word: str, choices: Collection[str]) -> str:
    close = difflib.get_close_matches(word, choices, n=2, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(choices)}"
