"""Sampling pixel by pixel: the same outputs and the same images as full passes of the network."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from models import kinds
from models.build import implementation
from models.families import Data
from models.initialise import initialise
from models.likelihoods import Likelihood
from models.network import Network
from models.noise import key
from models.pixelcnn import PixelCnn

LATENT, BATCH, SIDE = 3, 4, 8
BOTH = (kinds.Bernoulli(), kinds.LogisticMixture(components=2))
SHAPES = [(1, 1), (1, 3), (2, 1), (2, 3)]


class Holder(Network):
    groups = ("z1",)

    def __init__(self, decoder: PixelCnn) -> None:
        super().__init__()
        self.decoder = decoder


def grey(of_levels: int) -> Data:
    class Small(Data):
        kind = f"small-{of_levels}"
        shape = (1, SIDE, SIDE)
        levels = of_levels
        classes = 2

    return Small()


def case(spec: Any, dtype: torch.dtype, halvings: int = 1, blocks: int = 1) -> tuple[PixelCnn, Likelihood, Tensor]:
    """A decoder with weights large enough that pixels matter to one another, its likelihood and latents."""
    data = grey(1 if spec.kind == "bernoulli" else 255)
    likelihood = implementation(spec)(spec, data)
    decoder_spec = kinds.PixelCnnDecoder(filters=5, halvings=halvings, blocks=blocks)
    decoder = PixelCnn(decoder_spec, data, LATENT, likelihood.channels).to(dtype)
    started = initialise(Holder(decoder), key(1)[None], dtype, torch.zeros(1, 1, 1, 1, dtype=torch.uint8))
    scale = {name: 2.0 if name.endswith("length") else 1.0 for name in started}
    decoder.load_state_dict({name.removeprefix("decoder."): value[0] * scale[name] for name, value in started.items()})
    draw = torch.Generator().manual_seed(2)
    return decoder, likelihood, torch.randn(BATCH, LATENT, dtype=dtype, generator=draw)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-4)])
@pytest.mark.parametrize("spec", BOTH, ids=lambda spec: spec.kind)
@pytest.mark.parametrize(("halvings", "blocks"), SHAPES)
def test_outputs_one_by_one_are_those_of_a_pass(
    halvings: int, blocks: int, spec: Any, dtype: torch.dtype, tolerance: float
) -> None:
    decoder, _, z = case(spec, dtype, halvings, blocks)
    x = torch.randint(0, decoder.levels + 1, (BATCH, 1, SIDE, SIDE), generator=torch.Generator().manual_seed(3))
    wanted = decoder(z, x.to(dtype)).detach()
    torch.testing.assert_close(decoder.outputs_one_by_one(z, x.to(dtype)), wanted, rtol=0, atol=tolerance)
    assert float(wanted.std()) > 0.05


@torch.no_grad()
def by_full_passes(decoder: PixelCnn, likelihood: Likelihood, z: Tensor, uniforms: Tensor) -> Tensor:
    x = torch.zeros(len(z), 1, SIDE, SIDE, dtype=z.dtype)
    for row in range(SIDE):
        for column in range(SIDE):
            drawn = likelihood.draw(decoder(z, x), uniforms)
            x[:, :, row, column] = drawn[:, :, row, column]
    return x


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("spec", BOTH, ids=lambda spec: spec.kind)
@pytest.mark.parametrize(("halvings", "blocks"), [(1, 1), (2, 3)])
def test_the_same_uniforms_give_the_same_pixels_as_full_passes(
    halvings: int, blocks: int, spec: Any, dtype: torch.dtype
) -> None:
    decoder, likelihood, z = case(spec, dtype, halvings, blocks)
    draw = torch.Generator().manual_seed(4)
    uniforms = torch.rand(BATCH, likelihood.uniforms, SIDE, SIDE, dtype=torch.float64, generator=draw).to(dtype)
    x = decoder.sample(z, likelihood, uniforms)
    assert x.shape == (BATCH, 1, SIDE, SIDE)
    assert x.dtype == dtype
    assert not x.requires_grad
    assert torch.equal(x, x.round())
    assert 0 <= float(x.min()) < float(x.max()) <= decoder.levels
    equal = (x == by_full_passes(decoder, likelihood, z, uniforms)).double().mean()
    assert float(equal) >= (1.0 if dtype == torch.float64 else 0.999)


def test_pixels_follow_the_networks_probabilities() -> None:
    """Frequencies of the pixels of 1,000 samples against the network's own probabilities for these samples."""
    decoder, likelihood, z = case(kinds.Bernoulli(), torch.float64)
    count = 1000
    uniforms = torch.rand(count, 1, SIDE, SIDE, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    every = z[:1].expand(count, -1)
    x = decoder.sample(every, likelihood, uniforms)
    probability = decoder(every, x).detach().sigmoid()
    error = (x - probability).mean(0)
    deviation = (probability * (1 - probability)).sum(0).sqrt() / count
    assert float((error / deviation).abs().max()) < 5.0  # a right sampler fails with probability below 1e-4


def test_nothing_of_a_sample_is_kept() -> None:
    decoder, likelihood, z = case(kinds.Bernoulli(), torch.float64)
    uniforms = torch.rand(BATCH, 1, SIDE, SIDE, dtype=torch.float64, generator=torch.Generator().manual_seed(6))
    before = {name: value.clone() for name, value in decoder.state_dict().items()}
    first = decoder.sample(z, likelihood, uniforms)
    decoder.sample(z + 1.0, likelihood, 1.0 - uniforms)
    assert torch.equal(decoder.sample(z, likelihood, uniforms), first)
    for name, value in decoder.state_dict().items():
        assert torch.equal(value, before[name])
    assert torch.equal(decoder.sample(z[1:2], likelihood, uniforms[1:2]), first[1:2])
