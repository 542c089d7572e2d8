"""Flat autoencoders of 2×2 binary images, with every kind of part: their marginals are known by integration over the
two latents, and their images by enumeration.
"""

from __future__ import annotations

import itertools
import math
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from models import kinds
from models.build import build_network
from models.families import Data
from models.initialise import initialise
from models.likelihoods import Likelihood
from models.noise import Noise, key
from models.normal import Normal
from models.spec import SpecificationError
from models.vae import VariationalAutoencoder

LATENT, PIXELS = 2, 4


class TwoByTwo(Data):
    """2×2 binary images, of which there are 16."""

    shape: ClassVar[tuple[int, int, int]] = (1, 2, 2)
    levels: ClassVar[int] = 1
    classes: ClassVar[int] = 2


ALL = torch.tensor(list(itertools.product((0.0, 1.0), repeat=4)), dtype=torch.float64).reshape(16, 1, 2, 2)


class Causal(nn.Module):
    """Logits linear in z and in the pixels before: an autoregressive decoder, in full sight."""

    def __init__(self) -> None:
        super().__init__()
        self.latent = nn.Linear(LATENT, PIXELS)
        self.before = nn.Parameter(torch.empty(PIXELS, PIXELS))

    def initialise(self, noise: Noise, site: str) -> dict[str, Tensor]:
        shapes = {"latent.weight": (PIXELS, LATENT), "latent.bias": (PIXELS,), "before": (PIXELS, PIXELS)}
        return {name: noise.normal(f"{site}/{name}", shape) * 0.4 for name, shape in shapes.items()}

    def forward(self, z: Tensor, x: Tensor) -> Tensor:
        return (self.latent(z) + x.flatten(1) @ self.before.tril(-1).mT).reshape(-1, 1, 2, 2)

    def sample(self, z: Tensor, likelihood: Likelihood, uniforms: Tensor) -> Tensor:
        x = torch.zeros_like(uniforms)
        for row, column in itertools.product(range(2), repeat=2):
            x[:, :, row, column] = likelihood.draw(self(z, x), uniforms)[:, :, row, column]
        return x


class Blank(nn.Module):
    """An auxiliary decoder: −log d' = |z|² + Σ x."""

    def distortion(self, z: Tensor, x: Tensor) -> Tensor:
        return z.square().sum(1) + x.flatten(1).sum(1)


def _enumerable(prior: str, *, autoregressive: bool, posterior: str = "full") -> VariationalAutoencoder:
    """A model of 2×2 images with parameters drawn for it."""
    spec = kinds.FlatModel.model_validate(
        {
            "latent": LATENT,
            "encoder": {"kind": "dense", "widths": (8,), "activation": "tanh"},
            "decoder": {"kind": "dense", "widths": (8,), "activation": "tanh"},
            "likelihood": {"kind": "bernoulli"},
            "prior": {"kind": prior} | ({"components": 5} if prior == "vamp" else {}),
            "posterior": posterior,
        }
    )
    network = build_network(spec, TwoByTwo())
    assert isinstance(network, VariationalAutoencoder)
    if autoregressive:
        network.decoder, network.autoregressive = Causal(), True
    values = initialise(network.double(), key(3)[None], torch.float64, ALL.to(torch.uint8))
    # A decoder of larger weights than the initial ones, so that images depend on latents.
    network.load_state_dict({name: value[0] * (3.0 if "decoder" in name else 1.0) for name, value in values.items()})
    return network.requires_grad_(False)


def _log_marginals(network: VariationalAutoencoder) -> Tensor:
    """log p(x) of each of the 16 images, by the rectangle rule over the plane of latents."""
    side, spacing = torch.linspace(-10, 10, 201, dtype=torch.float64), 0.1
    z = torch.cartesian_prod(side, side)
    inputs = network.prior.inputs()
    if inputs is None:
        log_prior = Normal(torch.zeros_like(z[:1]), torch.ones_like(z[:1])).log_prob(z[:, None])[:, 0]
    else:
        components = network.posterior(network.encoder(inputs))
        reference = MultivariateNormal(components.mean, components.scale() @ components.scale().mT)
        log_prior = reference.log_prob(z[:, None]).logsumexp(1) - math.log(len(inputs))
    log_marginals = []
    for image in ALL:
        x = image.expand(len(z), 1, 2, 2)
        output = network.decoder(z, x) if network.autoregressive else network.decoder(z)
        log_marginals.append(torch.logsumexp(log_prior - bernoulli(output, x), 0))
    return torch.stack(log_marginals) + 2 * math.log(spacing)


def bernoulli(output: Tensor, x: Tensor) -> Tensor:
    """−log p(x) by torch's own cross-entropy."""
    losses = torch.nn.functional.binary_cross_entropy_with_logits(output, x, reduction="none")
    return losses.sum((1, 2, 3))


@pytest.mark.parametrize("autoregressive", [False, True], ids=["independent", "autoregressive"])
@pytest.mark.parametrize(("prior", "posterior"), [("standard-normal", "full"), ("vamp", "full"), ("vamp", "diagonal")])
def test_rate_and_distortion_bound_the_marginal_of_every_image(
    prior: str, posterior: str, autoregressive: bool
) -> None:
    # 16 images of 4,000 samples, bounds of 4 standard errors: even at equality they fail with probability below 1e-3.
    network = _enumerable(prior, autoregressive=autoregressive, posterior=posterior)
    log_marginals = _log_marginals(network)
    torch.testing.assert_close(log_marginals.exp().sum(), torch.tensor(1.0, dtype=torch.float64), atol=1e-4, rtol=0.0)
    draws = 4_000
    terms = network.terms(ALL.repeat_interleave(draws, 0), Noise(key(1), 0, torch.float64))
    rate, distortion = (value.reshape(16, draws) for value in (terms.rate[0], terms.distortion))
    assert bool((rate.mean(1) + 4 * rate.std(1) / draws**0.5 >= 0).all())
    total = rate + distortion
    assert bool((total.mean(1) + 4 * total.std(1) / draws**0.5 >= -log_marginals).all())
    if prior == "vamp":  # by importance, the same samples give the marginal itself (an analytic rate is not of samples)
        torch.testing.assert_close((-total).logsumexp(1) - math.log(draws), log_marginals, atol=0.1, rtol=0.0)


def test_the_components_are_the_posteriors_at_the_pseudo_inputs_from_one_pass_of_the_encoder() -> None:
    network = _enumerable("vamp", autoregressive=False)
    passes: list[int] = []
    network.encoder.register_forward_hook(lambda module, arguments, output: passes.append(len(output)))
    noise = Noise(key(2), 4, torch.float64)
    terms = network.terms(ALL, noise)
    assert passes == [16 + 5]
    q = network.posterior(network.encoder(ALL))
    components = network.posterior(network.encoder(network.prior.inputs()))
    z = q.sample(noise, "posterior/z1")
    torch.testing.assert_close(terms.rate[0], network.prior.rate(q, z, components))
    torch.testing.assert_close(z, network.codes(ALL, noise)["z1"].sample)


def test_pseudo_inputs_are_trained_through_the_encoder() -> None:
    network = _enumerable("vamp", autoregressive=False).requires_grad_(True)
    network.terms(ALL, Noise(key(2), 4, torch.float64)).rate.sum().backward()
    assert bool((network.prior.weight.grad != 0).any())


def test_an_autoregressive_decoder_is_sampled_pixel_by_pixel_and_has_no_mean() -> None:
    # 40,000 images; each of the 16 frequencies within 5 standard errors of its probability.
    network = _enumerable("vamp", autoregressive=True)
    count, noise = 40_000, Noise(key(2), 4, torch.float64)
    images = network.generate(count, noise)
    assert images.shape == (count, 1, 2, 2)
    number = (images.flatten(1) @ torch.tensor([8.0, 4.0, 2.0, 1.0], dtype=torch.float64)).long()
    probability = _log_marginals(network).exp()
    error = (probability * (1 - probability) / count).sqrt()
    assert bool(((number.bincount(minlength=16) / count - probability).abs() < 5 * error).all())
    with pytest.raises(SpecificationError, match="autoregressive decoder gives no mean"):
        network.reconstruct(ALL)


@pytest.mark.parametrize("autoregressive", [False, True], ids=["independent", "autoregressive"])
def test_sampled_reconstructions_are_those_of_the_likelihood_at_sampled_latents(autoregressive: bool) -> None:
    network = _enumerable("standard-normal", autoregressive=autoregressive)
    count, noise = 30_000, Noise(key(2), 4, torch.float64)
    one = ALL[5:6].expand(count, 1, 2, 2)
    images = network.resample(one, noise)
    z = network.codes(one, noise)["z1"].sample
    assert images.shape == (count, 1, 2, 2)
    assert set(images.flatten().tolist()) == {0.0, 1.0}
    # Of the first pixel, which is never conditional on others: 5 standard errors of at most 1 / 2√count.
    output = network.decoder(z, images) if autoregressive else network.decoder(z)
    assert abs(float(images[:, 0, 0, 0].mean() - output[:, 0, 0, 0].sigmoid().mean())) < 2.5 / count**0.5


def test_the_auxiliary_distortion_is_of_the_same_latents() -> None:
    network = _enumerable("standard-normal", autoregressive=False)
    noise = Noise(key(2), 4, torch.float64)
    plain = network.terms(ALL, noise)
    network.auxiliary = Blank()
    terms = network.terms(ALL, noise)
    assert plain.auxiliary == {}
    assert list(terms.auxiliary) == ["auxiliary"]
    z = network.codes(ALL, noise)["z1"].sample
    torch.testing.assert_close(terms.auxiliary["auxiliary"], z.square().sum(1) + ALL.sum((1, 2, 3)))
    torch.testing.assert_close(terms.distortion, plain.distortion)
