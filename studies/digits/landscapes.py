"""Tasks that want different models: each task of digits/hvae over the layer-wise rates and over the layer weights."""

from __future__ import annotations

from collections.abc import Mapping

from plotly.subplots import make_subplots

from results.figures import Figure
from results.frame import Frame
from results.panels import Panels
from results.style import ABSENT, house
from studies.drawing import drawable, present
from studies.hvae.landscapes import DECADES, draw_landscape, edges
from studies.hvae.marks import list_once
from studies.hvae.names import BETA1, BETA2, RATE1, RATE2
from studies.hvae.surfaces import balance, balance_bar, balance_colours, over_rates

TASKS = {
    "psnr": "PSNR (dB)",
    "accuracy_svm_rbf@z2": "RBF SVM accuracy, z₂",
    "accuracy_svm_rbf@z1": "RBF SVM accuracy, z₁",
    "elbo": "ELBO (nats)",
}
_CELLS = dict(zip(TASKS, ((1, 2), (1, 3), (2, 2), (2, 3)), strict=True))
_ROW_HEIGHT, _ROWS_APART, _TOP, _BOTTOM = 210, 110, 96, 56


def surface(frames: Mapping[str, Frame]) -> Figure:
    """A task over the layer-wise rates, each task over the layer weights (Xiao & Bamler 2023, Figs. 3a and 1)."""
    frame = frames["digits/hvae"]
    rows = drawable(frame, RATE2, RATE1)
    plotting = 2 * _ROW_HEIGHT + _ROWS_APART
    plot = make_subplots(
        rows=2,
        cols=3,
        column_widths=[0.5, 0.25, 0.25],
        horizontal_spacing=0.055,
        vertical_spacing=_ROWS_APART / plotting,
        specs=[[{"type": "scene", "rowspan": 2}, {}, {}], [None, {}, {}]],
    )
    house(plot, height=plotting + _TOP + _BOTTOM, margin={"l": 8, "r": 24, "t": _TOP, "b": _BOTTOM})
    if not rows.empty:
        bar = balance_bar(x=0.22, y=-0.01, len=0.3)
        over_rates(plot, rows, TASKS, colour=balance(rows), colorbar=bar, **balance_colours(rows))
        plot.update_scenes(domain={"x": [0.02, 0.48], "y": [0.0, 0.94]})
    grid = Panels(plot=plot, rows=2, columns=3, plotting_height=plotting)
    for quantity, (row, column) in _CELLS.items():
        draw_landscape(grid, row, column, frame, rows, quantity, TASKS[quantity])
    list_once(plot)
    plot.update_xaxes(**DECADES, range=edges(frame, BETA2)).update_yaxes(**DECADES, range=edges(frame, BETA1))
    plot.update_xaxes(title_text="β₂", row=2).update_yaxes(title_text="β₁", col=2)
    plot.update_layout(plot_bgcolor=ABSENT, legend={"x": 0.01, "y": 0.96, "yanchor": "top"})
    caption = (
        "Left: one task over the rates of the two layers (choose it above, drag to turn); the colour says which "
        "layer's rate weighs more in training, the vermillion line follows the β-VAEs, the black diamond is the "
        "VAE. Right: each task over the layer weights. A grey cell is missing."
    )
    title = "Where each task is best: over the rates and over the layer weights"
    return present(frame, rows, name="surface", title=title, caption=caption, plot=plot)
