"""Figure 4 of Seybold et al. (2019): what becomes of a model whose auxiliary decoder is removed while it trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from results.figures import Figure
from results.frame import Frame
from results.panels import panels
from results.style import CATEGORIES
from studies.drawing import drawable, legend_on_top, present
from studies.dueling.names import REMOVAL

REMOVED_AT = "objective.removed_at"
DISTORTION, RATE = "distortion", "rate_z1"  # of the training curves
Floats = npt.NDArray[np.float64]


def figure4(frames: Mapping[str, Frame]) -> Figure:
    """Distortion, −ELBO and rate in training, for each step at which λ was set to 0."""
    frame = frames[REMOVAL]
    trained = drawable(frame)
    stored = {trial: frame.curves(trial) for trial in trained["trial"]}
    stored = {trial: curves for trial, curves in stored.items() if {DISTORTION, RATE} <= curves.keys()}
    rows = trained[trained["trial"].isin(list(stored))]
    grid = panels(1, 2, row_height=380, rows_apart=76, columns_apart=0.09)
    absent = []
    for index, removed in enumerate(sorted(trained[REMOVED_AT].unique())):
        found = [stored[trial] for trial in rows.loc[rows[REMOVED_AT] == removed, "trial"]]
        label = f"removed at step {removed:,}" if removed else "never there"
        if not found:
            absent.append(f"{label}: no training curves are stored")
            continue
        steps = found[0][DISTORTION][0]
        distortion, rate = (np.mean([curves[name][1] for curves in found], axis=0) for name in (DISTORTION, RATE))
        colour = CATEGORIES[index % len(CATEGORIES)]
        shown = {"name": label, "legendgroup": label}
        _line(grid.plot, steps, distortion, 1, color=colour, **shown)
        _line(grid.plot, steps, distortion + rate, 1, color=colour, dash="4px,3px", showlegend=False, **shown)
        _line(grid.plot, steps, rate, 2, color=colour, showlegend=False, **shown)
        for column, curve in ((1, distortion), (2, rate)) if removed else ():
            at = int(np.searchsorted(steps, removed).clip(max=len(steps) - 1))
            mark = {"symbol": "triangle-up", "size": 13, "color": colour, "line": {"color": "white", "width": 1}}
            point = go.Scatter(x=[steps[at]], y=[curve[at]], mode="markers", marker=mark, hoverinfo="skip")
            grid.plot.add_trace(point.update(showlegend=False, legendgroup=label), row=1, col=column)
    for column, heading in ((1, "distortion (solid) and −ELBO (dashed)"), (2, "rate")):
        grid.heading(1, column, heading, above=8)
        grid.plot.update_xaxes(title_text="training step", rangemode="tozero", row=1, col=column)
        grid.plot.update_yaxes(title_text="nats", row=1, col=column)
    _focus(grid.plot)
    legend_on_top(grid.plot)
    caption = (
        "Training curves of a Dueling Decoder, means over seeds, whose auxiliary decoder is removed (λ = 0 from then "
        "on) at the steps marked ▲: means over intervals of training batches. Where −ELBO ends alike at different "
        "rates, the points of equal ELBO are stable."
    )
    title = "Removing the auxiliary decoder while training"
    figure = present(frame, rows, name="figure4", title=title, caption=caption, plot=grid.plot)
    return replace(figure, notes=(*figure.notes, *absent))


def _line(
    plot: go.Figure, x: Floats, y: Floats, column: int, *, color: str, dash: str = "solid", **shown: object
) -> None:
    line = go.Scatter(x=x, y=y, mode="lines", line={"color": color, "width": 1.8, "dash": dash})
    line.update(hovertemplate="step %{x:,}: %{y:.2f} nats<extra></extra>", **shown)
    plot.add_trace(line, row=1, col=column)


def _focus(plot: go.Figure) -> None:
    """The left panel without the first steps, whose distortions would hide all that follows."""
    curves = [np.asarray(trace.y, dtype=float) for trace in plot.data if trace.mode == "lines" and trace.xaxis == "x"]
    if not curves:
        return
    late = np.concatenate([curve[len(curve) // 20 :] for curve in curves])
    low, high = float(late.min()), float(late.max())
    room = 0.05 * (high - low) or 1.0
    plot.update_yaxes(range=[low - room, high + room], row=1, col=1)
