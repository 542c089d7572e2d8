"""A commit: the results of a pack's attempts, stored all or none without a lock.

The files of attempts go first, weights before tables, and `trials` last. Readers count only rows whose attempt stands
in `trials`, so a writer killed at any point leaves either a whole commit or files that count for nothing.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import secrets
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from results.files import Files, StoreError
from results.parts import Row, schema_of, to_arrow, write_part
from results.tensors import encode

PARTS_OF_ATTEMPTS = ("images", "codes", "curves", "metrics")
ORDER = (*PARTS_OF_ATTEMPTS, "trials")


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def new_identity() -> str:
    """A name for a commit's files: sorts by time, and random enough for any number of writers at once."""
    return f"{now():%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(4)}"


def write_rows(files: Files, name: str, rows: pa.Table) -> None:
    """One part file, whole or absent; made in memory, so that writing it can be tried again."""
    content = io.BytesIO()
    write_part(content, rows)
    files.write(name, content.getvalue())


def commit(files: Files, tables: Mapping[str, Sequence[Row]], weights: Mapping[str, np.ndarray]) -> str:
    """Writes a commit and returns its id; `ResultStore.commit` says what of."""
    identity = new_identity()
    rows: dict[str, Sequence[Row]] = {table: tables[table] for table in tables if tables[table]}
    _check(rows)
    if weights:
        owners = _owners(weights, rows["trials"])
        named = {"weights": f"{identity}.safetensors"}
        rows["trials"] = [{**row, **named} if row.get("trial") in owners else row for row in rows["trials"]]
    parts = {table: to_arrow(table, rows[table]) for table in ORDER if table in rows}
    written: list[str] = []
    try:
        if weights:
            written.append(f"weights/{identity}.safetensors")
            files.write(written[-1], encode(weights))
        for table, part in parts.items():
            written.append(f"{table}/{identity}.parquet")
            write_rows(files, written[-1], part)
    except BaseException as error:
        _withdraw(files, written)
        if isinstance(error, StoreError):
            raise type(error)(f"{error}; nothing was committed") from error
        raise
    return identity


def _check(rows: Mapping[str, Sequence[Row]]) -> None:
    attempts = {row.get("attempt") for row in rows.get("trials", ())}
    if not attempts:
        raise StoreError("a commit needs rows of trials; a later evaluation is appended")
    for table in rows:
        schema_of(table)
        if table not in ORDER:
            raise StoreError(f"rows of {table} are no part of a commit; append them")
        for row in rows[table]:
            if row.get("attempt") not in attempts:
                raise StoreError(f"{table}: attempt {row.get('attempt')!r} is not among the trials of this commit")


def _owners(weights: Mapping[str, np.ndarray], trials: Sequence[Row]) -> set[str]:
    known = {row.get("trial") for row in trials}
    owners = set()
    for name in weights:
        trial, slash, tensor = name.partition("/")
        if trial not in known or not slash or not tensor:
            raise StoreError(f"weights are named <trial>/<tensor> by trials of this commit, not {name!r}")
        owners.add(trial)
    return owners


def _withdraw(files: Files, written: Sequence[str]) -> None:
    """Gives the disk back; the trials file goes first, and what cannot be deleted counts for nothing without it."""
    with contextlib.suppress(StoreError):
        for name in reversed(written):
            files.delete(name)
