"""Every quantity of digits/hvae over the plane of layer-wise rates, and against their sum (Xiao & Bamler 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from results.figures import Figure
from results.frame import Frame
from results.information_bound import fano_accuracy
from results.panels import Panels, panels
from results.style import BOUND_LINE, HULL_LINE, SEQUENTIAL, tick_step
from studies import quantities
from studies.digits.marks import RATE, RATE1, RATE2, WHO, baselines, diamonds, equal_totals, optima, who
from studies.drawing import drawable, measured, present

STUDY = "digits/hvae"
CLASSES = 10


@dataclass(frozen=True)
class Panel:
    """A quantity in its place in the grid of small multiples."""

    quantity: str
    title: str
    row: int
    column: int


_CLASSIFIERS = {**quantities.CLASSIFIERS, "logistic": "logistic regr."}  # as wide as a panel
_ACCURACIES = tuple(
    Panel(f"accuracy_{classifier}@{latent}", f"{title} accuracy, {shown}", row, column)
    for row, latent, shown in ((2, "z2", "z₂"), (3, "z1", "z₁"))
    for column, (classifier, title) in enumerate(_CLASSIFIERS.items(), start=1)
)
PANELS = (
    Panel("psnr", "PSNR (dB)", 1, 1),
    Panel("elbo", "ELBO (nats)", 1, 2),
    Panel("mutual_information@z2", "I<sub>q</sub>(y; z₂) (nats)", 1, 3),
    *_ACCURACIES,
)
_KEY = (1, 4)  # the cell that holds the legend
_MARKS = "Star: VAE (β₂ = β₁ = 1). Circles: β-VAEs (β₂ = β₁), in the order of β. "


def rate_rate(frames: Mapping[str, Frame]) -> Figure:
    """The rate–rate plane coloured by each quantity (Xiao & Bamler 2023, Figs. 3b, 5, 7)."""
    frame = frames[STUDY]
    rows = drawable(frame, RATE2, RATE1, RATE)
    grid = panels(3, 4)
    furthest = (0.0 if rows.empty else float(rows[RATE2].max()), 0.0 if rows.empty else float(rows[RATE1].max()))
    step = tick_step(max(furthest))
    for panel in PANELS:
        shown = measured(rows, panel.quantity)
        cell = {"row": panel.row, "col": panel.column}
        first = panel == PANELS[0]
        grid.heading(panel.row, panel.column, panel.title)
        grid.plot.add_trace(equal_totals(step, sum(furthest), name="equal total rate", legend=first), **cell)
        if shown.empty:
            grid.message(panel.row, panel.column, "not measured yet")
            continue
        marker = grid.colours(panel.row, panel.column, shown[panel.quantity], size=6)
        hover = f"{panel.title}: %{{marker.color:.4g}}<br>R(z₂) = %{{x:.3g}}, R(z₁|z₂) = %{{y:.3g}} nats<br>{WHO}"
        points = go.Scatter(x=shown[RATE2], y=shown[RATE1], mode="markers", marker=marker, showlegend=False)
        grid.plot.add_trace(points.update(customdata=who(shown), hovertemplate=hover), **cell)
        for trace in baselines(shown, x=RATE2, y=RATE1, legend=first):
            grid.plot.add_trace(trace, **cell)
        hull = optima(frame, shown, panel.quantity)
        best = shown.loc[hull.index]
        grid.plot.add_trace(diamonds(hull, x=best[RATE2], y=best[RATE1], legend=first), **cell)
    across, up = ([-0.04 * furthest[axis], 1.06 * furthest[axis]] for axis in (0, 1))
    grid.plot.update_xaxes(matches="x", range=across, dtick=step)
    grid.plot.update_yaxes(matches="y", range=up, dtick=step)
    _finish(grid, x="R(z₂) (nats)", y="R(z₁|z₂) (nats)")
    caption = (
        "Every trained model by its layer-wise rates, coloured by one quantity a panel (accuracies: test accuracy "
        f"of a classifier on that latent). {_MARKS}Diamonds: models on the convex hull of the quantity against "
        "total rate, optimal for a given total rate. Dashed: equal total rate R(z₂) + R(z₁|z₂), which is read "
        "where a line meets an axis."
    )
    title = "What each allocation of rate between the layers is good for"
    return present(frame, rows, name="rate_rate", title=title, caption=caption, plot=grid.plot)


def against_total_rate(frames: Mapping[str, Frame]) -> Figure:
    """Each quantity against total rate with its hull; for accuracies Fano's bound (Xiao & Bamler 2023, Fig. 6)."""
    frame = frames[STUDY]
    rows = drawable(frame, RATE2, RATE1, RATE)
    grid = panels(3, 4, columns_apart=0.06, rows_apart=58)
    furthest = 1.0 if rows.empty else 1.04 * float(rows[RATE].max())
    rates = np.geomspace(1e-3, furthest, 200)
    for panel in PANELS:
        shown = measured(rows, panel.quantity)
        cell = {"row": panel.row, "col": panel.column}
        first = panel == PANELS[0]
        grid.heading(panel.row, panel.column, panel.title, above=6)
        if shown.empty:
            grid.message(panel.row, panel.column, "not measured yet")
            continue
        marker = {"color": (shown[RATE2] / shown[RATE]).clip(0, 1), "coloraxis": "coloraxis", "size": 5}
        hover = f"{panel.title}: %{{y:.4g}}<br>R = %{{x:.3g}} nats, %{{marker.color:.0%}} of it in z₂<br>{WHO}"
        points = go.Scatter(x=shown[RATE], y=shown[panel.quantity], mode="markers", marker=marker, showlegend=False)
        grid.plot.add_trace(points.update(customdata=who(shown), hovertemplate=hover), **cell)
        if panel in _ACCURACIES:
            bound = go.Scatter(
                x=rates, y=fano_accuracy(rates, CLASSES), mode="lines", line=BOUND_LINE, hoverinfo="skip"
            )
            bound.update(name="Fano bound", legendgroup="fano", legendrank=8, showlegend=panel == _ACCURACIES[0])
            grid.plot.add_trace(bound, **cell)
            lowest = float(np.floor(20 * shown[panel.quantity].min()) / 20)
            room = 0.03 * (1 - lowest)
            grid.plot.update_yaxes(range=[lowest - room, 1 + room], tickformat=".2~f", nticks=6, **cell)
        for trace in baselines(shown, x=RATE, y=panel.quantity, legend=first):
            grid.plot.add_trace(trace, **cell)
        hull = optima(frame, shown, panel.quantity)
        chain = diamonds(
            hull, x=hull.x, y=hull.y, legend=first, mode="lines+markers", line=HULL_LINE, name="convex hull"
        )
        grid.plot.add_trace(chain, **cell)
    grid.plot.update_xaxes(matches="x", range=[0, furthest])
    _finish(grid, x="total rate R (nats)")
    bar = grid.bar(
        *_KEY, above=-190, share=0.8, thickness=10, tickvals=[0, 0.5, 1], ticktext=["all in z₁", "half", "all in z₂"]
    )
    bar["title"] = {"text": "where the rate is", "side": "top", "font": {"size": 12}}
    grid.plot.update_layout(coloraxis={"colorscale": SEQUENTIAL, "cmin": 0, "cmax": 1, "colorbar": bar})
    caption = (
        "Every trained model, coloured by the share of its rate that is in z₂ (accuracies: test accuracy of a "
        f"classifier on that latent). {_MARKS}Diamonds and line: convex hull. Dashed, for accuracies: the most "
        "that the total rate allows (Fano's bound for ten equally frequent classes; a score on a finite test set "
        "may exceed it by chance)."
    )
    title = "Each quantity against the total rate"
    return present(frame, rows, name="against_total_rate", title=title, caption=caption, plot=grid.plot)


def _finish(grid: Panels, *, x: str, y: str = "") -> None:
    """Axis titles at the outer edges, and the legend in the cell that has no panel."""
    for row in range(1, grid.rows + 1):
        grid.plot.update_yaxes(title_text=y, row=row, col=1)
    for column in range(1, grid.columns + 1):
        grid.plot.update_xaxes(title_text=x, row=grid.rows, col=column)
    (left, _), (_, top) = grid.domain(*_KEY)
    grid.plot.update_xaxes(visible=False, row=_KEY[0], col=_KEY[1])
    grid.plot.update_yaxes(visible=False, row=_KEY[0], col=_KEY[1])
    grid.plot.update_layout(legend={"x": left, "xanchor": "left", "y": top, "yanchor": "top"})
