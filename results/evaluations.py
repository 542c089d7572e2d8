"""Evaluations: of each finished trial and quantity the latest word, which is a value or the reason why there is none.

Numbers stand in `metrics`, pictures and codes in tables of their own, and the failures of all of them in `metrics`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from results.arrays import integers, numbers, strings
from results.quantity import Quantity
from results.scan import first_rows

_PLACES = (("metrics", "quantity"), ("images", "name"), ("codes", "name"))


def latest(rows_of: Callable[[str, Sequence[str]], pa.Table]) -> pa.Table:
    """One row a trial and key ("rate@v1"): columns trial, key, error, which is null where there is a value.

    rows_of: (table, columns) -> the rows that count.
    """
    found = []
    for table, name in _PLACES:
        columns = ["trial", name, "version", "evaluated"]
        rows = rows_of(table, [*columns, "error"] if table == "metrics" else columns)
        keys = pc.binary_join_element_wise(rows[name], rows["version"].cast(pa.string()), strings(["@v"])[0])
        errors = rows["error"] if table == "metrics" else pa.nulls(len(rows), pa.string())
        found.append(pa.table({"trial": rows["trial"], "key": keys, "evaluated": rows["evaluated"], "error": errors}))
    whole = pa.concat_tables(found)
    whole = whole.append_column("failed", pc.is_valid(whole["error"]))
    first = first_rows(whole, ("trial", "key"), (("evaluated", "descending"), ("failed", "ascending")))
    known = whole.select(["trial", "key", "error"])
    return known if len(first) == len(known) else known.take(integers(first))


def measured(evaluations: pa.Table, trials: Sequence[str], quantities: Sequence[Quantity]) -> np.ndarray:
    """(trials, quantities) bool: which of these quantities have a value, by trial."""
    rows = evaluations.filter(pc.is_null(evaluations["error"]))
    trial = pc.index_in(rows["trial"], value_set=strings(trials))
    key = pc.index_in(rows["key"], value_set=strings(one.key for one in quantities))
    asked = pc.and_(pc.is_valid(trial), pc.is_valid(key))
    found = np.zeros((len(trials), len(quantities)), dtype=bool)
    found[numbers(trial.filter(asked)), numbers(key.filter(asked))] = True
    return found


def reasons(evaluations: pa.Table, quantities: Sequence[Quantity]) -> dict[str, str]:
    """Why trials lack some of these quantities although they were looked for, by trial: each reason once, in order."""
    failed = evaluations.filter(pc.is_valid(evaluations["error"]))
    order = pc.index_in(failed["key"], value_set=strings(one.key for one in quantities))
    columns = (failed["trial"].to_pylist(), order.to_pylist(), failed["error"].to_pylist())
    asked = [row for row in zip(*columns, strict=True) if row[1] is not None]
    told: dict[str, dict[str, None]] = {}
    for trial, _, error in sorted(asked, key=operator.itemgetter(1)):
        told.setdefault(trial, {})[error] = None
    return {trial: "; ".join(distinct) for trial, distinct in told.items()}
