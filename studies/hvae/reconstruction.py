"""Figure 3 of Xiao & Bamler (2023): reconstruction over the rates of the two layers."""

from __future__ import annotations

from collections.abc import Mapping

from plotly.subplots import make_subplots

from results.figures import Figure
from results.frame import Frame
from results.frontier import Variant
from results.panels import Panels
from results.style import SEQUENTIAL, house
from studies.drawing import drawable, legend_on_top, measured, present, together
from studies.hvae.marks import HULLS, crosses, list_once
from studies.hvae.named_models import PSNR, RULE, named_models
from studies.hvae.names import DATA, MODELS, RATE, RATE1, RATE2, SUFFIX
from studies.hvae.planes import ACROSS, MARKS, UP, Panel, draw_planes
from studies.hvae.surfaces import over_rates

_HEIGHT, _TOP, _BOTTOM = 380, 76, 56
_SCENE = 0.42  # of the width


def figure3(frames: Mapping[str, Frame], *, hull: Variant = "text") -> Figure:
    """PSNR over the rates: of the first study in three dimensions, and of each as colour."""
    studies = tuple(frames)
    share = (1 - _SCENE) / len(frames)
    plot = make_subplots(
        rows=1,
        cols=1 + len(frames),
        column_widths=[_SCENE, *[share] * len(frames)],
        horizontal_spacing=0.07,
        specs=[[{"type": "scene"}, *[{}] * len(frames)]],
    )
    house(plot, height=_HEIGHT + _TOP + _BOTTOM, margin={"l": 8, "r": 24, "t": _TOP, "b": _BOTTOM})
    grid = Panels(plot=plot, rows=1, columns=1 + len(frames), plotting_height=_HEIGHT)
    drawn = {study: drawable(frame, RATE2, RATE1, RATE) for study, frame in frames.items()}
    first = measured(drawn[studies[0]], PSNR)
    if not first.empty:
        scale = {"colorscale": SEQUENTIAL, "showscale": False}
        over_rates(plot, first, {PSNR: "PSNR (dB)"}, colour=first[PSNR], **scale)
        plot.update_scenes(domain={"x": [0.0, _SCENE - 0.02], "y": [0.0, 1.0]})
    for column, (study, frame) in enumerate(frames.items(), start=2):
        title = f"PSNR (dB), {DATA[study]}"
        draw_planes(grid, frame, drawn[study], (Panel(PSNR, title, 1, column),), hull=hull)
        plot.update_xaxes(title={"text": ACROSS, "standoff": 16}, row=1, col=column)
    plot.update_yaxes(title_text=UP, row=1, col=2)
    plot.add_trace(crosses(named_models(frames[studies[0]]), x=RATE2, y=RATE1), row=1, col=2)
    list_once(plot)
    legend_on_top(plot)
    caption = (
        f"Left: PSNR over the rates of the two layers, {MODELS[studies[0]]} (drag to turn); the vermillion line "
        "follows the β-VAEs, the black diamond is the VAE. Right: every trained model by its layer-wise rates, "
        f"coloured by PSNR. {MARKS}Diamonds: {HULLS[hull]}. Dashed: equal total rate. Crosses: "
        f"the models of Figure 4 ({RULE})."
    )
    about = MODELS[studies[0]] if len(frames) == 1 else " and ".join(DATA[study] for study in frames)
    said = {
        "name": f"figure3{SUFFIX[studies[0]]}",
        "title": f"Reconstruction over the rates of the layers: {about}",
        "caption": caption,
    }
    return together([present(frame, drawn[study], **said, plot=plot) for study, frame in frames.items()])
