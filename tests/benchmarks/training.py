"""A step of the two-layer hierarchies at the paper's sizes on one core: a plain loop, tuned, and both engines.

    .venv/bin/python tests/benchmarks/training.py

CPU time of one thread, medians of rounds in which the ways take turns, since the machine may be shared. The loop with
glibc's default memory runs in a process of its own, since that setting cannot be taken back.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

CASES = (("binary", 64), ("binary", 256), ("colour", 256))
PACK = 8
STEPS = 16  # a block of an engine's
ROUNDS = 5  # timed, after one that warms up
FEW = 2  # of the fused pack, whose rounds are long
DEFAULT, TUNED, LAYERS = "plain loop", "plain loop, tuned", "plain loop, tuned, the project's layers"
SEQUENTIAL, FUSED = "sequential engine", f"fused engine, {PACK} members, a member"


def plain_loop(name: str, batch: int, *, tuned: bool, layers: bool) -> Callable[[], None]:
    """STEPS steps as one would write them by hand; layers: with the project's own in place of torch's."""
    import torch
    from synthetic import SETTINGS, load

    from models.build import build_network
    from models.doubling import Doubling
    from models.noise import Draws

    class Torchs(Draws):
        def normal(self, site: str, shape: tuple[int, ...]) -> torch.Tensor:
            return torch.randn(shape)

        def uniform(self, site: str, shape: tuple[int, ...]) -> torch.Tensor:
            return torch.rand(shape)

    data, model = SETTINGS[name]
    network = build_network(model, data)
    for module in network.modules():
        for child, own in list(module.named_children()):
            if isinstance(own, Doubling) and not layers:
                plain = torch.nn.ConvTranspose2d(own.in_channels, own.out_channels, 4, 2, 1)
                setattr(module, child, plain)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-4, fused=True if tuned else None)
    images, noise = load(data).train.images, Torchs()

    def steps() -> None:
        for _ in range(STEPS):
            x = images[torch.randint(len(images), (batch,))].float()
            terms = network.terms(x, noise)
            loss = terms.distortion.mean() + terms.rate.mean(1).sum()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()

    return steps


def engine(name: str, batch: int, path: str, members: int) -> Callable[[], None]:
    """A block of STEPS steps of the pack, or of one member."""
    from synthetic import hierarchy

    from models.training.state import PackState
    from models.training.trainer import ENGINES

    problem = hierarchy(name, batch, members)
    state, subject = PackState.initial(problem), ENGINES[path](problem)
    return lambda: subject.advance(state)


def milliseconds(name: str, batch: int, tuned: bool) -> dict[str, float]:
    """CPU ms of a step of one member, by way, in this process."""
    import torch

    from models.training.process import prepare

    ways: dict[str, Callable[[], None]] = {}
    if tuned:
        prepare(1)
        ways[TUNED] = plain_loop(name, batch, tuned=True, layers=False)
        ways[LAYERS] = plain_loop(name, batch, tuned=True, layers=True)
        ways[SEQUENTIAL] = engine(name, batch, "sequential", 1)
        ways[FUSED] = engine(name, batch, "fused", PACK)
    else:
        torch.set_num_threads(1)
        ways[DEFAULT] = plain_loop(name, batch, tuned=False, layers=False)
    times: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(1 + ROUNDS):
        for way, run in ways.items():
            if way == FUSED and turn > FEW:
                continue
            begun = time.process_time()
            run()
            if turn:
                members = PACK if way == FUSED else 1
                times[way].append((time.process_time() - begun) * 1e3 / STEPS / members)
    return {way: statistics.median(each) for way, each in times.items()}


def in_a_process(name: str, batch: int, tuned: bool) -> dict[str, float]:
    source = f"import json, training; print(json.dumps(training.milliseconds({name!r}, {batch}, {tuned})))"
    command = [sys.executable, "-c", source]
    printed = subprocess.run(command, cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True, check=True).stdout
    measured: dict[str, float] = json.loads(printed)
    return measured


def main() -> None:
    print("| case | way | CPU ms a step | speed, to the plain loop | to the tuned one |")
    print("|---|---|---|---|---|")
    shares = []
    for name, batch in CASES:
        case = f"{name}, batch {batch}"
        measured = in_a_process(name, batch, False) | in_a_process(name, batch, True)
        plain, tuned = measured[DEFAULT], measured[TUNED]
        for way, value in measured.items():
            print(f"| {case} | {way} | {value:.1f} | {plain / value:.2f} | {tuned / value:.2f} |", flush=True)
        parts = {
            "tuning": plain / tuned,
            "layers": tuned / measured[LAYERS],
            "the sequential engine": measured[LAYERS] / measured[SEQUENTIAL],
            "packing": measured[SEQUENTIAL] / measured[FUSED],
        }
        shares.append(f"* {case}: " + ", ".join(f"{part} {gain:.2f}×" for part, gain in parts.items()))
    print(
        "\nOne thread, equal batches and parameters. Tuning is kept memory and fused Adam; it and the layers are what a"
    )
    print("solo run could have too, and what an engine brings beyond them is its own (below 1: what it costs).\n")
    print("\n".join(shares))


if __name__ == "__main__":
    main()
