"""The small classifier of MNIST: its layers against torch's, its dropout against closed forms, and in both engines."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call

from models.build import build_network
from models.dropout_cnn import DropoutCnn, dropped
from models.initialise import initialise
from models.kinds import BinaryMnist, ClassifierModel, CrossEntropyObjective, Digits, DropoutCnnEncoder, Training
from models.network import Labelled
from models.noise import Noise, key
from models.training.problem import Member, build_problem
from models.training.trainer import train

SMALL = DropoutCnnEncoder(channels=(2, 3), width=8)
NOISE = Noise(key(0), 0, torch.float64)


def test_its_layers_are_those_of_the_authors() -> None:
    encoder = DropoutCnn(DropoutCnnEncoder(), BinaryMnist()).double()
    shapes = [tuple(parameter.shape) for parameter in encoder.parameters()]
    assert shapes == [(32, 1, 3, 3), (32,), (64, 32, 3, 3), (64,), (128, 9216), (128,)]
    first, bias1, second, bias2, dense, bias3 = encoder.parameters()
    x = NOISE.uniform("x", (2, 1, 28, 28)).round()
    hidden = F.relu(F.conv2d(F.relu(F.conv2d(x, first, bias1)), second, bias2))
    expected = F.relu(F.linear(F.max_pool2d(hidden, 2).flatten(1), dense, bias3))
    torch.testing.assert_close(encoder(x), expected)
    assert encoder.features == 128


def test_pixels_enter_as_fractions_of_the_highest_level() -> None:
    encoder = DropoutCnn(SMALL, Digits())
    white = encoder.dense(encoder.convolutions(torch.ones(1, *Digits.shape)))
    torch.testing.assert_close(encoder(torch.full((1, *Digits.shape), 16.0)), white)


@pytest.mark.parametrize("rate", [0.25, 0.5])
def test_dropout_zeroes_at_its_rate_and_keeps_the_mean(rate: float) -> None:
    """Of features 1: variance r / (1 − r) each, within 5σ of 200,000 draws."""
    count = 200_000
    features = dropped(torch.ones(count, dtype=torch.float64), rate, NOISE, "site")
    assert set(features.tolist()) == {0.0, 1.0 / (1.0 - rate)}
    tolerance = 5 * (rate / (1 - rate) / count) ** 0.5
    assert float(features.mean()) == pytest.approx(1.0, abs=tolerance)


def test_no_gradient_passes_what_is_dropped() -> None:
    features = NOISE.normal("features", (64,)).requires_grad_()
    after = dropped(features, 0.25, NOISE, "site")
    (gradient,) = torch.autograd.grad(after.sum(), features)
    torch.testing.assert_close(gradient, torch.where(after == 0, 0.0, torch.ones_like(after) / 0.75))


def test_dropout_acts_in_training_alone() -> None:
    parameters: dict[str, torch.Tensor] = {}
    batch = Labelled(NOISE.uniform("x", (3, *Digits.shape)).mul(16).round(), torch.tensor([0, 4, 9]))
    surprises = []
    for rates in ((0.25, 0.5), (0.0, 0.0)):
        model = ClassifierModel(encoder=DropoutCnnEncoder(channels=(2, 3), width=8, dropout=rates))
        network = build_network(model, Digits()).double()
        drawn = initialise(network, key(0)[None], torch.float64, torch.empty(0))
        parameters = parameters or {name: value[0] for name, value in drawn.items()}
        logits = functional_call(network, parameters, ("logits", batch.x))
        in_training = functional_call(network, parameters, ("terms", batch, NOISE)).distortion
        surprises.append((F.cross_entropy(logits, batch.y, reduction="none"), in_training))
    (tested, trained), (plain, undropped) = surprises
    torch.testing.assert_close(tested, plain, rtol=0, atol=0)
    torch.testing.assert_close(undropped, plain, rtol=0, atol=0)
    assert not torch.allclose(trained, plain)


def test_the_engines_agree_on_dropout() -> None:
    """Each trial drops by its own draws, the same in company and alone."""
    training = Training(steps=4, batch_size=32, precision="float64")
    members = [Member(objective=CrossEntropyObjective(), training=training, seed=seed) for seed in (0, 1, 1)]
    problem = build_problem(Digits(), ClassifierModel(encoder=SMALL), members, torch.device("cpu"))
    fused, sequential = train(problem, "fused").rows, train(problem, "sequential").rows
    torch.testing.assert_close(fused, sequential, rtol=1e-10, atol=1e-10)
    assert torch.equal(fused[1], fused[2])
    assert not torch.allclose(fused[0], fused[1])
