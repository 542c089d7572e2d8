"""Of one study: the VAE beside the best cells of the grid, and what the paper prints of its setup beside ours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from results.frame import Frame
from results.selection import SelectionRule
from results.table import Cell, Heading, Published, Table, coverage, describe_status, summarise
from results.verdict import NOT_COMPARABLE, judged_once
from studies.hvae.claim_parts import INFORMATION, INFORMATION_BOUND, LOGISTIC, PSNR, RBF
from studies.hvae.grids import CELLS
from studies.hvae.named_models import sampled
from studies.hvae.names import BETA1, BETA2, LADDER, MNIST, MODELS, RATE1, RATE2, SVHN
from studies.hvae.study_tables import NAMES, only
from studies.published import read_published

REFERENCE = "reference_accuracy"
_BOTTOM_RBF = "accuracy_svm_rbf@z1"
_AXES = {"beta2": BETA2, "beta1": BETA1}
_DIGITS = {"nats": 2, "dB": 2, "fraction": 3, "": 3}
_VAE = Heading(name="vae", label="VAE (β₂ = β₁ = 1)")


def optima(frames: Mapping[str, Frame]) -> Table:
    """The VAE and the best cells for reconstruction, sampling and classification: where they lie, what they trade."""
    study, frame = only(frames)
    score = sampled(frame, "inception_score")
    columns = (
        Heading(name="beta2", label="β₂"),
        Heading(name="beta1", label="β₁"),
        Heading(name=RATE2, label="R(z₂)", unit="nats"),
        Heading(name=RATE1, label="R(z₁|z₂)", unit="nats"),
        Heading(name="negative_elbo", label="−ELBO", unit="nats", goal="minimise"),
        Heading(name=PSNR, label="PSNR", unit="dB", goal="maximise"),
        Heading(name="inception_score", label="IS", goal="maximise"),
        Heading(name=RBF, label="RBF z₂", unit="fraction", goal="maximise"),
        Heading(name=INFORMATION, label="I(y; z₂)", unit="nats", goal="maximise"),
        Heading(name=INFORMATION_BOUND, label="its bound", unit="nats", goal="maximise"),
    )
    trials = frame.trials.rename(columns={score: "inception_score"})
    if "elbo" in trials:
        trials = trials.assign(negative_elbo=-trials["elbo"])
    chosen = {_VAE: trials[np.isclose(trials[BETA2], 1.0) & np.isclose(trials[BETA1], 1.0)]}
    for name, label, quantity in (
        ("best_elbo", "best ELBO", "elbo"),
        ("best_psnr", "best PSNR", PSNR),
        ("best_inception_score", "best IS", score),
        ("best_svm_rbf_z2", "best RBF SVM on z₂", RBF),
        ("best_logistic_z2", "best log. reg. on z₂", LOGISTIC),
        ("best_svm_rbf_z1", "best RBF SVM on z₁", _BOTTOM_RBF),
    ):
        setting = SelectionRule(maximise=quantity).select(frame).id if quantity in frame.trials else None
        chosen[Heading(name=name, label=label)] = trials[trials["setting"] == setting]
    cells = {
        (row.name, column.name): _axis(rows, _AXES[column.name])
        if column.name in _AXES
        else summarise(rows, column.name, digits=_DIGITS[column.unit])
        for row, rows in chosen.items()
        for column in columns
    }
    return Table(
        name=f"optima{NAMES[study]}",
        title=f"The VAE and the best cells of the grid: {MODELS[study]}",
        caption="On the test images, one trained model a cell; IS is the Inception Score, accuracies are fractions. "
        "The estimate of I(y; z₂) saturates at H(y); its bound is a lower one and does not. The paper has no numbers "
        "of these cells, only figures.",
        selection="the cell β₂ = β₁ = 1, and those with the highest value over the grid",
        stub="cell",
        columns=columns,
        rows=tuple(chosen),
        cells=cells,
        coverage=coverage(frame, ["elbo", PSNR, score, RBF, LOGISTIC, _BOTTOM_RBF, INFORMATION, INFORMATION_BOUND]),
        notes=describe_status(frame),
        reduced=frame.reduced,
        comparable=frame.comparable,
    )


def setup(frames: Mapping[str, Frame]) -> Table:
    """What the paper prints of its experiments in single numbers, beside ours, as far as the results can tell."""
    study, frame = only(frames)
    trials = frame.trials
    column = Heading(name="value")
    there = trials[trials["status"] == "completed"]
    models = _published("S5.1", "n_trials", "any", "GHVAE,LVAE")
    counted = Cell(planned=len(trials), counted="trials", digits=0, published=models)
    if len(there):
        verdict = "agrees" if len(there) == CELLS else "differs"
        if frame.incomparable or len(there) < len(trials):
            verdict = NOT_COMPARABLE
        counted = replace(counted, mean=float(len(there)), n=len(there), trials=tuple(there["trial"]), verdict=verdict)
    data, model = "binary_mnist" if study == MNIST else "svhn,cifar10", "LVAE" if study == LADDER else "GHVAE"
    cells = {
        ("n_trials", "value"): counted,
        ("n_params", "value"): Cell(
            published=_published("A.1", "n_params", data, model),
            note="not stored: the tests hold the model to it",
        ),
        (REFERENCE, "value"): _reference(frame, study),
    }
    return Table(
        name=f"setup{NAMES[study]}",
        title=f"The experiments in numbers: {MODELS[study]}",
        caption="What the paper prints of its experiments. The reference classifier judges samples for the Inception "
        "Score; its accuracy is on the test images. The published value lies inside the 95 % interval of ours (1.96 "
        "binomial standard errors of the test images, widened by half a unit of the last published digit) or outside; "
        "the paper's classifier is a ResNet-18 on SVHN, and its accuracy on other data sets is not printed legibly.",
        stub="",
        columns=(column,),
        rows=(
            Heading(name="n_trials", label="trained models", unit="count"),
            Heading(name="n_params", label="parameters of a model", unit="count"),
            Heading(name=REFERENCE, label="accuracy of the reference classifier", unit="%"),
        ),
        cells=cells,
        coverage=coverage(frame, [REFERENCE]),
        notes=describe_status(frame),
        reduced=frame.reduced,
        comparable=frame.comparable,
    )


def _axis(rows: pd.DataFrame, axis: str) -> Cell:
    """The value of an axis at a cell: known as soon as the cell is, whether or not its trials have run."""
    if rows.empty:
        return Cell()
    trials = tuple(rows["trial"])
    return Cell(mean=float(rows[axis].iloc[0]), n=len(rows), planned=len(rows), trials=trials, digits=_DIGITS[""])


def _reference(frame: Frame, study: str) -> Cell:
    """The accuracy in percent of the one classifier that judged the samples of all trials."""
    theirs = _published("S5.5", "test_acc", "svhn", "ResNet-18 IS classifier") if study in (SVHN, LADDER) else None
    trials = frame.trials
    there = trials[trials[REFERENCE].notna()] if REFERENCE in trials else trials[:0]
    if there.empty:
        return Cell(planned=len(trials), counted="trials", published=theirs)
    value, error = there[REFERENCE].iloc[0], there.get(f"{REFERENCE}.se", pd.Series([math.nan])).iloc[0]
    cell = Cell(mean=100 * float(value), n=1, planned=1, trials=tuple(there["trial"][:1]), published=theirs)
    return judged_once(cell, 100 * float(error), reduced=frame.incomparable)


def _published(table: str, metric: str, dataset: str, model: str) -> Published | None:
    found = read_published("studies.hvae").find(table, metric, dataset=dataset, model=model)
    return None if found is None else found.of_runs(1)
