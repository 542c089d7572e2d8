"""Figures 6, 8 and 9 of Seybold et al. (2019): where the test images lie in the latents, coloured by their class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from results.figures import Figure
from results.frame import Frame
from results.panels import Panels, panels
from studies.drawing import drawable, legend_on_top, present
from studies.dueling.marks import (
    CLASSES,
    best_low_rate,
    class_names,
    data_sets,
    decoders,
    describe_setting,
)
from studies.dueling.names import DATA, DATA_SETS, DECODER, GRID, MLP, RATE, RECONSTRUCTION
from studies.dueling.sizes import LATENT

ELLIPSES = 400  # of the points that are stored: more would hide each other
_CIRCLE = np.linspace(0.0, 2.0 * np.pi, 25)
_PANEL = 330
_HEADED = "Headed by the model's rate and the accuracy of the reference classifier on its reconstructions."
Floats = npt.NDArray[np.float64]


def figure6(frames: Mapping[str, Frame]) -> Figure:
    """Posteriors over two latents on thresholded MNIST, one panel a decoder."""
    return _ellipses(frames, "figure6", ("thresholded-mnist",), "Posteriors over two latents, on thresholded MNIST")


def figure8(frames: Mapping[str, Frame]) -> Figure:
    """Posteriors over two latents on every data set, one panel a decoder."""
    return _ellipses(frames, "figure8", data_sets(frames[GRID]), "Posteriors over two latents, on every data set")


def figure9(frames: Mapping[str, Frame]) -> Figure:
    """t-SNE of the posterior means of the best low-rate models, whatever their number of latents."""
    caption = (
        "t-SNE of the posterior means of test images, coloured by class, for the best low-rate model of each decoder "
        "(highest mean MLP accuracy among settings with a mean rate below 10 nats; its first seed). Axes of a t-SNE "
        f"have no units, and distances between groups no meaning. {_HEADED}"
    )
    return _panels(frames, "figure9", data_sets(frames[GRID]), "t-SNE of the posterior means", caption, "tsne", {})


def _ellipses(frames: Mapping[str, Frame], name: str, sets: tuple[str, ...], title: str) -> Figure:
    caption = (
        f"Each ellipse is the posterior of one of {ELLIPSES} test images: its centre the mean, its axes those of the "
        "covariance (one standard deviation), its colour the class. For each decoder the best low-rate model with two "
        "latents (highest mean MLP accuracy among such settings with a mean rate below 10 nats; its first seed). "
        f"{_HEADED}"
    )
    return _panels(frames, name, sets, title, caption, "latents", {LATENT: 2})


def _panels(
    frames: Mapping[str, Frame],
    name: str,
    sets: tuple[str, ...],
    title: str,
    caption: str,
    codes: str,
    within: Mapping[str, object],
) -> Figure:
    whole = frames[GRID].trials
    asked = whole[DATA].isin(sets)
    for path, value in within.items():
        asked &= whole[path] == value
    frame = frames[GRID].subset(asked, "")
    rows = drawable(frame, RATE, MLP)
    kinds = decoders(frame) or ("",)
    grid = panels(max(1, len(sets)), len(kinds), row_height=_PANEL, rows_apart=66, columns_apart=0.04)
    drawn: list[str] = []
    for at, data in enumerate(sets, start=1):
        for column, decoder in enumerate(kinds, start=1):
            row = _first(best_low_rate(frame, MLP, {DATA: data, DECODER: decoder}))
            stored = None if row is None else frame.arrays(str(row["trial"]), codes)
            if row is None or stored is None:
                grid.message(at, column, "no model below 10 nats yet" if row is None else "no codes are stored")
                grid.heading(at, column, decoder, above=8)
                grid.plot.update_xaxes(showticklabels=False, ticks="", row=at, col=column)
                grid.plot.update_yaxes(showticklabels=False, ticks="", row=at, col=column)
                continue
            drawn.append(str(row["trial"]))
            accuracy = f", accuracy {row[RECONSTRUCTION]:.2f}" if pd.notna(row.get(RECONSTRUCTION)) else ""
            grid.heading(at, column, f"{decoder}: {row[RATE]:.1f} nats{accuracy}", above=8)
            legend = _legend(sets) if len(drawn) == 1 else None
            _draw(grid, at, column, codes, stored.astype(np.float64), class_names(data), describe_setting(row), legend)
        grid.plot.update_yaxes(title_text=f"<b>{DATA_SETS[data]}</b>", row=at, col=1)
    if codes == "tsne":
        grid.plot.update_xaxes(showticklabels=False, ticks="").update_yaxes(showticklabels=False, ticks="")
    legend_on_top(grid.plot)
    grid.plot.update_layout(legend_itemsizing="constant")
    figure = present(frame, rows, name=name, title=title, caption=caption, plot=grid.plot)
    note = f"drawn: {len(drawn)} of the {len(sets) * len(kinds)} best models"
    return replace(figure, trials=tuple(drawn), notes=(*figure.notes, note))


def _first(rows: pd.DataFrame) -> pd.Series | None:
    return None if rows.empty else rows.sort_values("seed").iloc[0]


def _legend(sets: tuple[str, ...]) -> tuple[str, ...]:
    """What the colours mean in all of these data sets: classes by number, and by what else they are in some."""
    named = dict.fromkeys(class_names(data) for data in sets)
    return tuple(" / ".join(names) for names in zip(*named, strict=True))


def _draw(
    grid: Panels,
    at: int,
    column: int,
    codes: str,
    points: Floats,
    names: tuple[str, ...],
    setting: str,
    entries: tuple[str, ...] | None,
) -> None:
    """One trace a class: outlines of ellipses, or points, on axes of one scale. entries: of the legend, where it is."""
    labels = points[:, -1].astype(int)
    panel = grid.plot.get_subplot(at, column)
    panel.yaxis.update(scaleanchor=panel.xaxis.plotly_name.replace("axis", ""))
    for label in range(len(names)):
        here = points[labels == label]
        name = names[label] if entries is None else entries[label]
        legend = {"name": name, "legendgroup": str(label), "showlegend": entries is not None}
        hover = {"hovertemplate": f"{names[label]}<br>{setting}<extra></extra>"}
        if codes == "latents":
            x, y = outlines(points[:ELLIPSES][labels[:ELLIPSES] == label])
            line = go.Scatter(x=x, y=y, mode="lines", line={"color": CLASSES[label], "width": 1}, opacity=0.8)
            grid.plot.add_trace(line.update(**legend, hoverinfo="skip"), row=at, col=column)
        else:
            mark = {"color": CLASSES[label], "size": 4, "opacity": 0.85}
            dots = go.Scatter(x=here[:, 0], y=here[:, 1], mode="markers", marker=mark)
            grid.plot.add_trace(dots.update(**legend, **hover), row=at, col=column)


def outlines(points: Floats) -> tuple[Floats, Floats]:
    """The ellipses of posteriors (n, 6), mean and lower-triangular factor of the covariance and class, as one line.

    A point of the outline is mean + L (cos t, sin t); NaN parts the ellipses.
    """
    cosine, sine = np.cos(_CIRCLE), np.sin(_CIRCLE)
    x = points[:, :1] + points[:, 2:3] * cosine
    y = points[:, 1:2] + points[:, 3:4] * cosine + points[:, 4:5] * sine
    gap = np.full((len(points), 1), np.nan)
    return np.hstack([x, gap]).ravel(), np.hstack([y, gap]).ravel()
