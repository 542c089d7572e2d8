"""Three tasks that want three models: digits/hvae in the space of its tasks, and each task over the layer weights."""

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
from results.style import ABSENT, BETA_VAE_LINE, DIVERGING, MUTED, SEQUENTIAL, VAE, house
from studies.digits.marks import BETA1, BETA2, WHO, beta_vaes, drawable, goal, is_vae, measured, present, who

TASKS = {
    "psnr": "PSNR (dB)",
    "accuracy_svm_rbf@z2": "RBF SVM accuracy, z₂",
    "accuracy_svm_rbf@z1": "RBF SVM accuracy, z₁",
    "elbo": "ELBO (nats)",
}
_SPACE = dict(zip("xyz", TASKS, strict=False))  # the first three span the space on the left
_CELLS = dict(zip(TASKS, ((1, 2), (1, 3), (2, 2), (2, 3)), strict=True))
_BEST = {"symbol": "cross", "size": 13, "color": "white", "line": {"color": "black", "width": 1.4}}
_ROW_HEIGHT, _ROWS_APART, _TOP, _BOTTOM = 210, 110, 96, 56


def surface(frames: Mapping[str, Frame]) -> Figure:
    """The grid of models in the space of three tasks, and one landscape a task (Xiao & Bamler 2023, Fig. 1)."""
    frame = frames["digits/hvae"]
    rows = drawable(frame, *_SPACE.values())
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
    for trace in _models(rows):
        plot.add_trace(trace, row=1, col=1)
    grid = Panels(plot=plot, rows=2, columns=3, plotting_height=plotting)
    for quantity, (row, column) in _CELLS.items():
        grid.heading(row, column, TASKS[quantity])
        for trace in _landscape(frame, rows, quantity, bar=grid.bar(row, column), legend=quantity == _SPACE["x"]):
            plot.add_trace(trace, row=row, col=column)
    decades = {"tickvals": [-1, 0, 1], "ticktext": ["0.1", "1", "10"], "showgrid": False, "constrain": "domain"}
    plot.update_xaxes(**decades, range=_edges(frame, BETA2)).update_yaxes(**decades, range=_edges(frame, BETA1))
    plot.update_xaxes(title_text="β₂", row=2).update_yaxes(title_text="β₁", col=2)
    plot.update_scenes(
        **{f"{axis}axis_title_text": TASKS[quantity] for axis, quantity in _SPACE.items()},
        domain={"x": [0.02, 0.48], "y": [0.0, 0.93]},
        aspectmode="cube",
        camera={"eye": {"x": 1.6, "y": -1.7, "z": 0.75}, "center": {"x": 0, "y": 0, "z": -0.1}},
    )
    plot.update_layout(plot_bgcolor=ABSENT, legend={"x": 0.01, "y": 1.0, "yanchor": "top"})
    caption = (
        "Left: the grid of models in the space of three tasks (drag to turn): reconstruction, and what a "
        "classifier reads from each latent; the colour says which layer's rate weighs more. Right: each task over "
        "the layer weights. A grey cell is missing."
    )
    title = "Three tasks at once"
    return present(frame, rows, name="surface", title=title, caption=caption, plot=plot)


def _models(rows: pd.DataFrame) -> list[go.Scatter3d]:
    """Models as points in the space of three tasks, on threads of equal β2 and of equal β1, and the β-VAEs."""
    balance = np.log10(rows[BETA2] / rows[BETA1])
    bar = {"orientation": "h", "x": 0.22, "y": -0.01, "yanchor": "top", "len": 0.3, "thickness": 10, "outlinewidth": 0}
    bar |= {"title": {"text": "β₂ / β₁", "side": "top", "font": {"size": 12}}, "tickfont": {"size": 11, "color": MUTED}}
    bar |= {"tickvals": [-2, -1, 0, 1, 2], "ticktext": ["0.01", "0.1", "1", "10", "100"]}
    marker = {"size": 3.5, "color": balance, "colorscale": DIVERGING, "cmid": 0, "colorbar": bar, "showscale": True}
    hover = f"PSNR %{{x:.4g}} dB, accuracy on z₂ %{{y:.3f}}, on z₁ %{{z:.3f}}<br>{WHO}"
    points = _in_space(rows, mode="markers", marker=marker, customdata=who(rows), hovertemplate=hover)
    thread = {"color": "rgba(95,107,122,0.55)", "width": 2}
    both = [part for fixed, moving in ((BETA2, BETA1), (BETA1, BETA2)) for part in _lines(rows, fixed, moving)]
    threads = _in_space(pd.concat(both or [rows]), mode="lines", line=thread, hoverinfo="skip")
    diagonal = _in_space(
        beta_vaes(rows, list(_SPACE.values())), mode="lines", line=BETA_VAE_LINE | {"width": 6}, hoverinfo="skip"
    )
    vae = {"symbol": "diamond", "size": 8, "color": "black", "line": {"color": "white", "width": 2}}
    return [threads, points, diagonal, _in_space(rows[is_vae(rows)], mode="markers", marker=vae, hoverinfo="skip")]


def _in_space(rows: pd.DataFrame, **style: Any) -> go.Scatter3d:
    return go.Scatter3d(**{axis: rows[quantity] for axis, quantity in _SPACE.items()}, showlegend=False, **style)


def _lines(rows: pd.DataFrame, fixed: str, moving: str) -> list[pd.DataFrame]:
    """Means over seeds along `moving` for each value of `fixed`, each line followed by a row of gaps."""
    columns = list(_SPACE.values())
    gap = pd.DataFrame({name: [np.nan] for name in columns})
    groups = (part.groupby(moving)[columns].mean() for _, part in rows.groupby(fixed))
    return [part for line in groups for part in (line, gap)]


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
    best1, best2 = means.idxmin() if goal(frame, quantity) == "minimise" else means.idxmax()
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
