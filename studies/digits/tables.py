"""The tables of the digits studies: best accuracies and optima over the grid of layer weights, objectives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from results.frame import Frame
from results.quantity import Goal
from results.selection import SelectionRule
from results.significance import Correction, compare, describe_test
from results.table import Cell, Heading, Table, coverage, describe_status, summarise
from studies import quantities
from studies.hvae.names import BETA1, BETA2

HIERARCHY = "digits/hvae"
OBJECTIVES = "digits/objectives"

CLASSIFIERS = tuple(
    Heading(name=name, label=label) for name, label in {**quantities.CLASSIFIERS, "knn": "5-nearest neighbours"}.items()
)
_SHORT = {**quantities.CLASSIFIERS, "logistic": "logistic"}
_ACCURACY_DIGITS = 3
_DIGITS = {"fraction": _ACCURACY_DIGITS, "nats": 2, "dB": 2, "": 3}

_SPREAD = "mean ± standard deviation over seeds (ddof = 1)"


def best_accuracy(frames: Mapping[str, Frame]) -> Table:
    """Each classifier's best accuracy on each layer's latents over all (β2, β1): Table 1 of Xiao & Bamler (2023)."""
    frame = _study(frames, HIERARCHY)
    columns = (
        Heading(name="z2", label="z₂", unit="fraction", goal="maximise"),
        Heading(name="z1", label="z₁", unit="fraction", goal="maximise"),
    )
    cells = {
        (classifier.name, latent.name): _best(frame, f"accuracy_{classifier.name}@{latent.name}", _ACCURACY_DIGITS)
        for classifier in CLASSIFIERS
        for latent in columns
    }
    return Table(
        name="best_accuracy",
        title="Best accuracy of classifiers on the latents, over the grid of layer weights",
        caption="Accuracy (fraction) of classifiers on the modes of z₂, and on z₁ given a sampled z₂, trained on "
        f"80 % of the test images and scored on the rest; {_SPREAD} where there are several.",
        selection="for each cell the setting (β₂, β₁) with the highest mean accuracy; the footnotes name it",
        stub="classifier",
        columns=columns,
        rows=CLASSIFIERS,
        cells=cells,
        coverage=coverage(frame, [f"accuracy_{row.name}@{column.name}" for row in CLASSIFIERS for column in columns]),
        notes=describe_status(frame),
        reduced=frame.reduced,
        comparable=frame.comparable,
    )


def optima(frames: Mapping[str, Frame]) -> Table:
    """The standard VAE beside the settings that are best by PSNR and by accuracy: where they lie, what they trade."""
    frame = _study(frames, HIERARCHY)
    columns = (
        Heading(name="beta2", label="β₂"),
        Heading(name="beta1", label="β₁"),
        Heading(name="rate_z2", label="R(z₂)", unit="nats"),
        Heading(name="rate_z1", label="R(z₁|z₂)", unit="nats"),
        Heading(name="negative_elbo", label="−ELBO", unit="nats", goal="minimise"),
        Heading(name="psnr", label="PSNR", unit="dB", goal="maximise"),
        Heading(name="accuracy_svm_rbf@z2", label="RBF SVM on z₂", unit="fraction", goal="maximise"),
    )
    trials = _with_negative_elbo(frame.trials)
    vae = trials[np.isclose(trials[BETA2], 1.0) & np.isclose(trials[BETA1], 1.0)]
    chosen = {
        Heading(name="vae", label="VAE (β₂ = β₁ = 1)"): vae,
        Heading(name="best_psnr", label="best PSNR"): _best_setting(frame, trials, "psnr"),
        Heading(name="best_accuracy", label="best RBF-SVM accuracy on z₂"): _best_setting(
            frame, trials, "accuracy_svm_rbf@z2"
        ),
    }
    axes = {"beta2": BETA2, "beta1": BETA1}
    cells = {
        (row.name, column.name): _axis(rows, axes[column.name])
        if column.name in axes
        else summarise(rows, column.name, digits=_DIGITS[column.unit])
        for row, rows in chosen.items()
        for column in columns
    }
    return Table(
        name="optima",
        title="The VAE and the best settings of the grid",
        caption=f"On the test images; {_SPREAD} where there are several.",
        selection="the setting β₂ = β₁ = 1, and the settings with the highest mean PSNR and accuracy over the grid",
        stub="setting",
        columns=columns,
        rows=tuple(chosen),
        cells=cells,
        coverage=coverage(frame, ["elbo", *(column.name for column in columns[2:] if column.name != "negative_elbo")]),
        notes=describe_status(frame),
        reduced=frame.reduced,
        comparable=frame.comparable,
    )


def objectives(
    frames: Mapping[str, Frame],
    *,
    correction: Correction = "bonferroni",
    paired: bool = False,
    alpha: float = 0.05,
) -> Table:
    """Objectives compared on a flat VAE: mean ± standard deviation over seeds, bold where not worse than the best.

    Rate and distortion alone have no best, as each can be had at the other's cost, so nothing in them is bold. Where no
    test could be made in a column, nothing is bold there either. correction, paired, alpha: see `results.significance`.
    """
    frame = _study(frames, OBJECTIVES)
    columns = (
        Heading(name="rate", label="rate", unit="nats"),
        Heading(name="distortion", label="distortion", unit="nats"),
        Heading(name="negative_elbo", label="−ELBO", unit="nats", goal="minimise"),
        Heading(name="psnr", label="PSNR", unit="dB", goal="maximise"),
        *(
            Heading(name=f"accuracy_{row.name}@z1", label=_SHORT[row.name], unit="fraction", goal="maximise")
            for row in CLASSIFIERS
        ),
    )
    trials = _with_negative_elbo(frame.trials)
    labels = dict(zip(trials["setting"].astype(str), trials["objective"].astype(str), strict=True))
    members = {setting: trials[trials["setting"] == setting] for setting in labels}
    cells: dict[tuple[str, str], Cell] = {}
    for column in columns:
        summaries = {
            setting: summarise(rows, column.name, digits=_DIGITS[column.unit]) for setting, rows in members.items()
        }
        if column.goal != "none" and column.name in trials:
            summaries = _marked(trials, column.name, column.goal, summaries, correction, paired, alpha)
        cells |= {(labels[setting], column.name): cell for setting, cell in summaries.items()}
    measured = ["elbo" if column.name == "negative_elbo" else column.name for column in columns]
    return Table(
        name="objectives",
        title="Objectives compared on a flat VAE",
        caption=f"On the test images: {_SPREAD}; accuracies (fraction) of logistic regression, SVMs and "
        "5-nearest neighbours on the modes of z₁. "
        f"{describe_test(correction, paired=paired, alpha=alpha)} Rate and distortion alone have no best.",
        stub="objective",
        columns=columns,
        rows=tuple(Heading(name=label) for label in labels.values()),
        cells=cells,
        coverage=coverage(frame, measured),
        notes=describe_status(frame),
        reduced=frame.reduced,
        comparable=frame.comparable,
    )


def _study(frames: Mapping[str, Frame], name: str) -> Frame:
    if name not in frames:
        raise ValueError(f"this table needs the study {name}; given are {', '.join(frames) or 'none'}")
    return frames[name]


def _with_negative_elbo(trials: pd.DataFrame) -> pd.DataFrame:
    return trials.assign(negative_elbo=-trials["elbo"]) if "elbo" in trials else trials


def _best(frame: Frame, quantity: str, digits: int) -> Cell:
    """The best setting of the grid by one quantity, with a note that says where it lies and among how many."""
    if quantity not in frame.trials:
        return Cell(planned=len(frame.trials), digits=digits)
    selection = SelectionRule(maximise=quantity).select(frame)
    if selection.id is None:
        return Cell(planned=len(frame.trials), digits=digits, note=selection.reason)
    rows = frame.trials[frame.trials["setting"] == selection.id]
    note = f"at (β₂, β₁) = ({rows[BETA2].iloc[0]:.3g}, {rows[BETA1].iloc[0]:.3g})"
    if selection.measured < selection.considered:
        note += f", the best of the {selection.measured} settings measured of {selection.considered}"
    return replace(summarise(rows, quantity, digits=digits), note=note)


def _best_setting(frame: Frame, trials: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """The trials of the setting with the highest mean of one quantity; none where nothing is measured."""
    if quantity not in trials:
        return trials[:0]
    return trials[trials["setting"] == SelectionRule(maximise=quantity).select(frame).id]


def _axis(rows: pd.DataFrame, axis: str) -> Cell:
    """The value of an axis at a setting: known as soon as the setting is, whether or not its trials have run."""
    if rows.empty:
        return Cell()
    return Cell(
        mean=float(rows[axis].iloc[0]), n=len(rows), planned=len(rows), trials=tuple(rows["trial"]), digits=_DIGITS[""]
    )


def _marked(
    trials: pd.DataFrame,
    column: str,
    goal: Goal,
    summaries: dict[str, Cell],
    correction: Correction,
    paired: bool,
    alpha: float,
) -> dict[str, Cell]:
    """The cells of a column with bold for what does not differ from the best, p-values, and why a test is missing."""
    comparisons = compare(trials, "setting", column, goal, correction=correction, paired=paired, alpha=alpha)
    tested = any(not math.isnan(comparison.p_value) for comparison in comparisons)
    return {
        comparison.setting: replace(
            summaries[comparison.setting],
            mark="bold" if tested and comparison.differs is False else "plain",
            p_value=comparison.adjusted,
            note=comparison.reason if comparison.n else "",
        )
        for comparison in comparisons
    }
