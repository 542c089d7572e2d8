"""The house style of all figures: fonts, colours that colour-blind readers can tell apart, and the marks that recur.

Sequential quantities are drawn in viridis, signed ones from blue over grey to vermillion, categories in the colours of
Okabe & Ito (2008). A mark means the same in every figure and differs from the others in shape, not only in colour.
"""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

FONT = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
INK = "#1f2933"
MUTED = "#5f6b7a"
GRID = "#e6e9ed"
ABSENT = "#dcdfe4"  # the ground on which missing cells of a heat map show

SEQUENTIAL = "Viridis"
DIVERGING = [[0.0, "#0072B2"], [0.5, "#cfd3d8"], [1.0, "#D55E00"]]
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#AA4499", "#E69F00", "#56B4E9"
CATEGORIES = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, INK)
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "pentagon", "star")

VAE = {"symbol": "star", "size": 15, "color": "black", "line": {"color": "white", "width": 1.2}}
BETA_VAE = {"symbol": "circle-open", "size": 7, "color": VERMILLION, "line": {"color": VERMILLION, "width": 1.6}}
HULL = {"symbol": "diamond", "size": 8, "color": "white", "line": {"color": "black", "width": 1.4}}
BETA_VAE_LINE = {"color": VERMILLION, "width": 1.6}
HULL_LINE = {"color": "black", "width": 1.2}
GUIDE_LINE = {"color": "#8c96a3", "width": 0.8, "dash": "4px,4px"}  # equal total rate, equal ELBO
BOUND_LINE = {"color": PURPLE, "width": 2, "dash": "6px,4px"}

_AXIS = {
    "showline": True,
    "linecolor": MUTED,
    "linewidth": 1,
    "ticks": "outside",
    "ticklen": 4,
    "tickcolor": MUTED,
    "tickfont": {"size": 11},
    "title": {"font": {"size": 13}, "standoff": 8},
    "gridcolor": GRID,
    "zeroline": False,
    "automargin": True,
}
_SCENE_AXIS = {"backgroundcolor": "white", "gridcolor": "#d5d9de", "zeroline": False, "tickfont": {"size": 10}} | {
    "title": {"font": {"size": 12}}
}

TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": FONT, "size": 13, "color": INK},
        "colorway": list(CATEGORIES),
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "margin": {"l": 64, "r": 24, "t": 32, "b": 56},
        "hoverlabel": {"font": {"family": FONT, "size": 12}, "align": "left"},
        "legend": {"font": {"size": 12}, "bgcolor": "rgba(255,255,255,0.85)"},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "scene": {"xaxis": _SCENE_AXIS, "yaxis": _SCENE_AXIS, "zaxis": _SCENE_AXIS},
    }
)


def house(plot: go.Figure, *, height: int, **layout: Any) -> go.Figure:
    """`plot` in the house style, `height` CSS pixels high and as wide as its page."""
    plot.update_layout(template=TEMPLATE, height=height, autosize=True, **layout)
    return plot


def notice(plot: go.Figure, message: str, *, x: float = 0.5, y: float = 0.5) -> go.Figure:
    """`plot` with `message` written on it, centred at (x, y) in fractions of the plotting area."""
    plot.add_annotation(
        text=message, x=x, y=y, xref="paper", yref="paper", showarrow=False, font={"size": 14, "color": MUTED}
    )
    return plot


def empty(message: str, *, height: int = 260) -> go.Figure:
    """A figure that has nothing to draw and says why."""
    plot = house(go.Figure(), height=height)
    plot.update_xaxes(visible=False).update_yaxes(visible=False)
    return notice(plot, message)


def tick_step(largest: float, *, intervals: int = 5) -> float:
    """A round distance between ticks (1, 2 or 5 times a power of ten) that cuts 0..largest into about `intervals`."""
    if not largest > 0:
        return 1.0
    raw = largest / intervals
    power = 10.0 ** int(f"{raw:e}".split("e")[1])
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= raw * 0.999))
