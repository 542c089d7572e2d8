"""The marks that the figures of digits/hvae share: β-VAEs, the VAE, hull optima, equal total rates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from results.frame import Frame
from results.frontier import Hull, convex_hull
from results.quantity import Goal
from results.style import BETA_VAE, BETA_VAE_LINE, GUIDE_LINE, HULL, VAE
from studies.digits.paper import BETA1, BETA2

RATE2, RATE1, RATE = "rate_z2", "rate_z1", "rate"
WHO = "β₂ = %{customdata[0]:.3g}, β₁ = %{customdata[1]:.3g}<br>trial %{customdata[2]}<extra></extra>"


def who(rows: pd.DataFrame) -> list[list[Any]]:
    """β2, β1 and the trial's id of each row, for hover texts that end in `WHO`."""
    return [[*pair] for pair in zip(rows[BETA2], rows[BETA1], rows["trial"], strict=True)]


def is_vae(rows: pd.DataFrame) -> pd.Series[bool]:
    """Whether a row is the ordinary VAE, β2 = β1 = 1."""
    return (rows[BETA2] == 1) & (rows[BETA1] == 1)


def goal(frame: Frame, quantity: str) -> Goal:
    """Which direction of a quantity is better; larger, where the frame does not say."""
    return next((each.goal for each in frame.quantities if each.name == quantity), "maximise")


def beta_vaes(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Means over seeds of some columns for the β-VAEs (β2 = β1), in the order of β, which is the index."""
    return rows[rows[BETA2] == rows[BETA1]].groupby(BETA2)[columns].mean()


def optima(frame: Frame, rows: pd.DataFrame, quantity: str) -> Hull:
    """The models that are optimal for a given total rate: the hull of the quantity against it, on its better side."""
    return convex_hull(rows, RATE, quantity, side="lower" if goal(frame, quantity) == "minimise" else "upper")


def best(frame: Frame, rows: pd.DataFrame, quantity: str) -> pd.Series:
    """The row with the best value of a quantity, which all `rows` have; of equals the first."""
    ranked = rows[quantity]
    return rows.iloc[int(ranked.argmin() if goal(frame, quantity) == "minimise" else ranked.argmax())]


def baselines(rows: pd.DataFrame, *, x: str, y: str, legend: bool) -> list[go.Scatter]:
    """The β-VAEs (β2 = β1) as a line in the order of β, through means over seeds, and the VAE point at each seed."""
    diagonal = beta_vaes(rows, [x, y])
    vae = rows[is_vae(rows)]
    line = go.Scatter(x=diagonal[x], y=diagonal[y], mode="lines+markers", marker=BETA_VAE, line=BETA_VAE_LINE)
    star = go.Scatter(x=vae[x], y=vae[y], mode="markers", marker=VAE)
    line.update(name="β-VAEs (β₂ = β₁)", legendgroup="beta-vae", legendrank=2, hoverinfo="skip")
    star.update(name="VAE (β₂ = β₁ = 1)", legendgroup="vae", legendrank=1, hoverinfo="skip")
    return [trace.update(showlegend=legend) for trace in (line, star) if len(trace.x)]


def diamonds(hull: Hull, *, x: Any, y: Any, legend: bool, **more: Any) -> go.Scatter:
    """The vertices of a hull; `more` joins them where the hull itself is drawn."""
    style: dict[str, Any] = {"mode": "markers", "name": "convex-hull optima"} | more
    return go.Scatter(
        x=x, y=y, marker=HULL, legendgroup="hull", legendrank=3, showlegend=legend, hoverinfo="skip", **style
    )


def equal_totals(step: float, largest: float, *, name: str, legend: bool, first: float = 0.0) -> go.Scatter:
    """Dashed diagonals x + y = constant, at every tick, up to `largest` in x + y."""
    totals = np.arange(first + step, largest + step, step)
    x = np.column_stack([np.zeros_like(totals), totals, np.full_like(totals, np.nan)]).ravel()
    y = np.column_stack([totals, np.zeros_like(totals), np.full_like(totals, np.nan)]).ravel()
    return go.Scatter(
        x=x,
        y=y,
        mode="lines",
        line=GUIDE_LINE,
        name=name,
        legendgroup="totals",
        legendrank=9,
        showlegend=legend,
        hoverinfo="skip",
    )
