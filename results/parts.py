"""Part files: rows to Parquet and back, one file a table and commit, checked against the schemas."""

from __future__ import annotations

import contextlib
import datetime
import difflib
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

Row = Mapping[str, object]

# Tables whose rows are large: of these only the row groups that hold a wanted trial are read.
_LARGE = frozenset({"curves", "images", "codes"})
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
    for row in rows:
        check_columns(table, row)
    columns = []
    for field in schema:
        values = [_value(table, field, row.get(field.name)) for row in rows]
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

    Raises `Damaged` for a file that is torn or not ours, `StoreError` for one of a newer format, `Vanished`, and
    `Unsteady` where the storage fails in the middle of it.
    """

    def __init__(self, files: Files, table: str, name: str) -> None:
        self.table = table
        self.schema = schema_of(table)
        self._files, self._name = files, name
        source = files.open(name)
        try:
            with self._parsing("not a whole Parquet file"):
                self.file = pq.ParquetFile(source)
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
            if field.name in self.stored.names and self.stored.field(field.name).type != field.type:
                raise Damaged(f"{field.name!r} holds {self.stored.field(field.name).type}, not {field.type}")
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

    def read(self, columns: Sequence[str], trials: pa.Array | None = None) -> pa.Table:
        """The columns of all row groups; with `trials`, only the rows of these trials."""
        if trials is None or self.table not in _LARGE:
            whole = self._read(range(self.groups), columns)
            return whole if trials is None else whole.filter(pc.is_in(whole["trial"], value_set=trials))
        found = [self.group(group, columns, trials) for group in range(self.groups)]
        return pa.concat_tables(found) if found else self._read((), columns)

    def group(self, group: int, columns: Sequence[str], trials: pa.Array | None = None) -> pa.Table:
        """One row group; with `trials`, only the rows of these trials."""
        if trials is None:
            return self._read((group,), columns)
        wanted = pc.is_in(self._read((group,), ["trial"])["trial"], value_set=trials)
        if not pc.any(wanted).as_py():
            return self._read((), columns)
        return self._read((group,), columns).filter(wanted)

    def _read(self, groups: Iterable[int], columns: Sequence[str]) -> pa.Table:
        stored = [column for column in columns if column in self.stored.names]
        with self._parsing("its pages cannot be read"):
            read = self.file.read_row_groups(list(groups), columns=stored, use_threads=False)
        filled = [
            read[column].cast(self.schema.field(column).type)
            if column in stored
            else pa.chunked_array([pa.nulls(len(read), self.schema.field(column).type)])
            for column in columns
        ]
        return pa.Table.from_arrays(filled, schema=pa.schema([self.schema.field(column) for column in columns]))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__


def nearest(word: str, choices: Collection[str]) -> str:
    close = difflib.get_close_matches(word, choices, n=2, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(choices)}"
