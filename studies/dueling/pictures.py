"""Figure 2 of Seybold et al. (2019): test images and what the best low-rate model of each decoder makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from results.figures import Figure
from results.frame import Frame
from results.style import house, notice
from studies.drawing import drawable, present
from studies.dueling.captions import references
from studies.dueling.marks import best_low_rate, data_sets, decoders
from studies.dueling.names import DATA, DATA_SETS, DECODER, GRID, RATE, RECONSTRUCTION

_SCALE = 69  # CSS pixels to a picture, whatever its resolution
_APART = 0.12  # of a picture's side, between data sets
_MARGIN = {"l": 400, "r": 24, "t": 16, "b": 16}
Pixels = npt.NDArray[np.float64]


def figure2(frames: Mapping[str, Frame]) -> Figure:
    """One test image a class, and one sampled reconstruction of it by the best low-rate model of each decoder."""
    frame = frames[GRID]
    rows = drawable(frame, RATE, RECONSTRUCTION)
    plot = house(go.Figure(), height=200, margin=_MARGIN)
    line, drawn, absent = 0.0, [], []
    for data in data_sets(frame):
        first = line
        originals: Pixels | None = None
        for decoder in decoders(frame):
            best = best_low_rate(frame, RECONSTRUCTION, {DATA: data, DECODER: decoder})
            row = None if best.empty else best.sort_values(RECONSTRUCTION).iloc[-1]
            stack = None if row is None else frame.arrays(str(row["trial"]), "sampled_reconstructions")
            if row is None or stack is None:
                absent.append(f"{decoder} of {DATA_SETS[data]}")
                continue
            if originals is None:
                given = frame.arrays(str(row["trial"]), "originals")
                if given is not None:
                    originals = _scaled(given)
                    line = _strip(plot, originals, line, "test images")
            drawn.append(str(row["trial"]))
            label = f"{decoder}: R = {row[RATE]:.1f} nats, accuracy {row[RECONSTRUCTION]:.2f}"
            line = _strip(plot, _scaled(stack), line, label)
        if line > first:
            _label(plot, f"<b>{DATA_SETS[data]}</b>", (first + line) / 2, -_MARGIN["l"] + 4, "left")
            line += _APART
    if drawn:
        plot.update_xaxes(visible=False, range=[0, 10], constrain="domain", constraintoward="left")
        plot.update_yaxes(visible=False, range=[line, 0], scaleanchor="x", constrain="domain", constraintoward="top")
        plot.update_layout(height=round(line * _SCALE) + _MARGIN["t"] + _MARGIN["b"])
    else:
        notice(plot, "no pictures are stored yet")
    caption = (
        "The first test image of each class, and one reconstruction x' ~ p(x|z), z ~ q(z|x), by the model with the "
        "highest accuracy on reconstructions of each decoder's best setting with a mean rate below 10 nats. "
        f"{references([frame])}"
    )
    title = "Reconstructions by the best low-rate models"
    figure = present(frame, rows, name="figure2", title=title, caption=caption, plot=plot)
    note = f"no pictures of a model with a rate below 10 nats: {', '.join(absent)}"
    return replace(figure, trials=tuple(drawn), notes=(*figure.notes, *([note] if absent else [])))


def _scaled(stack: npt.NDArray[np.uint8]) -> Pixels:
    """(n, H, W) in [0, 1]: binary pictures have the levels 0 and 1, the others 0..255."""
    pictures = stack[:, 0].astype(np.float64)
    return pictures / (255.0 if pictures.max(initial=0) > 1 else 1.0)


def _strip(plot: go.Figure, pictures: Pixels, line: float, label: str) -> float:
    """Draws a row of pictures, black on white, each in a unit square below `line`; where the next row begins."""
    side = pictures.shape[-1]
    inset = 0.04
    for position, picture in enumerate(pictures):
        centres = inset + (np.arange(side) + 0.5) / side * (1 - 2 * inset)
        heat = go.Heatmap(z=picture, x=position + centres, y=line + centres, zmin=0, zmax=1, colorscale="Greys")
        plot.add_trace(heat.update(showscale=False, hoverinfo="skip"))
    plot.add_shape(type="line", x0=0, x1=10, y0=line + 1, y1=line + 1, line={"color": "#e6e9ed", "width": 1})
    _label(plot, label, line + 0.5, -8, "right")
    return line + 1


def _label(plot: go.Figure, text: str, y: float, shift: float, anchor: str) -> None:
    plot.add_annotation(
        text=text, x=0, y=y, xshift=shift, xanchor=anchor, yanchor="middle", showarrow=False, font={"size": 12}
    )
