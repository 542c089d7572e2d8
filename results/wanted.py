"""Wanted: which rows of a table are to be read, told by the values of a column of identities.

A row group whose statistics lie apart from all of them is not read at all; so a study of a large store costs what it
holds itself, where compaction has put its rows together.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from results.arrays import strings


@dataclass(frozen=True)
class Wanted:
    """The rows to be read: those with one of these values, sorted, in a column of identities."""

    column: str
    values: Sequence[str]
    array: pa.Array

    @classmethod
    def among(cls, column: str, values: Iterable[str]) -> Wanted:
        distinct = sorted(set(values))
        return cls(column, distinct, strings(distinct))

    def between(self, low: str, high: str) -> bool:
        """Whether any of the values lies there, ends included."""
        place = bisect.bisect_left(self.values, low)
        return place < len(self.values) and self.values[place] <= high

    def mask(self, rows: pa.Table) -> pa.ChunkedArray:
        column = rows[self.column]
        if not pa.types.is_dictionary(column.type):
            return pc.is_in(column, value_set=self.array)
        there = [pc.is_in(chunk.dictionary, value_set=self.array).take(chunk.indices) for chunk in column.chunks]
        return pa.chunked_array(there, pa.bool_())
