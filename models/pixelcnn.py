"""The autoregressive decoder of Seybold et al. (2019), Table 7: a PixelCNN of two streams, conditioned on a latent.

Table 7 lists one 'down' convolution (2×3) and one 'down-right' convolution (2×2) a block, gives the activation as
sigmoid·tanh and names PixelCNN++ (Salimans et al. 2017) as the model. Read so here:

* A block is one gated layer in each stream (models/pixelcnn_layers.py). The down stream sees the rows above a pixel,
  the down-right stream also the pixels left of it; the latter is told, by a 1×1 convolution, what the former found in
  the same block. The latent sets a bias of every layer by a linear map, whose weights and biases start uniform on
  ±1/√latent: on initial values the paper is silent.
* x is scaled to [-1, 1], with a channel of ones beside it, so that the padding can be told from the image.
* The first block reads x one row lower (down) and one pixel further right (down-right), so that nothing at a pixel
  depends on the pixel itself. Blocks 3 and 5 halve the image, 7 and 9 double it with transposed convolutions, cropped
  so that outputs 2r and 2r + 1 depend on inputs up to r alone; the others add their gate to what they were given.
* Skip connections: a block on the way up also receives, by the same 1×1 convolutions, both streams of its mirror image
  on the way down at the same resolution (10 those of 1, 9 of 2, 8 of 3, 7 of 4), as long as there are any.
* The enlarged network has `blocks` gated blocks after 3, 5, 7 and 9 where the other has one; Table 7 leaves block 2
  single. With one halving the blocks are 1, 2 | 3, 4 | 9, 10 | 11.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from models import kinds
from models.families import Data
from models.likelihoods import Likelihood
from models.pixelcnn_layers import Affine, Gated, Resampling, Weight, window
from models.pixelcnn_sampling import BlockRows, Choose, Rows, walk


class Place(NamedTuple):
    """A block's place in the network: what it does to the resolution, and which block it has a skip connection from."""

    resampling: Resampling
    skip: int | None = None
    residual: bool = False


def places(halvings: int, blocks: int) -> tuple[Place, ...]:
    """The blocks of Table 7 in order, without its last layer."""
    down = [Place("none"), Place("none", residual=True)]
    levels = [[0, 1]]  # of each resolution, the blocks on the way down that none on the way up has been told of
    for _ in range(halvings):
        levels.append(list(range(len(down), len(down) + 1 + blocks)))
        down += [Place("halve"), *[Place("none", residual=True)] * blocks]
    up = []
    for level in reversed(levels[:-1]):
        up.append(Place("double", level.pop()))
        up += [Place("none", level.pop() if level else None, residual=True) for _ in range(blocks)]
    return (*down, *up)


class Block(nn.Module):
    """One gated layer in each stream.

    first: whether it reads the image itself.
    """

    def __init__(self, weight: type[Weight], place: Place, inputs: int, filters: int, *, first: bool) -> None:
        super().__init__()
        skipped = 0 if place.skip is None else filters
        if place.resampling == "double":
            taps, taps_right = window(2, 3, 0, -1), window(2, 2, 0, 0)
        else:
            taps, taps_right = window(2, 3, -1 - first, -1), window(2, 2, -1, -1 - first)
        self.down = Gated(weight, inputs, skipped, filters, taps, place.resampling, place.residual)
        self.down_right = Gated(
            weight, inputs, filters + skipped, filters, taps_right, place.resampling, place.residual
        )

    def forward(
        self, streams: tuple[Tensor, Tensor], skipped: tuple[Tensor, ...], biases: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Both streams (inputs, H, W, B), those of the skip connection if there is one, biases (2 streams, 2F, B)."""
        down = self.down(streams[0], skipped[:1], biases[0])
        return down, self.down_right(streams[1], (down, *skipped[1:]), biases[1])


class PixelCnn(nn.Module):
    """z, (B, latent), and x, (B, C, H, W) raw integers, to the parameters of p(x|z), (B, channels · C, H, W).

    The parameters at a pixel depend on z and on the pixels strictly before it, row by row.
    """

    def __init__(self, spec: kinds.PixelCnnDecoder, data: Data, latent: int, channels: int) -> None:
        super().__init__()
        colours, filters = data.shape[0], spec.filters
        weight = Weight.of(spec.weight_norm)
        self.shape, self.levels = data.shape, data.levels
        self.places = places(spec.halvings, spec.blocks)
        self.blocks = nn.ModuleList(
            Block(weight, place, filters if position else colours + 1, filters, first=position == 0)
            for position, place in enumerate(self.places)
        )
        self.condition = Affine(weight, latent, len(self.blocks) * 2 * 2 * filters)  # all layers' in one product
        self.output = Affine(weight, filters, channels * colours)

    def forward(self, z: Tensor, x: Tensor) -> Tensor:
        image = self.scaled(x)
        seen = [(image, image)]
        for place, block, biases in zip(self.places, self.blocks, self.biases(z), strict=True):
            skipped = () if place.skip is None else seen[1 + place.skip]
            seen.append(block(seen[-1], skipped, biases))
        down_right = seen[-1][1]
        output = self.output(down_right.flatten(1))
        return torch.unflatten(output, 1, down_right.shape[1:]).movedim(-1, 0)

    def sample(self, z: Tensor, likelihood: Likelihood, uniforms: Tensor) -> Tensor:
        """One image for each z, pixel by pixel: (B, C, H, W), integers 0..levels.

        uniforms: (B, likelihood.uniforms, H, W) on (0, 1), the only source of chance.
        """

        def choose(row: int, column: int, output: Tensor) -> Tensor:
            at = uniforms[:, :, row : row + 1, column : column + 1]
            return likelihood.draw(output.transpose(0, 1)[:, :, None, None], at)[:, :, 0, 0].transpose(0, 1)

        return self._one_by_one(z, choose)[0]

    def outputs_one_by_one(self, z: Tensor, x: Tensor) -> Tensor:
        """What `forward` gives, computed as in sampling."""
        return self._one_by_one(z, lambda row, column, output: x[:, :, row, column].transpose(0, 1))[1]

    @torch.no_grad()
    def _one_by_one(self, z: Tensor, choose: Choose) -> tuple[Tensor, Tensor]:
        """All pixels as chosen, (B, C, H, W), and the outputs there, (B, channels · C, H, W)."""
        _, height, width = self.shape
        every = self.biases(z)
        image = Rows(width, self.shape[0] + 1, every)
        blocks: list[BlockRows] = []
        scale, sources = 1, (image, image)
        for place, block, biases in zip(self.places, self.blocks, every, strict=True):
            scale = {"none": scale, "halve": scale * 2, "double": scale // 2}[place.resampling]
            skip = None if place.skip is None else blocks[place.skip]
            layers = (cast(Block, block).down, cast(Block, block).down_right)
            blocks.append(BlockRows(layers, biases, place.resampling, sources, skip, scale, width))
            sources = (blocks[-1].down, blocks[-1].down_right)
        weight, bias = self.output.weight(), self.output.bias
        pixels, outputs = [], []

        def step(row: int, column: int, features: Tensor) -> Tensor:
            outputs.append(torch.addmm(bias, weight, features))
            pixels.append(choose(row, column, outputs[-1]))
            inside = pixels[-1] * (2.0 / self.levels) - 1.0
            return torch.cat((inside, torch.ones_like(inside[:1])))

        walk(image, blocks, height, step)
        chosen, given = (torch.unflatten(torch.stack(each, -1), -1, (height, width)) for each in (pixels, outputs))
        return chosen.transpose(0, 1).contiguous(), given.transpose(0, 1).contiguous()

    def scaled(self, x: Tensor) -> Tensor:
        """x on [-1, 1] and a channel of ones: (B, C, H, W) -> (C + 1, H, W, B)."""
        inside = (x * (2.0 / self.levels) - 1.0).movedim(0, -1)
        return torch.cat((inside, torch.ones_like(inside[:1])))

    def biases(self, z: Tensor) -> Tensor:
        """The bias of each layer: (blocks, 2 streams, 2F, B)."""
        return torch.unflatten(self.condition(z.transpose(0, 1)), 0, (len(self.blocks), 2, -1))
