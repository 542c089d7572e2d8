"""Evaluations: of each finished trial and quantity the latest word, which is a value or the reason why there is none.

Numbers stand in `metrics`, pictures and codes in tables of their own, and the failures of all of them in `metrics`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from results.quantity import Quantity

_PLACES = (("metrics", "quantity"), ("images", "name"), ("codes", "name"))


def latest(rows_of: Callable[[str, Sequence[str]], pa.Table]) -> pa.Table:
    """One row a trial and key ("rate@v1"): columns trial, key, error, which is null where there is a value.

    rows_of: (table, columns) -> the rows that count.
    """
    found = []
    for table, name in _PLACES:
        columns = ["trial", name, "version", "evaluated"]
        rows = rows_of(table, [*columns, "error"] if table == "metrics" else columns)
        keys = pc.binary_join_element_wise(rows[name], rows["version"].cast(pa.string()), "@v")
        errors = rows["error"] if table == "metrics" else pa.nulls(len(rows), pa.string())
        found.append(pa.table({"trial": rows["trial"], "key": keys, "evaluated": rows["evaluated"], "error": errors}))
    whole = pa.concat_tables(found)
    ranked = whole.append_column("failed", pc.is_valid(whole["error"])).append_column(
        "row", pa.array(np.arange(len(whole)))
    )
    ranked = ranked.take(pc.sort_indices(ranked, sort_keys=[("evaluated", "descending"), ("failed", "ascending")]))
    first = ranked.group_by(["trial", "key"], use_threads=False).aggregate([("row", "first")])["row_first"]
    return whole.take(first).select(["trial", "key", "error"])


def reasons(evaluations: pa.Table, quantities: Sequence[Quantity]) -> dict[str, str]:
    """Why trials lack some of these quantities although they were looked for, by trial: each reason once, in order."""
    failed = evaluations.filter(pc.is_valid(evaluations["error"]))
    errors = {(row["trial"], row["key"]): row["error"] for row in failed.to_pylist()}
    told: dict[str, dict[str, None]] = {}
    for quantity in quantities:
        for trial in dict.fromkeys(failed["trial"].to_pylist()):
            if (trial, quantity.key) in errors:
                told.setdefault(trial, {})[errors[trial, quantity.key]] = None
    return {trial: "; ".join(distinct) for trial, distinct in told.items()}
