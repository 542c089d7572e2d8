"""What a network is trained on: labelled batches, images binarised anew in every step; and the curves of its terms."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from models.data.dataset import Dataset, Split
from models.families import Data, Objective
from models.kinds import (
    Adam,
    Bernoulli,
    BetaObjective,
    ClassifierModel,
    CrossEntropyObjective,
    Digits,
    FlatModel,
    Training,
)
from models.network import Labelled, Network, Terms
from models.noise import Draws, Noise, key
from models.training.problem import Member, Problem, build_problem
from models.training.tape import Tape, sites
from models.training.trainer import train
from models.vae import build

CPU = torch.device("cpu")
IMAGES = 40
CLASSIFIER, CROSS_ENTROPY = ClassifierModel(), CrossEntropyObjective()


class Greys(Data):
    """Images of six intensities, the same in each, to be binarised in every step."""

    kind = "training-greys"
    implementation = ":load_greys"
    shape = (1, 2, 3)
    levels = 1
    classes = 2


GREYS = torch.tensor([[[0, 255, 51], [128, 1, 204]]], dtype=torch.uint8)


def load_greys(spec: Greys) -> Dataset:
    labels = torch.arange(IMAGES) % 2
    train = Split(images=GREYS.expand(IMAGES, 1, 2, 3).contiguous(), labels=labels)
    test = Split(images=(train.images > 127).to(torch.uint8), labels=labels)
    return Dataset(spec=spec, train=train, test=test, dynamic=True)


class Twofold(FlatModel):
    """A flat model with a further term, a linear function of the pixels that is to be 1."""

    kind = "training-twofold"
    implementation = ":build_twofold"

    @property
    def weighed(self) -> tuple[str, ...]:
        return ("auxiliary",)


class TwofoldNetwork(Network):
    groups = ("z1",)

    def __init__(self, flat: Network) -> None:
        super().__init__()
        self.flat = flat
        self.linear = nn.Linear(6, 1)

    def terms(self, x: Tensor, noise: Draws) -> Terms:
        rate, distortion, _ = self.flat.terms(x, noise)
        return Terms(rate, distortion, {"auxiliary": (self.linear(x.flatten(1)) - 1).square().sum(1)})


def build_twofold(spec: Twofold, data: Data) -> Network:
    return TwofoldNetwork(build(spec, data))


def member(
    seed: int, objective: Objective, *, steps: int = 20, batch: int = 32, precision: str = "float64", rate: float = 3e-3
) -> Member:
    optimiser = Adam(learning_rate=rate)
    training = Training(steps=steps, batch_size=batch, optimiser=optimiser, precision=precision)  # type: ignore[arg-type]
    return Member(objective=objective, training=training, seed=seed)


def greys(*seeds: int) -> Problem:
    model = FlatModel(latent=2, likelihood=Bernoulli())
    return build_problem(Greys(), model, [member(seed, BetaObjective()) for seed in seeds], CPU)


def test_each_step_binarises_anew_by_the_trials_own_draw() -> None:
    subject = greys(3, 4)
    tape = Tape(subject, sites(subject))
    for step in (0, 1, 17):
        tape.wind(step)
        batch = tape.batch(step)
        assert isinstance(batch, Tensor)
        assert batch.shape == (2, 32, 1, 2, 3)
        for slot, seed in enumerate((3, 4)):
            uniform = Noise(key(seed), step, torch.float64).uniform("pixels", (32, 1, 2, 3))
            assert torch.equal(batch[slot], (uniform * 255 < GREYS.double()).double())


def test_a_pixel_is_white_as_often_as_it_is_bright() -> None:
    """5σ of the frequency over 6,400 draws, once per pixel; black and white pixels are certain."""
    subject = greys(0)
    batches = [subject.first_batch(Noise(key(0), step, torch.float64)) for step in range(200)]
    frequency = torch.stack([batch for batch in batches if isinstance(batch, Tensor)]).mean((0, 1))
    probability = GREYS.double() / 255
    tolerance = 5 * (probability * (1 - probability) / 6400).sqrt()
    assert bool(((frequency - probability).abs() <= tolerance).all())


def test_a_slot_draws_what_its_trial_draws_alone() -> None:
    subject = greys(5, 6, 5)
    pack, alone = Tape(subject, sites(subject)), Tape(subject, sites(subject), 2)
    for start in (0, 16):
        assert pack.wind(start) == alone.wind(start)
        for step in range(start, min(start + 16, 20)):
            together, single = pack.batch(step), alone.batch(step)
            assert isinstance(together, Tensor)
            assert isinstance(single, Tensor)
            assert torch.equal(together[2], single)
            assert torch.equal(together[0], single)
            drawn = alone.draws(step)
            assert all(torch.equal(value[2], drawn[site]) for site, value in pack.draws(step).items())


def test_the_engines_agree_on_images_binarised_in_every_step() -> None:
    fused, sequential = (train(greys(0, 1, 2), path) for path in ("fused", "sequential"))  # type: ignore[arg-type]
    torch.testing.assert_close(fused.rows, sequential.rows, rtol=1e-10, atol=1e-10)
    assert bool(fused.alive.all())


@pytest.mark.parametrize("path", ["fused", "sequential"])
def test_a_supervised_network_learns_the_labels(path: str) -> None:
    """A layer of 64 units knows 95 % of the test digits; it has no rate, and no curve of one."""
    members = [member(seed, CROSS_ENTROPY, steps=200, batch=64, precision="float32", rate=1e-2) for seed in (0, 1)]
    subject = build_problem(Digits(), CLASSIFIER, members, CPU)
    assert subject.curve_names == ("loss", "distortion")
    state = train(subject, path)  # type: ignore[arg-type]
    assert bool(state.alive.all())
    assert torch.equal(state.curves[..., 0], state.curves[..., 1])  # the loss is the distortion
    test = subject.dataset.test
    for slot in range(2):
        parameters = {name: value[slot] for name, value in subject.layout.views(state.rows).items()}
        logits = functional_call(subject.network, parameters, ("logits", test.images.float()))
        assert float((logits.argmax(1) == test.labels).double().mean()) > 0.95


def test_the_engines_agree_on_labelled_batches() -> None:
    subject = build_problem(Digits(), CLASSIFIER, [member(seed, CROSS_ENTROPY) for seed in (0, 1, 0)], CPU)
    fused, sequential = train(subject, "fused"), train(subject, "sequential")
    for name, value in fused.tensors().items():
        torch.testing.assert_close(value, sequential.tensors()[name], rtol=1e-10, atol=1e-10, equal_nan=True)
    assert torch.equal(fused.rows[0], fused.rows[2])


def test_images_keep_their_labels() -> None:
    subject = build_problem(Digits(), CLASSIFIER, [member(1, CROSS_ENTROPY)], CPU)
    tape = Tape(subject, sites(subject), 0)
    tape.wind(0)
    batch = tape.batch(0)
    assert isinstance(batch, Labelled)
    pixels, labels = subject.images.double(), subject.labels
    for x, y in zip(batch.x, batch.y, strict=True):
        found = (pixels == x).flatten(1).all(1).nonzero().flatten()
        assert y in labels[found]


@pytest.mark.parametrize("path", ["fused", "sequential"])
def test_auxiliary_terms_have_a_curve(path: str) -> None:
    model = Twofold(latent=2, likelihood=Bernoulli())
    subject = build_problem(Greys(), model, [member(seed, BetaObjective(beta=(0.5,))) for seed in (0, 1)], CPU)
    assert subject.curve_names == ("loss", "distortion", "rate_z1", "auxiliary")
    loss, distortion, rate, auxiliary = train(subject, path).curves.unbind(-1)  # type: ignore[arg-type]
    assert bool((auxiliary > 0).all())
    torch.testing.assert_close(loss, distortion + 0.5 * rate + auxiliary)
