"""Every quantity of digits/hvae over the plane of layer-wise rates, and against their sum (Xiao & Bamler 2023)."""

from __future__ import annotations

from collections.abc import Mapping

from results.figures import Figure
from results.frame import Frame
from results.frontier import Variant
from results.panels import panels
from studies.drawing import drawable, present
from studies.hvae.marks import HULLS, list_once
from studies.hvae.names import RATE, RATE1, RATE2
from studies.hvae.planes import ACROSS, MARKS, UP, Panel, accuracies, draw_planes, legend_in, title_edges
from studies.hvae.totals import BOUNDED, draw_totals, share_bar

STUDY = "digits/hvae"
PANELS = (
    Panel("psnr", "PSNR (dB)", 1, 1),
    Panel("elbo", "ELBO (nats)", 1, 2),
    Panel("mutual_information@z2", "I<sub>q</sub>(y; z₂) (nats)", 1, 3),
    *accuracies("z2", 2, shown=" accuracy, z₂"),
    *accuracies("z1", 3, shown=" accuracy, z₁"),
)
_KEY = (1, 4)  # the cell that holds the legend


def rate_rate(frames: Mapping[str, Frame], *, hull: Variant = "text") -> Figure:
    """The rate–rate plane coloured by each quantity (Xiao & Bamler 2023, Figs. 3b, 5, 7)."""
    frame = frames[STUDY]
    rows = drawable(frame, RATE2, RATE1, RATE)
    grid = panels(3, 4)
    draw_planes(grid, frame, rows, PANELS, hull=hull)
    list_once(grid.plot)
    title_edges(grid, x=ACROSS, y=UP)
    legend_in(grid, *_KEY)
    caption = (
        "Every trained model by its layer-wise rates, coloured by one quantity a panel (accuracies: test accuracy "
        f"of a classifier on that latent). {MARKS}Diamonds: {HULLS[hull]}. Dashed: equal total rate R(z₂) + "
        "R(z₁|z₂), which is read where a line meets an axis."
    )
    title = "What each allocation of rate between the layers is good for"
    return present(frame, rows, name="rate_rate", title=title, caption=caption, plot=grid.plot)


def against_total_rate(frames: Mapping[str, Frame], *, hull: Variant = "text") -> Figure:
    """Each quantity against total rate with its hull; for accuracies Fano's bound (Xiao & Bamler 2023, Fig. 6)."""
    frame = frames[STUDY]
    rows = drawable(frame, RATE2, RATE1, RATE)
    grid = panels(3, 4, columns_apart=0.06, rows_apart=58)
    draw_totals(grid, frame, rows, PANELS, hull=hull)
    list_once(grid.plot)
    title_edges(grid, x="total rate R (nats)")
    legend_in(grid, *_KEY)
    bar = grid.bar(*_KEY, above=-190, share=0.8, thickness=10)
    grid.plot.update_layout(coloraxis=share_bar(bar))
    caption = (
        "Every trained model, coloured by the share of its rate that is in z₂ (accuracies: test accuracy of a "
        f"classifier on that latent). {MARKS}Diamonds and line: {HULLS[hull]}. {BOUNDED}"
    )
    title = "Each quantity against the total rate"
    return present(frame, rows, name="against_total_rate", title=title, caption=caption, plot=grid.plot)
