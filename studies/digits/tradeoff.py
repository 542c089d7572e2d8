"""The rate–distortion plane of digits/objectives (Alemi et al. 2018, Fig. 3)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from results.figures import Figure
from results.frame import Frame
from results.frontier import convex_hull, pareto
from results.style import BLUE, CATEGORIES, GUIDE_LINE, INK, MUTED, SYMBOLS, house, tick_step
from studies.drawing import drawable, present
from studies.hvae.names import RATE

STUDY, AXIS, DISTORTION = "digits/objectives", "objective", "distortion"
_HEIGHT, _MARGIN = 560, {"l": 64, "r": 24, "t": 44, "b": 56}
_PLOTTING = _HEIGHT - _MARGIN["t"] - _MARGIN["b"]
_LABEL_HEIGHT, _LABEL_LIFT = (
    19,
    16,
)  # CSS pixels: labels stand above the frontier, which runs to the right of its points
_FRONTIER = {"color": INK, "width": 2.2, "shape": "hv"}
_HULL = {"color": BLUE, "width": 1.4, "dash": "dot"}


def rate_distortion(frames: Mapping[str, Frame]) -> Figure:
    """Replicates and means of each objective, the Pareto frontier, the convex hull and diagonals of equal ELBO."""
    frame = frames[STUDY]
    rows = drawable(frame, RATE, DISTORTION)
    plot = house(go.Figure(), height=_HEIGHT, margin=_MARGIN)
    if not rows.empty:
        _fill(plot, frame, rows)
    caption = (
        "Small marks: one trained model each. Large marks: means over the seeds of an objective. Thick line: "
        "Pareto frontier of all models (none has both a lower rate and a lower distortion). Dotted: their lower "
        "convex hull, the optima of rate + distortion under some weight of the rate. Dashed: equal −ELBO = rate + "
        "distortion; lower and further left is better."
    )
    title = "The rate–distortion plane of the objectives"
    return present(frame, rows, name="rate_distortion", title=title, caption=caption, plot=plot)


def _fill(plot: go.Figure, frame: Frame, rows: pd.DataFrame) -> None:
    across, up = _range(rows[RATE]), _range(rows[DISTORTION])
    plot.update_xaxes(title_text="rate R (nats)", range=across).update_yaxes(title_text="distortion D (nats)", range=up)
    _equal_elbo(plot, across, up)
    plot.add_trace(_frontier(rows, across, up))
    hull = convex_hull(rows, RATE, DISTORTION, side="lower-left")
    line = go.Scatter(x=hull.x, y=hull.y, mode="lines", line=_HULL, name="convex hull", legendrank=2001)
    plot.add_trace(line.update(hoverinfo="skip"))
    planned = frame.trials[AXIS].astype(str).value_counts()
    settings = {str(label): part for label, part in rows.groupby(AXIS, sort=False)}
    means = {label: (float(part[RATE].mean()), float(part[DISTORTION].mean())) for label, part in settings.items()}
    offsets = label_offsets([y for _, y in means.values()], up)
    for position, (label, part) in enumerate(settings.items()):
        colour, symbol = CATEGORIES[position % len(CATEGORIES)], SYMBOLS[position % len(SYMBOLS)]
        values = "<br>R = %{x:.4g}, D = %{y:.4g} nats"
        faint = {"symbol": symbol, "size": 7, "color": colour, "opacity": 0.4}
        replicates = go.Scatter(x=part[RATE], y=part[DISTORTION], mode="markers", marker=faint, showlegend=False)
        replicates.update(customdata=[list(pair) for pair in zip(part["seed"], part["trial"], strict=True)])
        hover = f"{label}, seed %{{customdata[0]}}{values}<br>trial %{{customdata[1]}}<extra></extra>"
        plot.add_trace(replicates.update(hovertemplate=hover))
        x, y = means[label]
        bold = {"symbol": symbol, "size": 13, "color": colour, "line": {"color": "white", "width": 1}}
        mean = go.Scatter(x=[x], y=[y], mode="markers", marker=bold, name=label, showlegend=False)
        plot.add_trace(
            mean.update(hovertemplate=f"{label}, mean of {len(part)}/{planned[label]} seeds{values}<extra></extra>")
        )
        arrow = {
            "ax": 30,
            "ay": offsets[position] - _LABEL_LIFT,
            "arrowhead": 0,
            "arrowwidth": 1,
            "arrowcolor": MUTED,
            "standoff": 8,
        }
        plot.add_annotation(text=f"<b>{label}</b>", x=x, y=y, xanchor="left", font={"size": 12}, **arrow)
    plot.update_layout(legend={"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom"})


def _range(values: pd.Series) -> list[float]:
    """Of an axis: the values with room for labels around them."""
    low, high = float(values.min()), float(values.max())
    room = 0.18 * (high - low) or 1.0
    return [low - room, high + room]


def _equal_elbo(plot: go.Figure, across: list[float], up: list[float]) -> None:
    """Dashed diagonals of equal −ELBO through the window, each named where it enters at the top or the left."""
    step = tick_step((across[1] - across[0]) + (up[1] - up[0]), intervals=7)
    totals = np.arange(np.ceil((across[0] + up[0]) / step) * step, across[1] + up[1], step)
    for total in totals:
        x, y = (across[0], total - across[0]) if total - across[0] <= up[1] else (total - up[1], up[1])
        ends = {"x": [x, across[1]], "y": [y, total - across[1]]}
        name = {
            "name": "equal −ELBO (nats)",
            "legendgroup": "elbo",
            "legendrank": 2002,
            "showlegend": bool(total == totals[0]),
        }
        plot.add_trace(go.Scatter(**ends, mode="lines", line=GUIDE_LINE, hoverinfo="skip", **name))
        at_top = y == up[1]
        where = {"xanchor": "left", "yanchor": "top"} if at_top else {"xanchor": "left", "yanchor": "bottom"}
        plot.add_annotation(text=f"{total:g}", x=x, y=y, showarrow=False, bgcolor="white", **where)
        plot.layout.annotations[-1].update(font={"size": 11, "color": MUTED}, borderpad=1)


def _frontier(rows: pd.DataFrame, across: list[float], up: list[float]) -> go.Scatter:
    """The Pareto frontier of both minimised, as a right-continuous step with its vertical and horizontal extension."""
    front = rows[pareto(rows, minimise=(RATE, DISTORTION))].sort_values([RATE, DISTORTION])
    x = [front[RATE].iloc[0], *front[RATE], across[1]]
    y = [up[1], *front[DISTORTION], front[DISTORTION].iloc[-1]]
    step = go.Scatter(x=x, y=y, mode="lines", line=_FRONTIER, name="Pareto frontier", legendrank=2000)
    return step.update(hoverinfo="skip")


def label_offsets(means: list[float], up: list[float], *, tall: float = _PLOTTING) -> list[float]:
    """How far below its mark, in CSS pixels, each label stands so that no two touch: as near as their order allows."""
    wanted = [tall * (up[1] - y) / (up[1] - up[0]) for y in means]
    order = sorted(range(len(means)), key=wanted.__getitem__)
    placed = list(wanted)
    for above, below in pairwise(order):
        placed[below] = max(placed[below], placed[above] + _LABEL_HEIGHT)
    placed[order[-1]] = min(placed[order[-1]], tall - _LABEL_HEIGHT)
    for above, below in reversed(list(pairwise(order))):
        placed[above] = min(placed[above], placed[below] - _LABEL_HEIGHT)
    return [at - want for at, want in zip(placed, wanted, strict=True)]
