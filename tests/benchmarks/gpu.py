"""Models·images a second and memory on a GPU, by the number of models that train together and the way they do.

    .venv/bin/python tests/benchmarks/gpu.py [seconds] [precision]

For the hierarchies at the paper's sizes, batch 256, K = 1, 4, 16, 32, 64, 147, 441. Without CUDA it says so and exits
with 2. Each measurement is a process of its own (processes, where models have one each), so that one that runs out of
memory ends itself alone. Ratios are to one model in one process.

Never yet run on a GPU. On a CPU at K = 2 (tests/benchmarks/test_gpu.py) are run the pack engine as it is, its batched
products, plain and compiled, and models one after another. The compiled grouped convolutions, several processes,
precisions and every line that needs CUDA are known by reading alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from synthetic import hierarchy
from torch import Tensor, nn

from models.training.fused import Fused
from models.training.problem import Problem
from models.training.sequential import Sequential
from models.training.state import PackState

WIDTHS = (1, 4, 16, 32, 64, 147, 441)
SHARING = (2, 4, 8, 16)  # processes that share the GPU
BATCH = 256
SECONDS = 10.0  # of measurement, after one block that warms up
Step = Callable[[], None]  # a block of 16 steps of every model


class Products(nn.Module):
    """A convolution as patches and a matrix product: batched products in a pack, where others are grouped."""

    def __init__(self, layer: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        assert layer.bias is not None
        self.weight, self.bias = layer.weight, layer.bias
        self.kernel, self.stride, self.padding = layer.kernel_size[0], layer.stride[0], int(layer.padding[0])

    def forward(self, x: Tensor) -> Tensor:
        side = (x.shape[-1] + 2 * self.padding - self.kernel) // self.stride + 1
        patches = F.unfold(x, self.kernel, padding=self.padding, stride=self.stride)  # (B, C·k·k, side²)
        y = torch.matmul(self.weight.flatten(1), patches)
        return torch.unflatten(y, -1, (side, side)) + self.bias[:, None, None]


class TransposedProducts(Products):
    """A transposed convolution as a matrix product and the sum of overlapping patches."""

    def forward(self, x: Tensor) -> Tensor:
        side = (x.shape[-1] - 1) * self.stride - 2 * self.padding + self.kernel
        patches = torch.matmul(self.weight.flatten(1).mT, x.flatten(2))
        y = F.fold(patches, (side, side), self.kernel, padding=self.padding, stride=self.stride)
        return y + self.bias[:, None, None]


def use_products(network: nn.Module) -> None:
    """Makes every convolution a matrix product, in place; names and shapes of parameters stay."""
    for module in list(network.modules()):
        for name, layer in list(module.named_children()):
            if isinstance(layer, nn.Conv2d):
                setattr(module, name, Products(layer))
            elif isinstance(layer, nn.ConvTranspose2d):
                setattr(module, name, TransposedProducts(layer))


def fused(problem: Problem, *, as_products: bool = False, compiled: bool = False) -> Step:
    """The product's pack engine, vmap, whose convolutions are grouped ones unless they are made products."""
    state = PackState.initial(problem)
    if as_products:
        use_products(problem.network)
    engine = Fused(problem)
    if compiled:
        # Not on a CPU unless as products: dynamo does not trace the autograd function of models/doubling.py.
        engine._gradient = torch.compile(engine._gradient, dynamic=False)
    return lambda: engine.advance(state)


def in_sequence(problem: Problem) -> Step:
    """The product's sequential engine: one model after another, in one process."""
    state, engine = PackState.initial(problem), Sequential(problem)

    def blocks() -> None:
        for slot in range(problem.slots):  # a member is trained while the others count as done
            state.alive.fill_(False)
            state.alive[slot] = True
            engine.advance(state)
        state.alive.fill_(True)

    return blocks


WAYS: dict[str, Callable[[Problem], Step]] = {
    "fused, grouped convolutions": fused,
    "fused, batched products": partial(fused, as_products=True),
    "fused, grouped convolutions, compiled": partial(fused, compiled=True),
    "fused, batched products, compiled": partial(fused, as_products=True, compiled=True),
    "one process, one after another": in_sequence,
}


def wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def measure(
    name: str, way: str, width: int, seconds: float, precision: str, device: str = "cuda", batch: int = BATCH
) -> dict[str, Any]:
    """images: models·images a second; memory: the allocator's peak, bytes; start: seconds to the first block's end."""
    from models.training.precision import products

    begun = time.perf_counter()
    problem = hierarchy(name, batch, width, device, precision)
    with products(precision, torch.device(device)):
        step = WAYS[way](problem)
        step()
        wait(device)
        start = time.perf_counter() - begun
        blocks, begun = 0, time.perf_counter()
        while blocks == 0 or time.perf_counter() - begun < seconds:
            step()
            wait(device)  # the engines look at every loss, so this waits for little more
            blocks += 1
        taken = time.perf_counter() - begun
    memory = torch.cuda.max_memory_reserved() if device == "cuda" else 0
    return {"images": blocks * 16 * width * batch / taken, "memory": memory, "start": start}


def begin(arguments: tuple[Any, ...]) -> subprocess.Popen[str]:
    source = (
        "import json, gpu; from models.training.process import prepare; prepare(1); "
        f"print(json.dumps(gpu.measure(*{arguments!r})))"
    )
    command = [sys.executable, "-c", source]
    return subprocess.Popen(command, cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True)


def results(processes: list[subprocess.Popen[str]]) -> list[dict[str, Any]] | None:
    """What each printed; None where one failed, out of memory say, whose message stands above."""
    printed = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        return None
    return [json.loads(text.splitlines()[-1]) for text in printed]


def line(name: str, way: str, models: int, found: list[dict[str, Any]] | None, base: float) -> float:
    """Prints a row of the table; the speed in it."""
    if found is None:
        print(f"| {name} | {way} | {models} | failed | | | |", flush=True)
        return base
    speed, memory = (float(sum(one[key] for one in found)) for key in ("images", "memory"))
    start = max(one["start"] for one in found)
    ratio = f"{speed / base:.2f}" if base else "1.00"
    print(f"| {name} | {way} | {models} | {speed:,.0f} | {ratio} | {memory / 2**30:.2f} | {start:.0f} |", flush=True)
    return speed


def main(seconds: float = SECONDS, precision: str = "float32") -> int:
    if not torch.cuda.is_available():
        print("gpu.py: no CUDA device here; nothing was measured")
        return 2
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {precision}, batch {BATCH}\n")
    print("| data | way | models | models·images/s | to one model alone | GiB | s to start |")
    print("|---|---|---|---|---|---|---|")
    for name in ("binary", "colour"):
        alone = (name, "one process, one after another", 1, seconds, precision)
        base = line(name, "one process a model", 1, results([begin(alone)]), 0.0)
        for count in SHARING:
            found = results([begin(alone) for _ in range(count)])
            line(name, f"{count} processes that share the GPU", count, found, base)
        for way in WAYS:
            for width in WIDTHS:
                if way == alone[1] and width > 4:
                    continue  # its speed does not depend on the number
                line(name, way, width, results([begin((name, way, width, seconds, precision))]), base)
    return 0


if __name__ == "__main__":
    sys.exit(main(*(kind(text) for kind, text in zip((float, str), sys.argv[1:], strict=False))))
