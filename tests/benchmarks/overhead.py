"""What the orchestrator costs a trial that costs nothing, beside plain Ray Tune, in one run.

    .venv/bin/python tests/benchmarks/overhead.py [SHARE of the trials]

Plain Ray Tune: one Tune trial a configuration, reuse_actors on, no loggers, a function that reports a number. Ours:
`sweep launch` of tests/benchmarks/noop_study.py in packs of 32, where each trial also builds a model, takes a step, is
measured, and is stored durably with its weights and curve. Each at two sizes: all is from the command to its end, a
further trial what remains when the start, the same for both sizes, is taken off. CPU is that of the command, Ray and
all workers together, which other work on the machine disturbs less than the clock; on 2 cores, the clock shows half of
it at best.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
import psutil
from scale import ROOT, STUDY

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


def watched(arguments: list[str], variables: dict[str, str]) -> np.ndarray:
    """Seconds by the clock and of CPU that a program and all of its descendants take."""
    begun, spent = time.perf_counter(), dict[int, float]()
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        root = psutil.Process(process.pid)
        while process.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                for one in (root, *root.children(recursive=True)):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        spent[one.pid] = sum(one.cpu_times()[:2])
            time.sleep(0.2)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)[:60]} ended with {process.returncode}")
    return np.array([time.perf_counter() - begun, sum(spent.values())])


def plain(count: int) -> np.ndarray:
    """Plain Ray Tune for so many trials."""
    return watched(["-c", PROGRAM.replace("CPUS", str(CPUS)), str(count)], ENVIRONMENT)


def ours(count: int) -> np.ndarray:
    """A launch of so many trials."""
    with tempfile.TemporaryDirectory() as folder:
        variables = {"NOOP_TRIALS": str(count), "RAY_AUTH_MODE": "disabled"}
        return watched(["-m", "sweep", "launch", STUDY, "--store", f"{folder}/store"], variables)


def main(share: float) -> None:
    print("| way | trials | all | CPU | a further trial | CPU | ratio, clock | ratio, CPU |")
    print("|---|---|---|---|---|---|---|---|")
    base = None
    for name, way, sizes in (("plain Ray Tune", plain, PLAIN), ("sweep launch", ours, OURS)):
        counts = [int(size * share) for size in sizes]
        few, many = (way(count) for count in counts)
        further = (many - few) / (counts[1] - counts[0])
        base = further if base is None else base
        clock, cpu = further * 1e3
        ratios = further / base
        print(
            f"| {name} | {counts[1]:,} | {many[0]:.1f} s | {many[1]:.1f} s | {clock:.2f} ms | {cpu:.2f} ms "
            f"| {ratios[0]:.3f} | {ratios[1]:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
