"""What three models of digits/hvae reconstruct and generate, as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from results.figures import Figure
from results.frame import Frame
from results.style import house, notice
from studies.digits.marks import RATE1, RATE2, best, is_vae
from studies.digits.paper import BETA1, BETA2
from studies.drawing import drawable, measured, present

LEVELS = 16
KINDS = {"originals": "test images", "reconstructions": "reconstructions", "samples": "samples"}
_APART, _MODELS_APART = 1, 5  # pixels of a digit, between pictures and between models
_SCALE = 7  # CSS pixels to a pixel of a digit
_MARGIN = {"l": 340, "r": 24, "t": 34, "b": 16}
_GROUND = -1.0  # shown light grey, so that each picture stands on its own white tile
_WHITE = 1 / (LEVELS + 1)  # where 0 is in -1..LEVELS
_INK = [[0, "#dfe3e8"], [_WHITE / 2, "#dfe3e8"], [_WHITE / 2, "white"], [_WHITE, "white"], [1, "black"]]
Pixels = npt.NDArray[np.float64]


def reconstructions(frames: Mapping[str, Frame]) -> Figure:
    """Test images, reconstructions and samples of the VAE point and two best models (Xiao & Bamler 2023, Fig. 4)."""
    frame = frames["digits/hvae"]
    rows = drawable(frame, RATE2, RATE1)
    models = _models(frame, rows)
    plot = house(go.Figure(), height=200, margin=_MARGIN)
    strips: list[tuple[int, Pixels]] = []  # first line and pixels of each row of pictures
    absent: list[str] = []
    line = 0
    for name, row in models.items():
        first = line
        for kind, label in KINDS.items():
            stack = frame.arrays(str(row["trial"]), kind)
            if stack is None:
                absent.append(f"no {label} stored for the model with the {name}, trial {row['trial']}")
                continue
            strips.append((line, _strip(stack)))
            line += len(strips[-1][1])
            _label(plot, label, y=(strips[-1][0] + line - 1) / 2, left=-104)
        if line > first:
            _label(plot, _describe(name, row), y=(first + line - 1) / 2, left=-_MARGIN["l"] + 8, size=13)
            line += _MODELS_APART
    shown = rows.loc[[row.name for row in models.values()]] if strips else rows[:0]
    if strips:
        plot.add_trace(_draw(strips))
        width = max(strip.shape[1] for _, strip in strips)
        height = line - _MODELS_APART
        plot.update_yaxes(range=[height - 0.5, -0.5], scaleanchor="x", constrain="domain", visible=False)
        plot.update_xaxes(range=[-0.5, width - 0.5], constrain="domain", constraintoward="left", visible=False)
        plot.update_layout(height=height * _SCALE + _MARGIN["t"] + _MARGIN["b"])
    else:
        notice(plot, "no pictures are stored yet")
    caption = (
        "One test image a class, its reconstruction at the modes of the posteriors, and samples from the prior: "
        "for the ordinary VAE and for the models that are best at two tasks. β's and mean rates stand beside "
        "each."
    )
    title = "Reconstructions and samples of three models"
    figure = present(frame, rows, name="reconstructions", title=title, caption=caption, plot=plot)
    return replace(figure, trials=tuple(dict.fromkeys(shown["trial"])), notes=(*figure.notes, *absent))


def _models(frame: Frame, rows: pd.DataFrame) -> dict[str, pd.Series]:
    """The models to show, by what distinguishes them; without one that is not there."""
    vae = rows[is_vae(rows)]
    models = {} if vae.empty else {"VAE": vae.iloc[0]}
    for name, quantity in (("best PSNR", "psnr"), ("best RBF SVM accuracy on z₂", "accuracy_svm_rbf@z2")):
        candidates = measured(rows, quantity)
        if not candidates.empty:
            models[name] = best(frame, candidates, quantity)
    return models


def _strip(stack: npt.NDArray[np.uint8]) -> Pixels:
    """(n, 1, H, W) grey pictures side by side on light ground: (H + 2, n (W + 1) + 1)."""
    pictures = np.pad(stack[:, 0].astype(np.float64), ((0, 0), (_APART, _APART), (_APART, 0)), constant_values=_GROUND)
    row = np.concatenate(list(pictures), axis=1)
    return np.pad(row, ((0, 0), (0, _APART)), constant_values=_GROUND)


def _draw(strips: list[tuple[int, Pixels]]) -> go.Heatmap:
    """All rows of pictures as one picture, black on white; what is not covered stays empty."""
    last, strip = strips[-1]
    canvas = np.full((last + len(strip), max(part.shape[1] for _, part in strips)), np.nan)
    for line, part in strips:
        canvas[line : line + len(part), : part.shape[1]] = part
    return go.Heatmap(z=canvas, colorscale=_INK, zmin=_GROUND, zmax=LEVELS, showscale=False, hoverinfo="skip")


def _describe(name: str, row: pd.Series) -> str:
    betas = f"β₂ = {row[BETA2]:.3g}, β₁ = {row[BETA1]:.3g}"
    rates = f"R(z₂) = {row[RATE2]:.3g}, R(z₁|z₂) = {row[RATE1]:.3g} nats"
    return f"<b>{name}</b><br>{betas}<br>{rates}"


def _label(plot: go.Figure, text: str, *, y: float, left: int, size: int = 12) -> None:
    """`text` in the left margin at line `y` of the pictures, `left` CSS pixels from their edge."""
    where = {"xref": "x domain", "x": 0, "xshift": left, "xanchor": "left", "yref": "y", "y": y, "yanchor": "middle"}
    plot.add_annotation(text=text, align="left", showarrow=False, font={"size": size}, **where)
