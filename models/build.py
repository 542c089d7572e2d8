"""From a specification to the thing itself: data sets, networks and objectives, imported only when asked for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from models.data.dataset import Dataset
from models.families import Data, Model, Objective
from models.network import Network
from models.spec import Kind, SpecificationError, nearest

if TYPE_CHECKING:
    from models.objectives import ObjectiveFunction


def implementation(kind: Kind) -> Callable[..., Any]:
    """The code behind a kind, as its `implementation` 'module:attribute' names it.

    An empty module is the module of the kind itself: a user's own file, which is loaded by path and so is found among
    the loaded modules, not by import. Raises SpecificationError where there is no such thing.
    """
    where = f"{type(kind).__name__}.implementation = {kind.implementation!r}"
    module_name, colon, attribute = kind.implementation.partition(":")
    if not colon or not attribute:
        raise SpecificationError(f"{where}: it must be 'module:attribute', or ':attribute' for the kind's own module")
    if module_name:
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            raise SpecificationError(f"{where}: {error}") from error
    else:
        own = sys.modules.get(type(kind).__module__)
        if own is None:
            raise SpecificationError(f"{where}: the kind's module {type(kind).__module__!r} is not loaded")
        module = own
    code = getattr(module, attribute, None)
    if not callable(code):
        choices = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise SpecificationError(f"{where}: {module.__name__} has no {attribute!r}; {nearest(attribute, choices)}")
    built: Callable[..., Any] = code
    return built


def load_data(data: Data) -> Dataset:
    """The data set of a specification, checked against it."""
    dataset = implementation(data)(data)
    if not isinstance(dataset, Dataset):
        raise SpecificationError(
            f"data kind {data.kind!r}: {data.implementation} gave {type(dataset).__name__}, no Dataset"
        )
    return dataset


def build_network(model: Model, data: Data) -> Network:
    """The network of one trial. Its parameters mean nothing until models/initialise.py draws them.

    Raises SpecificationError where the code behind the model does not give a Network of the groups that it promises.
    """
    # torch's layers draw initial values from the global generator, which must stay untouched: nothing here may depend
    # on it, and a user's own numbers must not depend on us.
    with torch.random.fork_rng(devices=[]):
        network = implementation(model)(model, data)
    if not isinstance(network, Network):
        raise SpecificationError(
            f"model kind {model.kind!r}: {model.implementation} gave {type(network).__name__}, no Network"
        )
    if tuple(network.groups) != model.groups:
        raise SpecificationError(
            f"model kind {model.kind!r} promises the groups {model.groups}, its network has {tuple(network.groups)}"
        )
    return network


def build_objective(objective: Objective) -> ObjectiveFunction:
    """The loss of a specification: an object with `init` and `loss` (models/objectives.py)."""
    built: ObjectiveFunction = implementation(objective)(objective)
    return built
