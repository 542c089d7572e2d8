"""What the figures of Dueling Decoders share: marks of decoders, colours of classes, and which models are best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from results.frame import Frame
from results.style import BLUE, GREEN, INK, VERMILLION
from studies.drawing import drawable
from studies.dueling.names import DATA, DECODER, LOW_RATE_BEST, ORDER, RATE
from studies.dueling.sizes import BATCH, BETA, CNN, DUELING, LATENT, PIXELCNN, WEIGHT

SYMBOLS = {PIXELCNN: "circle", CNN: "square", DUELING: "triangle-up"}
COLOURS = {PIXELCNN: BLUE, CNN: VERMILLION, DUELING: GREEN}
CUT_LINE = {"color": INK, "width": 1.2, "dash": "5px,4px"}  # where low-rate models end, or accuracies are equal
# Ten colours that differ in lightness as well as in hue, for the ten classes (Paul Tol's muted scheme, and black).
CLASSES = (
    "#332288",
    "#88CCEE",
    "#44AA99",
    "#117733",
    "#999933",
    "#DDCC77",
    "#CC6677",
    "#882255",
    "#AA4499",
    "#111111",
)
CLASS_NAMES = {
    "fashion-mnist": (
        "T-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    )
}


def data_sets(frame: Frame) -> tuple[str, ...]:
    """The data sets of a frame, in the order of the paper's figures."""
    present = set(frame.trials[DATA])
    return tuple(name for name in ORDER if name in present)


def decoders(frame: Frame) -> tuple[str, ...]:
    """The decoders of a frame, in the order of the paper's tables."""
    present = set(frame.trials[DECODER])
    return tuple(name for name in SYMBOLS if name in present)


def class_names(data: str) -> tuple[str, ...]:
    return CLASS_NAMES.get(data, tuple(str(label) for label in range(10)))


def best_low_rate(frame: Frame, target: str, within: Mapping[str, object]) -> pd.DataFrame:
    """The trained trials of the setting with the highest mean of `target` among those with a mean rate below 10 nats.

    Empty where no setting qualifies, or where what is asked for is not measured.
    """
    if target not in frame.trials or RATE not in frame.trials:
        return frame.trials[:0]
    selection = replace(LOW_RATE_BEST, maximise=target).select(frame, within)
    rows = drawable(frame, RATE, target)
    return rows[rows["setting"] == selection.id]


def describe_setting(row: pd.Series) -> str:
    """A setting in a line: β, λ where there is one, batch size and latents."""
    parts = [f"β = {row[BETA]:g}"]
    if pd.notna(row.get(WEIGHT)):
        parts.append(f"λ = {row[WEIGHT]:g}")
    return ", ".join((*parts, f"batch {row[BATCH]:g}", f"{row[LATENT]:g} latents"))


def marker(decoder: str, *, filled: bool = True, size: int = 8) -> dict[str, Any]:
    """The mark of a decoder; open where it is not filled."""
    colour = COLOURS[decoder]
    symbol = SYMBOLS[decoder] + ("" if filled else "-open")
    line = {"color": "white", "width": 0.6} if filled else {"color": colour, "width": 1.4}
    return {"symbol": symbol, "size": size, "color": colour, "opacity": 0.85, "line": line}


WHO = "%{customdata[0]}<br>seed %{customdata[1]}, trial %{customdata[2]}<extra></extra>"


def who(rows: pd.DataFrame) -> list[list[Any]]:
    """Setting, seed and trial of each row, for hover texts that end in `WHO`."""
    return [[describe_setting(row), row["seed"], row["trial"]] for _, row in rows.iterrows()]
