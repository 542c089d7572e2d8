"""Strips of pictures: what some models reconstruct and generate, grey or in colour, under one another."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from results.frame import Frame
from results.style import house, notice
from studies.hvae.names import BETA1, BETA2, RATE1, RATE2

KINDS = {"originals": "test images", "reconstructions": "reconstructions", "samples": "samples"}
_GROUND = np.array([0xDF, 0xE3, 0xE8], np.uint8)  # light grey, so that each picture stands on its own tile
_SIDE, _APART, _MODELS_APART = 60, 7, 35  # CSS pixels, about: of a picture, between pictures, between models
_MARGIN = {"l": 340, "r": 24, "t": 34, "b": 16}
Pixels = npt.NDArray[np.uint8]


def draw_strips(
    frame: Frame, models: Mapping[str, pd.Series], *, shown: Mapping[str, str] | None = None
) -> tuple[go.Figure, list[str]]:
    """The pictures of each model, a row a kind, and a line on each kind that is not stored.

    models: heading -> the model's row of `frame`. shown: quantity -> format of it, with its name and unit, for a line
    beside each model. One channel is drawn black on white, three as they are.
    """
    plot = house(go.Figure(), height=200, margin=_MARGIN)
    strips: list[tuple[int, Pixels]] = []  # first line and pixels of each row of pictures
    absent: list[str] = []
    line = scale = 0
    for name, row in models.items():
        first = line
        for kind, label in KINDS.items():
            stack = frame.arrays(str(row["trial"]), kind)
            if stack is None:
                absent.append(f"no {label} stored for the model with the {name}, trial {row['trial']}")
                continue
            scale = max(1, round(_SIDE / (stack.shape[-1] + 1)))
            strips.append((line, _strip(_coloured(stack), max(1, _APART // scale))))
            line += len(strips[-1][1])
            _label(plot, label, y=(strips[-1][0] + line - 1) / 2, left=-104)
        if line > first:
            _label(plot, _describe(name, row, shown or {}), y=(first + line - 1) / 2, left=-_MARGIN["l"] + 8, size=13)
            line += _MODELS_APART // scale
    if not strips:
        return notice(plot, "no pictures are stored yet"), absent
    height = line - _MODELS_APART // scale
    canvas = np.full((height, max(strip.shape[1] for _, strip in strips), 3), 255, np.uint8)
    for top, strip in strips:
        canvas[top : top + len(strip), : strip.shape[1]] = strip
    plot.add_trace(go.Image(source=png(canvas), hoverinfo="skip"))
    plot.update_yaxes(range=[height - 0.5, -0.5], scaleanchor="x", constrain="domain", visible=False)
    plot.update_xaxes(range=[-0.5, canvas.shape[1] - 0.5], visible=False)
    plot.update_xaxes(constrain="domain", constraintoward="left")
    plot.update_layout(height=height * scale + _MARGIN["t"] + _MARGIN["b"])
    return plot, absent


def png(pixels: Pixels) -> str:
    """(H, W, 3) colours as the address of an image that holds itself."""
    height, width, _ = pixels.shape
    lines = np.pad(pixels.reshape(height, -1), ((0, 0), (1, 0)))  # each begins with its filter: 0, none
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),  # 8 bits, RGB
        (b"IDAT", zlib.compress(lines.tobytes(), 9)),
        (b"IEND", b""),
    )
    packed = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + packed).decode()


def _coloured(stack: Pixels) -> Pixels:
    """(n, C, H, W) in 0..255 as colours (n, H, W, 3)."""
    values = stack.transpose(0, 2, 3, 1)
    return np.repeat(255 - values, 3, axis=-1) if stack.shape[1] == 1 else values


def _strip(pictures: Pixels, apart: int) -> Pixels:
    """(n, H, W, 3) side by side on the ground, `apart` pixels around each: (H + 2 apart, n (W + apart) + apart, 3)."""
    count, height, width, _ = pictures.shape
    strip = np.tile(_GROUND, (height + 2 * apart, count * (width + apart) + apart, 1))
    for position, picture in enumerate(pictures):
        left = apart + position * (width + apart)
        strip[apart : apart + height, left : left + width] = picture
    return strip


def _describe(name: str, row: pd.Series, shown: Mapping[str, str]) -> str:
    betas = f"β₂ = {row[BETA2]:.3g}, β₁ = {row[BETA1]:.3g}"
    rates = f"R(z₂) = {row[RATE2]:.3g}, R(z₁|z₂) = {row[RATE1]:.3g} nats"
    values = ", ".join(form.format(row[quantity]) for quantity, form in shown.items())
    return "<br>".join(line for line in (f"<b>{name}</b>", values, betas, rates) if line)


def _label(plot: go.Figure, text: str, *, y: float, left: int, size: int = 12) -> None:
    """`text` in the left margin at line `y` of the pictures, `left` CSS pixels from their edge."""
    where = {"xref": "x domain", "x": 0, "xshift": left, "xanchor": "left", "yref": "y", "y": y, "yanchor": "middle"}
    plot.add_annotation(text=text, align="left", showarrow=False, font={"size": size}, **where)
