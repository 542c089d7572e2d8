"""The PixelCNN: what each output depends on, masses that sum to one, weight normalisation, its layers by torch's."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call, grad_and_value, vmap

from models import kinds
from models.families import Data
from models.initialise import initialise
from models.likelihoods import Bernoulli
from models.network import Network
from models.noise import key
from models.pixelcnn import PixelCnn, places
from models.pixelcnn_layers import Gated, Tap, Weight, window

LATENT = 3


class Binary(Data):
    """Black and white images of a size of one's own."""

    kind = "binary"
    levels = 1
    classes = 2
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int, int]:  # type: ignore[override]
        return (1, self.height, self.width)


class Holder(Network):
    groups = ("z1",)

    def __init__(self, decoder: PixelCnn) -> None:
        super().__init__()
        self.decoder = decoder


def stacked(decoder: PixelCnn, *seeds: int, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    """Initial parameters by the product's own rule, one slice for each seed."""
    keys, images = torch.stack([key(seed) for seed in seeds]), torch.zeros(1, 1, 1, 1, dtype=torch.uint8)
    named = initialise(Holder(decoder), keys, dtype, images)
    return {name.removeprefix("decoder."): value for name, value in named.items()}


def pixelcnn(height: int, width: int, dtype: torch.dtype = torch.float64, **fields: object) -> PixelCnn:
    spec = kinds.PixelCnnDecoder(**({"filters": 4} | fields))
    decoder = PixelCnn(spec, Binary(height=height, width=width), LATENT, 1).to(dtype)
    decoder.load_state_dict({name: value[0] for name, value in stacked(decoder, 5, dtype=dtype).items()})
    return decoder


def latents(count: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(count, LATENT, dtype=dtype, generator=torch.Generator().manual_seed(2))


def images(count: int, side: int) -> Tensor:
    bits = torch.randint(0, 2, (count, 1, side, side), generator=torch.Generator().manual_seed(3))
    return bits.to(torch.float64)


def seen(halvings: int, blocks: int, side: int) -> Tensor:
    """(side², side²) bool: which pixels an output may depend on, by following sets of pixels through Table 7."""
    none: frozenset[int] = frozenset()

    def at(stream: dict[tuple[int, int], frozenset[int]], row: int, column: int) -> frozenset[int]:
        return stream.get((row, column), none)

    pixels = {(r, c): frozenset({r * side + c}) for r in range(side) for c in range(side)}
    streams = [(pixels, pixels)]
    for place in places(halvings, blocks):
        down, right = streams[-1]
        size = int(len(down) ** 0.5)
        size = {"none": size, "halve": size // 2, "double": size * 2}[place.resampling]
        new_down, new_right = {}, {}
        for r, c in itertools.product(range(size), repeat=2):
            if place.resampling == "double":
                below = at(down, r // 2, c // 2) | (at(down, r // 2, c // 2 + 1) if c % 2 else none)
                beside = at(right, r // 2, c // 2)
            else:
                step = 2 if place.resampling == "halve" else 1
                late = len(streams) == 1  # the first block reads one row lower, one pixel further right
                rows, columns = step * r - late, step * c - late
                below = none.union(*(at(down, rows + i, step * c + j) for i in (-1, 0) for j in (-1, 0, 1)))
                beside = none.union(*(at(right, step * r + i, columns + j) for i in (-1, 0) for j in (-1, 0)))
            if place.skip is not None:
                below |= at(streams[1 + place.skip][0], r, c)
                beside |= at(streams[1 + place.skip][1], r, c)
            new_down[r, c], new_right[r, c] = below, beside | below
        streams.append((new_down, new_right))
    matrix = torch.zeros(side**2, side**2, dtype=torch.bool)
    for (r, c), sources in streams[-1][1].items():
        matrix[r * side + c, list(sources)] = True
    return matrix


@pytest.mark.parametrize(("halvings", "blocks"), [(1, 1), (1, 3), (2, 1), (2, 3)])
def test_an_output_depends_on_every_pixel_before_it_in_its_cone_and_on_no_other(halvings: int, blocks: int) -> None:
    side = 8
    decoder = pixelcnn(side, side, halvings=halvings, blocks=blocks)
    z = latents(1)

    def outputs(x: Tensor) -> Tensor:
        given: Tensor = decoder(z, x.reshape(1, 1, side, side))
        return given.flatten()

    jacobian = torch.autograd.functional.jacobian(outputs, images(1, side).flatten())
    dependent = jacobian != 0
    assert not bool(dependent.triu().any())  # strictly before, row by row
    assert torch.equal(dependent, seen(halvings, blocks, side))
    for output, pixel in itertools.product(range(side**2), repeat=2):  # no blind spot: all that is near is seen
        rows, columns = output // side - pixel // side, pixel % side - output % side
        if (1 <= rows <= 5 and abs(columns) <= rows) or (rows == 0 and -4 <= columns < 0):
            assert bool(dependent[output, pixel])


def test_an_output_depends_on_its_own_latent_alone() -> None:
    decoder, x, z = pixelcnn(4, 4, halvings=1), images(2, 4), latents(2)
    z.requires_grad_()
    (grown,) = torch.autograd.grad(decoder(z, x)[0].sum(), z)
    assert bool((grown[0] != 0).all())
    assert bool((grown[1] == 0).all())


@pytest.mark.parametrize(("height", "width"), [(2, 4), (4, 2)])
def test_masses_sum_to_one_over_all_images(height: int, width: int) -> None:
    decoder = pixelcnn(height, width, halvings=1, blocks=2)
    likelihood = Bernoulli(kinds.Bernoulli(), Binary(height=height, width=width))
    bits = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * (height * width))
    x = bits.reshape(-1, 1, height, width)
    for z in latents(4) * 3.0:
        mass = likelihood.log_prob(x, decoder(z.expand(len(x), -1), x)).exp().detach()
        assert float(mass.sum()) == pytest.approx(1.0, abs=1e-12)
        assert float(mass.std()) > 1e-4  # of images that differ


def test_weight_normalisation_starts_as_the_plain_network_and_is_blind_to_the_length_of_v() -> None:
    normed, plain = pixelcnn(4, 4, halvings=1), pixelcnn(4, 4, halvings=1, weight_norm=False)
    x, z = images(3, 4), latents(3)
    given = normed(z, x)
    torch.testing.assert_close(given, plain(z, x), rtol=0, atol=1e-14)
    lengths = {name: value for name, value in normed.named_parameters() if name.endswith("length")}
    assert len(lengths) == 2 * 6 + 2  # every layer's, the latent's and the last one's
    with torch.no_grad():
        for name, value in normed.named_parameters():
            if name.endswith("direction"):
                value *= 3.0
        torch.testing.assert_close(normed(z, x), given, rtol=0, atol=1e-14)
        for value in lengths.values():
            value *= 3.0
        for name, value in plain.named_parameters():
            if name.endswith("direction"):
                value *= 3.0
    torch.testing.assert_close(normed(z, x), plain(z, x), rtol=0, atol=1e-14)


KERNELS = [window(2, 3, -1, -1), window(2, 2, -1, -1), window(2, 3, -2, -1), window(2, 2, -1, -2)]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("taps", KERNELS, ids=str)
def test_a_gated_layer_is_torchs_convolution_of_a_shifted_image(taps: tuple[Tap, ...], stride: int) -> None:
    inputs, others, filters, side, batch = 3, 2, 3, 6, 4
    layer = Gated(Weight, inputs, others, filters, taps, "halve" if stride == 2 else "none", stride == 1)
    draw = torch.Generator().manual_seed(1)
    weight = torch.randn(2 * filters, inputs * len(taps) + others, dtype=torch.float64, generator=draw)
    layer.weight.direction.data = weight
    x = torch.randn(batch, inputs, side, side, dtype=torch.float64, generator=draw)
    side //= stride
    other = torch.randn(batch, others, side, side, dtype=torch.float64, generator=draw)
    bias = torch.randn(batch, 2 * filters, dtype=torch.float64, generator=draw)
    kernel = weight[:, : layer.own].reshape(2 * filters, 2, -1, inputs).movedim(-1, 1)
    padded = F.pad(x, (-taps[0].column, max(0, taps[-1].column), -taps[0].row, 0))[:, :, : x.shape[2] + 1]
    summed = F.conv2d(padded, kernel, stride=stride)[:, :, :side, :side]
    summed = summed + F.conv2d(other, weight[:, layer.own :, None, None]) + bias[:, :, None, None]
    wanted = summed[:, :filters].tanh() * summed[:, filters:].sigmoid() + (x if stride == 1 else 0.0)
    given = layer(x.movedim(0, -1), (other.movedim(0, -1),), bias.T)
    torch.testing.assert_close(given.movedim(-1, 0), wanted)


@pytest.mark.parametrize("taps", [window(2, 3, 0, -1), window(2, 2, 0, 0)], ids=str)
def test_a_doubling_layer_is_torchs_transposed_convolution_cropped(taps: tuple[Tap, ...]) -> None:
    inputs, filters, side, batch = 3, 3, 4, 2
    layer = Gated(Weight, inputs, 0, filters, taps, "double", False)
    draw = torch.Generator().manual_seed(1)
    layer.weight.direction.data = torch.randn(2 * filters, layer.own, dtype=torch.float64, generator=draw)
    x = torch.randn(batch, inputs, side, side, dtype=torch.float64, generator=draw)
    kernel = layer.weight.direction.data.reshape(2 * filters, 2, -1, inputs).permute(3, 0, 1, 2)
    left = -taps[0].column
    summed = F.conv_transpose2d(x, kernel, stride=2)[..., left : left + 2 * side]
    wanted = summed[:, :filters].tanh() * summed[:, filters:].sigmoid()
    given = layer(x.movedim(0, -1), (), torch.zeros(2 * filters, batch, dtype=torch.float64))
    torch.testing.assert_close(given.movedim(-1, 0), wanted)


def test_a_pack_gives_what_its_members_give_alone() -> None:
    decoder = pixelcnn(4, 4, halvings=1)
    pack = stacked(decoder, 0, 1)
    x, z = images(6, 4).reshape(2, 3, 1, 4, 4), latents(6).reshape(2, 3, LATENT)

    def value(parameters: dict[str, Tensor], latent: Tensor, image: Tensor) -> Tensor:
        given: Tensor = functional_call(decoder, parameters, (latent, image))
        return given.square().sum()

    gradients, values = vmap(grad_and_value(value))(pack, z, x)
    for slot in range(2):
        member = {name: rows[slot] for name, rows in pack.items()}
        alone, value_alone = grad_and_value(value)(member, z[slot], x[slot])
        torch.testing.assert_close(values[slot], value_alone, rtol=0, atol=1e-12)
        for name, gradient in alone.items():
            torch.testing.assert_close(gradients[name][slot], gradient, rtol=0, atol=1e-12)


def test_the_skips_are_those_of_table_7() -> None:
    assert [place.skip for place in places(2, 1)] == [None] * 6 + [3, 2, 1, 0]
    assert [place.skip for place in places(1, 1)] == [None] * 4 + [1, 0]
    assert [place.skip for place in places(2, 3)] == [None] * 10 + [5, 4, 3, 2] + [1, 0, None, None]
    assert [place.residual for place in places(2, 1)] == [False, True] * 5
