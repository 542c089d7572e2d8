"""A precision that a device has not: refused by the launch, and by a worker that gets such a pack; never replaced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from results.store import ResultStore
from studies.trial import Trial
from sweep.run import run_pack

STUDY = """
from models.kinds import *
from studies.axes import axis
from studies.study import Study
from studies.trial import Trial

tf32 = Study(
    name="own/tf32",
    question="?",
    base=Trial(
        data=Digits(),
        model=FlatModel(latent=2, likelihood=Binomial(total=16)),
        objective=BetaObjective(),
        training=Training(steps=6, batch_size=8, precision="tf32"),
    ),
    axes=axis("objective.beta[0]", (1.0,)),
)
"""


def _of(trial: Trial, precision: str) -> Trial:
    return trial.model_copy(update={"training": trial.training.model_copy(update={"precision": precision})})


def test_a_launch_on_a_cpu_refuses_tf32(sweep: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "study.py"
    path.write_text(STUDY)
    told = sweep("launch", f"{path}:tf32", "--store", tmp_path / "runs", "--device", "cpu")
    assert told.code == 2
    assert told.err == (
        "sweep: error: own/tf32: training.precision = 'tf32' needs a CUDA device, and this launch trains on cpu; "
        "take --device cuda, or 'float32'\n"
    )


def test_so_does_a_worker(toy: Any, store: ResultStore) -> None:
    record = run_pack(toy.task(store, [_of(trial, "tf32") for trial in toy.trials(1, 2)]))
    assert record.fault == "training.precision = 'tf32' needs a CUDA device, not cpu; take 'float32'"
    assert store.trials().num_rows == 0


def test_what_is_kept_and_measured_of_bfloat16_is_float32(toy: Any, store: ResultStore) -> None:
    """The model's one parameter enters no layer: its training is that of float32, under another id."""
    trials = toy.trials(1, 2)
    for precision in ("float32", "bfloat16"):
        run_pack(toy.task(store, [_of(trial, precision) for trial in trials]))
    rows = {row["trial"]: row for row in store.trials().to_pylist()}
    assert sorted(row["precision"] for row in rows.values()) == ["bfloat16"] * 2 + ["float32"] * 2
    values = {row["trial"]: row["value"] for row in store.scan("metrics").to_pylist()}
    for trial in trials:
        rounded = _of(trial, "bfloat16")
        (own,), (other,) = store.weights(rounded.id)["mean"], store.weights(trial.id)["mean"]
        assert own.dtype == np.float32
        assert (own, values[rounded.id]) == (other, values[trial.id])
