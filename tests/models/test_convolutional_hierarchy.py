"""The GHVAE and the LVAE of Xiao & Bamler (2023), against their tables written out in plain torch and distributions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Independent, Normal, kl_divergence

from models import kinds, normal
from models.build import build_network
from models.families import Data
from models.hierarchical import merged
from models.initialise import initialise
from models.network import Network
from models.noise import Noise, key

COLOUR = kinds.ConvolutionalHierarchy(likelihood=kinds.Gaussian())
LADDER = kinds.ConvolutionalHierarchy(likelihood=kinds.Gaussian(), inference="ladder")
BINARY = kinds.ConvolutionalHierarchy(channels=16, top=20, hidden=128, likelihood=kinds.Bernoulli())
BINARY_LADDER = BINARY.model_copy(update={"inference": "ladder"})
SIZES: dict[str, tuple[kinds.ConvolutionalHierarchy, Data]] = {
    "ghvae-colour": (COLOUR, kinds.Svhn()),
    "lvae-colour": (LADDER, kinds.Svhn()),
    "ghvae-mnist": (BINARY, kinds.BinaryMnist()),
    "lvae-mnist": (BINARY_LADDER, kinds.BinaryMnist()),
}
Build = Callable[[str], Network]
Normals = Independent[Normal]


@pytest.fixture(scope="module")
def built() -> Build:
    """A network by its name, in double precision, at the initial parameters of seed 0."""
    networks: dict[str, Network] = {}

    def build(name: str) -> Network:
        if name not in networks:
            model, data = SIZES[name]
            network = build_network(model, data).double().requires_grad_(False)
            images = torch.zeros(1, *data.shape, dtype=torch.uint8)
            values = initialise(network, key(0)[None], torch.float64, images)
            network.load_state_dict({parameter: value[0] for parameter, value in values.items()})
            networks[name] = network
        return networks[name]

    return build


def _images(name: str, count: int) -> Tensor:
    _, data = SIZES[name]
    uniform = Noise(key(4), 0, torch.float64).uniform("x", (count, *data.shape))
    return uniform.mul(data.levels).round()


@pytest.mark.parametrize(
    ("model", "data", "count"),
    [
        (COLOUR, kinds.Svhn(), 475_811),
        (COLOUR, kinds.Cifar10(), 475_811),
        (BINARY, kinds.BinaryMnist(), 122_713),
        (LADDER, kinds.Svhn(), 408_131),
        (BINARY_LADDER, kinds.BinaryMnist(), 104_745),  # not in the paper; of the authors' classes
    ],
)
def test_the_published_number_of_parameters(model: kinds.ConvolutionalHierarchy, data: Data, count: int) -> None:
    assert sum(parameter.numel() for parameter in build_network(model, data).parameters()) == count


class Published:
    """Tables 2 and 3 layer by layer, in functional torch, on the parameters of a network.

    Where the tables have a layer for the mean and another for the standard deviation, each takes half of the outputs of
    the network's one.
    """

    def __init__(self, network: Network, name: str) -> None:
        model, data = SIZES[name]
        self.weights = dict(network.named_parameters())
        self.ladder = model.inference == "ladder"
        self.channels, self.levels, self.side = model.channels, data.levels, data.shape[1]
        self.to_core = {32: (2, 1), 28: (1, 0)}[self.side]  # stride and padding

    def _of(self, layer: str) -> tuple[Tensor, Tensor]:
        return self.weights[f"{layer}.weight"], self.weights[f"{layer}.bias"]

    def _conv(self, x: Tensor, layer: str, side: int, how: tuple[int, int] = (2, 1)) -> Tensor:
        """Conv(·, channels, 4) to maps of `side`, and a ReLU."""
        weight, bias = self._of(layer)
        assert tuple(weight.shape) == (self.channels, x.shape[1], 4, 4)
        h = F.relu(F.conv2d(x, weight, bias, *how))
        assert h.shape[2:] == (side, side)
        return h

    def _transposed(self, x: Tensor, layer: str, side: int, how: tuple[int, int] = (2, 1)) -> Tensor:
        """ConvTransp(channels, ·, 4) to maps of `side`."""
        weight, bias = self._of(layer)
        assert weight.shape[0] == self.channels
        assert weight.shape[2:] == (4, 4)
        h = F.conv_transpose2d(x, weight, bias, *how)
        assert h.shape[2:] == (side, side)
        return h

    def _dense_heads(self, h: Tensor, layer: str) -> tuple[Tensor, Tensor]:
        weight, bias = self._of(layer)
        size = len(weight) // 2
        return F.linear(h, weight[:size], bias[:size]), F.linear(h, weight[size:], bias[size:])

    def _map_heads(self, h: Tensor, layer: str) -> tuple[Tensor, Tensor]:
        weight, bias = self._of(layer)
        size = self.channels
        assert tuple(weight.shape) == (2 * size, size, 3, 3)
        mean, raw = (F.conv2d(h, weight[half], bias[half], 1, 1) for half in (slice(size), slice(size, None)))
        return mean.flatten(1), raw.flatten(1)

    def _quarter(self, x: Tensor, encoder: str) -> Tensor:
        return self._conv(self._conv(x / self.levels, f"{encoder}.0", self.side // 2), f"{encoder}.2", self.side // 4)

    def top(self, x: Tensor) -> Normals:
        """q(z2|x)."""
        quarter, last = ("encoders.0", "encoders.1.0") if self.ladder else ("encoders.1", "encoders.1.4")
        h = self._conv(self._quarter(x, quarter), last, 4, self.to_core).flatten(1)
        assert h.shape[1] == 16 * self.channels
        mean, raw = self._dense_heads(h, "posterior.linear")
        return _normals(mean, F.softplus(raw))

    def prior(self, z2: Tensor) -> Normals:
        """p(z1|z2)."""
        hidden = F.relu(F.linear(z2, *self._of("conditional_priors.0.layers.0")))
        mean, raw = self._dense_heads(hidden, "conditional_priors.0.head.linear")
        return _normals(mean, F.softplus(raw))

    def below(self, x: Tensor, z2: Tensor) -> Normals:
        """q(z1|z2, x)."""
        part, of_x = "conditional_posteriors.0", self._quarter(x, "encoders.0")
        if self.ladder:
            mean, raw = self._map_heads(self._conv(of_x, f"{part}.0", 4, self.to_core), f"{part}.2.layer")
            variance, prior = F.softplus(raw), self.prior(z2)
            total = variance + prior.variance
            merged_mean = (mean * prior.variance + prior.mean * variance) / total
            return _normals(merged_mean, (variance * prior.variance / total).sqrt())
        spread = F.relu(F.linear(z2, *self._of(f"{part}.spread.0"))).reshape(len(z2), self.channels, 4, 4)
        spread = F.relu(self._transposed(spread, f"{part}.spread.3", self.side // 4, self.to_core))
        merge = self._conv(torch.cat((of_x, spread), 1), f"{part}.merge", 4, self.to_core)
        mean, raw = self._map_heads(merge, f"{part}.head.layer")
        return _normals(mean, F.softplus(raw))

    def pixels(self, z1: Tensor) -> Distribution:
        """p(x|z1), of x in [0, 1]."""
        h = z1.reshape(len(z1), self.channels, 4, 4)
        h = F.relu(self._transposed(h, "decoder.1", self.side // 4, self.to_core))
        h = F.relu(self._transposed(h, "decoder.3", self.side // 2))
        output = self._transposed(h, "decoder.5", self.side)
        one_pixel = Bernoulli(logits=output) if self.levels == 1 else Normal(output, 0.71)
        return Independent(one_pixel, 3)


def _normals(mean: Tensor, std: Tensor) -> Normals:
    return Independent(Normal(mean, std), 1)


def _drawn(q: Normals, noise: Noise, site: str) -> Tensor:
    return q.mean + q.stddev * noise.normal(site, tuple(q.mean.shape))


def _near(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", SIZES)
def test_rates_and_distortion_are_those_of_the_tables(built: Build, name: str) -> None:
    """Each rate a KL of torch.distributions, the distortion a sum of its log densities with every constant."""
    network, tables = built(name), Published(built(name), name)
    x, noise = _images(name, 3), Noise(key(2), 5, torch.float64)
    q2 = tables.top(x)
    z2 = _drawn(q2, noise, "posterior/z2")
    q1, p1 = tables.below(x, z2), tables.prior(z2)
    z1 = _drawn(q1, noise, "posterior/z1")
    terms = network.terms(x, noise)
    assert terms.rate.shape == (2, 3)
    _near(terms.rate[1], kl_divergence(q2, _normals(torch.zeros_like(z2), torch.ones_like(z2))))
    _near(terms.rate[0], kl_divergence(q1, p1))
    _near(terms.distortion, -tables.pixels(z1).log_prob(x / tables.levels))
    assert terms.auxiliary == {}


@pytest.mark.parametrize("name", SIZES)
def test_codes_take_a_sample_above_and_modes_a_mode(built: Build, name: str) -> None:
    network, tables = built(name), Published(built(name), name)
    x, noise = _images(name, 3), Noise(key(2), 5, torch.float64)
    q2 = tables.top(x)
    z2 = _drawn(q2, noise, "posterior/z2")
    sampled, moded = tables.below(x, z2), tables.below(x, q2.mean)
    codes, modes = network.codes(x, noise), network.modes(x)
    assert list(codes) == list(modes) == ["z1", "z2"]
    _near(codes["z2"].sample, z2)
    for group, q in (("z2", q2), ("z1", sampled)):
        _near(codes[group].mean, q.mean)
        _near(codes[group].std, q.stddev)
    _near(codes["z1"].sample, _drawn(sampled, noise, "posterior/z1"))
    _near(modes["z2"], q2.mean)
    _near(modes["z1"], moded.mean)
    assert not torch.allclose(sampled.mean, moded.mean, rtol=1e-3)
    _near(network.reconstruct(x), tables.pixels(moded.mean).mean)


@pytest.mark.parametrize("name", SIZES)
def test_images_come_from_sampled_latents_of_both_layers(built: Build, name: str) -> None:
    network, tables = built(name), Published(built(name), name)
    noise = Noise(key(6), 0, torch.float64)
    z2 = noise.normal("prior/z2", (3, SIZES[name][0].top))
    z1 = _drawn(tables.prior(z2), noise, "prior/z1")
    _near(network.generate(3, noise), tables.pixels(z1).mean)


@pytest.mark.parametrize("inference", ["generalised", "ladder"])
def test_rates_are_the_mean_log_ratios_of_sampled_codes(inference: str) -> None:
    """Within 5 standard errors of 4,000 draws, two means: passed by chance with probability above 1 - 2e-6."""
    model = kinds.ConvolutionalHierarchy.model_validate(
        {"channels": 2, "top": 3, "hidden": 4, "inference": inference, "likelihood": kinds.Bernoulli()}
    )
    data, count, noise = kinds.BinaryMnist(), 4_000, Noise(key(7), 1, torch.float64)
    network = build_network(model, data).double().requires_grad_(False)
    for name, parameter in network.named_parameters():
        parameter.copy_(noise.normal(f"weights/{name}", tuple(parameter.shape)) * 0.3)
    x = noise.uniform("x", (1, *data.shape)).round().expand(count, *data.shape)
    codes, terms = network.codes(x, noise), network.terms(x, noise)
    p1 = network.get_submodule("conditional_priors.0")(codes["z2"].sample)
    above = (torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64))
    for index, (code, (mean, std)) in enumerate(zip(codes.values(), ((p1.mean, p1.std), above), strict=True)):
        ratio = _normals(code.mean, code.std).log_prob(code.sample) - _normals(mean, std).log_prob(code.sample)
        # Of the same draws: what of the difference is left is the noise of the layer itself.
        difference = ratio - terms.rate[index]
        error = difference.std() / count**0.5
        assert float(difference.mean().abs()) < 5 * float(error)
        assert float(error) < 0.1 * float(terms.rate[index].mean())  # so that the bound says something


def test_the_merge_is_the_normalised_product_of_two_densities() -> None:
    """By the rectangle rule on a grid of ±12 standard deviations, which is exact to rounding for smooth densities."""
    one = normal.Normal(torch.tensor([[0.3, -1.0]]).double(), torch.tensor([[0.5, 2.0]]).double())
    other = normal.Normal(torch.tensor([[-0.9, 1.5]]).double(), torch.tensor([[1.2, 0.7]]).double())
    z = torch.linspace(-25.0, 25.0, 20_001, dtype=torch.float64)[:, None]
    density = (Normal(*one).log_prob(z) + Normal(*other).log_prob(z)).exp()
    density = density / density.sum(0)
    mean = (density * z).sum(0)
    std = (density * (z - mean).square()).sum(0).sqrt()
    found = merged(one, other)
    _near(found.mean[0], mean)
    _near(found.std[0], std)


def test_an_estimate_without_precision_leaves_the_prior_and_a_precise_one_itself() -> None:
    prior = normal.Normal(torch.tensor([[0.3, -1.0]]).double(), torch.tensor([[0.5, 2.0]]).double())
    mean = torch.full((1, 2), 4.0, dtype=torch.float64)
    for std, expected in ((1e9, prior), (1e-9, normal.Normal(mean, torch.full_like(mean, 1e-9)))):
        found = merged(normal.Normal(mean, torch.full_like(mean, std)), prior)
        torch.testing.assert_close(found.mean, expected.mean, rtol=1e-8, atol=0.0)
        torch.testing.assert_close(found.std, expected.std, rtol=1e-8, atol=0.0)
