"""What tables and figures of Dueling Decoders say of the classifiers that judge reconstructions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from results.frame import Frame
from studies.dueling import figures
from studies.dueling.captions import references
from studies.dueling.names import AUXILIARIES, DATA, ENLARGED, FASHION, GRID, OBJECTIVES, REFERENCE, THRESHOLDED
from studies.dueling.tables import table1, table2, table3, table4, table4_ratios, table8

Printed = Callable[..., Frame]
OURS = "Accuracy of the reference classifier on the test images themselves: "


def test_every_data_set_has_its_classifier(printed: Printed) -> None:
    frame = printed(GRID)
    for data, accuracy in ((THRESHOLDED, 0.985), (FASHION, 0.9412)):
        here = frame.trials[DATA] == data
        frame.trials.loc[here, REFERENCE] = frame.trials.loc[here, REFERENCE].where(lambda all: all.isna(), accuracy)
    assert references([frame]) == (
        f"{OURS}Stochastic MNIST 0.990, Thresholded MNIST 0.985, MNIST 0.990, Fashion-MNIST 0.941 "
        "(published: > 98 % on each MNIST, 94 % on Fashion-MNIST)."
    )
    assert references([printed(GRID, data_sets=(FASHION,))]).endswith("(published: 94 % on Fashion-MNIST).")


def test_a_classifier_below_the_paper_s_is_said_to_be(printed: Printed) -> None:
    frame = printed(GRID)
    accuracy = {"stochastic-mnist": 0.97, THRESHOLDED: 0.98, "mnist": 0.9799, FASHION: 0.85}
    frame.trials[REFERENCE] = frame.trials[DATA].map(accuracy)
    told = "It is below the paper's (Sec. 4.1) on Stochastic MNIST (98 %) and MNIST (98 %) and Fashion-MNIST (94 %)."
    assert references([frame]).endswith(told)


def test_a_study_without_a_column_of_data_sets_is_of_thresholded_mnist(printed: Printed) -> None:
    frame = printed(OBJECTIVES)
    assert references([frame]) == f"{OURS}not measured yet (published: > 98 % on each MNIST)."
    frame.trials.loc[3:5, REFERENCE] = 0.9712
    told = f"{OURS}Thresholded MNIST 0.971 (published: > 98 % on each MNIST). It is below"
    assert references([frame]).startswith(told)


def test_what_one_study_knows_is_not_lost_where_another_has_no_value(printed: Printed) -> None:
    grid, enlarged = printed(GRID), printed(ENLARGED)
    for unknown, known in ((grid, enlarged), (enlarged, grid)):
        kept = unknown.trials[REFERENCE].copy()
        unknown.trials.loc[unknown.trials[DATA] == FASHION, REFERENCE] = np.nan
        for frames in ((unknown, known), (known, unknown)):
            assert "Fashion-MNIST 0.990" in references(frames)
        unknown.trials[REFERENCE] = kept
    assert references([]) == f"{OURS}not measured yet."


@pytest.mark.parametrize("build", [table1, table2, table3, table4, table4_ratios, table8])
def test_every_table_of_reconstructions_tells_it(printed: Printed, build: Callable[..., object]) -> None:
    frames = {study: printed(study) for study in (GRID, OBJECTIVES, AUXILIARIES)}
    for frame in frames.values():
        frame.trials[REFERENCE] = 0.9512
    assert "Thresholded MNIST 0.951" in build(frames).legend  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["figure2", "figure5", "figure7"])
def test_every_figure_of_reconstructions_tells_it(grid_frame: Callable[..., Frame], name: str) -> None:
    frame = grid_frame()
    frame.trials[REFERENCE] = 0.9512
    assert references([frame]) in getattr(figures, name)({GRID: frame}).caption
