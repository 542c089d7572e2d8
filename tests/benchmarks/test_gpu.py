"""The ways that the GPU benchmark compares, on a CPU: that they run, and that products are convolutions."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from gpu import WAYS, measure, use_products
from synthetic import hierarchy

from models.noise import Noise, key


@pytest.mark.parametrize("name", ["binary", "colour"])
def test_products_are_convolutions(name: str) -> None:
    problem = hierarchy(name, 3, 1, precision="float64")
    noise = Noise(key(0), 0, torch.float64)
    x = problem.first_batch(noise)
    plain = problem.network.terms(x, noise)
    use_products(problem.network)
    ours = problem.network.terms(x, noise)
    torch.testing.assert_close(ours.rate, plain.rate, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(ours.distortion, plain.distortion, rtol=1e-10, atol=0.0)


@pytest.mark.slow
@pytest.mark.parametrize("way", [way for way in WAYS if "compiled" not in way])
def test_each_way_trains_two_models(way: str) -> None:
    measured = measure("binary", way, 2, 0.0, "float32", device="cpu", batch=2)
    assert measured["images"] > 0
