"""Reading a table as the union of its part files, and the rules by which rows count.

The rules are pure functions of Arrow tables, and their results do not depend on the order of files or rows: equal keys
collapse, and of several attempts at a trial one wins for ever.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from results.files import Files, StoreError, Vanished
from results.parts import Damaged, Part, schema_of
from results.schema import FINISHED, KEYS

_LISTINGS = 20

# Which of the rows with equal keys stands: the first in this order; rows equal in this too say the same thing.
_ORDER: dict[str, tuple[tuple[str, str], ...]] = {
    "trials": (("finished", "ascending"), ("status", "ascending")),
    "metrics": (("evaluated", "descending"), ("value", "ascending"), ("standard_error", "ascending")),
    "curves": (),
    "images": (("evaluated", "descending"),),
    "codes": (("evaluated", "descending"),),
    "decisions": (("width", "ascending"), ("path", "ascending"), ("threads", "ascending"), ("source", "ascending")),
    "footprints": (("used", "descending"), ("seen", "ascending")),
    "launches": (("at", "ascending"),),
    "logs": (("ended", "descending"),),
}


def ruling_columns(table: str) -> list[str]:
    """The columns that the rules look at: a scan reads them beside those that were asked for."""
    return list(dict.fromkeys([*KEYS[table], *(column for column, _ in _ORDER[table])]))


def read_parts(
    files: Files,
    table: str,
    columns: Sequence[str],
    damaged: MutableMapping[str, str],
    trials: pa.Array | None = None,
) -> pa.Table:
    """All rows of all part files, in order of their names; `damaged` gets those that were skipped, with the reason.

    A file that vanishes after it was listed has been merged into another: the folder is listed again.
    """
    for name in [name for name in damaged if name.startswith(f"{table}/")]:
        del damaged[name]

    def read(name: str) -> pa.Table | str | None:
        if not name.endswith(".parquet"):
            return "not a Parquet file"
        try:
            return files.backoff.again(lambda: _read(files, table, name, columns, trials))
        except Damaged as fault:
            return str(fault)
        except Vanished:
            return None

    outcomes: dict[str, pa.Table | str] = {}
    # Arrow releases the interpreter while it reads and decodes.
    with ThreadPoolExecutor(files.readers) as pool:
        for _ in range(_LISTINGS):
            names = files.names(table)
            outcomes = {name: outcomes[name] for name in names if name in outcomes}
            fresh = [name for name in names if name not in outcomes]
            for name, outcome in zip(fresh, pool.map(read, fresh), strict=True):
                if outcome is not None:
                    outcomes[name] = outcome
            if len(outcomes) == len(names):
                break
        else:
            raise StoreError(f"{files}/{table} kept changing while it was read; try again")
    empty = pa.schema([schema_of(table).field(column) for column in columns]).empty_table()
    damaged.update({name: reason for name, reason in outcomes.items() if isinstance(reason, str)})
    return pa.concat_tables([empty, *(outcomes[name] for name in names if name not in damaged)])


def _read(files: Files, table: str, name: str, columns: Sequence[str], trials: pa.Array | None) -> pa.Table:
    with Part(files, table, name) as part:
        return part.read(columns, trials)


def standing(table: pa.Table, name: str) -> np.ndarray:
    """Which rows stand, as a boolean array: of rows with equal keys one, by the table's order."""
    order = _ORDER[name]
    rows = table.select(ruling_columns(name)).append_column("row", pa.array(np.arange(len(table))))
    if order:
        rows = rows.take(pc.sort_indices(rows, sort_keys=list(order)))
    first = rows.group_by(list(KEYS[name]), use_threads=False).aggregate([("row", "first")])["row_first"]
    mask = np.zeros(len(table), dtype=bool)
    mask[first.to_numpy()] = True
    return mask


def collapse(table: pa.Table, name: str) -> pa.Table:
    """The rows that stand."""
    mask = standing(table, name)
    return table if mask.all() else table.filter(pa.array(mask))


def winners(trials: pa.Table) -> pa.Table:
    """One row a trial, sorted by trial: the earliest finished attempt; while none has finished, the latest failed.

    Needs the columns trial, attempt, status, finished. Equal times are told apart by the attempt's name.
    """
    done = pc.is_in(trials["status"], value_set=pa.array(sorted(FINISHED)))
    time = trials["finished"].cast(pa.int64())
    ranked = pa.table(
        {
            "trial": trials["trial"],
            "row": np.arange(len(trials)),
            "failed": pc.invert(done),
            "when": pc.if_else(done, time, pc.negate(time)),
            "attempt": trials["attempt"],
        }
    )
    keys = [(column, "ascending") for column in ("trial", "failed", "when", "attempt")]
    ranked = ranked.take(pc.sort_indices(ranked, sort_keys=keys))
    first = ranked.group_by(["trial"], use_threads=False).aggregate([("row", "first")])["row_first"]
    return trials.take(first)


def of_attempts(table: pa.Table, attempts: pa.ChunkedArray) -> pa.Table:
    """The rows of these attempts."""
    return table.filter(pc.is_in(table["attempt"], value_set=pa.array(attempts.combine_chunks())))
