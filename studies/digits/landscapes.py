"""Tasks that want different models: each task of digits/hvae over the layer-wise rates and over the layer weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from results.figures import Figure
from results.frame import Frame
from results.panels import Panels
from results.style import ABSENT, BETA_VAE_LINE, DIVERGING, GRID, INK, MUTED, SEQUENTIAL, VAE, house
from studies.digits.marks import RATE1, RATE2, WHO, beta_vaes, goal, is_vae, who
from studies.digits.paper import BETA1, BETA2
from studies.drawing import drawable, measured, present

TASKS = {
    "psnr": "PSNR (dB)",
    "accuracy_svm_rbf@z2": "RBF SVM accuracy, z₂",
    "accuracy_svm_rbf@z1": "RBF SVM accuracy, z₁",
    "elbo": "ELBO (nats)",
}
_CELLS = dict(zip(TASKS, ((1, 2), (1, 3), (2, 2), (2, 3)), strict=True))
_BEST = {"symbol": "cross", "size": 13, "color": "white", "line": {"color": "black", "width": 1.4}}
_HEIGHT = "scene.zaxis.title.text"
_ROW_HEIGHT, _ROWS_APART, _TOP, _BOTTOM = 210, 110, 96, 56


def surface(frames: Mapping[str, Frame]) -> Figure:
    """A task over the layer-wise rates, each task over the layer weights (Xiao & Bamler 2023, Figs. 3a and 1)."""
    frame = frames["digits/hvae"]
    rows = drawable(frame, RATE2, RATE1)
    plotting = 2 * _ROW_HEIGHT + _ROWS_APART
    plot = make_subplots(
        rows=2,
        cols=3,
        column_widths=[0.5, 0.25, 0.25],
        horizontal_spacing=0.055,
        vertical_spacing=_ROWS_APART / plotting,
        specs=[[{"type": "scene", "rowspan": 2}, {}, {}], [None, {}, {}]],
    )
    house(plot, height=plotting + _TOP + _BOTTOM, margin={"l": 8, "r": 24, "t": _TOP, "b": _BOTTOM})
    if not rows.empty:
        _over_rates(plot, rows)
    grid = Panels(plot=plot, rows=2, columns=3, plotting_height=plotting)
    for quantity, (row, column) in _CELLS.items():
        grid.heading(row, column, TASKS[quantity])
        landscape = _landscape(frame, rows, quantity, bar=grid.bar(row, column), legend=quantity == next(iter(TASKS)))
        if not landscape:
            grid.message(row, column, "not measured yet")
        for trace in landscape:
            plot.add_trace(trace, row=row, col=column)
    decades = {"tickvals": [-1, 0, 1], "ticktext": ["0.1", "1", "10"], "showgrid": False, "constrain": "domain"}
    plot.update_xaxes(**decades, range=_edges(frame, BETA2)).update_yaxes(**decades, range=_edges(frame, BETA1))
    plot.update_xaxes(title_text="β₂", row=2).update_yaxes(title_text="β₁", col=2)
    plot.update_layout(plot_bgcolor=ABSENT, legend={"x": 0.01, "y": 0.96, "yanchor": "top"})
    caption = (
        "Left: one task over the rates of the two layers (choose it above, drag to turn); the colour says which "
        "layer's rate weighs more in training, the vermillion line follows the β-VAEs, the black diamond is the "
        "VAE. Right: each task over the layer weights. A grey cell is missing."
    )
    title = "Where each task is best: over the rates and over the layer weights"
    return present(frame, rows, name="surface", title=title, caption=caption, plot=plot)


def _over_rates(plot: go.Figure, rows: pd.DataFrame) -> None:
    """Adds the surface (means over seeds), its models, the β-VAEs and the VAE, and a menu of what is the height."""
    balance = np.log10(rows[BETA2] / rows[BETA1])
    bar = {"orientation": "h", "x": 0.22, "y": -0.01, "yanchor": "top", "len": 0.3, "thickness": 10, "outlinewidth": 0}
    bar |= {"title": {"text": "β₂ / β₁", "side": "top", "font": {"size": 12}}, "tickfont": {"size": 11, "color": MUTED}}
    bar |= {"tickvals": [-2, -1, 0, 1, 2], "ticktext": ["0.01", "0.1", "1", "10", "100"]}
    extent = max(1.0, float(np.abs(balance).max()))
    colour = {"colorscale": DIVERGING, "cmin": -extent, "cmax": extent}
    known = [quantity for quantity in TASKS if quantity in rows]
    means = rows.groupby([BETA1, BETA2])[[RATE2, RATE1, *known]].mean()
    diagonal, vae = beta_vaes(rows, [RATE2, RATE1, *known]), rows[is_vae(rows)]
    sheet = {axis: means[name].unstack().to_numpy() for axis, name in (("x", RATE2), ("y", RATE1))}
    weights = means[RATE2].unstack()
    lean = np.log10(np.divide.outer(weights.columns.to_numpy(), weights.index.to_numpy())).T
    hover = f"%{{z:.4g}}<br>R(z₂) = %{{x:.3g}}, R(z₁|z₂) = %{{y:.3g}} nats<br>{WHO}"
    quiet = {"showlegend": False, "hoverinfo": "skip"}
    traces = (
        go.Surface(**sheet, surfacecolor=lean, opacity=0.8, colorbar=bar, **colour, hoverinfo="skip"),
        _points(rows, mode="markers", marker={"size": 2.2, "color": INK}, customdata=who(rows), hovertemplate=hover),
        _points(diagonal, mode="lines", line=BETA_VAE_LINE | {"width": 7}, **quiet),
        _points(vae, mode="markers", marker={"symbol": "diamond", "size": 7, "color": "black"}, **quiet),
    )

    def heights(quantity: str) -> list[Any]:
        sources = (part[quantity] for part in (rows, diagonal, vae))
        return [means[quantity].unstack().to_numpy().tolist(), *(source.tolist() for source in sources)]

    for trace, z in zip(traces, heights(known[0]) if known else [None] * len(traces), strict=True):
        plot.add_trace(trace.update(z=z, showlegend=False), row=1, col=1)
    choices = [
        {"label": TASKS[name], "method": "update", "args": [{"z": heights(name)}, {_HEIGHT: TASKS[name]}, [0, 1, 2, 3]]}
        for name in known
    ]
    menu = {"buttons": choices, "x": 0.01, "xanchor": "left", "y": 1.0, "yanchor": "bottom", "pad": {"b": 8}}
    plot.update_layout(updatemenus=[menu | {"bgcolor": "white", "bordercolor": GRID, "font": {"size": 12}}])
    plot.update_scenes(
        xaxis_title_text="R(z₂) (nats)",
        yaxis_title_text="R(z₁|z₂) (nats)",
        zaxis_title_text=TASKS[known[0]] if known else "",
        domain={"x": [0.02, 0.48], "y": [0.0, 0.94]},
        aspectmode="cube",
        camera={"eye": {"x": 1.6, "y": -1.7, "z": 0.75}, "center": {"x": 0, "y": 0, "z": -0.12}},
    )


def _points(rows: pd.DataFrame, **style: Any) -> go.Scatter3d:
    """Rows over the plane of rates, their heights still to be chosen."""
    return go.Scatter3d(x=rows[RATE2], y=rows[RATE1], **style)


def _edges(frame: Frame, weight: str) -> list[float]:
    """Range of log10 of a layer weight over the planned grid, with half a cell at either end."""
    values = np.log10(np.unique(frame.trials[weight].to_numpy(np.float64))) if len(frame.trials) else np.zeros(1)
    half = (values[-1] - values[0]) / (2 * max(1, len(values) - 1)) or 0.5
    return [float(values[0] - half), float(values[-1] + half)]


def _landscape(
    frame: Frame, rows: pd.DataFrame, quantity: str, *, bar: dict[str, Any], legend: bool
) -> list[go.Heatmap | go.Scatter]:
    """A quantity, meaned over seeds, over (log β2, log β1) with its best setting, the β-VAEs and the VAE."""
    shown = measured(rows, quantity)
    if shown.empty:
        return []
    means = shown.groupby([BETA1, BETA2])[quantity].mean()
    beta1, beta2 = (np.unique(frame.trials[weight].to_numpy(np.float64)) for weight in (BETA1, BETA2))
    table = means.unstack(BETA2).reindex(index=beta1, columns=beta2)
    heat = go.Heatmap(z=table, x=np.log10(beta2), y=np.log10(beta1), colorscale=SEQUENTIAL, colorbar=bar)
    hover = f"{TASKS[quantity]}: %{{z:.4g}}<br>β₂ = %{{customdata[0]:.3g}}, β₁ = %{{customdata[1]:.3g}}<extra></extra>"
    heat.update(customdata=np.dstack(np.meshgrid(beta2, beta1)), hovertemplate=hover)
    best = means.index[int(means.argmin() if goal(frame, quantity) == "minimise" else means.argmax())]
    best1, best2 = (float(weight) for weight in best)
    diagonal = sorted(shown.loc[shown[BETA2] == shown[BETA1], BETA2])
    lines = {"name": "β-VAEs (β₂ = β₁)", "mode": "lines", "line": BETA_VAE_LINE, "legendgroup": "beta-vae"}
    cross = {"name": "best for the task", "mode": "markers", "marker": _BEST, "legendgroup": "best"}
    stars = {"name": "VAE (β₂ = β₁ = 1)", "mode": "markers", "marker": VAE, "legendgroup": "vae"}
    marks = [
        go.Scatter(x=np.log10(diagonal), y=np.log10(diagonal), **lines),
        go.Scatter(x=[0.0] if is_vae(shown).any() else [], y=[0.0], **stars),
        go.Scatter(x=[np.log10(best2)], y=[np.log10(best1)], **cross),
    ]
    return [heat, *(mark.update(showlegend=legend, hoverinfo="skip", cliponaxis=False) for mark in marks)]
