"""Surfaces in three dimensions through the models of a grid of layer weights (Xiao & Bamler 2023, Figs. 1 and 3a)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from results.style import BETA_VAE_LINE, DIVERGING, GRID, INK, MUTED
from studies.hvae.marks import WHO, beta_vaes, is_vae, who
from studies.hvae.names import BETA1, BETA2, RATE1, RATE2

CAMERA = {"eye": {"x": 1.6, "y": -1.7, "z": 0.75}, "center": {"x": 0, "y": 0, "z": -0.12}}
QUIET = {"showlegend": False, "hoverinfo": "skip"}
_HEIGHT = "scene.zaxis.title.text"


def balance(rows: pd.DataFrame) -> pd.Series[float]:
    """log10 β2/β1: negative where the rate of z2 is the cheaper one."""
    return pd.Series(np.log10(rows[BETA2] / rows[BETA1]), index=rows.index)


def balance_colours(rows: pd.DataFrame) -> dict[str, Any]:
    """The colour scale of `balance`, centred on β2 = β1."""
    extent = max(1.0, float(np.abs(balance(rows)).max())) if len(rows) else 1.0
    return {"colorscale": DIVERGING, "cmin": -extent, "cmax": extent}


def balance_bar(**place: Any) -> dict[str, Any]:
    """Its horizontal colour bar."""
    bar = {"orientation": "h", "yanchor": "top", "thickness": 10, "outlinewidth": 0}
    bar |= {"title": {"text": "β₂ / β₁", "side": "top", "font": {"size": 12}}, "tickfont": {"size": 11, "color": MUTED}}
    return bar | {"tickvals": [-2, -1, 0, 1, 2], "ticktext": ["0.01", "0.1", "1", "10", "100"]} | place


def sheet(rows: pd.DataFrame, x: str, y: str, colour: pd.Series[float], **style: Any) -> go.Surface:
    """Means over seeds of x and y of each setting of the grid and of its colour; the height is still to be chosen."""
    means = rows.assign(colour=colour).groupby([BETA1, BETA2])[[x, y, "colour"]].mean()
    grid = {name: means[column].unstack().to_numpy() for name, column in (("x", x), ("y", y))}
    return go.Surface(**grid, surfacecolor=means["colour"].unstack().to_numpy(), opacity=0.8, hoverinfo="skip", **style)


def over_rates(
    plot: go.Figure, rows: pd.DataFrame, heights: Mapping[str, str], *, colour: pd.Series[float], **style: Any
) -> None:
    """Adds to the scene in the first panel: a surface over the rates, its models, the β-VAEs and the VAE.

    heights: quantity -> title, the first shown and the others in a menu. style: the surface's colour scale and bar.
    """
    known = [quantity for quantity in heights if quantity in rows]
    means = rows.groupby([BETA1, BETA2])[known].mean()
    diagonal, vae = beta_vaes(rows, [RATE2, RATE1, *known]), rows[is_vae(rows)]
    hover = f"%{{z:.4g}}<br>R(z₂) = %{{x:.3g}}, R(z₁|z₂) = %{{y:.3g}} nats<br>{WHO}"
    traces = (
        sheet(rows, RATE2, RATE1, colour, **style),
        _points(rows, mode="markers", marker={"size": 2.2, "color": INK}, customdata=who(rows), hovertemplate=hover),
        _points(diagonal, mode="lines", line=BETA_VAE_LINE | {"width": 7}, **QUIET),
        _points(vae, mode="markers", marker={"symbol": "diamond", "size": 7, "color": "black"}, **QUIET),
    )

    def lifted(quantity: str) -> list[Any]:
        sources = (part[quantity] for part in (rows, diagonal, vae))
        return [means[quantity].unstack().to_numpy(), *(source.to_numpy() for source in sources)]

    for trace, z in zip(traces, lifted(known[0]) if known else [None] * len(traces), strict=True):
        plot.add_trace(trace.update(z=z, showlegend=False), row=1, col=1)
    choices = [
        {
            "label": heights[name],
            "method": "update",
            "args": [{"z": [z.tolist() for z in lifted(name)]}, {_HEIGHT: heights[name]}, [0, 1, 2, 3]],
        }
        for name in known
    ]
    menu = {"buttons": choices, "x": 0.01, "xanchor": "left", "y": 1.0, "yanchor": "bottom", "pad": {"b": 8}}
    if len(choices) > 1:
        plot.update_layout(updatemenus=[menu | {"bgcolor": "white", "bordercolor": GRID, "font": {"size": 12}}])
    plot.update_scenes(
        xaxis_title_text="R(z₂) (nats)",
        yaxis_title_text="R(z₁|z₂) (nats)",
        zaxis_title_text=heights[known[0]] if known else "",
        aspectmode="cube",
        camera=CAMERA,
    )


def _points(rows: pd.DataFrame, **style: Any) -> go.Scatter3d:
    """Rows over the plane of rates, their heights still to be chosen."""
    return go.Scatter3d(x=rows[RATE2], y=rows[RATE1], **style)
