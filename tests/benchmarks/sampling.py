"""Sampling from the PixelCNN of Seybold et al. (2019), Table 7: one cached step a pixel against one pass a pixel.

    .venv/bin/python tests/benchmarks/sampling.py [batch] [filters]

28×28 images, Bernoulli pixels, two halvings, one thread. The cached way is measured in full; of the naive way a few
whole passes are timed, and its time for an image is extrapolated from them: 784 times as long.
Ratios are of CPU time, since the machine may be shared.
"""

from __future__ import annotations

import platform
import statistics
import sys
import time
from collections.abc import Callable

BATCH, FILTERS, LATENT = 300, 64, 16
PASSES = 3  # of the naive way
RUNS = 2  # of the cached way


def hardware() -> str:
    """The processor and the torch that computed this."""
    import torch

    with open("/proc/cpuinfo") as lines:
        names = {line.split(":")[1].strip() for line in lines if line.startswith("model name")}
    return f"{', '.join(sorted(names)) or platform.processor()}, 1 thread, torch {torch.__version__}"


def seconds(call: Callable[[], object], times: int) -> float:
    """Median CPU seconds of so many calls."""
    taken = []
    for _ in range(times):
        begun = time.process_time()
        call()
        taken.append(time.process_time() - begun)
    return statistics.median(taken)


def main(batch: int = BATCH, filters: int = FILTERS) -> None:
    from models.training.process import prepare

    prepare(1)
    import torch

    from models import kinds
    from models.likelihoods import Bernoulli
    from models.noise import Noise, key
    from models.pixelcnn import PixelCnn

    data = kinds.ThresholdedMnist()
    decoder = PixelCnn(kinds.PixelCnnDecoder(filters=filters, weight_norm=False), data, LATENT, 1)
    noise = Noise(key(0), 0)
    for name, parameter in decoder.named_parameters():
        parameter.data = noise.normal(name, tuple(parameter.shape)) / parameter.shape[1] ** 0.5
    likelihood = Bernoulli(kinds.Bernoulli(), data)
    z, uniforms = noise.normal("z", (batch, LATENT)), noise.uniform("pixels", (batch, *data.shape))
    x = decoder.sample(z, likelihood, uniforms)  # also warms up

    with torch.no_grad():
        decoder(z, x)
        one_pass = seconds(lambda: decoder(z, x), PASSES)
    cached = seconds(lambda: decoder.sample(z, likelihood, uniforms), RUNS)
    pixels = data.shape[1] * data.shape[2]
    naive = pixels * one_pass
    print(f"{batch} images of 28×28, {filters} filters, float32; {hardware()}\n")
    print("| way | CPU s a batch | images a CPU s | ratio |")
    print("|---|---|---|---|")
    print(f"| a pass a pixel, extrapolated from {PASSES} passes | {naive:.1f} | {batch / naive:.3f} | 1.0 |")
    print(f"| a cached step a pixel, measured | {cached:.2f} | {batch / cached:.1f} | {naive / cached:.0f} |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
