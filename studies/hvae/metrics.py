"""Figures 5, 7, 8 and 9 of Xiao & Bamler (2023): what the rates of the two layers buy, a quantity a panel."""

from __future__ import annotations

from collections.abc import Mapping

from results.figures import Figure
from results.frame import Frame
from results.frontier import Variant
from results.panels import panels
from studies.drawing import drawable, legend_on_top, present, together
from studies.hvae.marks import HULLS, crosses, list_once
from studies.hvae.named_models import RULE, named_models
from studies.hvae.names import DATA, MODELS, RATE, RATE1, RATE2, SUFFIX
from studies.hvae.outputs import EVERY_METRIC
from studies.hvae.planes import ACROSS, MARKS, UP, Panel, accuracies, draw_planes, legend_in, title_edges

SAMPLES = (
    Panel("inception_score", "Inception Score", 1, 1),
    Panel("diversity", "diversity", 1, 2),
    Panel("sharpness", "sharpness", 1, 3),
)
INFORMATION = Panel("mutual_information@z2", "I<sub>q</sub>(y; z₂) (nats)", 1, 1)
METRICS = (
    Panel("psnr", "PSNR (dB)", 1, 1),
    *(Panel(panel.quantity, panel.title, 1, panel.column + 1) for panel in SAMPLES),
    Panel(INFORMATION.quantity, INFORMATION.title, 2, 1),
    *accuracies("z2", 2, first=2, shown=", z₂"),
    Panel("mutual_information_bound@z2", "bound on I<sub>q</sub>(y; z₂) (nats)", 3, 1),
    *accuracies("z1", 3, first=2, shown=", z₁"),
    Panel("elbo", "ELBO (nats)", 4, 1),
    *accuracies("z1_mode", 4, first=2, shown=", z₁ | mode"),
)
KEY = (1, 5)  # the cell of METRICS that holds the legend
_DASHED = "Dashed: equal total rate."
_LATENTS = (
    "The accuracies are of classifiers on modes: of z₂, of z₁ given a sample of z₂, and of z₁ given the mode of z₂. "
    "I_q(y; z₂) is the paper's estimate, which saturates at H(y) where posteriors are narrow; its lower bound, by a "
    "classifier, cannot."
)


def figure5(frames: Mapping[str, Frame], *, hull: Variant = "text") -> Figure:
    """Inception Score of samples, and its factors, over the rates."""
    ((study, frame),) = frames.items()
    rows = drawable(frame, RATE2, RATE1, RATE)
    grid = panels(1, 3, row_height=300, columns_apart=0.06)
    draw_planes(grid, frame, rows, SAMPLES, hull=hull)
    grid.plot.add_trace(crosses(named_models(frame), x=RATE2, y=RATE1), row=1, col=1)
    list_once(grid.plot)
    title_edges(grid, x=ACROSS, y=UP)
    legend_on_top(grid.plot)
    caption = (
        f"Every trained model by its layer-wise rates, coloured by the Inception Score of its samples and by the "
        f"score's two factors. {MARKS}Diamonds: {HULLS[hull]}. {_DASHED} Crosses: the models of Figure 4 ({RULE})."
    )
    title = f"Quality of samples over the rates of the layers: {MODELS[study]}"
    return present(frame, rows, name=f"figure5{SUFFIX[study]}", title=title, caption=caption, plot=grid.plot)


def figure7(frames: Mapping[str, Frame], *, hull: Variant = "text") -> Figure:
    """Mutual information of the class and z2, and accuracies on z2, over the rates; a row of panels a study."""
    grid = panels(len(frames), 5, row_height=210, columns_apart=0.04)
    drawn = {study: drawable(frame, RATE2, RATE1, RATE) for study, frame in frames.items()}
    for row, (study, frame) in enumerate(frames.items(), start=1):
        shown = (Panel(INFORMATION.quantity, INFORMATION.title, row, 1), *accuracies("z2", row, first=2, shown=", z₂"))
        draw_planes(grid, frame, drawn[study], shown, hull=hull)
    list_once(grid.plot)
    title_edges(grid, x=ACROSS)
    for row, study in enumerate(frames, start=1):
        grid.plot.update_yaxes(title_text=f"<b>{DATA[study]}</b><br>{UP}", row=row, col=1)
    legend_on_top(grid.plot)
    caption = (
        "Every trained model by its layer-wise rates, coloured by the mutual information of class and z₂ (the paper's "
        "estimate, which saturates at H(y) where posteriors are narrow) and by the test accuracy of four classifiers "
        f"on the modes of z₂. {MARKS}Diamonds: {HULLS[hull]}. {_DASHED}"
    )
    first = next(iter(frames))
    about = MODELS[first] if len(frames) == 1 else " and ".join(DATA[study] for study in frames)
    title = f"Information and accuracies on z₂ over the rates of the layers: {about}"
    said = {"name": f"figure7{SUFFIX[first]}", "title": title, "caption": caption}
    return together([present(frame, drawn[study], **said, plot=grid.plot) for study, frame in frames.items()])


def metrics(frames: Mapping[str, Frame], *, hull: Variant = "text") -> Figure:
    """Every metric over the rates: Figures 8 and 9, and the same of the other two studies."""
    ((study, frame),) = frames.items()
    rows = drawable(frame, RATE2, RATE1, RATE)
    grid = panels(4, 5, row_height=190, columns_apart=0.04)
    draw_planes(grid, frame, rows, METRICS, hull=hull)
    list_once(grid.plot)
    title_edges(grid, x=ACROSS, y=UP)
    legend_in(grid, *KEY)
    caption = (
        f"Every trained model by its layer-wise rates, coloured by one quantity a panel. {_LATENTS} "
        f"{MARKS}Diamonds: {HULLS[hull]}. {_DASHED}"
    )
    title = f"Every metric over the rates of the layers: {MODELS[study]}"
    return present(frame, rows, name=EVERY_METRIC[study], title=title, caption=caption, plot=grid.plot)
