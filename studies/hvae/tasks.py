"""Figure 1 of Xiao & Bamler (2023): three tasks of a VAE, which no one model of the grid is best at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from results.figures import Figure
from results.frame import Frame
from results.panels import Panels
from results.style import ABSENT, BETA_VAE_LINE, INK, PURPLE, house, notice
from studies.drawing import drawable, measured, present
from studies.hvae.landscapes import DECADES, best_setting, draw_landscape, edges, over_weights, weight_marks
from studies.hvae.marks import WHO, baselines, beta_vaes, is_vae, list_once, who
from studies.hvae.named_models import sampled
from studies.hvae.names import BETA1, BETA2, MODELS, RATE1, RATE2, SUFFIX
from studies.hvae.planes import ACROSS, UP, legend_in
from studies.hvae.surfaces import CAMERA, QUIET, balance, balance_bar, balance_colours, sheet


@dataclass(frozen=True)
class Task:
    """An application of VAEs: the quantity that says how good a model is at it, and the mark of the best model."""

    name: str
    quantity: str
    title: str
    symbol: str


TASKS = (
    Task("reconstruction", "psnr", "PSNR (dB)", "square"),
    Task("representation", "accuracy_svm_rbf@z2", "RBF SVM accuracy, z₂", "circle"),
    Task("generation", "inception_score", "Inception Score", "cross"),
)
_ROW_HEIGHT, _ROWS_APART, _TOP, _BOTTOM = 200, 118, 84, 56
_SCENE = 0.43  # of the width
_LEGEND = (1, 4)
_MARK = {"size": 12, "color": PURPLE, "line": {"color": "white", "width": 1.4}}
_FAINT = {"show": True, "opacity": 0.25, "scale": 0.8}


def figure1(frames: Mapping[str, Frame]) -> Figure:
    """The models in the space of three tasks, the key of their colours, and each task over the layer weights."""
    ((study, frame),) = frames.items()
    rows = drawable(frame, RATE2, RATE1)
    quantities = [sampled(frame, task.quantity) for task in TASKS]
    plotting = 2 * _ROW_HEIGHT + _ROWS_APART
    plot = make_subplots(
        rows=2,
        cols=4,
        column_widths=[_SCENE, *[(1 - _SCENE) / 3] * 3],
        horizontal_spacing=0.055,
        vertical_spacing=_ROWS_APART / plotting,
        specs=[[{"type": "scene", "rowspan": 2}, {}, {}, {}], [None, {}, {}, {}]],
    )
    house(plot, height=plotting + _TOP + _BOTTOM, margin={"l": 8, "r": 24, "t": _TOP, "b": _BOTTOM})
    grid = Panels(plot=plot, rows=2, columns=4, plotting_height=plotting)
    complete = rows
    for quantity in quantities:
        complete = measured(complete, quantity)
    if not complete.empty:
        _space(plot, frame, complete, quantities)
    else:
        notice(plot, "no model has all three quantities yet", x=_SCENE / 2)
    _key(grid, frame, rows)
    for column, (task, quantity) in enumerate(zip(TASKS, quantities, strict=True), start=2):
        mark = _MARK | {"symbol": task.symbol}
        draw_landscape(grid, 2, column, frame, rows, quantity, task.title, best=mark, name=f"best for {task.name}")
    list_once(plot)
    for row, column in ((1, 2), (2, 2), (2, 3), (2, 4)):
        plot.update_xaxes(**DECADES, range=edges(frame, BETA2), title_text="β₂", row=row, col=column)
        plot.update_yaxes(**DECADES, range=edges(frame, BETA1), row=row, col=column)
    plot.update_yaxes(title_text="β₁", col=2)
    plot.update_layout(plot_bgcolor=ABSENT)
    caption = (
        "Left: every trained model by what it is worth for three tasks, higher being better; grey dots on the walls "
        "are projections (drag to turn). The colour says which layer's rate weighs more in training: its key stands "
        "above on the right, over the layer weights and over the rates. Below: each task over the layer weights with "
        "its best model. Vermillion: β-VAEs; black: the VAE. A grey cell is missing."
    )
    title = f"No one model fits all tasks: {MODELS[study]}"
    return present(frame, rows, name=f"figure1{SUFFIX[study]}", title=title, caption=caption, plot=plot)


def _space(plot: go.Figure, frame: Frame, rows: pd.DataFrame, quantities: list[str]) -> None:
    """The surface through all models in the space of the tasks, with the baselines and the best for each task."""
    x, y, z = quantities
    means = rows.groupby([BETA1, BETA2])[quantities].mean()
    surface = sheet(rows, x, y, balance(rows), showscale=False, **balance_colours(rows))
    plot.add_trace(surface.update(z=means[z].unstack().to_numpy()), row=1, col=1)
    titles = dict(zip(quantities, (task.title for task in TASKS), strict=True))
    values = "<br>".join(f"{titles[name]}: %{{{axis}:.4g}}" for axis, name in zip("xyz", quantities, strict=True))
    models = go.Scatter3d(x=rows[x], y=rows[y], z=rows[z], mode="markers", marker={"size": 2.2, "color": INK})
    models.update(projection=dict.fromkeys("xyz", _FAINT), customdata=who(rows))
    plot.add_trace(models.update(hovertemplate=f"{values}<br>{WHO}"), row=1, col=1)
    diagonal, vae = beta_vaes(rows, quantities), rows[is_vae(rows)]
    line = go.Scatter3d(x=diagonal[x], y=diagonal[y], z=diagonal[z], mode="lines", line=BETA_VAE_LINE | {"width": 6})
    point = go.Scatter3d(x=vae[x], y=vae[y], z=vae[z], mode="markers")
    point.update(marker={"symbol": "diamond", "size": 6, "color": "black"})
    for trace in (line, point):
        plot.add_trace(trace.update(**QUIET), row=1, col=1)
    for task, quantity in zip(TASKS, quantities, strict=True):
        beta2, beta1 = best_setting(frame, rows, quantity)
        at = rows[(rows[BETA2] == beta2) & (rows[BETA1] == beta1)][quantities].mean()
        mark = go.Scatter3d(x=[at[x]], y=[at[y]], z=[at[z]], mode="markers", **QUIET)
        plot.add_trace(mark.update(marker={"symbol": task.symbol, "size": 7, "color": PURPLE}), row=1, col=1)
    plot.update_scenes(
        xaxis_title_text=titles[x],
        yaxis_title_text=titles[y],
        zaxis_title_text=titles[z],
        domain={"x": [0.0, _SCENE - 0.02], "y": [0.0, 1.0]},
        aspectmode="cube",
        camera=CAMERA | {"eye": {"x": 1.95, "y": -2.05, "z": 0.95}},
    )


def _key(grid: Panels, frame: Frame, rows: pd.DataFrame) -> None:
    """Which colour a model has, by its layer weights and by its rates; the legend beside."""
    plot = grid.plot
    colour = balance(rows)
    scale = balance_colours(rows)
    grid.heading(1, 2, "β₂ / β₁ over the weights")
    grid.heading(1, 3, "… over the rates")
    x, y = (f"{axis} domain" for axis in grid.names(1, 3))
    white = {"fillcolor": "white", "line_width": 0, "layer": "below"}
    plot.add_shape(type="rect", xref=x, yref=y, x0=0, x1=1, y0=0, y1=1, **white)  # no cell is missing here
    if rows.empty:
        return
    bar = balance_bar(**grid.bar(1, 2)) | {"title": None}
    means = rows.assign(colour=colour).groupby([BETA1, BETA2])["colour"].mean()
    hover = "β₂ = %{customdata[0]:.3g}, β₁ = %{customdata[1]:.3g}<extra></extra>"
    plot.add_trace(over_weights(frame, means, colorbar=bar, hovertemplate=hover, **_heat(scale)), row=1, col=2)
    for mark in weight_marks(rows):
        plot.add_trace(mark, row=1, col=2)
    marker = {"color": colour, "size": 4, **scale}
    points = go.Scatter(x=rows[RATE2], y=rows[RATE1], mode="markers", marker=marker, customdata=who(rows))
    hover = f"R(z₂) = %{{x:.3g}}, R(z₁|z₂) = %{{y:.3g}} nats<br>{WHO}"
    plot.add_trace(points.update(hovertemplate=hover), row=1, col=3)
    diagonal, *vae = baselines(rows, x=RATE2, y=RATE1)
    for trace in (diagonal.update(mode="lines"), *vae):
        plot.add_trace(trace, row=1, col=3)
    plot.update_xaxes(title_text=ACROSS, row=1, col=3).update_yaxes(title_text=UP, row=1, col=3)
    legend_in(grid, *_LEGEND)


def _heat(scale: dict[str, Any]) -> dict[str, Any]:
    """A colour scale of markers as one of a heat map."""
    return {"colorscale": scale["colorscale"], "zmin": scale["cmin"], "zmax": scale["cmax"]}
