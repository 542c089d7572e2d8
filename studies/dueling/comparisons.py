"""Tables 2 and 3 of Dueling Decoders: changes of the objective, and auxiliary decoders, on thresholded MNIST."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from results.frame import Frame
from results.significance import Correction, describe_test
from results.table import Cell, Heading, Table
from studies.dueling.captions import (
    AUXILIARIES,
    BESIDE,
    GRID,
    OBJECTIVES,
    PRINTED_TWICE,
    SPREAD,
    THRESHOLDED,
    at,
    extent,
    given,
    published,
    reduced,
    selection,
    status,
)
from studies.dueling.lines import (
    BEST,
    COLUMNS,
    LOW_RATE_BEST,
    MLP,
    RECONSTRUCTION,
    choose,
    marked,
    measured_cell,
    noted,
    shared_cell,
)
from studies.dueling.sizes import PIXELCNN

# rows of Table 2: heading, our labels of the objective, the paper's name and setting
MODIFICATIONS = (
    (Heading(name="PixelCNN β = 1"), r"β = 1", "PixelCNN", "beta=1.0"),
    (Heading(name="PixelCNN β = 0.1"), r"β = 0\.1", "PixelCNN", "beta=0.1"),
    (Heading(name="Dueling Decoder"), r"Dueling .*", "Dueling Decoder", ""),
    (Heading(name="KL annealing"), r"KL annealing.*", "KL Annealing", ""),
    (Heading(name="free bits"), r"free bits", "Free Bits", ""),
    (Heading(name="target rate", label="target rate (Penalty-VAE)"), r"target rate", "Penalty-VAE", ""),
)
COMPARISONS = 3  # "Bonferroni corrected n=3" (Table 2)
NONE = Heading(name="None", label="none (PixelCNN)")
SUPERVISED = "supervised_accuracy"


def table2(
    frames: Mapping[str, Frame],
    *,
    correction: Correction = "bonferroni",
    paired: bool = False,
    alpha: float = 0.05,
) -> Table:
    """Changes of the objective, compared; bold within the bottom four rows, as in the paper.

    correction, paired, alpha: see `results.significance`.
    """
    names = ("rate", MLP, RECONSTRUCTION)
    present = given(frames, OBJECTIVES)
    labels = present[0].trials["objective"].astype(str)
    lines = []
    for heading, pattern, model, config in MODIFICATIONS:
        mask = labels.str.fullmatch(pattern)
        if mask.any():
            numbers = published("T2", THRESHOLDED, model, names, config)
            lines.append(choose(heading, present[0], mask, numbers, (LOW_RATE_BEST, BEST), label="objective"))
    cells = {(line.heading.name, name): measured_cell(line, name) for line in lines for name in names}
    bottom = [line for line in lines if not line.heading.name.startswith("PixelCNN")]
    tested = [COLUMNS[MLP], COLUMNS[RECONSTRUCTION]]
    cells = marked(cells, bottom, tested, COMPARISONS, correction, paired, alpha)
    return Table(
        name="table2",
        title="Changes of the objective compared, on thresholded MNIST",
        caption=f"On the test images: {SPREAD}; accuracies are fractions. "
        f"{describe_test(correction, paired=paired, alpha=alpha)} Tested are the rows below the two of PixelCNN, with "
        f"n = {COMPARISONS}. {BESIDE}",
        selection="where a modification has several settings (λ, the length of annealing), the one with the highest "
        "mean MLP accuracy among those with a mean rate < 10 nats, or among all of them where there is none; "
        "footnotes name it",
        stub="modification",
        columns=tuple(COLUMNS[name] for name in names),
        rows=tuple(line.heading for line in lines),
        cells=noted(cells, lines, "rate"),
        coverage=extent(present, names),
        notes=(*status(frames, OBJECTIVES), PRINTED_TWICE[0]),
        reduced=reduced(present),
    )


def table3(frames: Mapping[str, Frame]) -> Table:
    """The best low-rate model with each auxiliary decoder, and without one; nothing is tested."""
    names = ("rate", MLP, RECONSTRUCTION)
    if GRID in frames:
        alone = frames[GRID].subset(at(frames[GRID], THRESHOLDED, PIXELCNN), "")
        frames = {**frames, GRID: alone}
    present = given(frames, GRID, AUXILIARIES)
    lines = []
    if GRID in frames and len(alone.trials):
        everything = np.ones(len(alone.trials), dtype=np.bool_)
        lines.append(choose(NONE, alone, everything, published("T3", THRESHOLDED, "aux=None", names)))
    if AUXILIARIES in frames:
        labels = frames[AUXILIARIES].trials["model.auxiliary"].astype(str)
        for label in dict.fromkeys(labels):
            numbers = published("T3", THRESHOLDED, f"aux={label}", (*names, SUPERVISED))
            lines.append(choose(Heading(name=label), frames[AUXILIARIES], labels == label, numbers))
    cells = {(line.heading.name, name): measured_cell(line, name) for line in lines for name in names}
    for line in lines:
        cells[line.heading.name, SUPERVISED] = Cell() if line.heading is NONE else shared_cell(line, SUPERVISED)
    return Table(
        name="table3",
        title="Auxiliary decoders compared, on thresholded MNIST",
        caption=f"On the test images: {SPREAD}; accuracies are fractions. The last column is of one classifier for "
        "each target, trained on what the auxiliary decoder is to reconstruct. Nothing was tested between rows. "
        f"{BESIDE}",
        selection=selection(present),
        stub="auxiliary decoder",
        columns=tuple(COLUMNS[name] for name in (*names, SUPERVISED)),
        rows=tuple(line.heading for line in lines),
        cells=noted(cells, lines, "rate"),
        coverage=extent(present, names),
        notes=(*status(frames, GRID, AUXILIARIES), *PRINTED_TWICE),
        reduced=reduced(present),
    )
