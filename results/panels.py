"""Small multiples: panels in a grid, each with its heading and, where it is coloured by a value, its own colour bar.

Distances of headings and bars are CSS pixels here and fractions of the plot's height in plotly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from results.style import MUTED, SEQUENTIAL, house

_BOTTOM = 56  # margin for the axis titles of the last row
_AXIS_LABELS = 30  # of the rows above it
_HEADROOM = 12  # above the first row's headings


@dataclass(frozen=True)
class Panels:
    """A grid of panels; rows and columns count from 1, from the top left."""

    plot: go.Figure
    rows: int
    columns: int
    plotting_height: int

    def _axes(self, row: int, column: int) -> tuple[Any, Any]:
        panel = self.plot.get_subplot(row, column)
        return panel.xaxis, panel.yaxis

    def names(self, row: int, column: int) -> tuple[str, str]:
        """What plotly calls a panel's axes: "x" and "y" of the first, then "x2" and "y2"."""
        x, y = self._axes(row, column)
        return x.plotly_name.replace("axis", ""), y.plotly_name.replace("axis", "")

    def domain(self, row: int, column: int) -> tuple[tuple[float, float], tuple[float, float]]:
        """Where a panel is, horizontally and vertically, in fractions of the plotting area."""
        x, y = self._axes(row, column)
        return tuple(x.domain), tuple(y.domain)

    def heading(self, row: int, column: int, text: str, *, above: int = 34) -> None:
        """`text` in bold, `above` pixels over the panel's top left corner."""
        x, y = self.names(row, column)
        self.plot.add_annotation(
            text=f"<b>{text}</b>",
            xref=f"{x} domain",
            yref=f"{y} domain",
            x=0,
            y=1,
            yshift=above,
            xanchor="left",
            yanchor="bottom",
            showarrow=False,
            font={"size": 13},
        )

    def message(self, row: int, column: int, text: str) -> None:
        """`text` in the middle of a panel that has nothing to draw; without any trace it would have no axes either."""
        self.plot.add_trace(go.Scatter(x=[None], y=[None], showlegend=False, hoverinfo="skip"), row=row, col=column)
        x, y = self.names(row, column)
        where = {"xref": f"{x} domain", "yref": f"{y} domain", "x": 0.5, "y": 0.5}
        self.plot.add_annotation(text=text, showarrow=False, font={"size": 12, "color": MUTED}, **where)

    def bar(self, row: int, column: int, *, above: int = 6, share: float = 1.0, **more: Any) -> dict[str, Any]:
        """A thin horizontal colour bar, `above` pixels over the panel's top, over a `share` of its width."""
        (left, right), (_, top) = self.domain(row, column)
        return {
            "orientation": "h",
            "x": (left + right) / 2,
            "xanchor": "center",
            "y": top + above / self.plotting_height,
            "yanchor": "bottom",
            "len": share * (right - left),
            "thickness": 8,
            "xpad": 0,
            "ypad": 0,
            "outlinewidth": 0,
            "nticks": 5,
            "tickfont": {"size": 10, "color": MUTED},
            "ticklen": 2,
        } | more

    def colours(self, row: int, column: int, values: Any, **more: Any) -> dict[str, Any]:
        """Marker attributes that colour points by `values` on the sequential scale, with a bar over the panel."""
        return {"color": values, "colorscale": SEQUENTIAL, "showscale": True, "colorbar": self.bar(row, column)} | more


def panels(
    rows: int, columns: int, *, row_height: int = 220, rows_apart: int = 96, columns_apart: float = 0.045, **layout: Any
) -> Panels:
    """An empty grid in the house style.

    rows_apart: CSS pixels between rows, for the upper row's tick labels and the lower row's heading and bar.
    columns_apart: a fraction of the width; layout: plotly's, for the whole figure.
    """
    plotting = rows * row_height + (rows - 1) * rows_apart
    plot = make_subplots(
        rows=rows,
        cols=columns,
        horizontal_spacing=columns_apart if columns > 1 else 0,
        vertical_spacing=rows_apart / plotting if rows > 1 else 0,
    )
    top = rows_apart - _AXIS_LABELS + _HEADROOM
    house(plot, height=plotting + top + _BOTTOM, margin={"l": 64, "r": 24, "t": top, "b": _BOTTOM}, **layout)
    return Panels(plot=plot, rows=rows, columns=columns, plotting_height=plotting)
