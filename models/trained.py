"""Trained networks: a network of a specification with stored weights in it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch

from models.build import build_network
from models.families import Data, Model
from models.network import Network
from models.spec import SpecificationError


def trained_network(model: Model, data: Data, weights: Mapping[str, npt.NDArray[np.floating]]) -> Network:
    """The network of one trial with its parameters replaced by `weights`, by name; on the CPU, in the weights' dtype.

    Raises SpecificationError where the weights are not those of this model: another name or shape.
    """
    network = build_network(model, data)
    for name, parameter in network.named_parameters():
        if name not in weights:
            raise SpecificationError(f"the weights lack {name!r} of model kind {model.kind!r}; they are of other code")
        if weights[name].shape != tuple(parameter.shape):
            raise SpecificationError(
                f"{name!r} of model kind {model.kind!r} has the shape {tuple(parameter.shape)}, its weights have "
                f"{weights[name].shape}; they are of other code"
            )
        parameter.data = torch.from_numpy(np.array(weights[name]))
    return network
