"""The stateless noise: a pure function of key, step, site and index, with the distribution it claims.

The statistical tests have fixed seeds, and thresholds at which a right generator fails one time in a thousand.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch.func import vmap

from models.noise import Noise, key

SEEDS = range(5)
MASK = (1 << 64) - 1


def keys() -> torch.Tensor:
    return torch.stack([key(seed) for seed in SEEDS])


@pytest.mark.parametrize("shape", [(3,), (64,), (32, 24), (7, 5, 3)])
def test_batched_vmapped_and_single_draws_are_one_stream(shape: tuple[int, ...]) -> None:
    steps = torch.tensor([0, 1, 2, 1000, 5])
    batched = Noise(keys(), steps)
    for draw in ("normal", "uniform"):
        together = getattr(batched, draw)("posterior/z1", shape)
        assert together.shape == (5, *shape)
        mapped = vmap(lambda k, s, draw=draw: getattr(Noise(k, s), draw)("posterior/z1", shape))(keys(), steps)
        for slot in SEEDS:
            alone = getattr(Noise(keys()[slot], int(steps[slot])), draw)("posterior/z1", shape)
            assert torch.equal(together[slot], alone)
            assert torch.equal(mapped[slot], alone)


@pytest.mark.parametrize("draw", ["normal", "uniform"])
def test_a_number_is_a_function_of_its_index_not_of_how_many_are_drawn(draw: str) -> None:
    short, middle, long = (getattr(Noise(key(0), 3), draw)("batches", (count,)) for count in (7, 100, 6400))
    assert torch.equal(short, long[:7])
    assert torch.equal(middle, long[:100])


def test_a_uniform_is_never_0_or_1() -> None:
    """The extreme hashes, in the narrowest dtype that trains."""
    for bits in (0, 0x7FFFFF):
        value = (torch.tensor([bits]).to(torch.float32) + 0.5) * 2.0**-23
        assert 0.0 < float(value) < 1.0


def test_the_blocks_of_normals_are_pairs_of_box_and_muller() -> None:
    """Two normals 32 apart in a block of 64 have the radius that one uniform gives, which is at most √(48 log 2)."""
    blocks = Noise(key(1), 0, torch.float64).normal("posterior/z1", (640,)).reshape(10, 2, 32)
    half = (blocks**2).sum(1)  # the squared radius, exponential with mean 2
    assert scipy.stats.kstest(half.flatten().numpy(), "expon", args=(0, 2)).pvalue > 1e-3
    uniform = torch.exp(-half / 2) * 2.0**23 - 0.5
    torch.testing.assert_close(uniform, uniform.round(), rtol=0, atol=1e-6)


def test_the_hash_is_splitmix_finalisation_written_out_in_python() -> None:
    """Wrapping int64 arithmetic against Python's unbounded integers."""

    def mix(value: int) -> int:
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
        return value ^ (value >> 31)

    golden = 0x9E3779B97F4A7C15
    import hashlib

    def words(text: str) -> tuple[int, int]:
        raw = hashlib.blake2b(text.encode(), digest_size=16).digest()
        return int.from_bytes(raw[:8], "little"), int.from_bytes(raw[8:], "little")

    first, second = words("ratesweep:3")
    site = words("posterior/z2")
    origin = mix((first + 8 * golden + site[0]) & MASK)  # step 7
    other = mix((second ^ ((origin + site[1]) & MASK)) & MASK)
    expected = []
    for index in range(1, 65):
        bits = mix((mix((origin + index * golden) & MASK) + other) & MASK)
        expected.append(((bits & 0x7FFFFF) + 0.5) * 2.0**-23)
    drawn = Noise(key(3), 7, torch.float64).uniform("posterior/z2", (64,))
    assert drawn.tolist() == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_distributions_are_what_they_claim(dtype: torch.dtype) -> None:
    count = 200_000
    noise = Noise(key(11), 0, dtype)
    normal = noise.normal("a", (count,)).double().numpy()
    uniform = noise.uniform("a", (count,)).double().numpy()
    assert scipy.stats.kstest(normal, "norm").pvalue > 1e-3
    assert scipy.stats.kstest(uniform, "uniform").pvalue > 1e-3
    assert np.abs(normal).max() <= math.sqrt(2 * 24 * math.log(2))  # the radius of the smallest uniform, 2^-24
    assert uniform.min() > 0.0
    assert uniform.max() < 1.0


def test_neighbouring_seeds_steps_sites_and_indices_are_uncorrelated() -> None:
    count = 50_000
    reference = Noise(key(0), 0).normal("posterior/z1", (count,)).double()
    others = [
        Noise(key(1), 0).normal("posterior/z1", (count,)),
        Noise(key(0), 1).normal("posterior/z1", (count,)),
        Noise(key(0), 0).normal("posterior/z2", (count,)),
        reference.roll(1),
        reference.roll(32),  # the two numbers of a Box-Muller pair
    ]
    for other in others:
        correlation = float((reference * other.double()).mean())
        assert abs(correlation) < 3.3 / math.sqrt(count)
        squares = float(((reference**2 - 1) * (other.double() ** 2 - 1)).mean()) / 2
        assert abs(squares) < 3.3 / math.sqrt(count)


def test_bernoulli_follows_its_probability() -> None:
    probability = torch.tensor([0.0, 0.25, 0.9, 1.0]).repeat(20_000, 1)
    means = Noise(key(5), 0).bernoulli("pixels", probability).mean(0)
    assert means[0] == 0.0
    assert means[3] == 1.0
    assert abs(float(means[1]) - 0.25) < 3.3 * math.sqrt(0.25 * 0.75 / 20_000)
    assert abs(float(means[2]) - 0.9) < 3.3 * math.sqrt(0.09 / 20_000)


def test_permutations_are_permutations_and_uniform() -> None:
    noise = Noise(keys(), torch.zeros(5, dtype=torch.int64))
    for order in noise.permutation("batches", 897):
        assert sorted(order.tolist()) == list(range(897))
    counts = np.zeros(24)
    steps = torch.arange(12_000)
    orders = Noise(key(2).expand(len(steps), 2), steps).permutation("batches", 4)
    for code in (orders * torch.tensor([64, 16, 4, 1])).sum(1).unique(return_counts=True)[1].tolist():
        counts[np.flatnonzero(counts == 0)[0]] = code
    assert (counts > 0).all()
    assert scipy.stats.chisquare(counts).pvalue > 1e-3
