"""What three models of digits/hvae reconstruct and generate, as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from results.figures import Figure
from results.frame import Frame
from studies.drawing import drawable, measured, present
from studies.hvae.marks import best, is_vae
from studies.hvae.names import RATE1, RATE2
from studies.hvae.strips import draw_strips


def reconstructions(frames: Mapping[str, Frame]) -> Figure:
    """Test images, reconstructions and samples of the VAE point and two best models (Xiao & Bamler 2023, Fig. 4)."""
    frame = frames["digits/hvae"]
    rows = drawable(frame, RATE2, RATE1)
    models = _models(frame, rows)
    plot, absent = draw_strips(frame, models)
    caption = (
        "One test image a class, its reconstruction at the modes of the posteriors, and samples from the prior: "
        "for the ordinary VAE and for the models that are best at two tasks. β's and mean rates stand beside "
        "each."
    )
    title = "Reconstructions and samples of three models"
    figure = present(frame, rows, name="reconstructions", title=title, caption=caption, plot=plot)
    shown = dict.fromkeys(str(row["trial"]) for row in models.values()) if plot.data else {}
    return replace(figure, trials=tuple(shown), notes=(*figure.notes, *absent))


def _models(frame: Frame, rows: pd.DataFrame) -> dict[str, pd.Series]:
    """The models to show, by what distinguishes them; without one that is not there."""
    vae = rows[is_vae(rows)]
    models = {} if vae.empty else {"VAE": vae.iloc[0]}
    for name, quantity in (("best PSNR", "psnr"), ("best RBF SVM accuracy on z₂", "accuracy_svm_rbf@z2")):
        candidates = measured(rows, quantity)
        if not candidates.empty:
            models[name] = best(frame, candidates, quantity)
    return models
