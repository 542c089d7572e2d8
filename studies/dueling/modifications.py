"""Accuracy against rate where one thing was changed: the objective, the auxiliary decoder, the size of the networks.

These have no figure in Seybold et al. (2019); they draw what Tables 2 and 3 and the + rows of Table 1 list.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from results.figures import Figure
from results.frame import Frame
from results.panels import panels
from results.style import CATEGORIES, SYMBOLS
from studies.drawing import drawable, present
from studies.dueling import names
from studies.dueling.captions import references
from studies.dueling.marks import CUT_LINE

_PANELS = ((names.MLP, "accuracy of an MLP on the latents"), (names.RECONSTRUCTION, "accuracy on reconstructions"))


def objectives(frames: Mapping[str, Frame]) -> Figure:
    """Accuracy against rate under each objective of Table 2."""
    title = "What each change of the objective buys with its rate"
    return _against_rate(frames, names.OBJECTIVES, "objective", "objectives", title, "objective")


def auxiliaries(frames: Mapping[str, Frame]) -> Figure:
    """Accuracy against rate with each auxiliary decoder of Table 3."""
    title = "What each auxiliary decoder puts into the latents"
    return _against_rate(frames, names.AUXILIARIES, "model.auxiliary", "auxiliaries", title, "auxiliary decoder")


def enlarged(frames: Mapping[str, Frame]) -> Figure:
    """Accuracy against rate of the enlarged networks on Fashion-MNIST."""
    title = "The enlarged networks on Fashion-MNIST"
    return _against_rate(frames, names.ENLARGED, names.DECODER, "enlarged", title, "decoder")


def _against_rate(frames: Mapping[str, Frame], study: str, column: str, name: str, title: str, what: str) -> Figure:
    """Every trial a small mark, the mean of a setting a large one, coloured by the value of one axis."""
    frame = frames[study]
    rows = drawable(frame, names.RATE, *(quantity for quantity, _ in _PANELS))
    grid = panels(1, 2, row_height=400, rows_apart=76, columns_apart=0.09)
    groups = rows[column].astype(str).str.replace(r" over [\d,]+ steps", "", regex=True)  # of any length, one colour
    for index, (value, part) in enumerate(rows.groupby(groups, sort=False)):
        colour, symbol = CATEGORIES[index % len(CATEGORIES)], SYMBOLS[index % len(SYMBOLS)]
        means = part.groupby("setting", sort=False).mean(numeric_only=True)
        for at, (quantity, _) in enumerate(_PANELS, start=1):
            faint = {"symbol": symbol, "size": 7, "color": colour, "opacity": 0.4}
            each = go.Scatter(x=part[names.RATE], y=part[quantity], mode="markers", marker=faint, customdata=_who(part))
            each.update(legendgroup=value, showlegend=False)
            each.update(hovertemplate=f"{value}: %{{x:.2f}} nats, %{{y:.3f}}<br>%{{customdata}}<extra></extra>")
            bold = {"symbol": symbol, "size": 13, "color": colour, "line": {"color": colour, "width": 1.6}}
            mean = go.Scatter(x=means[names.RATE], y=means[quantity], mode="markers", marker=bold, name=value)
            mean.update(legendgroup=value, showlegend=at == 1)
            mean.update(hovertemplate=f"{value}, mean over seeds: %{{x:.2f}} nats, %{{y:.3f}}<extra></extra>")
            grid.plot.add_trace(each, row=1, col=at)
            grid.plot.add_trace(mean, row=1, col=at)
    for at, (_, heading) in enumerate(_PANELS, start=1):
        grid.heading(1, at, heading, above=8)
        grid.plot.add_vline(x=names.LOW_RATE, line=CUT_LINE, row=1, col=at)
        grid.plot.update_xaxes(title_text="rate (nats)", rangemode="tozero", row=1, col=at)
        grid.plot.update_yaxes(title_text="accuracy" if at == 1 else "", rangemode="tozero", row=1, col=at)
    grid.plot.update_layout(legend={"orientation": "h", "x": 0, "y": -0.15, "yanchor": "top"}, margin_b=110)
    caption = (
        f"Small marks: one trained model each; large marks: means over the seeds of a setting; colour and shape: the "
        f"{what}. Dashes: 10 nats, below which a model counts as low-rate. {references([frame])}"
    )
    return present(frame, rows, name=name, title=title, caption=caption, plot=grid.plot)


def _who(rows: pd.DataFrame) -> list[str]:
    return [f"seed {seed}, trial {trial}" for seed, trial in zip(rows["seed"], rows["trial"], strict=True)]
