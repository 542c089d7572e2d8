"""Calibrating: how the trials of one shape are best packed on a worker, and how long a pack takes, measured there."""

from __future__ import annotations

from dataclasses import replace

from models.training.calibration import trial_steps_per_second
from models.training.trainer import Path as EnginePath
from sweep.pack import SEQUENTIAL_WIDTH, Decision, Pack
from sweep.run import build_pack_problem, prepare_process
from sweep.task import PackTask

WIDTHS = (8, 16, 32, 64)
GAIN = 1.1  # a wider pack loses more to a crash: it must be clearly faster


def calibrate(task: PackTask) -> Decision:
    """The fastest path and width for the trials of a task on this worker, measured over some steps of each."""
    pack = task.load()
    prepare_process(task)
    planned = len(pack.trials)
    candidates: list[tuple[EnginePath, int]] = [("sequential", 1)]
    if not pack.trials[0].model.autoregressive:  # these are not fused, however fast they train (sweep/pack.py)
        candidates += [("fused", width) for width in sorted({min(width, planned) for width in WIDTHS})]
    best, speed = pack.decision, 0.0
    for path, width in candidates:
        decision = replace(pack.decision, path=path, width=width, source="calibrated")
        chosen = Pack(trials=pack.trials[:width], decision=decision)
        problem = build_pack_problem(chosen, decision.device)
        measured = trial_steps_per_second(problem, path) * len(chosen.trials) / problem.slots  # padding is no work done
        if measured > speed * (1.0 if best is pack.decision else GAIN):
            best, speed = decision, measured
    return best if best.path == "fused" else replace(best, width=min(SEQUENTIAL_WIDTH, planned))


def pack_seconds(task: PackTask) -> float | None:
    """Seconds to train the pack of a task in this process, from some of its steps; None where it has too few to tell.

    Nothing is stored. The time to build the pack and to evaluate its trials is not in it.
    """
    pack = task.load()
    prepare_process(task)
    problem = build_pack_problem(pack, pack.decision.device)
    measured = trial_steps_per_second(problem, pack.decision.path)
    return problem.slots * problem.training.steps / measured if measured else None
