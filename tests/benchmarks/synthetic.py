"""Problems to time: the hierarchies of Xiao & Bamler (2023) at their own sizes, on random images."""

from __future__ import annotations

from typing import ClassVar

import torch

from models.data.dataset import Dataset, Split
from models.families import Data
from models.kinds import Adam, BetaObjective, Training
from models.training.problem import Member, Problem, build_problem
from studies.hvae.sizes import BINARY, COLOUR

IMAGES = 10_000
STEPS = 100_000  # more than any benchmark takes


class BinaryImages(Data):
    """Random images of binary MNIST's shape."""

    kind = "benchmark-binary"
    implementation = ":load"
    shape: ClassVar[tuple[int, int, int]] = (1, 28, 28)
    levels: ClassVar[int] = 1
    classes: ClassVar[int] = 10


class ColourImages(Data):
    """Random images of the shape of SVHN's and CIFAR-10's."""

    kind = "benchmark-colour"
    implementation = ":load"
    shape: ClassVar[tuple[int, int, int]] = (3, 32, 32)
    levels: ClassVar[int] = 255
    classes: ClassVar[int] = 10


def load(spec: Data) -> Dataset:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(spec.levels + 1, (IMAGES, *spec.shape), generator=generator, dtype=torch.uint8)
    split = Split(images=images, labels=torch.arange(IMAGES) % spec.classes)
    return Dataset(spec=spec, train=split, test=split)


SETTINGS = {"binary": (BinaryImages(), BINARY), "colour": (ColourImages(), COLOUR)}


def hierarchy(name: str, batch: int, members: int, device: str = "cpu", precision: str = "float32") -> Problem:
    """`members` of a grid over both β, of one seed, as packs of the studies have them."""
    data, model = SETTINGS[name]
    training = Training(steps=STEPS, batch_size=batch, optimiser=Adam(learning_rate=3e-4), precision=precision)
    betas = [(1.0 + member / members, 1.0) for member in range(members)]
    pack = [Member(objective=BetaObjective(beta=beta), training=training, seed=0) for beta in betas]
    return build_problem(data, model, pack, torch.device(device))
