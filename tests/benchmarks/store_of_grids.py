"""Writes a store of 100,050 trials, those of tests/benchmarks/grid_studies.py, by the row builders of a launch.

    .venv/bin/python tests/benchmarks/store_of_grids.py STORE

Each pack is committed as a worker commits it: rows of trials, 30 numbers and two stacks of pictures a trial, four
curves, weights. Some trials diverged, some failed, of some a number could not be measured. All of it is then compacted.
Nothing is trained: the values are random.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from results.commit import new_identity, now
from results.quantity import Estimate
from results.store import ResultStore
from studies.catalogue import Entry, find
from studies.trial import Trial
from sweep.failures import Fault
from sweep.pack import Pack, decide
from sweep.rows import Attempt, curve_rows, curves_of, kept_weights, trial_row, value_rows
from sweep.task import Source

FILE = Path(__file__).with_name("grid_studies.py")
WIDTH = 1001  # trials a commit: one file of weights each
POINTS = 20
CURVES = ("loss", "distortion", "rate_z1", "rate_z2")
PICTURES = (16, 1, 8, 8)
MOST_FILES = 200
# Shares: of trials that diverged, that failed, and of which one quantity could not be measured.
DIVERGED, FAILED, UNMEASURED = 0.02, 0.005, 0.002


def main(folder: Path) -> None:
    begun = time.perf_counter()
    store = ResultStore.open(folder, create=True)
    random = np.random.default_rng(0)
    trials = 0
    for entry in find([f"{FILE}:study_{index}" for index in range(10)]):
        trials += fill(store, entry, random)
        print(f"{time.perf_counter() - begun:5.0f} s  {entry.study.name} committed", flush=True)
    store.compact(minimum=2)
    files = [path for path in folder.rglob("*") if path.is_file()]
    if len(files) > MOST_FILES:
        raise SystemExit(f"{len(files)} files, more than {MOST_FILES}")
    size = sum(path.stat().st_size for path in files) / 1e6
    print(f"{time.perf_counter() - begun:5.0f} s  {trials:,} trials in {len(files)} files of {size:,.0f} MB")


def fill(store: ResultStore, entry: Entry, random: np.random.Generator) -> int:
    """Commits all trials of a study, pack by pack; how many they are."""
    trials, launch, quantities = entry.study.trials(), new_identity(), entry.study.quantities
    sources = () if entry.source is None else (Source.of(entry.source),)
    decision = decide(trials[0], len(trials), "cpu")
    for start in range(0, len(trials), WIDTH):
        pack = Pack(trials=trials[start : start + WIDTH], decision=decision)
        attempts = list(attempted(pack.trials, entry, random))
        tables: dict[str, list[dict[str, object]]] = {"trials": [], "curves": []}
        for attempt in attempts:
            trial = attempt.trial
            tables["trials"].append(trial_row(attempt, pack, launch, quantities, sources))
            tables["curves"] += curve_rows(attempt)
            if attempt.status == "completed":
                rows = value_rows(
                    trial.id,
                    attempt.identity,
                    kept_weights(trial),
                    attempt.values,
                    entry.study.quantities,
                    trial.data.levels,
                    attempt.faults,
                )
                for table, made in rows.items():
                    tables.setdefault(table, []).extend(made)
        weights = {f"{one.trial.id}/level": np.zeros(4, np.float32) for one in attempts if one.status == "completed"}
        store.commit(tables, weights)
    return len(trials)


def attempted(trials: Sequence[Trial], entry: Entry, random: np.random.Generator) -> Iterator[Attempt]:
    """An attempt at each trial, as it might have ended."""
    quantities = entry.study.quantities
    numbers = [one for one in quantities if one.form == "number"]
    ends = random.random(len(trials))
    values = random.normal(100, 10, (len(trials), len(numbers)))
    for slot, trial in enumerate(trials):
        attempt = Attempt(trial=trial, identity=new_identity(), slot=slot, started=now(), step=trial.training.steps)
        curves = random.normal(100, 10, (POINTS, len(CURVES)))
        attempt.curves = curves_of(CURVES, curves, trial.training.steps // POINTS, trial.training.steps)
        if ends[slot] < DIVERGED:
            attempt.failed("diverged", "the loss was not finite")
        elif ends[slot] < DIVERGED + FAILED:
            attempt.failed("error", "RuntimeError: the matrix is singular", "Traceback …")
            attempt.curves = {}
        else:
            attempt.values = {
                one.name: Estimate(float(value), 0.1) for one, value in zip(numbers, values[slot], strict=True)
            } | {
                one.name: random.integers(0, 256, PICTURES, dtype=np.uint8)
                for one in quantities
                if one.form == "images"
            }
            if ends[slot] > 1 - UNMEASURED:
                attempt.faults = {numbers[0].name: Fault(reason="ValueError: no quantile")}
                del attempt.values[numbers[0].name]
        yield attempt


if __name__ == "__main__":
    main(Path(sys.argv[1]))
