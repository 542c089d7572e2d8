"""What tables and figures of Dueling Decoders say in the same words, and what they read from the published numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from results.frame import Frame
from results.table import Published, coverage, describe_status
from studies.dueling.lines import METRICS, RUNS
from studies.dueling.names import DATA, DATA_SETS, DECODER, FASHION, LOW_RATE_BEST, REFERENCE, THRESHOLDED
from studies.published import read_published

SPREAD = "mean ± standard deviation over seeds (ddof = 1)"
BESIDE = (
    "Below: the published value (of 3 runs) and a verdict, by a two-sided equal-variance t-test at α = 0.05 where the "
    "paper gives a standard deviation, else by whether it lies inside our 95 % t-interval widened by half a unit of "
    "its last digit."
)
PRINTED_TWICE = (
    "The paper prints three values of rate, MLP and reconstruction accuracy for the Dueling Decoder on thresholded "
    "MNIST: 7.93, 0.92, 0.88 (Table 1), 8.13, 0.92, 0.88 (Table 2) and 9.75, 0.94, 0.90 (Table 3), although Tables 1 "
    "and 3 both claim the best at a rate below 10.",
    "The paper's PixelCNN on thresholded MNIST has the reconstruction accuracy 0.47 (Table 1) and 0.41 (Table 3), and "
    "the rates 8.01 and 7.99.",
)


def given(frames: Mapping[str, Frame], *names: str) -> tuple[Frame, ...]:
    """The frames of these studies that are there; raises ValueError where none is."""
    found = tuple(frames[name] for name in names if name in frames)
    if not found:
        raise ValueError(f"this table needs the study {' or '.join(names)}; given are {', '.join(frames) or 'none'}")
    return found


def published(
    table: str, data: str, model: str, columns: Sequence[str], config: str | None = None
) -> dict[str, Published]:
    """The numbers that the paper prints in a row, by the names of our columns; a data set by ours, too."""
    numbers = read_published("studies.dueling")
    found = {
        column: numbers.find(table, METRICS[column], dataset=data.replace("-", "_"), model=model, config=config)
        for column in columns
    }
    return {column: number.of_runs(RUNS) for column, number in found.items() if number is not None}


def at(frame: Frame, data: str, decoder: str) -> npt.NDArray[np.bool_]:
    """Which trials are of this data set and decoder."""
    return np.asarray((frame.trials[DATA] == data) & (frame.trials[DECODER] == decoder), dtype=np.bool_)


def selection(frames: Sequence[Frame]) -> str:
    """The rule of selection in words."""
    return LOW_RATE_BEST.describe(frames[0].quantities)


def extent(frames: Sequence[Frame], columns: Sequence[str]) -> tuple[int, int]:
    """(present, planned) trials of all these studies; −ELBO is stored as ELBO."""
    stored = ["elbo" if column == "negative_elbo" else column for column in columns]
    present, planned = zip(*(coverage(frame, stored) for frame in frames), strict=True)
    return sum(present), sum(planned)


def reduced(frames: Sequence[Frame]) -> str:
    """How the studies were cut down; each by name where they differ."""
    told = {frame.study: frame.reduced for frame in frames if frame.reduced}
    if len(told) == len(frames) and len(set(told.values())) == 1:
        return next(iter(told.values()))
    return "; ".join(f"{study}: {text}" for study, text in told.items())


def comparable(frames: Sequence[Frame]) -> bool:
    """Whether a reduced study among these is so by whole data sets or seeds only."""
    return not any(frame.incomparable for frame in frames)


def status(frames: Mapping[str, Frame], *names: str) -> tuple[str, ...]:
    """Notes on trials that are not there, and on studies that were not asked for."""
    notes = [note for name in names if name in frames for note in describe_status(frames[name])]
    absent = [name for name in names if name not in frames]
    return (*notes, *([f"Rows of {' and '.join(absent)} were not asked for."] if absent else []))


def references(frames: Sequence[Frame]) -> str:
    """The sentences of a caption on the classifiers that judge reconstructions: what they are worth, ours and theirs.

    A study without a column of data sets is of thresholded MNIST. Of a data set in several studies the first accuracy
    that is known is told: it is of one classifier.
    """
    known: dict[str, float] = {}
    there: set[str] = set()
    for frame in frames:
        sets = frame.trials[DATA] if DATA in frame.trials else pd.Series(THRESHOLDED, index=frame.trials.index)
        there |= set(sets)
        if REFERENCE in frame.trials:
            means = frame.trials[REFERENCE].groupby(sets).mean().dropna()
            known = {str(data): float(accuracy) for data, accuracy in means.items()} | known
    told = ", ".join(f"{DATA_SETS[data]} {known[data]:.3f}" for data in DATA_SETS if data in known)
    theirs = []
    if there - {FASHION}:
        theirs.append(f"> {_percent(THRESHOLDED)} on each MNIST")
    if FASHION in there:
        theirs.append(f"{_percent(FASHION)} on Fashion-MNIST")
    text = f"Accuracy of the reference classifier on the test images themselves: {told or 'not measured yet'}"
    text += f" (published: {', '.join(theirs)})." if theirs else "."
    short = [
        f"{DATA_SETS[data]} ({_percent(data)})"
        for data in DATA_SETS
        if data in known and 100 * known[data] < _published_reference(data)
    ]
    return f"{text} It is below the paper's (Sec. 4.1) on {' and '.join(short)}." if short else text


def _published_reference(data: str) -> float:
    """The accuracy in percent of the paper's classifier of a data set: at least this on each MNIST."""
    place = "fashion_mnist" if data == FASHION else "mnist variants"
    number = read_published("studies.dueling").find("S4.1", "test_acc", dataset=place, model="recon classifier")
    if number is None:
        raise ValueError(f"the published numbers lack the classifier of {place}")
    return float(number.value)


def _percent(data: str) -> str:
    return f"{_published_reference(data):g} %"
