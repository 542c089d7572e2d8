"""A quantity over the layer weights (Xiao & Bamler 2023, Fig. 1, lower right)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from results.frame import Frame
from results.panels import Panels
from results.style import BETA_VAE_LINE, SEQUENTIAL, VAE
from studies.drawing import measured
from studies.hvae.marks import goal, is_vae
from studies.hvae.names import BETA1, BETA2

BEST = {"symbol": "cross", "size": 13, "color": "white", "line": {"color": "black", "width": 1.4}}
DECADES = {"tickvals": [-1, 0, 1], "ticktext": ["0.1", "1", "10"], "showgrid": False, "constrain": "domain"}


def edges(frame: Frame, weight: str) -> list[float]:
    """Range of log10 of a layer weight over the planned grid, with half a cell at either end."""
    values = np.log10(np.unique(frame.trials[weight].to_numpy(np.float64))) if len(frame.trials) else np.zeros(1)
    half = (values[-1] - values[0]) / (2 * max(1, len(values) - 1)) or 0.5
    return [float(values[0] - half), float(values[-1] + half)]


def over_weights(frame: Frame, means: pd.Series[float], **style: Any) -> go.Heatmap:
    """Values by (β1, β2) over (log β2, log β1), with gaps where one is missing; a hover text shows `%{customdata}`."""
    beta1, beta2 = (np.unique(frame.trials[weight].to_numpy(np.float64)) for weight in (BETA1, BETA2))
    table = means.unstack(BETA2).reindex(index=beta1, columns=beta2)
    heat = go.Heatmap(z=table, x=np.log10(beta2), y=np.log10(beta1), **style)
    return heat.update(customdata=np.dstack(np.meshgrid(beta2, beta1)))


def weight_marks(rows: pd.DataFrame) -> list[go.Scatter]:
    """The β-VAEs and the VAE among these rows, over the layer weights."""
    diagonal = sorted(rows.loc[rows[BETA2] == rows[BETA1], BETA2])
    lines = {"name": "β-VAEs (β₂ = β₁)", "mode": "lines", "line": BETA_VAE_LINE, "legendgroup": "beta-vae"}
    stars = {"name": "VAE (β₂ = β₁ = 1)", "mode": "markers", "marker": VAE, "legendgroup": "vae"}
    marks = (
        go.Scatter(x=np.log10(diagonal), y=np.log10(diagonal), **lines),
        go.Scatter(x=[0.0] if is_vae(rows).any() else [], y=[0.0], **stars),
    )
    return [mark.update(hoverinfo="skip", cliponaxis=False) for mark in marks]


def best_setting(frame: Frame, rows: pd.DataFrame, quantity: str) -> tuple[float, float]:
    """(β2, β1) of the setting with the best mean over seeds; of equals the first by β1."""
    means = rows.groupby([BETA1, BETA2])[quantity].mean()
    beta1, beta2 = means.index[int(means.argmin() if goal(frame, quantity) == "minimise" else means.argmax())]
    return float(beta2), float(beta1)


def draw_landscape(
    grid: Panels,
    row: int,
    column: int,
    frame: Frame,
    rows: pd.DataFrame,
    quantity: str,
    title: str,
    *,
    best: dict[str, Any] = BEST,
    name: str = "best for the task",
) -> None:
    """A quantity, meaned over seeds, over the layer weights with its best setting, the β-VAEs and the VAE."""
    grid.heading(row, column, title)
    here = measured(rows, quantity)
    if here.empty:
        grid.message(row, column, "not measured yet")
        return
    hover = f"{title}: %{{z:.4g}}<br>β₂ = %{{customdata[0]:.3g}}, β₁ = %{{customdata[1]:.3g}}<extra></extra>"
    scale = {"colorscale": SEQUENTIAL, "colorbar": grid.bar(row, column), "hovertemplate": hover}
    grid.plot.add_trace(
        over_weights(frame, here.groupby([BETA1, BETA2])[quantity].mean(), **scale), row=row, col=column
    )
    beta2, beta1 = best_setting(frame, here, quantity)
    cross = go.Scatter(x=[np.log10(beta2)], y=[np.log10(beta1)], mode="markers", marker=best, name=name)
    cross.update(legendgroup=name, hoverinfo="skip", cliponaxis=False)
    for mark in (*weight_marks(here), cross):
        grid.plot.add_trace(mark, row=row, col=column)
