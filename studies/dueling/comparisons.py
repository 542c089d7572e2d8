"""Tables 2 and 3 of Dueling Decoders: changes of the objective, and auxiliary decoders, on thresholded MNIST."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models.kinds import TargetRateObjective
from results.frame import Frame
from results.significance import Correction, describe_test, paired_t_test
from results.table import Cell, Heading, Table
from results.verdict import describe_p
from studies.dueling.captions import (
    BESIDE,
    PRINTED_TWICE,
    SPREAD,
    at,
    comparable,
    extent,
    given,
    published,
    reduced,
    references,
    selection,
    status,
)
from studies.dueling.lines import COLUMNS, RUNS, Line, choose, marked, measured_cell, noted, shared_cell
from studies.dueling.names import (
    AUXILIARIES,
    BEST,
    GRID,
    LOW_RATE_BEST,
    MLP,
    OBJECTIVES,
    RATE,
    RECONSTRUCTION,
    SUPERVISED,
    THRESHOLDED,
)
from studies.dueling.paper import TARGET_RATE
from studies.dueling.sizes import DUELING, PIXELCNN

LOW_BETA = "PixelCNN β = 0.1"
# rows of Table 2: heading, our labels of the objective, the paper's name and setting
MODIFICATIONS = (
    (Heading(name="PixelCNN β = 1"), r"β = 1", "PixelCNN", "beta=1.0"),
    (Heading(name=LOW_BETA), r"β = 0\.1", "PixelCNN", "beta=0.1"),
    (Heading(name=DUELING), r"Dueling .*", "Dueling Decoder", ""),
    (Heading(name="KL annealing"), r"KL annealing.*", "KL Annealing", ""),
    (Heading(name="free bits"), r"free bits", "Free Bits", ""),
    (Heading(name="target rate", label="target rate (Penalty-VAE)"), r"target rate", "Penalty-VAE", ""),
)
COMPARISONS = 3  # "Bonferroni corrected n=3" (Table 2)
CHOSEN_ON_THE_SAME = (
    "Among several λ or lengths of annealing the best was chosen by the MLP accuracies that are shown and tested, "
    "which favours the rows that had a choice."
)
RUNS_TAKEN = (
    f"Over how many runs the published means of this table are, the paper does not say: taken are {RUNS}, as in "
    "Tables 1 and 8."
)
NONE = Heading(name="None", label="none (PixelCNN)")


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
        f"n = {COMPARISONS}. {references(present)} {_targets()} {BESIDE}",
        selection="where a modification has several settings (λ, the length of annealing), the one with the highest "
        "mean MLP accuracy among those with a mean rate < 10 nats, or among all of them where there is none; "
        "footnotes name it",
        stub="modification",
        columns=tuple(COLUMNS[name] for name in names),
        rows=tuple(line.heading for line in lines),
        cells=noted(cells, lines, "rate"),
        coverage=extent(present, names),
        notes=(
            *status(frames, OBJECTIVES),
            *_against_plain(lines),
            *([CHOSEN_ON_THE_SAME] if any(line.settings > 1 for line in lines) else []),
            PRINTED_TWICE[0],
            RUNS_TAKEN,
        ),
        reduced=reduced(present),
        comparable=comparable(present),
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
        f"{references(present)} {BESIDE}",
        selection=selection(present),
        stub="auxiliary decoder",
        columns=tuple(COLUMNS[name] for name in (*names, SUPERVISED)),
        rows=tuple(line.heading for line in lines),
        cells=noted(cells, lines, "rate"),
        coverage=extent(present, names),
        notes=(*status(frames, GRID, AUXILIARIES), *_choices(lines), *PRINTED_TWICE, RUNS_TAKEN),
        reduced=reduced(present),
        comparable=comparable(present),
    )


def _targets() -> str:
    """The sentence on what the paper does not say of two of its objectives."""
    names = {"free bits": "Free Bits", "the target rate": "Penalty-VAE"}
    rates = (published("T2", THRESHOLDED, model, (RATE,), "")[RATE].value for model in names.values())
    told = " and ".join(f"{rate:g} nats of {name}" for name, rate in zip(names, rates, strict=True))
    weight = TargetRateObjective(target=TARGET_RATE).weight
    return (
        f"The targets of {TARGET_RATE:g} nats follow from the published rates ({told}); the weight of the penalty, "
        f"{weight:g}, is our choice."
    )


def _against_plain(lines: Sequence[Line]) -> tuple[str, ...]:
    """A note on the Dueling Decoder against the PixelCNN whose rate β = 0.1 raises: what each gains at which rate."""
    known = {line.heading.name: line.trials for line in lines if len(line.trials)}
    if not {LOW_BETA, DUELING} <= known.keys():
        return ()
    rows, others = (known[name].set_index("seed") for name in (DUELING, LOW_BETA))
    found = []
    for column in (MLP, RECONSTRUCTION):
        if column not in rows:
            continue
        differences = (rows[column] - others[column]).dropna().to_numpy(np.float64)
        if len(differences) >= 2:
            test = paired_t_test(differences)
            gain = f"{differences.mean():+.3f}".replace("-", "−")
            found.append(f"{COLUMNS[column].label} {gain} ({describe_p(test.p_value)}, {len(differences)} seeds)")
    if not found:
        return ()
    duel, plain = (f"{part[RATE].mean():.2f} nats" for part in (rows, others))
    return (
        f"{DUELING} (mean rate {duel}) less {LOW_BETA} (mean rate {plain}): {'; '.join(found)}; two-sided t-tests on "
        "differences paired by seed, not corrected.",
    )


def _choices(lines: Sequence[Line]) -> tuple[str, ...]:
    """A note on how many settings each row is the best of, where they are not as many."""
    if len({line.settings for line in lines}) < 2:
        return ()
    told = ", ".join(f"{line.heading.label or line.heading.name} of {line.settings}" for line in lines)
    return (f"Each row is the best of the settings that its study has: {told}. A choice among more favours the row.",)
