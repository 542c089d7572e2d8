"""What the orchestrator costs a trial that costs nothing, beside plain Ray Tune, in one run.

    .venv/bin/python tests/benchmarks/overhead.py

Plain Ray Tune: one Tune trial a configuration, reuse_actors on, no loggers, a function that reports a number. Ours:
`sweep launch` of tests/benchmarks/noop_study.py in packs of 32, where each trial also builds a model, takes a step, is
measured, and is stored durably with its weights and curve. Each at two sizes: all is from the command to its end, a
further trial what remains when the start, the same for both sizes, is taken off.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scale import ROOT, STUDY, run

PLAIN, OURS = (200, 1_000), (5_000, 20_000)
CPUS = 2
PROGRAM = """
import logging, sys, tempfile
import ray
from ray import tune

def trial(config):
    tune.report({"value": config["index"]})

with tempfile.TemporaryDirectory(prefix="rt") as folder:
    ray.init(num_cpus=CPUS, include_dashboard=False, log_to_driver=False, _temp_dir=folder)
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    grid = tune.Tuner(
        tune.with_resources(trial, {"cpu": 1}),
        param_space={"index": tune.grid_search(list(range(int(sys.argv[1]))))},
        tune_config=tune.TuneConfig(reuse_actors=True, max_concurrent_trials=CPUS + 1),
        run_config=tune.RunConfig(storage_path=f"{folder}/tune", verbose=0),
    ).fit()
    assert not grid.errors and len(grid) == int(sys.argv[1])
    ray.shutdown()
"""
ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "RAY_AIR_NEW_OUTPUT": "0",
}


def plain(count: int) -> float:
    """Seconds of plain Ray Tune for so many trials, from the start of its process to the end."""
    program = PROGRAM.replace("CPUS", str(CPUS))
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", program, str(count)],
        env=os.environ | ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
        cwd=ROOT,
    )
    return time.perf_counter() - begun


def ours(count: int) -> float:
    """Seconds of a launch of so many trials, from the start of its process to the end."""
    with tempfile.TemporaryDirectory() as folder:
        return run(["launch", STUDY], count, Path(folder) / "store").seconds


def main() -> None:
    print("| way | trials | all | a trial | a further trial | ratio of these |")
    print("|---|---|---|---|---|---|")
    base = 0.0
    for name, way, counts in (("plain Ray Tune", plain, PLAIN), ("sweep launch", ours, OURS)):
        seconds = [way(count) for count in counts]
        further = (seconds[1] - seconds[0]) / (counts[1] - counts[0])
        base = base or further
        whole = f"{counts[1]:,} | {seconds[1]:.1f} s | {seconds[1] / counts[1] * 1e3:.2f} ms"
        print(f"| {name} | {whole} | {further * 1e3:.2f} ms | {further / base:.3f} |", flush=True)


if __name__ == "__main__":
    main()
