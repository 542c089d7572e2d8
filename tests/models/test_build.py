"""From kinds to the code behind them, ours and a user's own, and what is said when there is none."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch

from models import kinds
from models.build import build_network, build_objective, implementation, load_data
from models.families import Data, Model
from models.hierarchical import HierarchicalAutoencoder
from models.kinds import Binomial, Digits, FlatModel, HierarchicalModel
from models.network import Network
from models.spec import SpecificationError, parse
from models.vae import VariationalAutoencoder


class Silent(Network):
    groups = ("z1",)


def make_silent(spec: Model, data: Data) -> Network:
    return Silent()


def make_pair(spec: Model, data: Data) -> tuple[Model, Data]:
    return spec, data


class UserModel(Model):
    kind: ClassVar[str] = "test-build-user"
    implementation: ClassVar[str] = ":make_silent"


class TwoGroups(Model):
    implementation: ClassVar[str] = ":make_silent"

    @property
    def groups(self) -> tuple[str, ...]:
        return ("z1", "z2")


class NoNetwork(Model):
    implementation: ClassVar[str] = ":make_pair"


class Misspelt(Model):
    implementation: ClassVar[str] = "models.vae:biuld"


class Lost(Model):
    implementation: ClassVar[str] = "models.flat:build"


class Unnamed(Model):
    implementation: ClassVar[str] = ""


class NoData(Data):
    kind: ClassVar[str] = ""
    implementation: ClassVar[str] = "builtins:str"
    shape: ClassVar[tuple[int, int, int]] = (1, 1, 1)
    levels: ClassVar[int] = 1
    classes: ClassVar[int] = 2


def test_shipped_models_are_built() -> None:
    data = Digits()
    flat = build_network(FlatModel(latent=4, likelihood=Binomial(total=16)), data)
    deep = build_network(HierarchicalModel(latents=(4, 3, 2), likelihood=Binomial(total=16)), data)
    assert isinstance(flat, VariationalAutoencoder)
    assert isinstance(deep, HierarchicalAutoencoder)
    assert flat.groups == ("z1",)
    assert deep.groups == ("z1", "z2", "z3")


def test_every_shipped_kind_has_its_code() -> None:
    for spec in (
        kinds.DenseEncoder(),
        kinds.ConvolutionalEncoder(),
        kinds.DenseDecoder(),
        kinds.ConvolutionalDecoder(),
        kinds.Bernoulli(),
        kinds.Binomial(total=2),
        kinds.Gaussian(),
        kinds.BetaObjective(),
        kinds.AnnealedObjective(steps=1),
        kinds.FreeBitsObjective(floor=0.0),
        kinds.TargetRateObjective(target=0.0),
        kinds.Digits(),
    ):
        assert callable(implementation(spec))


def test_a_kind_in_the_users_own_file_is_found_there() -> None:
    spec = parse(Model, {"kind": "test-build-user"})
    assert isinstance(build_network(spec, Digits()), Silent)


def test_building_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    build_network(FlatModel(latent=4, likelihood=Binomial(total=16)), Digits())
    assert torch.equal(torch.get_rng_state(), before)


def test_an_attribute_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(SpecificationError, match=r"models\.vae has no 'biuld'; did you mean build"):
        build_network(Misspelt(), Digits())


def test_a_module_that_is_not_there_is_named() -> None:
    with pytest.raises(SpecificationError, match=r"Lost\.implementation = 'models\.flat:build'.*models\.flat"):
        build_network(Lost(), Digits())


def test_an_implementation_needs_an_attribute() -> None:
    with pytest.raises(SpecificationError, match="must be 'module:attribute'"):
        implementation(Unnamed())


def test_what_is_built_must_be_what_was_promised() -> None:
    with pytest.raises(SpecificationError, match="gave tuple, no Network"):
        build_network(NoNetwork(), Digits())
    with pytest.raises(SpecificationError, match=r"promises the groups \('z1', 'z2'\), its network has \('z1',\)"):
        build_network(TwoGroups(), Digits())
    with pytest.raises(SpecificationError, match="gave str, no Dataset"):
        load_data(NoData())


def test_an_objective_is_built_from_its_specification() -> None:
    objective = build_objective(kinds.FreeBitsObjective(floor=2.0))
    assert objective.init(torch.float32, torch.device("cpu")) == {}
