"""Classifiers: cross entropy against torch.distributions, targets, packs, and that one learns."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, vmap

from models import kinds
from models.auxiliaries import Gradient, Histogram, Marginals
from models.build import build_network, build_objective, load_data
from models.classifier import Classifier
from models.families import Auxiliary, Data
from models.initialise import initialise
from models.network import Labelled
from models.noise import Noise, key
from models.spec import SpecificationError
from models.training.optimisers import Adam

DATA = kinds.ThresholdedMnist(downsample=2)
NOISE = Noise(key(0), 0, torch.float64)


def _network(model: kinds.ClassifierModel, data: Data = DATA) -> tuple[Classifier, dict[str, Tensor]]:
    network = build_network(model, data).double()
    assert isinstance(network, Classifier)
    return network, initialise(network, torch.stack([key(0), key(1)]), torch.float64, torch.empty(0))


def _batch() -> Labelled:
    return Labelled(NOISE.uniform("x", (3, *DATA.shape)).round(), torch.tensor([0, 4, 9]))


def test_its_distortion_is_the_surprise_of_the_label() -> None:
    network, parameters = _network(kinds.ClassifierModel())
    own = {name: value[0] for name, value in parameters.items()}
    batch = _batch()
    terms = functional_call(network, own, ("terms", batch, NOISE))
    logits = functional_call(network, own, ("logits", batch.x))
    assert logits.shape == (3, 10)
    torch.testing.assert_close(terms.distortion, -torch.distributions.Categorical(logits=logits).log_prob(batch.y))
    assert terms.rate.shape == (0, 3)
    assert terms.auxiliary == {}
    loss, state = build_objective(kinds.CrossEntropyObjective()).loss(terms, {}, torch.tensor(0), {})
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(logits, batch.y))
    assert state == {}


@pytest.mark.parametrize(
    ("target", "shape", "of"),
    [
        (None, DATA.shape, None),
        (kinds.ConvolutionalAuxiliary(halvings=1), DATA.shape, None),
        (kinds.GradientAuxiliary(halvings=1), (2, 14, 14), Gradient),
        (kinds.MarginalsAuxiliary(), (1, 1, 56), Marginals),
        (kinds.HistogramAuxiliary(), (1, 1, 2), Histogram),
    ],
    ids=["image", "convolutional", "gradient", "marginals", "histogram"],
)
def test_it_sees_the_target_alone(target: Auxiliary | None, shape: tuple[int, ...], of: type | None) -> None:
    network, parameters = _network(kinds.ClassifierModel(target=target, encoder=kinds.DenseEncoder(widths=(8,))))
    assert parameters["encoder.layers.0.weight"].shape == (2, 8, math.prod(shape))
    own = {name: value[0] for name, value in parameters.items()}
    x = _batch().x
    seen = x if of is None else of.target(DATA).inputs(x)  # type: ignore[attr-defined]
    features = functional_call(network.encoder, _of("encoder.", own), (seen,))
    expected = functional_call(network.output, _of("output.", own), (features,))
    torch.testing.assert_close(functional_call(network, own, ("logits", x)), expected)


def _of(prefix: str, parameters: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in parameters.items() if name.startswith(prefix)}


@pytest.mark.parametrize("target", [kinds.GradientAuxiliary(halvings=1), kinds.MarginalsAuxiliary()])
def test_a_pack_of_classifiers_gives_what_each_gives_alone(target: Auxiliary) -> None:
    network, parameters = _network(kinds.ClassifierModel(target=target))
    batch = _batch()

    def surprise(own: dict[str, Tensor]) -> Tensor:
        distortion: Tensor = functional_call(network, own, ("terms", batch, NOISE)).distortion
        return distortion

    together = vmap(surprise)(parameters)
    for slot in range(2):
        torch.testing.assert_close(together[slot], surprise({name: value[slot] for name, value in parameters.items()}))


def test_an_encoder_that_does_not_fit_the_target_is_refused() -> None:
    model = kinds.ClassifierModel(target=kinds.HistogramAuxiliary(), encoder=kinds.PyramidEncoder())
    with pytest.raises(SpecificationError, match=r"the target 'histogram': halvings=2 is for 28×28 images.*not 1×2"):
        build_network(model, DATA)


def test_it_learns_the_digits() -> None:
    data = kinds.Digits()
    digits = load_data(data)
    network, parameters = _network(kinds.ClassifierModel(), data)
    adam = Adam(kinds.Adam(learning_rate=1e-2))
    names = list(parameters)
    sizes = [parameters[name][0].numel() for name in names]
    row = torch.cat([parameters[name][:1].flatten(1) for name in names], dim=1)
    moments = {name: torch.zeros_like(row) for name in adam.moments}

    def own() -> dict[str, Tensor]:
        pieces = row[0].split(sizes)
        return {name: piece.view(parameters[name].shape[1:]) for name, piece in zip(names, pieces, strict=True)}

    x, y = digits.train.images.double(), digits.train.labels
    for count in range(1, 61):
        leaves = {name: value.detach().requires_grad_() for name, value in own().items()}
        surprise = functional_call(network, leaves, ("terms", Labelled(x, y), NOISE)).distortion.mean()
        gradients = torch.autograd.grad(surprise, list(leaves.values()))
        gradient = torch.cat([one.flatten() for one in gradients])[None]
        adam.step(row, gradient, moments, count, torch.full((1, 1), 1e-2, dtype=torch.float64))
    logits = functional_call(network, own(), ("logits", digits.test.images.double()))
    assert float((logits.argmax(1) == digits.test.labels).double().mean()) > 0.9
