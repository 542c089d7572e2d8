"""Tables 2 and 3 of Dueling Decoders, on results made up so that every answer is known: mostly the paper's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from models.kinds import TargetRateObjective
from results.frame import Frame
from studies.dueling.names import (
    AUXILIARIES,
    GRID,
    MLP,
    OBJECTIVES,
    RECONSTRUCTION,
)
from studies.dueling.paper import OBJECTIVES as STUDY
from studies.dueling.tables import table2, table3

Printed = Callable[..., Frame]


def three(mean: float, std: float) -> tuple[float, float, float]:
    """Three values with exactly this mean and standard deviation (ddof = 1)."""
    return mean - std, mean, mean + std


def test_table_2_marks_the_bottom_four_rows(printed: Printed) -> None:
    """KL annealing and Dueling Decoders in both columns, from the printed values with n = 3 (spec. P000.9)."""
    table = table2({OBJECTIVES: printed(OBJECTIVES)})
    assert [row.name for row in table.rows] == [
        "PixelCNN β = 1",
        "PixelCNN β = 0.1",
        "Dueling Decoder",
        "KL annealing",
        "free bits",
        "target rate",
    ]
    marks = {
        column: {row.name for row in table.rows if table.cells[row.name, column].mark == "bold"}
        for column in (MLP, RECONSTRUCTION, "rate")
    }
    assert marks == {
        MLP: {"Dueling Decoder", "KL annealing"},
        RECONSTRUCTION: {"Dueling Decoder", "KL annealing"},
        "rate": set(),
    }
    test = stats.ttest_ind_from_stats(0.92, 0.01, 3, 0.81, 0.01, 3)
    assert table.cells["free bits", MLP].p_value == pytest.approx(3 * float(test.pvalue))
    assert {cell.verdict for (_, column), cell in table.cells.items() if column != "rate"} == {"agrees"}
    assert table.cells["free bits", "rate"].verdict == "inside our 95 % interval"


def test_table_2_chooses_among_the_settings_of_a_modification(printed: Printed) -> None:
    better = {MLP: three(0.95, 0.01), RECONSTRUCTION: three(0.9, 0.01), "rate": three(9.5, 0.1)}
    high = better | {MLP: three(0.99, 0.0), "rate": three(12.0, 0.1)}
    table = table2({OBJECTIVES: printed(OBJECTIVES, KL_annealing_over_9_steps=better, Dueling_1=high)})
    assert table.cells["KL annealing", MLP].mean == pytest.approx(0.95)
    note = table.cells["KL annealing", "rate"].note
    assert note.startswith("KL annealing over 9 steps: the setting with the highest mean MLP accuracy")
    assert note.endswith("< 10 nats, of 2")
    assert table.cells["Dueling Decoder", "rate"].mean == pytest.approx(8.13)  # the other is above 10 nats
    only = printed(OBJECTIVES, KL_annealing_over_9_steps=high)
    only.trials.loc[only.trials["objective"] == "KL annealing over 5,000 steps", "rate"] = 11.0
    chosen = table2({OBJECTIVES: only})
    assert chosen.cells["KL annealing", "rate"].mean == pytest.approx(12)
    assert chosen.cells["KL annealing", "rate"].note.endswith("accuracy on z1, of 2")


def test_table_3_has_the_paper_s_rows(printed: Printed) -> None:
    table = table3({GRID: printed(GRID), AUXILIARIES: printed(AUXILIARIES)})
    assert [row.name for row in table.rows] == ["None", "Conv", "Gradient", "Marginals", "Histogram"]
    assert table.cells["None", MLP].mean == pytest.approx(0.58)
    assert table.cells["None", RECONSTRUCTION].mean == pytest.approx(0.47)  # Table 1's; Table 3 prints 0.41
    assert table.cells["None", RECONSTRUCTION].published is not None
    assert table.cells["None", "supervised_accuracy"].missing
    assert table.cells["Marginals", "rate"].mean == pytest.approx(9.03)
    supervised = table.cells["Histogram", "supervised_accuracy"]
    assert (supervised.n, supervised.planned, supervised.verdict) == (1, 1, "too few seeds")
    assert table.coverage == (33, 33)  # 24, and of the grid the 9 PixelCNNs on thresholded MNIST
    alone = table3({AUXILIARIES: printed(AUXILIARIES)})
    assert [row.name for row in alone.rows] == ["Conv", "Gradient", "Marginals", "Histogram"]
    assert "Rows of dueling/grid were not asked for." in alone.notes


def test_table_2_compares_the_dueling_decoder_with_the_pixelcnn_of_a_higher_rate(printed: Printed) -> None:
    """Paired by seed, against scipy; the rates stand beside, since it is the rate that β = 0.1 raises."""
    frame = printed(OBJECTIVES)
    gains = {MLP: (0.02, 0.03, 0.05), RECONSTRUCTION: (-0.03, -0.031, -0.032)}
    duel, plain = (frame.trials["objective"] == label for label in ("Dueling λ = 0.1", "β = 0.1"))
    for column, differences in gains.items():
        frame.trials.loc[plain, column] = (0.5, 0.7, 0.6)
        frame.trials.loc[duel, column] = np.array([0.5, 0.7, 0.6]) + differences
    mixed = frame.trials.sample(frac=1, random_state=3).reset_index(drop=True)  # seeds in no order
    frame = dataclasses.replace(frame, trials=mixed)
    (note,) = (note for note in table2({OBJECTIVES: frame}).notes if "paired by seed" in note)
    p = {column: stats.ttest_1samp(differences, 0).pvalue for column, differences in gains.items()}
    assert p[RECONSTRUCTION] < 0.001
    assert note == (
        "Dueling Decoder (mean rate 8.13 nats) less PixelCNN β = 0.1 (mean rate 31.67 nats): latent accuracy, MLP "
        f"+0.033 (p = {p[MLP]:.2g}, 3 seeds); reconstruction accuracy −0.031 (p < 0.001, 3 seeds); two-sided t-tests "
        "on differences paired by seed, not corrected."
    )
    frame.trials.loc[frame.trials["seed"] > 0, RECONSTRUCTION] = np.nan
    (note,) = (note for note in table2({OBJECTIVES: frame}).notes if "paired by seed" in note)
    assert "reconstruction" not in note
    alone = frame.subset(frame.trials["objective"] == "β = 0.1", "")
    assert not any("paired by seed" in note for note in table2({OBJECTIVES: alone}).notes)


def test_table_2_says_what_is_our_choice(printed: Printed) -> None:
    (base,) = {trial.objective.weight for trial in STUDY.trials() if isinstance(trial.objective, TargetRateObjective)}
    plain = table2({OBJECTIVES: printed(OBJECTIVES)})
    assert (
        "The targets of 10 nats follow from the published rates (10.16 nats of free bits and 10.04 nats of the target "
        f"rate); the weight of the penalty, {base:g}, is our choice." in plain.legend
    )
    several = table2({OBJECTIVES: printed(OBJECTIVES, KL_annealing_over_9_steps={})})
    for table, chosen in ((plain, False), (several, True)):
        assert any("the best was chosen by the MLP accuracies that are shown" in note for note in table.notes) == chosen
        assert any("taken are 3, as in Tables 1 and 8" in note for note in table.notes)


def test_table_3_says_among_how_many_settings_each_row_is_the_best(printed: Printed) -> None:
    table = table3({GRID: printed(GRID), AUXILIARIES: printed(AUXILIARIES)})
    assert (
        "Each row is the best of the settings that its study has: none (PixelCNN) of 3, Conv of 2, Gradient of 2, "
        "Marginals of 2, Histogram of 2. A choice among more favours the row." in table.notes
    )
    alone = table3({AUXILIARIES: printed(AUXILIARIES)})
    assert not any("Each row is the best" in note for note in alone.notes)
