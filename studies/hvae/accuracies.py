"""Table 1 of Trading Information between Latents, and the same for every study: best accuracies over the grid."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from results.frame import Frame
from results.selection import Selection, SelectionRule
from results.table import Cell, Heading, Published, Table, coverage, describe_status, summarise
from results.verdict import NOT_COMPARABLE, judged_once
from studies.hvae.names import BETA1, BETA2, CIFAR10, LADDER, MNIST, MODELS, SVHN
from studies.hvae.study_tables import NAMES, only, reduced
from studies.published import read_published
from studies.quantities import CLASSIFIERS

LATENTS = {"z2": "z₂", "z1": "z₁", "z1_mode": "z₁ at the mode of z₂"}
DATA = {SVHN: "SVHN", CIFAR10: "CIFAR-10", MNIST: "binary MNIST", LADDER: "SVHN, LVAE"}
METRICS = {"logistic": "acc_logreg", "svm_linear": "acc_svm_linear", "svm_rbf": "acc_svm_rbf", "knn": "acc_knn5"}
_PUBLISHED = {SVHN: "svhn", CIFAR10: "cifar10"}  # data sets of the paper's table, all of GHVAEs
_DIGITS = 2

COLUMNS = tuple(Heading(name=name, label=label, unit="%", goal="maximise") for name, label in CLASSIFIERS.items())
CAPTION = (
    "Accuracy in % of classifiers on the modes of z₂, and on those of z₁ at a sampled z₂, fitted to 80 % of the test "
    "images and scored on the rest; the highest over all (β₂, β₁), one trained model a cell. Being the best of so many "
    "on the images that it is scored on, it is too high, here as in the paper. Below: the published value and whether "
    "it lies inside the 95 % interval of the accuracy of our one model (1.96 binomial standard errors of the scored "
    "images, widened by half a unit of the last published digit): the error of the test sample alone, without that of "
    "training and of the choice."
)


def table1(frames: Mapping[str, Frame]) -> Table:
    """Best accuracies on z2 and z1 of SVHN and CIFAR-10; with MNIST and the LVAE, which the paper's table has not."""
    present = {study: frames[study] for study in DATA if study in frames}
    return _table("table1", "Best accuracies of classifiers on the latents", present)


def best_accuracies(frames: Mapping[str, Frame]) -> Table:
    """The same of one study."""
    study, frame = only(frames)
    name, title = f"best_accuracies{NAMES[study]}", f"Best accuracies of classifiers on the latents: {MODELS[study]}"
    return _table(name, title, {study: frame})


def _table(name: str, title: str, frames: Mapping[str, Frame]) -> Table:
    rows: list[Heading] = []
    cells: dict[tuple[str, str], Cell] = {}
    for study, frame in frames.items():
        for latent, label in LATENTS.items():
            row = Heading(name=f"{study.partition('/')[2]}-{latent}", label=f"{DATA[study]} ({label})")
            rows.append(row)
            line = {column.name: _best(frame, study, column.name, latent) for column in COLUMNS}
            places = "; ".join(
                f"{column.label} {line[column.name].note}" for column in COLUMNS if line[column.name].note
            )
            for column in COLUMNS:
                cell = line[column.name]
                cells[row.name, column.name] = replace(cell, note=f"{row.label}: {places}" if cell.note else "")
    measured = [f"accuracy_{column.name}@{latent}" for latent in LATENTS for column in COLUMNS]
    present, planned = zip(*(coverage(frame, measured) for frame in frames.values()), strict=True)
    return Table(
        name=name,
        title=title,
        caption=CAPTION,
        selection="for each cell the (β₂, β₁) with the highest accuracy, which the footnotes name",
        stub="data set (latents)",
        columns=COLUMNS,
        rows=tuple(rows),
        cells=cells,
        coverage=(sum(present), sum(planned)),
        notes=tuple(note for frame in frames.values() for note in describe_status(frame)),
        reduced=reduced(frames),
        comparable=all(frame.comparable or not frame.reduced for frame in frames.values()),
    )


def _best(frame: Frame, study: str, classifier: str, latent: str) -> Cell:
    """The best setting by one accuracy, in percent, with its place as a note and the published value."""
    quantity = f"accuracy_{classifier}@{latent}"
    published = _published(study, classifier, latent)
    if quantity not in frame.trials:
        return Cell(planned=len(frame.trials), digits=_DIGITS, published=published)
    selection = SelectionRule(maximise=quantity).select(frame)
    if selection.id is None:
        return Cell(planned=len(frame.trials), digits=_DIGITS, published=published, note=selection.reason)
    rows = frame.trials[frame.trials["setting"] == selection.id]
    percent = rows.assign(**{quantity: 100 * rows[quantity]})
    cell = replace(summarise(percent, quantity, digits=_DIGITS), published=published, note=_place(rows, selection))
    if published is not None and _under_way(frame, quantity):
        return replace(cell, verdict=NOT_COMPARABLE)
    errors = rows[f"{quantity}.se"] if f"{quantity}.se" in rows else pd.Series([math.nan])
    return judged_once(cell, 100 * float(errors.iloc[0]), reduced=frame.incomparable)


def _place(rows: pd.DataFrame, selection: Selection) -> str:
    place = f"at ({rows[BETA2].iloc[0]:.3g}, {rows[BETA1].iloc[0]:.3g})"
    if selection.measured < selection.considered:
        place += f" of {selection.measured} settings measured of {selection.considered}"
    return place


def _under_way(frame: Frame, quantity: str) -> bool:
    """Whether a trial that did not diverge lacks the quantity: the best of a part is no best of the whole."""
    return bool((frame.trials[quantity].isna() & (frame.trials["status"] != "diverged")).any())


def _published(study: str, classifier: str, latent: str) -> Published | None:
    if study not in _PUBLISHED:
        return None
    found = read_published("studies.hvae").find(
        "T1", METRICS[classifier], dataset=_PUBLISHED[study], model="GHVAE", config=f"latent={latent}"
    )
    return None if found is None else found.of_runs(1)
