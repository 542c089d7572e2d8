"""Pixels of a PixelCNN one by one, each at the cost of one pixel: what earlier ones have led to is kept, not repeated.

Sampling with the network itself takes a pass over the image for every pixel, though a step changes a layer's result at
one place only (Ramachandran et al. 2017). Here every layer keeps its last two rows, which is all that later steps read.
The down stream, which sees only rows above, is computed a row at a time, and so is what the down-right stream takes
from it and from its own row above; what is left for a pixel is the layer's lower taps and its skip connection. Halved
resolutions run only at the pixels where they have a result.

Rows are (LEFT + W + RIGHT, F, B) with zeros on both sides, so that the neighbouring pixels of a tap row are one
contiguous (k·F, B) matrix, and the windows of a whole row a batch of such.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from models.pixelcnn_layers import Gated, Resampling, Tap, gated

LEFT, RIGHT = 2, 1  # columns of zeros: as far as any kernel reaches

# What is at a pixel of a row and column, given the output (channels · C, B) there: (C, B) raw integers.
Choose = Callable[[int, int, Tensor], Tensor]


class Rows:
    """The current row of one stream in one block and the row above it, zero at the start."""

    def __init__(self, width: int, features: int, like: Tensor) -> None:
        self.above, self.row = like.new_zeros(2, LEFT + width + RIGHT, features, like.shape[-1])
        self.width = width

    def advance(self) -> None:
        self.above, self.row = self.row, self.above

    def put(self, column: int, value: Tensor) -> None:
        self.row[LEFT + column] = value

    def inside(self) -> Tensor:
        """The current row: (W, F, B)."""
        current: Tensor = self.row[LEFT : LEFT + self.width]
        return current


def windows(row: Tensor, start: int, width: int, step: int = 1, count: int = 1) -> Tensor:
    """`width` pixels from column `start`, and from every `step`-th column after it: (count, width · F, B), a view."""
    features, batch = row.shape[1:]
    pixel = features * batch
    first = row.storage_offset() + (LEFT + start) * pixel
    return row.as_strided((count, width * features, batch), (step * pixel, batch, 1), first)


class Layer:
    """A gated layer for sampling: its weight cut into what multiplies each tap row and each of the others.

    A sum (W, 2F, B) starts with what is `known` when its row begins; the rest comes for the row or pixel by pixel.
    """

    def __init__(self, layer: Gated, bias: Tensor, filters: int) -> None:
        weight = layer.weight()
        self.taps, self.residual, self.bias = layer.taps, layer.residual, bias
        self.own = weight[:, : layer.own]
        self.others = [part.contiguous() for part in weight[:, layer.own :].split(filters, 1)] if layer.others else []

    def known(self, source: Rows, width: int) -> Tensor:
        raise NotImplementedError

    def add_row(self, summed: Tensor, source: Rows, row: int) -> None:
        """Adds what the current row of `source` gives to the whole of row `row`."""
        raise NotImplementedError

    def add_pixel(self, summed: Tensor, source: Rows, row: int, column: int) -> None:
        """The same for one pixel: `summed` is (2F, B)."""
        raise NotImplementedError


class Convolution(Layer):
    """A convolution of two tap rows, of stride 1 or 2."""

    def __init__(self, layer: Gated, bias: Tensor, filters: int) -> None:
        super().__init__(layer, bias, filters)
        self.upper, self.lower = (part.contiguous() for part in self.own.chunk(2, 1))
        self.step = 2 if layer.resampling == "halve" else 1
        self.start, self.width = self.taps[0].column, len(self.taps) // 2

    def known(self, source: Rows, width: int) -> Tensor:
        pixels = windows(source.above, self.start, self.width, self.step, width)
        return torch.baddbmm(_each(self.bias, width), _each(self.upper, width), pixels)

    def add_row(self, summed: Tensor, source: Rows, row: int) -> None:
        pixels = windows(source.row, self.start, self.width, self.step, len(summed))
        summed.baddbmm_(_each(self.lower, len(summed)), pixels)

    def add_pixel(self, summed: Tensor, source: Rows, row: int, column: int) -> None:
        summed.addmm_(self.lower, windows(source.row, self.step * column + self.start, self.width)[0])


class Transposed(Layer):
    """A transposed convolution of stride 2: rows 2r and 2r + 1 take other weights to the same row r."""

    def __init__(self, layer: Gated, bias: Tensor, filters: int) -> None:
        super().__init__(layer, bias, filters)
        tap = {tap: part.contiguous() for tap, part in zip(self.taps, self.own.chunk(len(self.taps), 1), strict=True)}
        self.tap = tap
        wide = Tap(0, -1) in tap  # a tap of the pixel on the right reaches odd columns
        self.odd = [torch.cat((tap[Tap(i, 1)], tap[Tap(i, -1)]), 1) if wide else tap[Tap(i, 1)] for i in (0, 1)]

    def known(self, source: Rows, width: int) -> Tensor:
        return _each(self.bias, width).contiguous()

    def add_row(self, summed: Tensor, source: Rows, row: int) -> None:
        for parity, weight in enumerate((self.tap[Tap(row % 2, 0)], self.odd[row % 2])):
            pixels = windows(source.row, 0, weight.shape[1] // source.row.shape[1], count=source.width)
            summed[parity::2] += weight @ pixels

    def add_pixel(self, summed: Tensor, source: Rows, row: int, column: int) -> None:
        summed.addmm_(self.tap[Tap(row % 2, column % 2)], source.row[LEFT + column // 2])


def _each(matrix: Tensor, count: int) -> Tensor:
    return matrix.expand(count, *matrix.shape)


class BlockRows:
    """One block while images are sampled. `scale`: how many pixels of the image lie between two of its own."""

    def __init__(
        self,
        layers: tuple[Gated, Gated],
        biases: Tensor,
        resampling: Resampling,
        source: tuple[Rows, Rows],
        skip: BlockRows | None,
        scale: int,
        width: int,
    ) -> None:
        kind = Transposed if resampling == "double" else Convolution
        filters = biases.shape[1] // 2
        self.down_layer, self.down_right_layer = (
            kind(layer, bias, filters) for layer, bias in zip(layers, biases, strict=True)
        )
        self.source, self.skip, self.scale = source, skip, scale
        self.down, self.down_right = (Rows(width // scale, filters, biases) for _ in layers)
        self.summed = biases.new_empty(0)

    def begin_row(self, row: int) -> None:
        """The down stream's row of the image's row `row`, before the down-right source turns to it."""
        layer, (source, _) = self.down_layer, self.source
        width = self.down.width
        summed = layer.known(source, width)
        layer.add_row(summed, source, row // self.scale)
        if self.skip is not None:
            summed.baddbmm_(_each(layer.others[0], width), self.skip.down.inside())
        self.down.advance()
        gate = gated(summed, 1)
        self.down.inside().copy_(source.inside() + gate if layer.residual else gate)

    def begin_down_right(self) -> None:
        """What the down-right stream's row owes to the down stream and to its own row above."""
        layer, (_, source) = self.down_right_layer, self.source
        self.down_right.advance()
        self.summed = layer.known(source, self.down.width)
        self.summed.baddbmm_(_each(layer.others[0], self.down.width), self.down.inside())

    def pixel(self, row: int, column: int) -> None:
        """The down-right stream at one pixel of the image."""
        layer, (_, source) = self.down_right_layer, self.source
        row, column = row // self.scale, column // self.scale
        summed = self.summed[column]
        layer.add_pixel(summed, source, row, column)
        if self.skip is not None:
            summed.addmm_(layer.others[1], self.skip.down_right.row[LEFT + column])
        gate = gated(summed, 0)
        self.down_right.put(column, source.row[LEFT + column] + gate if layer.residual else gate)


def walk(image: Rows, blocks: Sequence[BlockRows], height: int, step: Callable[[int, int, Tensor], Tensor]) -> None:
    """Every pixel in order: `step` is given the last features (F, B) at (row, column) and gives what the network is to
    read of that pixel, (C + 1, B)."""
    for row in range(height):
        active = [block for block in blocks if row % block.scale == 0]
        for block in active:  # the image has not turned yet: its current row is the one above
            block.begin_row(row)
        image.advance()
        for block in active:
            block.begin_down_right()
        for column in range(image.width):
            for block in active:
                if column % block.scale == 0:
                    block.pixel(row, column)
            image.put(column, step(row, column, blocks[-1].down_right.row[LEFT + column]))
