"""What the parts of a step cost: the noise, tuned memory, reproducible products, and evaluation.

    .venv/bin/python tests/benchmarks/parts.py

Ratios are of CPU time within one run of one process each, since the machine may be shared.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

PACK = 32
BLOCKS = 12


def step_seconds(convolutional: bool) -> float:
    """Median CPU seconds of one step of a pack (fused dense, or one convolutional member), in this process."""
    import torch

    from models.kinds import ConvolutionalDecoder, ConvolutionalEncoder
    from models.training.problem import Member, Problem, build_problem
    from models.training.state import PackState
    from models.training.tape import BLOCK
    from models.training.trainer import ENGINES
    from studies.digits.paper import HVAE, OBJECTIVES

    torch.set_num_threads(1)

    def problem() -> Problem:
        trial = (OBJECTIVES if convolutional else HVAE).trials()[0]
        model = trial.model
        if convolutional:
            parts = {
                "encoder": ConvolutionalEncoder(channels=(64, 64)),
                "decoder": ConvolutionalDecoder(channels=(64, 64)),
            }
            model = model.model_copy(update=parts)
        training = trial.training.model_copy(update={"batch_size": 128 if convolutional else 32})
        count = 1 if convolutional else PACK
        members = [Member(objective=trial.objective, training=training, seed=0)] * count
        return build_problem(trial.data, model, members, torch.device("cpu"))

    subject = problem()
    engine = ENGINES["sequential" if convolutional else "fused"](subject)
    state = PackState.initial(subject)
    engine.advance(state)
    times = []
    for _ in range(BLOCKS):
        begun = time.process_time()
        engine.advance(state)
        times.append((time.process_time() - begun) / BLOCK)
    return statistics.median(times)


def noise_seconds() -> float:
    """Median CPU seconds of the random numbers and batches of one step of a pack of 32 different seeds."""
    import torch

    from models.training.problem import Member, build_problem
    from models.training.tape import BLOCK, Tape, sites
    from studies.digits.paper import HVAE

    torch.set_num_threads(1)
    trial = HVAE.trials()[0]
    members = [Member(objective=trial.objective, training=trial.training, seed=seed) for seed in range(PACK)]
    subject = build_problem(trial.data, trial.model, members, torch.device("cpu"))
    tape, times = Tape(subject, sites(subject)), []
    for _ in range(BLOCKS):
        begun = time.process_time()
        tape.wind(0)
        for step in range(BLOCK):
            tape.draws(step)
        times.append((time.process_time() - begun) / BLOCK)
    return statistics.median(times)


def in_a_process(call: str, tuned: bool = True, reproducible: bool = True) -> float:
    """The result of one of the functions above in a fresh process, with or without the tuning of models.training."""
    source = "import sys; sys.path.insert(0, 'tests/benchmarks'); import parts\n"
    if tuned:
        source += "from models.training.process import keep_freed_memory; keep_freed_memory()\n"
    environment = dict(os.environ) | ({"MKL_CBWR": "AUTO,STRICT"} if reproducible else {})
    command = [sys.executable, "-c", source + f"print(parts.{call})"]
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    dense, noise = in_a_process("step_seconds(False)"), in_a_process("noise_seconds()")
    free = in_a_process("step_seconds(False)", reproducible=False)
    plain = in_a_process("step_seconds(False)", tuned=False)
    convolutional = in_a_process("step_seconds(True)")
    untuned = in_a_process("step_seconds(True)", tuned=False)
    print("| what | CPU ms a step | ratio |")
    print("|---|---|---|")
    print(f"| digits/hvae, fused pack of {PACK} | {1e3 * dense:.2f} | 1.00 |")
    print(f"| its noise, {PACK} different seeds | {1e3 * noise:.2f} | {noise / dense:.3f} of the step |")
    print(f"| without reproducible products | {1e3 * free:.2f} | {free / dense:.2f} |")
    print(f"| with glibc's default memory | {1e3 * plain:.2f} | {plain / dense:.2f} |")
    print(f"| convolutional VAE, batch 128, in sequence | {1e3 * convolutional:.2f} | 1.00 |")
    print(f"| with glibc's default memory | {1e3 * untuned:.2f} | {untuned / convolutional:.2f} |")


if __name__ == "__main__":
    main()
