"""Initial parameters: PyTorch's distribution, drawn from the trial's own noise, the same in every company."""

from __future__ import annotations

import math

import pytest
import scipy.stats
import torch
from torch import Tensor, nn

from models import kinds
from models.build import build_network
from models.initialise import initialise
from models.network import Network
from models.noise import Noise, key
from models.spec import SpecificationError

IMAGES = torch.arange(40).reshape(10, 1, 2, 2).to(torch.uint8)


class Holder(Network):
    """A network that is nothing but its parts."""

    groups = ("z1",)

    def __init__(self, **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)


class Scaled(nn.Module):
    """A parameter with no rule, unless `initialise` gives one."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.empty(3))


class OwnRule(Scaled):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(2, 2)

    def initialise(self, noise: Noise, site: str) -> dict[str, Tensor]:
        pack = tuple(noise.key.shape[:-1])
        zeros = torch.zeros(*pack, 2, dtype=noise.dtype)
        return {
            "scale": noise.normal(f"{site}/scale", (3,)) + 10.0,
            "inner.weight": torch.eye(2, dtype=noise.dtype).expand(*pack, 2, 2),
            "inner.bias": zeros,
        }


class FromImages(nn.Module):
    """Begins at a training image chosen by the trial; its other rule must not be asked."""

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Parameter(torch.empty(1, 2, 2))

    def initialise_from(self, noise: Noise, site: str, images: Tensor) -> dict[str, Tensor]:
        chosen = noise.permutation(f"{site}/images", len(images))[..., 0]
        return {"image": images[chosen].to(noise.dtype)}

    def initialise(self, noise: Noise, site: str) -> dict[str, Tensor]:
        raise AssertionError


class Forgetful(Scaled):
    def initialise(self, noise: Noise, site: str) -> dict[str, Tensor]:
        return {"scale": noise.normal(site, (4,))}


def _keys(*seeds: int) -> Tensor:
    return torch.stack([key(seed) for seed in seeds])


def _hierarchical() -> Network:
    model = kinds.HierarchicalModel(latents=(8, 4), likelihood=kinds.Binomial(total=16))
    return build_network(model, kinds.Digits())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_names_shapes_and_dtype_are_the_networks(dtype: torch.dtype) -> None:
    network = _hierarchical()
    parameters = initialise(network, _keys(0, 1, 2), dtype, IMAGES)
    assert list(parameters) == [name for name, _ in network.named_parameters()]
    for name, parameter in network.named_parameters():
        assert parameters[name].shape == (3, *parameter.shape)
        assert parameters[name].dtype == dtype


def test_a_trial_starts_the_same_alone_and_in_any_slot() -> None:
    network = _hierarchical()
    alone = initialise(network, _keys(4), torch.float32, IMAGES)
    pack = initialise(network, _keys(0, 3, 4, 4, 1), torch.float32, IMAGES)
    for name, value in alone.items():
        assert torch.equal(value[0], pack[name][2]), name
        assert torch.equal(value[0], pack[name][3]), name
        assert not torch.equal(value[0], pack[name][0]), name


def test_layers_of_one_shape_draw_different_numbers() -> None:
    parameters = initialise(Holder(a=nn.Linear(5, 4), b=nn.Linear(5, 4)), _keys(0), torch.float32, IMAGES)
    assert not torch.equal(parameters["a.weight"], parameters["b.weight"])


def test_a_new_layer_shifts_no_other() -> None:
    before = initialise(Holder(a=nn.Linear(5, 4), c=nn.Linear(3, 2)), _keys(0), torch.float32, IMAGES)
    after = initialise(Holder(a=nn.Linear(5, 4), b=nn.Linear(4, 4), c=nn.Linear(3, 2)), _keys(0), torch.float32, IMAGES)
    for name, value in before.items():
        assert torch.equal(value, after[name])


LAYERS: dict[str, tuple[nn.Module, int]] = {  # with PyTorch's fan-in
    "linear": (nn.Linear(25, 400), 25),
    "convolution": (nn.Conv2d(3, 40, 4), 3 * 16),
    "transposed convolution": (nn.ConvTranspose2d(40, 3, 4), 3 * 16),
}


@pytest.mark.parametrize("name", LAYERS)
def test_values_are_uniform_on_pytorchs_interval(name: str) -> None:
    layer, fan_in = LAYERS[name]
    bound = 1.0 / math.sqrt(fan_in)
    values = initialise(Holder(layer=layer), _keys(11, 12), torch.float64, IMAGES)
    for parameter in ("layer.weight", "layer.bias"):
        drawn = values[parameter].flatten()
        assert float(drawn.abs().max()) <= bound
        # Kolmogorov-Smirnov at 1e-4 for each of six samples: a right sampler fails with probability below 1e-3.
        assert scipy.stats.kstest(drawn.numpy(), scipy.stats.uniform(-bound, 2 * bound).cdf).pvalue > 1e-4
    weight = layer.get_parameter("weight")
    assert 0.98 * bound < float(weight.detach().abs().max()) <= bound * (1 + 1e-6)  # PyTorch's own draw


def test_normalisations_start_as_the_identity() -> None:
    parameters = initialise(Holder(norm=nn.LayerNorm(3), group=nn.GroupNorm(1, 2)), _keys(0, 1), torch.float64, IMAGES)
    for name, value in parameters.items():
        assert bool((value == (1.0 if name.endswith("weight") else 0.0)).all())
        assert value.dtype == torch.float64


def test_a_modules_own_rule_comes_first() -> None:
    parameters = initialise(Holder(own=OwnRule(), plain=nn.Linear(2, 1)), _keys(0, 1), torch.float32, IMAGES)
    assert bool((parameters["own.scale"] > 4).all())
    assert torch.equal(parameters["own.inner.weight"], torch.eye(2).expand(2, 2, 2))
    assert parameters["plain.weight"].shape == (2, 1, 2)
    alone = initialise(Holder(own=OwnRule()), _keys(1), torch.float32, IMAGES)
    assert torch.equal(alone["own.scale"][0], parameters["own.scale"][1])


def test_a_module_may_begin_at_training_images() -> None:
    seeds = range(20)
    parameters = initialise(Holder(own=FromImages()), _keys(*seeds), torch.float32, IMAGES)
    chosen = {int(image.flatten()[0]) // 4 for image in parameters["own.image"]}
    assert chosen <= set(range(10))
    assert len(chosen) > 3
    for seed in seeds:
        expected = IMAGES[Noise(key(seed), 0).permutation("init/own/images", 10)[0]].float()
        assert torch.equal(parameters["own.image"][seed], expected)


def test_a_parameter_without_a_rule_is_refused_by_name() -> None:
    with pytest.raises(SpecificationError, match=r"'part\.scale' \(Scaled\).*initialise\(noise, site\)"):
        initialise(Holder(part=Scaled()), _keys(0), torch.float32, IMAGES)


def test_an_own_rule_must_give_every_parameter_in_its_shape() -> None:
    with pytest.raises(SpecificationError, match=r"'part\.scale' must be \(1, 3\), got \(1, 4\)"):
        initialise(Holder(part=Forgetful()), _keys(0), torch.float32, IMAGES)


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    initialise(Holder(layer=nn.Identity()), _keys(0), torch.float32, IMAGES)
    initialise(_hierarchical(), _keys(0), torch.float32, IMAGES)
    assert torch.equal(torch.get_rng_state(), before)
