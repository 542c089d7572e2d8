"""Figure 4 of Xiao & Bamler (2023): what three models of a grid reconstruct and generate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from results.figures import Figure
from results.frame import Frame
from studies.drawing import drawable, present
from studies.hvae.named_models import PSNR, RULE, named_models, sampled
from studies.hvae.names import MODELS, RATE1, RATE2, SUFFIX
from studies.hvae.strips import draw_strips


def figure4(frames: Mapping[str, Frame]) -> Figure:
    """Test images, their reconstructions and samples, by the three named models."""
    ((study, frame),) = frames.items()
    rows = drawable(frame, RATE2, RATE1)
    score = sampled(frame, "inception_score")
    models = {f"{model.number}: {model.label}": model.row for model in named_models(frame)}
    shown = {PSNR: "PSNR {:.2f} dB", score: "IS {:.2f}"}
    plot, absent = draw_strips(frame, models, shown=shown)
    caption = (
        "One test image a class, its reconstruction at the modes of the posteriors, and samples from the prior, whose "
        f"order means nothing. {RULE}. Weights, mean rates, PSNR and Inception Score (IS) stand beside each."
    )
    title = f"Samples and reconstructions of three models: {MODELS[study]}"
    figure = present(frame, rows, name=f"figure4{SUFFIX[study]}", title=title, caption=caption, plot=plot)
    drawn = dict.fromkeys(str(row["trial"]) for row in models.values()) if plot.data else {}
    if not rows.empty and not models:
        absent = [*absent, "no model has both a PSNR and an Inception Score yet"]
    return replace(figure, trials=tuple(drawn), notes=(*figure.notes, *absent))
