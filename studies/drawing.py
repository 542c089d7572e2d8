"""What the figures of studies share: which trials are drawn, and what is said of those that are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import plotly.graph_objects as go

from results.figures import Figure
from results.frame import Frame
from results.schema import TRAINED
from results.style import empty


def drawable(frame: Frame, *needed: str) -> pd.DataFrame:
    """The trained trials that have a value of every `needed` column, whatever else of them could not be measured."""
    rows = frame.trials[frame.trials["status"].isin(TRAINED)]
    for name in needed:
        rows = rows[rows[name].notna()] if name in rows else rows[:0]
    return rows


def measured(rows: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """The rows that have a value of `quantity`."""
    return rows[rows[quantity].notna()] if quantity in rows else rows[:0]


def present(frame: Frame, rows: pd.DataFrame, *, name: str, title: str, caption: str, plot: go.Figure) -> Figure:
    """A figure of `rows`, with the count of what is and is not in it; without rows, one that says so."""
    rest = frame.trials.loc[frame.trials.index.difference(rows.index)]
    absent = ", ".join(
        f"{count} {'without these quantities' if status == 'completed' else str(status).replace('_', ' ')}"
        for status, count in rest["status"].value_counts().sort_index().items()
    )
    if rows.empty:
        planned = len(frame.trials)
        told = f"nothing to draw yet: 0 of {planned} trials" if planned else "no trial matches this selection"
        plot = empty(f"{told} ({frame.study})")
    return Figure(
        name=name,
        title=title,
        caption=caption,
        plot=plot,
        coverage=(len(rows), len(frame.trials)),
        trials=tuple(rows["trial"]),
        studies=(frame.study,),
        reduced=frame.reduced,
        notes=(f"not drawn: {absent}",) if absent else (),
    )


def together(parts: Sequence[Figure]) -> Figure:
    """The first of these figures, whose plot draws several studies, with what all of them say of what they drew."""
    first = parts[0]
    if len(parts) == 1:
        return first
    reduced = {part.studies[0]: part.reduced for part in parts if part.reduced}
    return replace(
        first,
        plot=next((part.plot for part in parts if part.coverage[0]), first.plot),
        coverage=(sum(part.coverage[0] for part in parts), sum(part.coverage[1] for part in parts)),
        trials=tuple(trial for part in parts for trial in part.trials),
        studies=tuple(study for part in parts for study in part.studies),
        reduced="; ".join(f"{study}: {text}" for study, text in reduced.items()),
        notes=tuple(f"{part.studies[0]}: {note}" for part in parts for note in part.notes),
    )


def legend_on_top(plot: go.Figure) -> None:
    """The legend in a line of its own above all panels, however high the figure is."""
    plot.update_layout(
        margin_t=float(plot.layout.margin.t) + 26,
        height=plot.layout.height + 26,
        legend={"orientation": "h", "x": 0, "y": 1, "yref": "container", "yanchor": "top", "xanchor": "left"},
    )
