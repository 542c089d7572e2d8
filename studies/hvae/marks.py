"""The marks that figures of a grid of layer weights share: β-VAEs, the VAE, hull optima, equal total rates, crosses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from results.frame import Frame
from results.frontier import Hull, Variant
from results.quantity import Goal
from results.style import BETA_VAE, BETA_VAE_LINE, GUIDE_LINE, HULL, PURPLE, VAE
from studies.hvae.hulls import total_rate_hull
from studies.hvae.named_models import NamedModel
from studies.hvae.names import BETA1, BETA2

CROSS = {"symbol": "x-thin", "size": 11, "line": {"color": PURPLE, "width": 3}}
HULLS = {
    "text": "models on the upper convex hull of the quantity against the total rate, optimal for a given total rate",
    "visible": "models on the facets of the convex hull, of the quantity against the total rate, that are seen from "
    "(0, 2 max): the variant of the authors' code",
}
WHO = "β₂ = %{customdata[0]:.3g}, β₁ = %{customdata[1]:.3g}<br>trial %{customdata[2]}<extra></extra>"


def who(rows: pd.DataFrame) -> list[list[Any]]:
    """β2, β1 and the trial's id of each row, for hover texts that end in `WHO`."""
    beta2, beta1 = (rows[weight].map("{:.4g}".format).astype(float) for weight in (BETA2, BETA1))
    return [[*row] for row in zip(beta2, beta1, rows["trial"], strict=True)]


def is_vae(rows: pd.DataFrame) -> pd.Series[bool]:
    """Whether a row is the ordinary VAE, β2 = β1 = 1."""
    return (rows[BETA2] == 1) & (rows[BETA1] == 1)


def goal(frame: Frame, quantity: str) -> Goal:
    """Which direction of a quantity is better; larger, where the frame does not say."""
    return next((each.goal for each in frame.quantities if each.name == quantity), "maximise")


def beta_vaes(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Means over seeds of some columns for the β-VAEs (β2 = β1), in the order of β, which is the index."""
    return rows[rows[BETA2] == rows[BETA1]].groupby(BETA2)[columns].mean()


def optima(frame: Frame, rows: pd.DataFrame, quantity: str, variant: Variant = "text") -> Hull:
    """The models that are optimal for a given total rate: the hull of the quantity against it, on its better side."""
    return total_rate_hull(rows, quantity, variant, "lower" if goal(frame, quantity) == "minimise" else "upper")


def best(frame: Frame, rows: pd.DataFrame, quantity: str) -> pd.Series:
    """The row with the best value of a quantity, which all `rows` have; of equals the first."""
    ranked = rows[quantity]
    return rows.iloc[int(ranked.argmin() if goal(frame, quantity) == "minimise" else ranked.argmax())]


def baselines(rows: pd.DataFrame, *, x: str, y: str) -> list[go.Scatter]:
    """The β-VAEs (β2 = β1) as a line in the order of β, through means over seeds, and the VAE point at each seed."""
    diagonal = beta_vaes(rows, [x, y])
    vae = rows[is_vae(rows)]
    line = go.Scatter(x=diagonal[x], y=diagonal[y], mode="lines+markers", marker=BETA_VAE, line=BETA_VAE_LINE)
    star = go.Scatter(x=vae[x], y=vae[y], mode="markers", marker=VAE)
    line.update(name="β-VAEs (β₂ = β₁)", legendgroup="beta-vae", legendrank=2, hoverinfo="skip")
    star.update(name="VAE (β₂ = β₁ = 1)", legendgroup="vae", legendrank=1, hoverinfo="skip")
    return [trace for trace in (line, star) if len(trace.x)]


def diamonds(*, x: Any, y: Any, **more: Any) -> go.Scatter:
    """The vertices of a hull; `more` joins them where the hull itself is drawn."""
    style: dict[str, Any] = {"mode": "markers", "name": "convex-hull optima"} | more
    return go.Scatter(x=x, y=y, marker=HULL, legendgroup="hull", legendrank=3, hoverinfo="skip", **style)


def equal_totals(step: float, largest: float) -> go.Scatter:
    """Dashed diagonals x + y = constant, at every tick, up to `largest` in x + y."""
    totals = np.arange(step, largest + step, step)
    x = np.column_stack([np.zeros_like(totals), totals, np.full_like(totals, np.nan)]).ravel()
    y = np.column_stack([totals, np.zeros_like(totals), np.full_like(totals, np.nan)]).ravel()
    return go.Scatter(
        x=x,
        y=y,
        mode="lines",
        line=GUIDE_LINE,
        name="equal total rate",
        legendgroup="totals",
        legendrank=9,
        hoverinfo="skip",
    )


def crosses(models: Sequence[NamedModel], *, x: str, y: str) -> go.Scatter:
    """The named models with their numbers; one that has two numbers is marked once."""
    numbers: dict[str, list[str]] = {}
    for model in models:
        numbers.setdefault(str(model.row["trial"]), []).append(str(model.number))
    rows = {str(model.row["trial"]): model.row for model in models}
    return go.Scatter(
        x=[rows[trial][x] for trial in numbers],
        y=[rows[trial][y] for trial in numbers],
        text=[f" <b>{', '.join(each)}</b>" for each in numbers.values()],
        mode="markers+text",
        marker=CROSS,
        textposition="middle right",
        textfont={"size": 14, "color": "black", "shadow": "0 0 2px white, 0 0 3px white, 0 0 4px white"},
        name="models 1–3",
        legendgroup="named",
        legendrank=4,
        hoverinfo="skip",
        cliponaxis=False,
    )


def list_once(plot: go.Figure) -> None:
    """The legend: one entry a kind of mark, a kind being a legend group; traces outside of groups are not listed."""
    listed = set()
    for trace in plot.data:
        drawn = trace.legendgroup is not None and trace.x is not None and len(trace.x) > 0
        trace.showlegend = drawn and trace.legendgroup not in listed
        if drawn:
            listed.add(trace.legendgroup)
