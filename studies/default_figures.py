"""The figures of a study that has none of its own: each number against each axis, and the rate–distortion plane."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from results.figures import Figure
from results.frame import Frame
from results.frontier import convex_hull, pareto
from results.panels import Panels, panels
from results.quantity import Quantity
from results.style import BLUE, CATEGORIES, INK, MUTED, SEQUENTIAL, SYMBOLS, house
from studies.default_table import axis_titles, setting_headings
from studies.drawing import drawable, measured, present

RATE, DISTORTION = "rate", "distortion"
COLUMNS = 3
DECADES = 20.0  # an axis whose values span more than this factor is logarithmic


@dataclass(frozen=True, kw_only=True)
class Series:
    """Settings that are drawn alike: those that share `label`, or all of them coloured by `colour`, an axis."""

    label: str
    rows: pd.DataFrame
    style: dict[str, Any]


def default_figures(frame: Frame, stem: str) -> list[Figure]:
    """The figures of a study, their names beginning with `stem`; none of a study that measures no number."""
    quantities = [quantity for quantity in frame.quantities if quantity.form == "number"]
    if not quantities:
        return []
    names = [quantity.name for quantity in quantities]
    drawn = [rate_distortion(frame, f"{stem}-rate-distortion")] if {RATE, DISTORTION} <= set(names) else []
    titles = axis_titles(frame.axes)
    for axis in frame.axes:
        part = re.sub(r"[^\w.-]+", "-", titles[axis]).strip("-")
        drawn.append(against(frame, axis, quantities, f"{stem}-against-{part}"))
    return drawn


def against(frame: Frame, axis: str, quantities: list[Quantity], name: str) -> Figure:
    """Small multiples, one a quantity, over the values of an axis: trials faint, means over seeds bold."""
    rows = _with_any(frame, quantities)
    title = axis_titles(frame.axes)[axis]
    columns = min(COLUMNS, len(quantities))
    grid = panels(-(-len(quantities) // columns), columns, rows_apart=104, columns_apart=0.07)
    numeric = _numeric(frame.trials[axis])
    if numeric and _logarithmic(frame.trials[axis]):
        grid.plot.update_xaxes(type="log", dtick=1)
    if not numeric:
        grid.plot.update_xaxes(type="category")
    others = tuple(one for one in frame.axes if one != axis)
    for position, quantity in enumerate(quantities):
        cell = (position // columns + 1, position % columns + 1)
        unit = f" ({quantity.unit})" if quantity.unit not in ("", "fraction") else ""
        grid.heading(*cell, f"{quantity.title}{unit}", above=8)
        shown = measured(rows, quantity.name)
        if shown.empty:
            grid.message(*cell, "not measured yet")
            continue
        for series in _series(frame, shown, others, legend=position == 0):
            _add(grid, cell, series, axis, quantity)
    _describe_axis(grid, title, len(quantities), columns)
    varied = ", ".join(axis_titles(frame.axes)[one] for one in others)
    caption = f"Each measured number against {title}. Small marks: one trained model each; large marks: means over " + (
        f"seeds, for each value of {varied}." if varied else "seeds."
    )
    return present(frame, rows, name=name, title=f"{frame.study} against {title}", caption=caption, plot=grid.plot)


def _with_any(frame: Frame, quantities: list[Quantity]) -> pd.DataFrame:
    """The completed trials that have one of the quantities."""
    rows = drawable(frame)
    return rows[rows[[quantity.name for quantity in quantities]].notna().any(axis=1)]


def _add(grid: Panels, cell: tuple[int, int], series: Series, axis: str, quantity: Quantity) -> None:
    rows = series.rows
    where = {"row": cell[0], "col": cell[1]}
    x = rows[axis] if _numeric(rows[axis]) else rows[axis].astype(str)
    means = rows.assign(x=x).groupby("setting", sort=False).agg({"x": "first", quantity.name: "mean"})
    if len(means) < len(rows):
        faint = {"color": series.style["marker"]["color"], "size": 5, "opacity": 0.35, "symbol": "circle"}
        if not isinstance(faint["color"], str):
            faint |= {"color": MUTED}
        points = go.Scatter(x=x, y=rows[quantity.name], mode="markers", marker=faint, showlegend=False)
        hover = "%{y:.5g}<br>seed %{customdata[0]}, trial %{customdata[1]}<extra></extra>"
        points.update(customdata=rows[["seed", "trial"]].to_numpy().tolist(), hovertemplate=hover)
        grid.plot.add_trace(points, **where)
    if _numeric(rows[axis]):
        means = means.sort_values("x")
    behind = rows.groupby("setting", sort=False)["trial"].first()
    marks = go.Scatter(x=means["x"], y=means[quantity.name], name=series.label, legendgroup=series.label)
    marks.update(customdata=[[trial] for trial in behind.loc[means.index]], **_coloured_by(series, means.index))
    told = f"{series.label}<br>" if series.label else ""
    marks.update(hovertemplate=f"{told}%{{x}}: %{{y:.5g}}<br>trial %{{customdata[0]}}<extra></extra>")
    grid.plot.add_trace(marks, **where)


def _coloured_by(series: Series, settings: pd.Index) -> dict[str, Any]:
    """The style of a series for its settings in this order: a colour a setting is looked up, any other is kept."""
    style = series.style
    colour = style["marker"]["color"]
    if isinstance(colour, pd.Series):
        style = style | {"marker": style["marker"] | {"color": colour.loc[settings].tolist()}}
    return style


def _series(frame: Frame, rows: pd.DataFrame, others: tuple[str, ...], *, legend: bool) -> list[Series]:
    """The rows by the values of the other axes: each a colour of its own where they are few, else on one scale."""
    titles = axis_titles(frame.axes)
    if not others:
        style = {"mode": "lines+markers", "marker": {"color": BLUE, "size": 8}, "line": {"color": BLUE, "width": 1.4}}
        return [Series(label="", rows=rows, style=style | {"showlegend": False})]
    combined = _labelled(frame.trials, others, titles)
    known = list(dict.fromkeys(combined))
    if len(known) <= len(CATEGORIES):
        colours = dict(zip(known, zip(CATEGORIES, SYMBOLS, strict=True), strict=False))
        return [
            Series(label=label, rows=part, style=_line(*colours[label], legend=legend))
            for label, part in ((label, rows[combined.loc[rows.index] == label]) for label in known)
            if len(part)
        ]
    return [Series(label="", rows=rows, style=_scale(frame, rows, others, titles) | {"showlegend": False})]


def _labelled(trials: pd.DataFrame, axes: tuple[str, ...], titles: dict[str, str]) -> pd.Series[str]:
    """The values of some axes as a line of text, one a trial."""
    parts = [
        trials[axis].map(lambda value, title=titles[axis]: f"{title} = {_short(value)}", na_action=None)
        for axis in axes
    ]
    text = parts[0]
    for part in parts[1:]:
        text = text + ", " + part
    return text


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _line(colour: str, symbol: str, *, legend: bool) -> dict[str, Any]:
    return {
        "mode": "lines+markers",
        "marker": {"color": colour, "symbol": symbol, "size": 8},
        "line": {"color": colour, "width": 1.2},
        "showlegend": legend,
    }


def _scale(frame: Frame, rows: pd.DataFrame, axes: tuple[str, ...], titles: dict[str, str]) -> dict[str, Any]:
    """Marks coloured by the first numeric of some axes, with a bar; in one colour where none is numeric."""
    axis = next((one for one in axes if _numeric(frame.trials[one])), None)
    marker: dict[str, Any] = {"size": 7, "color": BLUE}
    if axis is not None:
        planned = frame.trials[axis].dropna().astype(float)
        first = rows.drop_duplicates("setting").set_index("setting")[axis].astype(float)
        logarithmic = _logarithmic(planned)
        ends = (planned.min(), planned.max())
        scale = {"cmin": math.log10(ends[0]), "cmax": math.log10(ends[1])} if logarithmic else {}
        marker |= {"color": np.log10(first) if logarithmic else first, "colorscale": SEQUENTIAL} | scale
        title = f"log₁₀ {titles[axis]}" if logarithmic else titles[axis]
        marker |= {"showscale": True, "colorbar": {"title": {"text": title, "side": "right"}, "thickness": 10}}
        marker["colorbar"] |= {"x": 1.02, "outlinewidth": 0, "tickfont": {"size": 11, "color": MUTED}}
    return {"mode": "markers", "marker": marker}


def _describe_axis(grid: Panels, title: str, count: int, columns: int) -> None:
    """The axis' title under the last panel of each column, and the legend above all."""
    for column in range(1, columns + 1):
        grid.plot.update_xaxes(title_text=title, row=(count - column) // columns + 1, col=column)
    for position in range(count, grid.rows * columns):
        cell = {"row": position // columns + 1, "col": position % columns + 1}
        grid.plot.update_xaxes(visible=False, **cell).update_yaxes(visible=False, **cell)
    above = 1 + 36 / grid.plotting_height
    grid.plot.update_layout(legend={"orientation": "h", "x": 0, "y": above, "yanchor": "bottom"}, margin_r=84)


def _numeric(values: pd.Series[Any]) -> bool:
    """Whether an axis is of numbers alone."""
    present = values.dropna()
    return len(present) > 0 and all(
        isinstance(value, int | float | np.number) and not isinstance(value, bool) for value in present
    )


def _logarithmic(values: pd.Series[Any]) -> bool:
    present = values.dropna().astype(float)
    return bool(present.min() > 0 and present.max() / present.min() >= DECADES)


def rate_distortion(frame: Frame, name: str) -> Figure:
    """All models in the rate–distortion plane (Alemi et al. 2018) with Pareto frontier and lower convex hull."""
    rows = drawable(frame, RATE, DISTORTION)
    plot = house(go.Figure(), height=560, margin={"l": 64, "r": 84, "t": 64, "b": 56})
    plot.update_xaxes(title_text="rate R (nats)").update_yaxes(title_text="distortion D (nats)")
    if not rows.empty:
        front = rows[pareto(rows, minimise=(RATE, DISTORTION))].sort_values([RATE, DISTORTION])
        step = {"color": INK, "width": 1.8, "shape": "hv"}
        hull = convex_hull(rows, RATE, DISTORTION, side="lower-left")
        dots = {"color": BLUE, "width": 1.4, "dash": "dot"}
        for label, x, y, line in (
            ("Pareto frontier", front[RATE], front[DISTORTION], step),
            ("convex hull", hull.x, hull.y, dots),
        ):
            plot.add_trace(go.Scatter(x=x, y=y, mode="lines", line=line, name=label, hoverinfo="skip"))
        _models(plot, frame, rows)
    plot.update_layout(legend={"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom"})
    caption = (
        "One mark a trained model, coloured by setting. Line: Pareto frontier (no model has both a lower rate and a "
        "lower distortion). Dotted: lower convex hull, the optima of rate + distortion under some weight of the rate."
    )
    return present(frame, rows, name=name, title=f"Rate and distortion of {frame.study}", caption=caption, plot=plot)


def _models(plot: go.Figure, frame: Frame, rows: pd.DataFrame) -> None:
    headings = setting_headings(frame)
    labels = rows["setting"].map(lambda setting: headings[setting].label)
    hover = "%{customdata[0]}<br>R = %{x:.4g}, D = %{y:.4g} nats<br>seed %{customdata[1]}, trial %{customdata[2]}"
    told = pd.DataFrame({"label": labels, "seed": rows["seed"], "trial": rows["trial"]})
    few = len(headings) <= len(CATEGORIES)
    if few:
        parts = [(label, rows["setting"] == setting) for setting, label in _order(frame)]
    else:
        parts = [("", pd.Series(True, index=rows.index))]
    for position, (label, chosen) in enumerate(parts):
        part = rows[chosen]
        if part.empty:
            continue
        if few:
            style = _line(CATEGORIES[position], SYMBOLS[position], legend=True) | {"mode": "markers"}
            del style["line"]
        else:
            style = _scale(frame, part, frame.axes, axis_titles(frame.axes)) | {"showlegend": False}
            colour = style["marker"]["color"]
            if isinstance(colour, pd.Series):
                style["marker"]["color"] = colour.loc[part["setting"]].tolist()
        points = go.Scatter(x=part[RATE], y=part[DISTORTION], name=label, **style)
        points.update(customdata=told.loc[part.index].to_numpy().tolist(), hovertemplate=f"{hover}<extra></extra>")
        plot.add_trace(points)


def _order(frame: Frame) -> list[tuple[str, str]]:
    return [(setting, heading.label) for setting, heading in setting_headings(frame).items()]
