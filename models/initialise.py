"""Initial parameters of a trial, drawn from its own noise.

Each parameter has a site of its own, "init/<name>", so that a layer added to a model shifts no other. The distribution
is PyTorch's default: uniform on ±1/√fan_in for the weights and biases of dense and convolutional layers, ones and zeros
for normalisations. A module that knows better has a method `initialise(noise, site)`, or `initialise_from(noise, site,
images)` where it begins at the training images: it gives the values of all of its parameters, its children's too, by
name, (K, *shape) each, from K trials' noise and sites that begin with `site`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from models.network import Network
from models.noise import Noise
from models.spec import SpecificationError

# In a transposed convolution's weight (in, out, kh, kw), as in the others', PyTorch counts dimension 1 as the fan-in.
WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
NORMALISING = (nn.LayerNorm, nn.GroupNorm)


def initialise(network: Network, keys: Tensor, dtype: torch.dtype, images: Tensor) -> dict[str, Tensor]:
    """Parameters of K trials by name, each (K, *shape) in `dtype`, on the device of `keys` (K, 2).

    images: those to train on, (N, C, H, W) uint8, on that device. The slice of a trial is the same in every company.
    Raises SpecificationError for a module that has parameters and no known rule.
    """
    noise = Noise(keys, torch.zeros(len(keys), dtype=torch.int64, device=keys.device), dtype)
    parameters: dict[str, Tensor] = {}
    _visit(network, "", noise, images, parameters)
    wanted = {name: tuple(parameter.shape) for name, parameter in network.named_parameters()}
    for name, shape in wanted.items():
        given = tuple(parameters[name].shape) if name in parameters else None
        if given != (len(keys), *shape):
            raise SpecificationError(f"initialise: parameter {name!r} must be {(len(keys), *shape)}, got {given}")
    return {name: parameters[name] for name in wanted}


def _visit(module: nn.Module, name: str, noise: Noise, images: Tensor, parameters: dict[str, Tensor]) -> None:
    own_values = _own_values(module, noise, f"init/{name}", images)
    if own_values is not None:
        parameters |= {_join(name, own): value for own, value in own_values.items()}
        return
    for own, parameter in module.named_parameters(recurse=False):
        full = _join(name, own)
        if isinstance(module, WEIGHTED):
            bound = 1.0 / math.sqrt(module.weight[0].numel())
            values = noise.uniform(f"init/{full}", tuple(parameter.shape)) * (2.0 * bound) - bound
        elif isinstance(module, NORMALISING):
            values = noise.key.new_full((len(noise.key), *parameter.shape), own == "weight", dtype=noise.dtype)
        else:
            raise SpecificationError(
                f"no rule for the initial value of {full!r} ({type(module).__name__}): "
                "give the module a method initialise(noise, site), as models/initialise.py says"
            )
        parameters[full] = values
    for child, submodule in module.named_children():
        _visit(submodule, _join(name, child), noise, images, parameters)


def _own_values(module: nn.Module, noise: Noise, site: str, images: Tensor) -> dict[str, Tensor] | None:
    """What a module's own rule gives; None where it has none."""
    from_images, own_rule = (getattr(module, name, None) for name in ("initialise_from", "initialise"))
    values: dict[str, Tensor] | None = None
    if from_images is not None:
        values = from_images(noise, site, images)
    elif own_rule is not None:
        values = own_rule(noise, site)
    return values


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
