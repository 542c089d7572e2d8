"""Tables 1 and 8 of Dueling Decoders: the best low-rate model of each data set and decoder, and its setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from results.frame import Frame
from results.significance import Correction, describe_test
from results.table import Cell, Heading, Published, Table
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
from studies.dueling.lines import COLUMNS, Line, axis_cell, choose, marked, measured_cell, noted
from studies.dueling.names import (
    DATA_SETS,
    ENLARGED,
    FASHION,
    GRID,
    LABEL_DISTORTION,
    LINEAR,
    MLP,
    ORDER,
    RECONSTRUCTION,
)
from studies.dueling.sizes import BATCH, BETA, CNN, DUELING, LATENT, PIXELCNN, WEIGHT
from studies.published import read_published

PLAIN, PLUS = (PIXELCNN, CNN, DUELING), (f"{PIXELCNN}+", f"{DUELING}+")
COMPARISONS = 2  # "Bonferroni corrected n=2" (Table 1)
HYPERPARAMETERS = (  # axis, heading, decimals, the paper's word
    (BETA, "β", 1, "beta"),
    (BATCH, "batch size", 0, "batch"),
    (LATENT, "latent size", 0, "latent"),
    (WEIGHT, "λ", 1, "lambda"),
)

ROUNDED = "The paper's −ELBO is D + R to rounding only: 56.4 beside 48.4 + 7.93, 891.6 beside 883.6 + 7.94."
FASHION_CNN = (
    "The paper's CNN on Fashion-MNIST has the reconstruction accuracy 0.56 ± 0.01 in Table 1, ± 0.00 in Table 8."
)
WIDE_SPREAD = "The paper's distortion of the CNN on MNIST has a standard deviation of 73.2 nats."


def table1(
    frames: Mapping[str, Frame],
    *,
    correction: Correction = "bonferroni",
    paired: bool = False,
    alpha: float = 0.05,
) -> Table:
    """The best low-rate model of each data set and decoder: information and semantic accuracies.

    Bold within each data set, and among the enlarged networks by themselves. correction, paired, alpha: see
    `results.significance`.
    """
    names = ("negative_elbo", "distortion", "rate", MLP, LABEL_DISTORTION, LINEAR, RECONSTRUCTION)
    present = given(frames, GRID, ENLARGED)
    groups = _low_rate_lines(frames, "T1", tuple(DATA_SETS), names)
    lines = [line for group in groups.values() for line in group]
    cells = _cells(lines, names, HYPERPARAMETERS[:1])
    tested = [COLUMNS[name] for name in (MLP, LABEL_DISTORTION, LINEAR, RECONSTRUCTION)]
    for group in groups.values():
        cells = marked(cells, group, tested, COMPARISONS, correction, paired, alpha)
    return Table(
        name="table1",
        title="The best low-rate model of each decoder",
        caption=f"On the test images: {SPREAD}. Accuracies (fraction) of an MLP and a linear classifier on sampled "
        "latents, and of a classifier of images on one sampled reconstruction of each of 300 images. "
        f"{references(present)} {describe_test(correction, paired=paired, alpha=alpha)} The accuracies and the label "
        f"distortion are tested within each data set, those of the enlarged networks (+) by themselves, with "
        f"n = {COMPARISONS}. {BESIDE}",
        selection=selection(present),
        stub="data set, decoder",
        columns=(Heading(name=BETA, label="β"), *(COLUMNS[name] for name in names)),
        rows=tuple(line.heading for line in lines),
        cells=noted(cells, lines, BETA),
        coverage=extent(present, names),
        notes=(*status(frames, GRID, ENLARGED), *PRINTED_TWICE, ROUNDED, FASHION_CNN),
        reduced=reduced(present),
        comparable=comparable(present),
    )


def table8(frames: Mapping[str, Frame]) -> Table:
    """The settings of the models of Table 1 beside the paper's; nothing is tested."""
    names = ("negative_elbo", "distortion", "rate", RECONSTRUCTION)
    present = given(frames, GRID, ENLARGED)
    lines = [line for group in _low_rate_lines(frames, "T8", ORDER, names).values() for line in group]
    return Table(
        name="table8",
        title="Settings of the best low-rate models",
        caption=f"On the test images: {SPREAD}; the hyper-parameters of the setting, λ = 0 without an auxiliary "
        f"decoder. {references(present)} {BESIDE} Hyper-parameters have no verdict. Nothing was tested between rows.",
        selection=selection(present),
        stub="data set, decoder",
        columns=(
            *(COLUMNS[name] for name in names),
            *(Heading(name=axis, label=label) for axis, label, _, _ in HYPERPARAMETERS),
        ),
        rows=tuple(line.heading for line in lines),
        cells=noted(_cells(lines, names, HYPERPARAMETERS), lines, BETA),
        coverage=extent(present, names),
        notes=(*status(frames, GRID, ENLARGED), ROUNDED, FASHION_CNN, WIDE_SPREAD),
        reduced=reduced(present),
        comparable=comparable(present),
    )


def _low_rate_lines(
    frames: Mapping[str, Frame], table: str, order: Sequence[str], names: Sequence[str]
) -> dict[str, list[Line]]:
    """The lines of each group whose members are compared with each other: a data set's, and the enlarged networks."""
    places = {data: [(GRID, data, decoder) for decoder in PLAIN] for data in order}
    places["+"] = [(ENLARGED, FASHION, decoder) for decoder in PLUS]
    lines: dict[str, list[Line]] = {}
    for group, members in places.items():
        lines[group] = []
        for study, data, decoder in members:
            if study not in frames or not (mask := at(frames[study], data, decoder)).any():
                continue
            heading = Heading(name=f"{data}/{decoder}", label=f"{DATA_SETS[data]}, {decoder}")
            numbers = published(table, data, decoder, names) | _hyperparameters(table, data, decoder)
            lines[group].append(choose(heading, frames[study], mask, numbers))
    return lines


def _cells(
    lines: Sequence[Line], names: Sequence[str], axes: Sequence[tuple[str, str, int, str]]
) -> dict[tuple[str, str], Cell]:
    """The cells of the measured columns and of the axes."""
    cells = {(line.heading.name, name): measured_cell(line, name) for line in lines for name in names}
    return cells | {
        (line.heading.name, axis): axis_cell(line, axis, digits) for line in lines for axis, _, digits, _ in axes
    }


def _hyperparameters(table: str, data: str, decoder: str) -> dict[str, Published]:
    """The paper's setting behind a row, by axis."""
    settings = read_published("studies.dueling").settings(table, dataset=data.replace("-", "_"), model=decoder)
    return {axis: Published.printed(settings[word]) for axis, _, _, word in HYPERPARAMETERS if word in settings}
