"""Trial-steps per second of digits/hvae on 2 processes: fused packs, members in sequence, and plain Ray Tune.

    .venv/bin/python tests/benchmarks/packs.py

All ways run in one go on the same machine, with the same tuned process (1 thread, reproducible products, kept memory)
and the same solo code, so that what remains between them is packing and the way in which trials are started. A trial is
one of the study's own, trained for all of its 1,000 steps; evaluation is left out everywhere.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from collections.abc import Callable
from typing import Any

PROCESSES = 2
PACK = 32
SOLO = 6  # trials per process where they run one by one
REUSED = 16  # and where a process is started once, so that its start weighs little


def train_pack(arguments: tuple[int, int, str]) -> float:
    """Trains `count` trials from position `start` of the study on one path; the seconds that took, start-up aside."""
    start, count, path = arguments
    import torch

    from models.training.problem import build_problem, padded
    from models.training.process import prepare
    from models.training.trainer import train
    from studies.digits.paper import HVAE
    from sweep.run import Member

    prepare(1)
    trials = HVAE.trials()[start : start + count]
    members = [Member(objective=trial.objective, training=trial.training, seed=trial.seed) for trial in trials]
    members = padded(members, count) if path == "fused" else members
    problem = build_problem(trials[0].data, trials[0].model, members, torch.device("cpu"))
    begun = time.perf_counter()
    train(problem, path)  # type: ignore[arg-type]
    return time.perf_counter() - begun


def in_processes(count: int, path: str) -> float:
    """Trial-steps a second of 2 processes side by side, imports and start-up not counted."""
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        pool.map(train_pack, [(0, 1, path)] * PROCESSES, chunksize=1)  # imports and compiles nothing twice
        seconds = pool.map(train_pack, [(process * count, count, path) for process in range(PROCESSES)], chunksize=1)
    return sum(count * 1000 / each for each in seconds)


def with_ray_tune(count: int, reuse: bool) -> float:
    """Trial-steps a second with one trial a Tune trial, from the first trial's start to the last one's end."""
    os.environ.update(
        RAY_AUTH_MODE="disabled",
        TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1",
        TUNE_GLOBAL_CHECKPOINT_S="3600",
        RAY_AIR_NEW_OUTPUT="0",
        PYTHONPATH=os.pathsep.join([os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")]),
    )
    import tempfile

    import ray
    from ray import tune

    with tempfile.TemporaryDirectory(prefix="rt") as folder:
        ray.init(num_cpus=PROCESSES, include_dashboard=False, log_to_driver=False, _temp_dir=folder)
        try:
            begun = time.perf_counter()
            logging.getLogger("ray").setLevel(logging.CRITICAL)  # it misses the result files that are switched off
            grid = tune.Tuner(
                tune.with_resources(_tune_trial, {"cpu": 1}),
                param_space={"start": tune.grid_search(list(range(count)))},
                tune_config=tune.TuneConfig(reuse_actors=reuse, max_concurrent_trials=PROCESSES),
                run_config=tune.RunConfig(storage_path=f"{folder}/tune", verbose=0),
            ).fit()
            seconds = time.perf_counter() - begun
            if grid.errors:
                raise SystemExit(f"{len(grid.errors)} of {count} Tune trials failed: {grid.errors[0]}")
            return count * 1000 / seconds
        finally:
            ray.shutdown()


def _tune_trial(config: dict[str, Any]) -> None:
    from ray import tune

    tune.report({"seconds": train_pack((config["start"], 1, "sequential"))})


def main() -> None:
    ways: dict[str, Callable[[], float]] = {
        "plain Ray Tune, one trial a Tune trial, reuse_actors off": lambda: with_ray_tune(PROCESSES * SOLO, False),
        "plain Ray Tune, one trial a Tune trial, reuse_actors on": lambda: with_ray_tune(PROCESSES * REUSED, True),
        "sequential, 2 processes": lambda: in_processes(SOLO, "sequential"),
        f"fused packs of {PACK}, 2 processes": lambda: in_processes(PACK, "fused"),
    }
    measured = {name: way() for name, way in ways.items()}
    base = measured["plain Ray Tune, one trial a Tune trial, reuse_actors on"]
    print("| way | trial-steps/s | ratio |")
    print("|---|---|---|")
    for name, speed in measured.items():
        print(f"| {name} | {speed:,.0f} | {speed / base:.2f} |")


if __name__ == "__main__":
    main()
