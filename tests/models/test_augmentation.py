"""Random crops and flips: against crops by slicing, how often each place comes, and in training alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, vmap

from models.augmentation import crop_and_flip
from models.build import build_network
from models.initialise import initialise
from models.kinds import ClassifierModel, CrossEntropyObjective, Digits, Training
from models.network import Labelled
from models.noise import Draws, Noise, key
from models.training.problem import Member, build_problem
from models.training.trainer import train

NOISE = Noise(key(0), 0, torch.float64)
MODEL = ClassifierModel(augmentation="crop-flip")


class Fixed(Draws):
    """The same number at each site."""

    def __init__(self, **values: float) -> None:
        self.values = values

    def uniform(self, site: str, shape: tuple[int, ...]) -> Tensor:
        return torch.full(shape, self.values[site.removeprefix("augmentation/")])


def _sliced(image: Tensor, top: int, left: int, mirrored: bool) -> Tensor:
    """A crop of one image (C, H, W) in a black frame of four pixels, then its mirror image."""
    channels, height, width = image.shape
    framed = torch.zeros(channels, height + 8, width + 8, dtype=image.dtype)
    framed[:, 4 : 4 + height, 4 : 4 + width] = image
    crop = framed[:, top : top + height, left : left + width]
    return crop.flip(2) if mirrored else crop


def test_each_image_is_cropped_and_mirrored_by_its_own_draws() -> None:
    x = NOISE.uniform("x", (40, 3, 6, 9))
    moved = crop_and_flip(x, NOISE)
    draws = (NOISE.uniform(f"augmentation/{site}", (40,)).tolist() for site in ("top", "left", "flip"))
    for image, of, top, left, flip in zip(moved, x, *draws, strict=True):
        assert torch.equal(image, _sliced(of, int(top * 9), int(left * 9), flip < 0.5))


@pytest.mark.parametrize("mirrored", [True, False])
@pytest.mark.parametrize(("draw", "place"), [(2.0**-24, 0), (0.5, 4), (1 - 2.0**-24, 8)])
def test_the_ends_of_the_draws_are_the_corners_of_the_frame(draw: float, place: int, mirrored: bool) -> None:
    x = torch.arange(2 * 3 * 5 * 5, dtype=torch.float32).reshape(2, 3, 5, 5)
    moved = crop_and_flip(x, Fixed(top=draw, left=1 - draw, flip=0.25 if mirrored else 0.75))
    for image, of in zip(moved, x, strict=True):
        assert torch.equal(image, _sliced(of, place, 8 - place, mirrored))


def test_each_place_and_each_side_comes_as_often() -> None:
    """Of a white centre: 5σ of each of 81 places among 81,000 images, and of the mirrored half."""
    count = 81_000
    x = torch.zeros(count, 1, 9, 10, dtype=torch.uint8)
    x[:, :, 4, 4] = 1
    moved = crop_and_flip(x, NOISE)
    assert bool((moved.sum((1, 2, 3)) == 1).all())
    row, column = moved[:, 0].sum(0, dtype=torch.float64).sum(1), moved[:, 0].sum(0, dtype=torch.float64).sum(0)
    # A pixel in column 4 lands in 0..8 as it is, and in 9 − (0..8) mirrored.
    expected = torch.tensor([0.5, *[1.0] * 8, 0.5], dtype=torch.float64) / 9
    for seen, probability in ((row, torch.full((9,), 1 / 9, dtype=torch.float64)), (column, expected)):
        assert bool(((seen / count - probability).abs() < 5 * (probability / count).sqrt()).all())


def test_it_acts_in_training_alone() -> None:
    plain, augmented = (build_network(model, Digits()).double() for model in (ClassifierModel(), MODEL))
    parameters = {
        name: value[0] for name, value in initialise(plain, key(0)[None], torch.float64, torch.empty(0)).items()
    }
    x, y = NOISE.uniform("x", (3, *Digits.shape)).mul(16).round(), torch.tensor([0, 4, 9])

    def surprise(network: torch.nn.Module, images: Tensor) -> Tensor:
        distortion: Tensor = functional_call(network, parameters, ("terms", Labelled(images, y), NOISE)).distortion
        return distortion

    logits = [functional_call(network, parameters, ("logits", x)) for network in (plain, augmented)]
    assert torch.equal(*logits)
    assert torch.equal(surprise(augmented, x), surprise(plain, crop_and_flip(x, NOISE)))
    assert not torch.allclose(surprise(augmented, x), surprise(plain, x))


def test_a_pack_moves_its_images_as_each_trial_alone() -> None:
    keys = torch.stack([key(0), key(1)])
    x = Noise(keys, torch.tensor([0, 0])).uniform("x", (5, 3, 8, 8))
    together = vmap(lambda images, own: crop_and_flip(images, Noise(own, 3)))(x, keys)
    for slot in range(2):
        assert torch.equal(together[slot], crop_and_flip(x[slot], Noise(keys[slot], 3)))


def test_the_engines_agree_on_it() -> None:
    training = Training(steps=20, batch_size=32, precision="float64")
    members = [Member(objective=CrossEntropyObjective(), training=training, seed=seed) for seed in (0, 1, 1)]
    problem = build_problem(Digits(), MODEL, members, torch.device("cpu"))
    fused, sequential = train(problem, "fused").rows, train(problem, "sequential").rows
    torch.testing.assert_close(fused, sequential, rtol=1e-10, atol=1e-10)
    assert torch.equal(fused[1], fused[2])
