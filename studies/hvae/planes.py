"""Quantities over the plane of layer-wise rates, a panel each (Xiao & Bamler 2023, Figs. 3b, 5, 7, 8 and 9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from results.frame import Frame
from results.frontier import Variant
from results.panels import Panels
from results.style import tick_step
from studies import quantities
from studies.drawing import measured
from studies.hvae.marks import WHO, baselines, diamonds, equal_totals, optima, who
from studies.hvae.named_models import sampled
from studies.hvae.names import RATE1, RATE2

ACROSS, UP = "R(z₂) (nats)", "R(z₁|z₂) (nats)"
SHORT = {**quantities.CLASSIFIERS, "logistic": "logistic regr."}  # as wide as a panel
LATENTS = {"z2": "z₂", "z1": "z₁", "z1_mode": "z₁ (z₂ at its mode)"}
MARKS = "Star: VAE (β₂ = β₁ = 1). Circles: β-VAEs (β₂ = β₁), in the order of β. "


@dataclass(frozen=True)
class Panel:
    """A quantity in its place in a grid of panels; a quantity of N samples by its name before the '@'."""

    quantity: str
    title: str
    row: int
    column: int


def accuracies(latent: str, row: int, *, first: int = 1, shown: str = "") -> tuple[Panel, ...]:
    """A row of panels: the accuracy of each classifier on one latent, which the titles call `shown`."""
    return tuple(
        Panel(f"accuracy_{classifier}@{latent}", f"{title}{shown}", row, column)
        for column, (classifier, title) in enumerate(SHORT.items(), start=first)
    )


def draw_planes(
    grid: Panels, frame: Frame, rows: pd.DataFrame, shown: Sequence[Panel], *, hull: Variant = "text"
) -> None:
    """Every model by its layer-wise rates, coloured by one quantity a panel, in one window for all these panels."""
    across, up = (0.0 if rows.empty else float(rows[rate].max()) for rate in (RATE2, RATE1))
    step = tick_step(max(across, up), intervals=6)
    apart = min(step, tick_step(across, intervals=4))  # the rates of the layers may differ in size
    window: dict[str, object] = {"range": [-0.04 * across, 1.06 * across], "dtick": apart}
    upwards: dict[str, object] = {"range": [-0.04 * up, 1.06 * up], "dtick": step}
    x, y = grid.names(shown[0].row, shown[0].column)
    for panel in shown:
        cell = {"row": panel.row, "col": panel.column}
        grid.heading(panel.row, panel.column, panel.title)
        grid.plot.add_trace(equal_totals(step, across + up), **cell)
        grid.plot.update_xaxes(matches=x, **window, **cell).update_yaxes(matches=y, **upwards, **cell)
        quantity = sampled(frame, panel.quantity)
        here = measured(rows, quantity)
        if here.empty:
            grid.message(panel.row, panel.column, "not measured yet")
            continue
        marker = grid.colours(panel.row, panel.column, here[quantity], size=6)
        hover = f"{panel.title}: %{{marker.color:.4g}}<br>R(z₂) = %{{x:.3g}}, R(z₁|z₂) = %{{y:.3g}} nats<br>{WHO}"
        points = go.Scatter(x=here[RATE2], y=here[RATE1], mode="markers", marker=marker)
        grid.plot.add_trace(points.update(customdata=who(here), hovertemplate=hover), **cell)
        for trace in baselines(here, x=RATE2, y=RATE1):
            grid.plot.add_trace(trace, **cell)
        best = here.loc[optima(frame, here, quantity, hull).index]
        grid.plot.add_trace(diamonds(x=best[RATE2], y=best[RATE1]), **cell)


def title_edges(grid: Panels, *, x: str, y: str = "") -> None:
    """Axis titles at the outer edges of the grid."""
    for row in range(1, grid.rows + 1):
        grid.plot.update_yaxes(title_text=y, row=row, col=1)
    for column in range(1, grid.columns + 1):
        grid.plot.update_xaxes(title_text=x, row=grid.rows, col=column)


def legend_in(grid: Panels, row: int, column: int) -> None:
    """The legend in a cell that has no panel."""
    (left, _), (_, top) = grid.domain(row, column)
    grid.plot.update_xaxes(visible=False, row=row, col=column)
    grid.plot.update_yaxes(visible=False, row=row, col=column)
    grid.plot.update_layout(legend={"x": left, "xanchor": "left", "y": top, "yanchor": "top"})
