"""Quantities against the total rate, with their hulls and Fano's bound (Xiao & Bamler 2023, Fig. 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from results.figures import Figure
from results.frame import Frame
from results.frontier import Variant
from results.information_bound import fano_accuracy
from results.panels import Panels, panels
from results.style import BOUND_LINE, HULL_LINE, SEQUENTIAL
from studies.drawing import drawable, legend_on_top, measured, present
from studies.hvae.labels import label_entropy
from studies.hvae.marks import HULLS, WHO, baselines, diamonds, list_once, optima, who
from studies.hvae.named_models import sampled
from studies.hvae.names import CLASSES, MODELS, RATE, RATE1, RATE2, SUFFIX
from studies.hvae.planes import MARKS, Panel, title_edges

BOUNDED = (
    "Dashed, for accuracies: the most that the total rate allows a classifier of sampled latents (Fano's bound for ten "
    "classes; these classifiers see modes, and a score on a finite test set, so they may exceed it)."
)
_ACCURACY = "accuracy_svm_rbf@z2"


def figure6(frames: Mapping[str, Frame], *, hull: Variant = "text") -> Figure:
    """Accuracy of an RBF SVM on z2 against the total rate."""
    ((study, frame),) = frames.items()
    rows = drawable(frame, RATE2, RATE1, RATE, _ACCURACY)
    grid = panels(1, 1, row_height=420, rows_apart=40)
    draw_totals(grid, frame, rows, (Panel(_ACCURACY, "", 1, 1),), hull=hull)
    title_edges(grid, x="total rate R = R(z₂) + R(z₁|z₂) (nats)", y="accuracy of the RBF SVM on z₂")
    along = {"text": "where the rate is", "side": "right", "font": {"size": 12}}
    bar = share_bar({"x": 1.02, "xanchor": "left", "len": 0.8, "thickness": 12, "outlinewidth": 0, "title": along})
    grid.plot.update_layout(coloraxis=bar)
    list_once(grid.plot)
    legend_on_top(grid.plot)
    caption = (
        f"Every trained model, coloured by the share of its rate that is in z₂. {MARKS}Diamonds and line: {HULLS[hull]}"
        f". {BOUNDED}"
    )
    title = f"Accuracy on z₂ against the total rate: {MODELS[study]}"
    return present(frame, rows, name=f"figure6{SUFFIX[study]}", title=title, caption=caption, plot=grid.plot)


def draw_totals(
    grid: Panels, frame: Frame, rows: pd.DataFrame, shown: Sequence[Panel], *, hull: Variant = "text"
) -> None:
    """One quantity a panel against the total rate, coloured by the share of it in z2, with the hull and the baselines.

    Accuracies with Fano's bound for the entropy of the test labels. The colours are on the figure's `coloraxis`.
    """
    furthest = 1.0 if rows.empty else 1.04 * float(rows[RATE].max())
    rates = np.geomspace(1e-3, furthest, 200)
    allowed = fano_accuracy(rates, CLASSES, label_entropy(rows))
    for panel in shown:
        cell = {"row": panel.row, "col": panel.column}
        grid.heading(panel.row, panel.column, panel.title, above=6)
        quantity = sampled(frame, panel.quantity)
        here = measured(rows, quantity)
        if here.empty:
            grid.message(panel.row, panel.column, "not measured yet")
            continue
        marker = {"color": (here[RATE2] / here[RATE]).clip(0, 1), "coloraxis": "coloraxis", "size": 5}
        hover = f"{panel.title}: %{{y:.4g}}<br>R = %{{x:.3g}} nats, %{{marker.color:.0%}} of it in z₂<br>{WHO}"
        points = go.Scatter(x=here[RATE], y=here[quantity], mode="markers", marker=marker)
        grid.plot.add_trace(points.update(customdata=who(here), hovertemplate=hover), **cell)
        if panel.quantity.startswith("accuracy_"):
            bound = go.Scatter(x=rates, y=allowed, mode="lines", line=BOUND_LINE, hoverinfo="skip")
            grid.plot.add_trace(bound.update(name="Fano bound", legendgroup="fano", legendrank=8), **cell)
            lowest = float(np.floor(20 * here[quantity].min()) / 20)
            room = 0.03 * (1 - lowest)
            grid.plot.update_yaxes(range=[lowest - room, 1 + room], tickformat=".2~f", nticks=6, **cell)
        for trace in baselines(here, x=RATE, y=quantity):
            grid.plot.add_trace(trace, **cell)
        best = optima(frame, here, quantity, hull)
        chain = diamonds(x=best.x, y=best.y, mode="lines+markers", line=HULL_LINE, name="convex hull")
        grid.plot.add_trace(chain, **cell)
    grid.plot.update_xaxes(matches="x", range=[0, furthest])


def share_bar(place: Mapping[str, object]) -> dict[str, object]:
    """The colour axis of the share of the rate in z2, its bar at `place`."""
    ticks = {"tickvals": [0, 0.5, 1], "ticktext": ["all in z₁", "half", "all in z₂"]}
    title = {"text": "where the rate is", "side": "top", "font": {"size": 12}}
    return {"colorscale": SEQUENTIAL, "cmin": 0, "cmax": 1, "colorbar": {"title": title, **ticks, **place}}
