"""Reading: what a store holds of some trials, each table read once, so that whoever looks sees one state."""

from __future__ import annotations

import functools
from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from results.arrays import strings
from results.schema import FINISHED
from results.store import ResultStore

_COLUMNS = ("trial", "attempt", "status", "reason", "source", "weights")


class Reading:
    """The attempts that count of these trials, and what was measured of them. Read on first use, and kept."""

    def __init__(self, store: ResultStore, trials: Collection[str]) -> None:
        self.store = store
        self._wanted = trials

    @functools.cached_property
    def trials(self) -> pa.Table:
        """One row a trial that has an attempt: trial, attempt, status, reason, source, weights."""
        return self.store.trials(_COLUMNS, self._wanted)

    @functools.cached_property
    def statuses(self) -> dict[str, tuple[str, str]]:
        """trial -> (status, reason or nothing)."""
        columns = (self.trials[name].to_pylist() for name in ("trial", "status", "reason"))
        return {trial: (status, reason or "") for trial, status, reason in zip(*columns, strict=True)}

    @functools.cached_property
    def finished(self) -> pa.Table:
        """The rows of `trials` that are finished."""
        return self.trials.filter(pc.is_in(self.trials["status"], value_set=strings(sorted(FINISHED))))

    @functools.cached_property
    def evaluations(self) -> pa.Table:
        """See `ResultStore.evaluations`."""
        return self.store.evaluations(winners=self.finished)

    @functools.cached_property
    def weighted(self) -> frozenset[str]:
        """See `ResultStore.weighted`."""
        return self.store.weighted(winners=self.finished)
