"""Table 1, the other tables and all HTML figures of a whole grid, from a store alone, in less than 10 s."""

from __future__ import annotations

import datetime
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from results.store import ResultStore
from studies.hvae.names import BETA1, BETA2, MNIST
from studies.hvae.paper import PAPER

STUDY = next(study for study in PAPER.studies if study.name == MNIST)
MOMENT = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def fill(root: Path) -> None:
    """A store with a value of every number and every picture of all 441 trials."""
    noise = np.random.default_rng(0)
    trials, metrics, images = [], [], []
    for _, row in STUDY.planned().iterrows():
        key = {"trial": row["trial"], "attempt": "a"}
        about = {"setting": row["setting"], "seed": 0, "status": "completed", "step": 1}
        trials.append(key | about | {"started": MOMENT, "finished": MOMENT})
        rates = {"rate_z2": 12 / (1 + row[BETA2]), "rate_z1": 25 / (1 + row[BETA1])}
        for quantity in STUDY.quantities:
            key |= {"version": quantity.version, "evaluated": MOMENT}
            if quantity.form == "images":
                pixels = noise.integers(0, 256, 10 * 28 * 28).tolist()
                images.append(key | {"name": quantity.name, "shape": [10, 1, 28, 28], "levels": 255, "values": pixels})
                continue
            value = {**rates, "rate": sum(rates.values())}.get(quantity.name, noise.uniform(0.5, 0.9))
            about = {"quantity": quantity.name, "weights": "last", "unit": quantity.unit, "goal": quantity.goal}
            metrics.append(key | about | {"value": float(value), "standard_error": 0.01})
    ResultStore.open(root, create=True).commit({"trials": trials, "metrics": metrics, "images": images})


@pytest.mark.slow
def test_all_outputs_of_a_whole_study_take_less_than_ten_seconds(tmp_path: Path) -> None:
    fill(tmp_path / "runs")
    where = ("--store", tmp_path / "runs", "--out", tmp_path / "out")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for verb, form in (("tables", "md,csv,latex,html"), ("figures", "html")):
        command = [sys.executable, "-m", "sweep", verb, STUDY.name, *where, "--format", form]
        subprocess.run(list(map(str, command)), check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime  # of one core, whatever else it does
    mine = [output.name for output in PAPER.figures if output.studies == (MNIST,)]
    assert {f"{name}.html" for name in mine} <= {path.name for path in (tmp_path / "out").iterdir()}
    assert took < 10, f"{took:.1f} s"
