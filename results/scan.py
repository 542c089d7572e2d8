"""Reading a table as the union of its part files, and the rules by which rows count.

The rules are pure functions of Arrow tables, and their results do not depend on the order of files or rows: equal keys
collapse, and of several attempts at a trial one wins for ever.
"""

from __future__ import annotations

import itertools
from collections.abc import MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from results.arrays import integers, numbers, strings
from results.files import Files, StoreError, Vanished
from results.parts import Damaged, Part, schema_of
from results.schema import FINISHED, KEYS, TABLES
from results.wanted import Wanted

FEW = 2  # files, of which the columns are decoded side by side; more of them are decoded side by side themselves
_LISTINGS = 20
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0  # seconds between them; in all half a minute at most
_LARGEST = 2**62

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
    wanted: Wanted | None = None,
) -> pa.Table:
    """All rows of all part files, in order of their names; `damaged` gets those that were skipped, with the reason.

    A file that vanishes after it was listed has been merged into another: the folder is listed again. At first that is
    done at once; then it waits, for a network file system may show its clients an old listing for a while.
    """
    for name in [name for name in damaged if name.startswith(f"{table}/")]:
        del damaged[name]

    def read(name: str, threads: bool) -> pa.Table | str | None:
        if not name.endswith(".parquet"):
            return "not a Parquet file"
        try:
            return files.backoff.again(lambda: _read(files, table, name, columns, wanted, threads))
        except Damaged as fault:
            return str(fault)
        except Vanished:
            return None

    outcomes: dict[str, pa.Table | str] = {}
    waits = replace(files.backoff, first=_FIRST_PAUSE, longest=_LONGEST_PAUSE).waits()
    # Arrow releases the interpreter while it reads and decodes.
    with ThreadPoolExecutor(files.readers) as pool:
        for listing in range(_LISTINGS):
            if listing > 1:
                files.backoff.sleep(next(waits))
            names = files.names(table)
            outcomes = {name: outcomes[name] for name in names if name in outcomes}
            fresh = [name for name in names if name not in outcomes]
            few = itertools.repeat(len(fresh) <= FEW)
            for name, outcome in zip(fresh, pool.map(read, fresh, few), strict=True):
                if outcome is not None:
                    outcomes[name] = outcome
            if len(outcomes) == len(names):
                break
        else:
            raise StoreError(f"{files}/{table} kept changing while it was read; try again")
    empty = pa.Table.from_batches([], pa.schema([schema_of(table).field(column) for column in columns]))
    damaged.update({name: reason for name, reason in outcomes.items() if isinstance(reason, str)})
    return pa.concat_tables([empty, *(outcomes[name] for name in names if name not in damaged)])


def _read(
    files: Files, table: str, name: str, columns: Sequence[str], wanted: Wanted | None, threads: bool
) -> pa.Table:
    with Part(files, table, name, threads=threads) as part:
        return part.read(columns, wanted)


def standing(table: pa.Table, name: str) -> np.ndarray:
    """Which rows stand, as a boolean array: of rows with equal keys one, by the table's order."""
    mask = np.zeros(len(table), dtype=bool)
    mask[first_rows(table, KEYS[name], _ORDER[name])] = True
    return mask


def first_rows(table: pa.Table, keys: Sequence[str], order: Sequence[tuple[str, str]]) -> np.ndarray:
    """Which row comes first of each group with equal keys: one index a group, in no particular order.

    order: columns with their direction, null last; of rows equal in them the earlier comes first. Nothing is sorted
    where all keys are different, as they mostly are.
    """
    groups = group_numbers(table, keys)
    if len(pc.unique(integers(groups))) == len(table):
        return np.arange(len(table))
    if not order:
        return np.unique(groups, return_index=True)[1]
    ranked = numbers(pc.sort_indices(table, sort_keys=list(order)))
    return np.asarray(ranked[np.unique(groups[ranked], return_index=True)[1]])


def group_numbers(table: pa.Table, keys: Sequence[str]) -> np.ndarray:
    """(rows,) int64, equal for rows with equal keys and for no others; null is a key like any other."""
    groups, count = np.zeros(len(table), dtype=np.int64), 1
    for key in keys:
        encoded = table[key].dictionary_encode(null_encoding="encode").chunks  # of one dictionary
        values = len(encoded[0].dictionary) if encoded else 1
        indices = [numbers(chunk.indices) for chunk in encoded]
        places = np.concatenate([np.zeros(0, dtype=np.int64), *indices])
        if count * values > _LARGEST:  # numbered afresh by those that occur
            occurring, groups = np.unique(groups, return_inverse=True)
            count = len(occurring)
        groups, count = groups * values + places, count * values
    return groups


def check_files(files: Files, damaged: MutableMapping[str, str], whole: set[str] | None = None) -> None:
    """Looks at the footer of every part file, its end, without reading it: `damaged` gets the torn and the foreign.

    What damage a reading has found stands, as long as the file is there: a whole footer says nothing of the pages.
    whole: the files that looks before found whole, which are not looked at again; it gets those of this one.
    """
    for table in TABLES:
        _check_parts(files, table, damaged, set() if whole is None else whole)


def _check_parts(files: Files, table: str, damaged: MutableMapping[str, str], whole: set[str]) -> None:

    def look(name: str) -> str | None:
        """What is wrong with a file, nothing where it is whole; None where it is gone."""
        try:
            if not name.endswith(".parquet"):
                raise Damaged("not a Parquet file")
            files.backoff.again(lambda: Part(files, table, name).close())
        except Damaged as fault:
            return str(fault)
        except Vanished:  # merged into another
            return None
        return ""

    names = files.names(table)
    for name in [name for name in damaged if name.startswith(f"{table}/") and name not in names]:
        del damaged[name]
    fresh = [name for name in names if name not in whole]
    with ThreadPoolExecutor(files.readers) as pool:
        found = dict(zip(fresh, pool.map(look, fresh), strict=True))
    damaged.update({name: fault for name, fault in found.items() if fault})
    whole.update(name for name, fault in found.items() if fault == "")


def collapse(table: pa.Table, name: str) -> pa.Table:
    """The rows that stand."""
    mask = standing(table, name)
    return table if mask.all() else table.take(integers(np.flatnonzero(mask)))


def winners(trials: pa.Table) -> pa.Table:
    """One row a trial, sorted by trial: the earliest finished attempt; while none has finished, the latest failed.

    Needs the columns trial, attempt, status, finished. Equal times are told apart by the attempt's name.
    """
    done = pc.is_in(trials["status"], value_set=strings(sorted(FINISHED)))
    time = trials["finished"].cast(pa.int64())
    ranked = pa.table(
        {
            "trial": trials["trial"],
            "failed": pc.invert(done),
            "when": pc.if_else(done, time, pc.negate(time)),
            "attempt": trials["attempt"],
        }
    )
    order = [(column, "ascending") for column in ("failed", "when", "attempt")]
    counted = trials.take(integers(first_rows(ranked, ("trial",), order)))
    return counted.take(pc.sort_indices(counted, sort_keys=[("trial", "ascending")]))
