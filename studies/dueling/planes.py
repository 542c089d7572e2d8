"""Figures 3, 5 and 7 of Seybold et al. (2019): each trained model a point, one panel a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from results.figures import Figure
from results.frame import Frame
from results.panels import Panels, panels
from results.style import GUIDE_LINE, INK, MUTED, SEQUENTIAL, tick_step
from studies.drawing import drawable, legend_on_top, present
from studies.dueling.captions import references
from studies.dueling.marks import CUT_LINE, SYMBOLS, WHO, data_sets, decoders, marker, who
from studies.dueling.names import (
    DATA,
    DATA_SETS,
    DECODER,
    DISTORTION,
    GRID,
    LINEAR,
    LOW_RATE,
    MLP,
    RATE,
    RECONSTRUCTION,
)
from studies.dueling.sizes import BETA, CNN

_ACCURACY = {"range": [0, 1.02], "tickformat": ".1f"}
_PANEL = 300


def figure3(frames: Mapping[str, Frame]) -> Figure:
    """Semantic accuracy of the MLP against the rate of all models, and against the distortion of the low-rate ones."""
    frame = frames[GRID]
    rows = drawable(frame, RATE, DISTORTION, MLP)
    sets = data_sets(frame) or ("",)
    grid = panels(len(sets), 2, row_height=_PANEL, rows_apart=76, columns_apart=0.09)
    for at, data in enumerate(sets, start=1):
        here = rows[rows[DATA] == data]
        grid.heading(at, 1, f"{DATA_SETS.get(data, data)}: all models", above=8)
        grid.heading(at, 2, "models with a rate below 10 nats", above=8)
        low = here[here[RATE] < LOW_RATE]
        for column, chosen, x in ((1, here, RATE), (2, low, DISTORTION)):
            _by_decoder(grid, at, column, frame, chosen, x, MLP, legend=at == 1 and column == 1)
            if chosen.empty:
                grid.message(at, column, "no model yet" if here.empty else "no model below 10 nats")
        grid.plot.add_vline(x=LOW_RATE, line=CUT_LINE, row=at, col=1)
        grid.plot.update_xaxes(title_text="rate (nats)", row=at, col=1)
        grid.plot.update_xaxes(title_text="distortion (nats)", row=at, col=2)
        grid.plot.update_yaxes(title_text="MLP accuracy on latents", row=at, col=1, **_ACCURACY)
        grid.plot.update_yaxes(row=at, col=2, **_ACCURACY)
    legend_on_top(grid.plot)
    caption = (
        "Each mark is one trained model, its shape and colour the decoder; filled β = 1, open β = 0.1. Left: accuracy "
        "of an MLP on sampled latents against the rate, with the 10 nats below which a model counts as low-rate. "
        "Right: the same of the low-rate models against their distortion."
    )
    title = "Semantic accuracy against rate and distortion"
    return present(frame, rows, name="figure3", title=title, caption=caption, plot=grid.plot)


def figure5(frames: Mapping[str, Frame]) -> Figure:
    """Accuracy of classifiers on latents against that of a classifier on reconstructions."""
    frame = frames[GRID]
    rows = drawable(frame, RECONSTRUCTION, MLP, LINEAR)
    sets = data_sets(frame) or ("",)
    grid = panels(*_arranged(len(sets)), row_height=_PANEL + 60, rows_apart=76, columns_apart=0.09)
    for index, data in enumerate(sets):
        at, column = divmod(index, grid.columns)
        here = rows[rows[DATA] == data]
        grid.heading(at + 1, column + 1, DATA_SETS.get(data, data), above=8)
        unity = go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line=CUT_LINE, name="equal accuracy", legendrank=9)
        grid.plot.add_trace(unity.update(showlegend=index == 0, hoverinfo="skip"), row=at + 1, col=column + 1)
        for decoder in decoders(frame):
            part = here[here[DECODER] == decoder]
            for quantity, filled, classifier in ((MLP, True, "MLP"), (LINEAR, False, "linear")):
                trace = go.Scatter(x=part[RECONSTRUCTION], y=part[quantity], mode="markers", customdata=who(part))
                trace.update(marker=marker(decoder, filled=filled), name=f"{decoder}, {classifier}")
                trace.update(legendgroup=f"{decoder}{classifier}", showlegend=index == 0)
                trace.update(hovertemplate=f"{classifier} %{{y:.3f}}, reconstructions %{{x:.3f}}<br>{WHO}")
                grid.plot.add_trace(trace, row=at + 1, col=column + 1)
        if here.empty:
            grid.message(at + 1, column + 1, "no model yet")
        title = "accuracy on reconstructions"
        grid.plot.update_xaxes(title_text=title, row=at + 1, col=column + 1, **_ACCURACY)
        title = "accuracy on latents" if column == 0 else ""
        grid.plot.update_yaxes(title_text=title, row=at + 1, col=column + 1, **_ACCURACY)
    legend_on_top(grid.plot)
    caption = (
        "Each model twice: an MLP (filled) and a linear classifier (open) on sampled latents against the reference "
        "classifier on 300 sampled reconstructions. On the dashed line both read as much. "
        f"{references([frame])}"
    )
    title = "Accuracy of reconstructions and of representations"
    return present(frame, rows, name="figure5", title=title, caption=caption, plot=grid.plot)


def figure7(frames: Mapping[str, Frame]) -> Figure:
    """The rate–distortion plane of each data set, coloured by the accuracy of reconstructions."""
    frame = frames[GRID]
    rows = drawable(frame, RATE, DISTORTION, RECONSTRUCTION)
    sets = data_sets(frame) or ("",)
    grid = panels(*_arranged(len(sets)), row_height=_PANEL + 60, rows_apart=76, columns_apart=0.09)
    scale = {"colorscale": SEQUENTIAL, "cmin": 0, "cmax": 1, "colorbar": _bar()}
    grid.plot.update_layout(coloraxis=scale)
    left_out: list[str] = []
    drawn: list[str] = []
    for index, data in enumerate(sets):
        at, column = divmod(index, grid.columns)
        here = rows[rows[DATA] == data]
        if data in ("mnist", "fashion-mnist"):  # their distortions would hide all the others'
            left_out += [DATA_SETS[data]] if (here[DECODER] == CNN).any() else []
            here = here[here[DECODER] != CNN]
        drawn += list(here["trial"])
        grid.heading(at + 1, column + 1, DATA_SETS.get(data, data), above=8)
        if here.empty:
            grid.message(at + 1, column + 1, "no model yet")
        else:
            _equal_elbo(grid, at + 1, column + 1, here, legend=index == 0)
        for decoder in decoders(frame):
            part = here[here[DECODER] == decoder]
            mark = {"symbol": SYMBOLS[decoder], "size": 10, "color": part[RECONSTRUCTION], "coloraxis": "coloraxis"}
            trace = go.Scatter(x=part[RATE], y=part[DISTORTION], mode="markers", customdata=who(part))
            trace.update(marker=mark | {"line": {"color": INK, "width": 0.8}}, name=decoder, legendgroup=decoder)
            trace.update(showlegend=index == 0, hovertemplate=f"R = %{{x:.2f}}, D = %{{y:.1f}} nats<br>{WHO}")
            grid.plot.add_trace(trace, row=at + 1, col=column + 1)
        grid.plot.add_vline(x=LOW_RATE, line=CUT_LINE, row=at + 1, col=column + 1)
        grid.plot.update_xaxes(title_text="rate (nats)", row=at + 1, col=column + 1)
        title = "distortion (nats)" if column == 0 else ""
        grid.plot.update_yaxes(title_text=title, row=at + 1, col=column + 1)
    legend_on_top(grid.plot)
    omitted = f" The CNNs of {' and '.join(left_out)} lie far above and are not drawn." if left_out else ""
    caption = (
        "Each mark is one trained model, its shape the decoder, its colour the accuracy of the reference classifier on "
        "its reconstructions. Vertical dashes: 10 nats. Diagonals: equal −ELBO = rate + distortion. "
        f"{references([frame])}{omitted}"
    )
    title = "The rate–distortion plane"
    figure = present(frame, rows, name="figure7", title=title, caption=caption, plot=grid.plot)
    return replace(figure, trials=tuple(drawn), coverage=(len(drawn), len(frame.trials)))


def _arranged(count: int) -> tuple[int, int]:
    """(rows, columns) of the panels of so many data sets."""
    return (1, count) if count < 3 else (-(-count // 2), 2)


def _by_decoder(
    grid: Panels, at: int, column: int, frame: Frame, rows: pd.DataFrame, x: str, y: str, *, legend: bool
) -> None:
    for decoder in decoders(frame):
        part = rows[rows[DECODER] == decoder]
        for beta in sorted(part[BETA].unique()):
            here = part[part[BETA] == beta]
            trace = go.Scatter(x=here[x], y=here[y], mode="markers", customdata=who(here), legendgroup=decoder)
            trace.update(marker=marker(decoder, filled=beta == 1), name=decoder, showlegend=False)
            grid.plot.add_trace(
                trace.update(hovertemplate=f"%{{x:.2f}} nats, accuracy %{{y:.3f}}<br>{WHO}"), row=at, col=column
            )
        if legend:
            _key(grid, decoder, marker(decoder), legendgroup=decoder)
    for beta in sorted(rows[BETA].unique(), reverse=True) if legend else ():
        symbol = "circle" if beta == 1 else "circle-open"
        _key(
            grid, f"β = {beta:g}", {"symbol": symbol, "size": 8, "color": MUTED, "line": {"color": MUTED, "width": 1.4}}
        )


def _key(grid: Panels, name: str, mark: Mapping[str, object], **more: object) -> None:
    """An entry of the legend that draws nothing."""
    key = go.Scatter(x=[None], y=[None], mode="markers", marker=mark, name=name, hoverinfo="skip")
    grid.plot.add_trace(key.update(**more), row=1, col=1)


def _equal_elbo(grid: Panels, at: int, column: int, rows: pd.DataFrame, *, legend: bool) -> None:
    """Diagonals of equal rate + distortion across the models."""
    low, high = float(rows[RATE].min()), float(rows[RATE].max())
    total = rows[RATE] + rows[DISTORTION]
    step = tick_step(float(total.max() - total.min()) or 1.0, intervals=4)
    totals = np.arange(np.floor(total.min() / step) * step, total.max() + step, step)
    x = np.tile([low, high, np.nan], len(totals))
    y = np.repeat(totals, 3) - x
    line = go.Scatter(x=x, y=y, mode="lines", line=GUIDE_LINE, name="equal −ELBO", hoverinfo="skip", legendrank=9)
    grid.plot.add_trace(line.update(showlegend=legend, legendgroup="elbo"), row=at, col=column)


def _bar() -> dict[str, object]:
    return {"title": {"text": "accuracy on<br>reconstructions", "font": {"size": 12, "color": MUTED}}, "thickness": 12}
