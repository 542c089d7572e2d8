"""Frame: the results of a study as one table, one row a planned trial, which is what the analysis is given.

Every planned trial has its row, also where nothing is stored, so that whatever is made of a frame can say how much of
the study is there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from results.evaluations import reasons
from results.files import LocalFiles, StoreError
from results.quantity import Quantity
from results.scan import first_rows
from results.schema import EVALUATION_FAILED, FINISHED
from results.store import ResultStore

PLANNED = ("trial", "setting", "seed")
STORED = ("status", "reason", "attempt", "step", "train_seconds", "evaluate_seconds", "code", "width", "path")
MISSING = "missing"

Arrays = Callable[[str, str], "np.ndarray | None"]
Curves = Callable[[str], "Mapping[str, tuple[np.ndarray, np.ndarray]]"]


def no_arrays(trial: str, name: str) -> np.ndarray | None:
    """The pictures and codes of a frame that has none."""
    return None


def no_curves(trial: str) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
    """The training curves of a frame that has none."""
    return {}


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How much of what was planned is there, in trials. Diverged trials are finished; failed ones are not."""

    planned: int
    completed: int
    diverged: int
    failed: int
    missing: int

    @property
    def finished(self) -> int:
        return self.completed + self.diverged

    def __str__(self) -> str:
        counts = ((self.diverged, "diverged"), (self.failed, "failed"), (self.missing, MISSING))
        told = ", ".join(f"{count} {word}" for count, word in counts if count)
        return f"{self.finished}/{self.planned} trials" + (f" ({told})" if told else "")


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """One study's results.

    study: its name, "digits/hvae@small" for a reduced twin. question: what it asks. axes: the columns that vary.
    quantities: what was to be measured. trials: one row a planned trial, in study order, with the columns trial,
    setting, seed, status (completed, diverged, a failure, or missing), reason, attempt, step, train_seconds,
    evaluate_seconds, code, width, path, one an axis, one a quantity (float64, in its unit, NaN where there is none)
    and "<quantity>.se", its standard error. reduced: how the study was cut down, where it was. comparable: that it was
    cut to whole data sets or fewer seeds only, so that published numbers still have a counterpart. arrays: (trial, name
    of a quantity of pictures or codes) -> uint8 (n, C, H, W), or float32 codes, or None. curves: trial -> its training
    curves, name -> (steps, values).
    """

    study: str
    question: str
    axes: tuple[str, ...]
    quantities: tuple[Quantity, ...]
    trials: pd.DataFrame
    reduced: str = ""
    comparable: bool = False
    arrays: Arrays = no_arrays
    curves: Curves = no_curves

    @property
    def incomparable(self) -> str:
        """How it was cut down, where that leaves published numbers without a counterpart; else empty."""
        return "" if self.comparable else self.reduced

    @property
    def coverage(self) -> Coverage:
        """Of all planned trials, how many are there."""
        status = self.trials["status"]
        counted = {word: int((status == word).sum()) for word in ("completed", "diverged", MISSING)}
        return Coverage(planned=len(status), failed=len(status) - sum(counted.values()), **counted)

    def measured(self, quantity: str) -> int:
        """How many of the planned trials have a value of this quantity."""
        if quantity not in self.trials.columns:
            known = ", ".join(one.name for one in self.quantities)
            raise StoreError(f"{self.study} measures no {quantity!r}; known: {known}")
        return int(self.trials[quantity].notna().sum())

    def subset(self, mask: Sequence[bool] | np.ndarray | pd.Series, reduced: str) -> Frame:
        """The rows where `mask` (one truth value a row) holds; `reduced` says how, where that cuts the study down."""
        chosen = np.asarray(mask)
        if chosen.dtype != bool or chosen.shape != (len(self.trials),):
            raise StoreError(
                f"a selection has one truth value for each of {len(self.trials)} trials, "
                f"not {chosen.dtype} values of shape {chosen.shape}"
            )
        told = "; ".join(part for part in (self.reduced, reduced) if part)
        return dataclasses.replace(
            self,
            trials=self.trials[chosen].reset_index(drop=True),
            reduced=told,
            comparable=self.comparable and not reduced,
        )

    def export(self, path: str | Path) -> Path:
        """Writes the trials as one wide .parquet or .csv file, which appears whole; returns its absolute path."""
        target = Path(path).expanduser().absolute()
        if target.suffix not in (".parquet", ".csv"):
            raise StoreError(f"an export is a .parquet or .csv file, not {target.name!r}")
        with LocalFiles(target.parent).create(target.name) as file:
            if target.suffix == ".csv":
                self.trials.to_csv(file, index=False)
            else:
                _plain(self.trials).to_parquet(file, index=False)
        return target


def build_frame(
    study: str,
    question: str,
    axes: Sequence[str],
    quantities: Sequence[Quantity],
    planned: pd.DataFrame,
    store: ResultStore,
    reduced: str = "",
    comparable: bool = False,
) -> Frame:
    """The frame of a study from a store; reduced, comparable: see `Frame`.

    planned: one row a trial in study order, with the columns trial, setting, seed and the axes. Values count of the
    winning attempt, if it finished, and of the quantity's own version; of the last and the averaged weights, where both
    were measured, the later. A completed trial of which one could not be measured has the status evaluation_failed and
    the reason, and keeps its other values. Raises `StoreError` for columns that are lacking or that clash.
    """
    names = [quantity.name for quantity in quantities if quantity.form == "number"]
    _check_columns(planned, axes, names)
    ids = planned["trial"]
    stored = store.trials(["trial", *STORED], ids.tolist())
    trials = planned[[*PLANNED, *(axis for axis in axes if axis not in PLANNED)]].reset_index(drop=True)
    attempts = stored.to_pandas().set_index("trial").reindex(ids).reset_index(drop=True)
    for position, column in enumerate(STORED, start=len(PLANNED)):
        trials.insert(position, column, _column(column, attempts[column]))
    finished = stored.filter(pc.is_in(stored["status"], value_set=pa.array(sorted(FINISHED))))
    metrics = _metrics(store, finished, quantities)
    if metrics["error"].null_count < len(metrics):
        suspects = pc.unique(metrics["trial"].filter(pc.is_valid(metrics["error"])))
        looked_at = finished.filter(pc.is_in(finished["trial"], value_set=suspects))
        unmeasured = trials["trial"].map(reasons(store.evaluations(winners=looked_at), quantities))
        failed = (trials["status"] == "completed") & unmeasured.notna()
        trials.loc[failed, "status"] = EVALUATION_FAILED
        trials.loc[failed, "reason"] = unmeasured[failed]
    values, errors = _widened(metrics, ids.tolist(), names)
    wide = {}
    for place, name in enumerate(names):
        wide[name], wide[f"{name}.se"] = values[:, place], errors[:, place]
    known = {quantity.name: quantity for quantity in quantities}

    def arrays(trial: str, name: str) -> np.ndarray | None:
        quantity = known.get(name)
        stored = store.codes if quantity is not None and quantity.form == "codes" else store.image
        return stored(trial, name, None if quantity is None else quantity.version)

    return Frame(
        study=study,
        question=question,
        axes=tuple(axes),
        quantities=tuple(quantities),
        trials=pd.concat([trials, pd.DataFrame(wide, index=trials.index)], axis=1),
        reduced=reduced,
        comparable=comparable,
        arrays=arrays,
        curves=store.curves,
    )


def _check_columns(planned: pd.DataFrame, axes: Sequence[str], names: Sequence[str]) -> None:
    for column in (*PLANNED, *axes):
        if column not in planned.columns:
            raise StoreError(f"the plan of a study has a column {column!r}, not only {', '.join(planned.columns)}")
    doubled = planned["trial"][planned["trial"].duplicated()]
    if len(doubled):
        raise StoreError(f"the plan of a study names each trial once, not {doubled.iloc[0]!r} twice")
    columns = [*PLANNED, *STORED, *(axis for axis in axes if axis not in PLANNED), *names, *(f"{n}.se" for n in names)]
    for column in columns:
        if columns.count(column) > 1:
            raise StoreError(f"two columns of a frame would be called {column!r}: an axis, a quantity or its own")


def _column(name: str, values: pd.Series) -> pd.Series:
    """A stored column beside the planned ones: text is empty, a count null, a time NaN where there is none."""
    if name == "status":
        return values.astype(object).where(values.notna(), MISSING).astype(str)
    if name in ("step", "width"):
        return values.astype("Int64")
    if name.endswith("_seconds"):
        return values.astype(float)
    return values.astype(object).where(values.notna(), "").astype(str)


def _metrics(store: ResultStore, finished: pa.Table, quantities: Sequence[Quantity]) -> pa.Table:
    """The rows of these quantities, values and failures."""
    columns = ["trial", "quantity", "version", "weights", "value", "standard_error", "evaluated", "error"]
    rows = store.winning("metrics", columns, winners=finished)
    known = pc.index_in(rows["quantity"], value_set=pa.array([one.name for one in quantities], pa.string()))
    versions = pa.array([one.version for one in quantities], pa.int32())
    asked = pc.equal(versions.take(known), rows["version"])  # null for a quantity that is not asked for
    return rows.filter(asked)


def _widened(metrics: pa.Table, trials: Sequence[str], names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Values and standard errors, each (trials, quantities), NaN where there is none."""
    rows = metrics.filter(pc.is_null(metrics["error"]))
    rows = rows.filter(pc.is_in(rows["quantity"], value_set=pa.array(names, pa.string())))
    rows = rows.take(
        pa.array(first_rows(rows, ("trial", "quantity"), (("evaluated", "descending"), ("weights", "ascending"))))
    )
    at = (
        pc.index_in(rows["trial"], value_set=pa.array(trials, pa.string())).to_numpy(),
        pc.index_in(rows["quantity"], value_set=pa.array(names, pa.string())).to_numpy(),
    )
    wide = []
    for column in ("value", "standard_error"):
        wide.append(np.full((len(trials), len(names)), np.nan))
        wide[-1][at] = rows[column].to_numpy()
    return wide[0], wide[1]


def _plain(trials: pd.DataFrame) -> pd.DataFrame:
    """Columns that mix numbers and text, such as an axis of whole parts, as text: Parquet has one type a column."""
    mixed = [
        column
        for column in trials.columns
        if trials[column].dtype == object and pd.api.types.infer_dtype(trials[column]).startswith("mixed")
    ]
    return trials.assign(**{column: trials[column].astype(str) for column in mixed})
