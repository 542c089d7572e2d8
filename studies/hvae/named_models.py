"""The three models that Figure 4 shows and claim 7 speaks of.

The paper marks three crosses without saying which (β2, β1) they are: 1 has the best reconstructions, 2 the best
samples. Model 3 is here the ordinary VAE, since it is known before any result: the order of its PSNR and Inception
Score among the three is then left to the results.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from results.frame import Frame
from studies.hvae.names import BETA1, BETA2

PSNR = "psnr"
RULE = "1: the model with the highest PSNR; 2: the one with the highest Inception Score; 3: the VAE, β₂ = β₁ = 1"


@dataclass(frozen=True, kw_only=True)
class NamedModel:
    """number: 1, 2 or 3, as in Figure 4; label: why it was chosen; row: of the frame's trials."""

    number: int
    label: str
    row: pd.Series


def sampled(frame: Frame, stem: str) -> str:
    """The name of a quantity of N samples in this frame, "inception_score@10000" for "inception_score".

    N differs between a study and its reduced twin. Without such a quantity the answer is the stem itself.
    """
    names = [quantity.name for quantity in frame.quantities if quantity.name.partition("@")[0] == stem]
    return names[0] if names else stem


def named_models(frame: Frame) -> tuple[NamedModel, ...]:
    """The models 1, 2 and 3 of a study, those of them that are measured; two may be the same model.

    Only trials that have both a PSNR and an Inception Score count.
    """
    score = sampled(frame, "inception_score")
    if PSNR not in frame.trials or score not in frame.trials:
        return ()
    return chosen(frame.trials.dropna(subset=[PSNR, score]), score)


def chosen(rows: pd.DataFrame, score: str) -> tuple[NamedModel, ...]:
    """The models 1, 2 and 3 among measured rows, by PSNR and the column `score`; of equals the first."""
    vae = rows[(rows[BETA2] == 1) & (rows[BETA1] == 1)]
    found = []
    for number, label, part, column in (
        (1, "best PSNR", rows, PSNR),
        (2, "best Inception Score", rows, score),
        (3, "VAE", vae, PSNR),
    ):
        if len(part):
            found.append(NamedModel(number=number, label=label, row=part.iloc[int(part[column].argmax())]))
    return tuple(found)
