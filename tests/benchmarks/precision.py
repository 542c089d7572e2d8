"""What the precision of training changes: nine cells of hvae/mnist@small, trained in each precision from equal seeds.

    RATESWEEP_DATA=FOLDER .venv/bin/python tests/benchmarks/precision.py [--steps N] [--device cuda]

The cells are β2, β1 in {0.1, 1, 10}. Another seed in float32 says how much a difference means. TF32 is of CUDA alone;
packs run fused there, and one trial after another on a CPU, where times are the processor's.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass

import numpy as np
import torch

from evaluation.measure import Value, measure
from evaluation.view import PackView, View
from models.training.precision import PrecisionError, check_precision
from models.training.problem import Member, Problem, build_problem
from models.training.process import prepare
from models.training.state import PackState
from models.training.trainer import train
from results.quantity import Estimate
from studies.hvae.paper import MNIST_STUDY
from studies.trial import Trial

WEIGHTS = (0.1, 1.0, 10.0)
QUANTITIES = {
    "rate_z2": ("R(z2), nats", 2),
    "rate_z1": ("R(z1\\|z2), nats", 2),
    "distortion": ("D, nats", 2),
    "psnr": ("PSNR, dB", 2),
    "accuracy_logistic@z2": ("logistic regression on z2", 3),
    "accuracy_svm_rbf@z2": ("RBF SVM on z2", 3),
    "accuracy_knn@z2": ("5-NN on z2", 3),
}
STEPS = 300


@dataclass(frozen=True, kw_only=True)
class Run:
    """Nine cells in one precision: milliseconds a step of one trial, and values (cells, quantities)."""

    milliseconds: float
    values: np.ndarray


def run(precision: str, seed: int, steps: int, device: torch.device) -> Run:
    """Trains and measures the nine cells."""
    wanted = [one for one in MNIST_STUDY.small().quantities if one.name in QUANTITIES]
    trials = [trial for trial in MNIST_STUDY.small().trials() if set(trial.objective.beta) <= set(WEIGHTS)]
    fused = device.type == "cuda"
    problem = _problem(trials, precision, seed, steps, device)
    clock = time.perf_counter if fused else time.process_time  # a machine's cores may be shared
    begun = clock()
    state = train(problem, "fused" if fused else "sequential")
    if fused:
        torch.cuda.synchronize()
    seconds = clock() - begun
    assert bool(state.alive.all())
    measured = [measure(view, wanted) for view in _views(problem, state, fused)]
    values = [[_number(one[name]) for name in QUANTITIES] for one in measured]
    return Run(milliseconds=1e3 * seconds / (steps * len(trials)), values=np.array(values))


def _number(value: Value) -> float:
    assert isinstance(value, Estimate)
    return value.value


def _problem(trials: list[Trial], precision: str, seed: int, steps: int, device: torch.device) -> Problem:
    changes = {"precision": precision, "steps": steps}
    members = [
        Member(objective=trial.objective, training=trial.training.model_copy(update=changes), seed=seed)
        for trial in trials
    ]
    return build_problem(trials[0].data, trials[0].model, members, device)


def _views(problem: Problem, state: PackState, fused: bool) -> list[View]:
    parameters = problem.layout.views(state.evaluated_rows())
    pack = PackView(problem.network, parameters, problem.dataset, problem.keys, problem.dtype, fused=fused)
    return [pack.trial(slot) for slot in range(problem.slots)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    asked = parser.parse_args()
    device = torch.device(asked.device)
    prepare(1)
    plan = [("float32", 0), ("tf32", 0), ("bfloat16", 0), ("float32", 1)]
    runs: dict[str, Run] = {}
    for precision, seed in plan:
        try:
            check_precision(precision, device)
        except PrecisionError:
            continue
        runs[precision if seed == 0 else "float32, another seed"] = run(precision, seed, asked.steps, device)
    exact = runs["float32"]
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, 1 of {os.cpu_count()} cores"
    print(f"{len(exact.values)} cells, {asked.steps} steps of 64 images, {where}; largest difference in brackets\n")
    print("| mean over cells | " + " | ".join(runs) + " |")
    print("|---" * (len(runs) + 1) + "|")
    print("| ms a step and trial | " + " | ".join(f"{one.milliseconds:.2f}" for one in runs.values()) + " |")
    for column, (label, digits) in enumerate(QUANTITIES.values()):
        cells = []
        for one in runs.values():
            mean = f"{one.values[:, column].mean():.{digits}f}"
            largest = np.abs(one.values[:, column] - exact.values[:, column]).max()
            cells.append(mean if one is exact else f"{mean} ({largest:.{digits}f})")
        print(f"| {label} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
