"""Tables 1 and 8 of Dueling Decoders, on results made up so that every answer is known: mostly the paper's own."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from results.frame import Frame
from results.table import Table
from studies.dueling.low_rate import PLAIN, PLUS
from studies.dueling.names import (
    DATA_SETS,
    ENLARGED,
    GRID,
    LABEL_DISTORTION,
    LINEAR,
    MLP,
    RECONSTRUCTION,
)
from studies.dueling.sizes import BATCH, BETA, LATENT, WEIGHT
from studies.dueling.tables import table1, table4, table4_ratios, table8

Printed = Callable[..., Frame]


def bold(table: Table, column: str) -> dict[str, set[str]]:
    """The rows in bold by what stands before their slash."""
    found: dict[str, set[str]] = {}
    for row in table.rows:
        if table.cells[row.name, column].mark == "bold":
            data, _, decoder = row.name.partition("/")
            found.setdefault(data, set()).add(decoder)
    return found


def test_marks_of_table_1_are_those_recomputed_from_the_printed_values(printed: Printed) -> None:
    """The marks that the paper's own means, standard deviations, n = 3 and Bonferroni n = 2 give (spec. P000.9)."""
    table = table1({GRID: printed(GRID), ENLARGED: printed(ENLARGED)})
    pixel, cnn, duel = PLAIN
    plus = set(PLUS)  # of the enlarged networks nothing differs
    assert bold(table, MLP) == {
        "stochastic-mnist": {duel},
        "thresholded-mnist": {duel},
        "mnist": {duel},
        "fashion-mnist": {pixel, duel} | plus,
    }
    assert bold(table, LABEL_DISTORTION) == {
        "stochastic-mnist": {duel},
        "thresholded-mnist": {duel},
        "mnist": {duel, cnn},
        "fashion-mnist": {pixel, duel} | plus,
    }
    assert bold(table, LINEAR) == {
        "stochastic-mnist": {duel, cnn},
        "thresholded-mnist": {duel, cnn},
        "mnist": {duel, cnn},
        "fashion-mnist": {cnn, pixel, duel} | plus,
    }
    assert bold(table, RECONSTRUCTION) == {
        "stochastic-mnist": {duel, cnn},
        "thresholded-mnist": {duel},
        "mnist": {duel, cnn},
        "fashion-mnist": {pixel, duel} | plus,
    }
    assert bold(table, "rate") == bold(table, "negative_elbo") == bold(table, "distortion") == {}


def test_the_paper_s_own_numbers_agree_with_it(printed: Printed) -> None:
    table = table1({GRID: printed(GRID), ENLARGED: printed(ENLARGED)})
    assert [row.name.partition("/")[0] for row in table.rows] == [
        *np.repeat(list(DATA_SETS), 3),
        *["fashion-mnist"] * 2,
    ]
    for (_, column), cell in table.cells.items():
        assert cell.published is not None
        assert cell.mean == pytest.approx(cell.published.value)
        stated = not math.isnan(cell.published.std)
        expected = "agrees" if stated else "inside our 95 % interval"
        assert cell.verdict == ("" if column == BETA else expected)
    cell = table.cells["mnist/Dueling Decoder", MLP]
    assert cell.trials == tuple(f"mnist-Dueling Decoder-{seed}" for seed in range(3))
    assert (cell.n, cell.planned) == (3, 3)
    assert "Shown: the setting with the highest mean MLP accuracy on z1 among those with mean total rate < 10 nats" in (
        table.legend
    )
    assert "MNIST 0.990" in table.legend
    assert "published: > 98 % on each MNIST, 94 % on Fashion-MNIST" in table.legend
    assert any("7.93, 0.92, 0.88 (Table 1), 8.13" in note for note in table.notes)


def test_other_numbers_differ(printed: Printed) -> None:
    frame = printed(GRID)
    frame.trials[RECONSTRUCTION] += 0.1
    frame.trials["distortion"] += 0.06
    table = table1({GRID: frame})
    cell = table.cells["thresholded-mnist/CNN", RECONSTRUCTION]
    test = stats.ttest_ind_from_stats(0.91, 0.02, 3, 0.81, 0.02, 3)
    assert cell.verdict == f"differs (p = {test.pvalue:.2g})"
    assert table.cells["thresholded-mnist/CNN", "distortion"].verdict == "outside our 95 % interval"
    frame.trials["distortion"] -= 0.02
    inside = table1({GRID: frame}).cells["thresholded-mnist/CNN", "distortion"]
    assert inside.verdict == "inside our 95 % interval"  # 123.44 is printed as 123.4


def test_a_reduced_or_filtered_study_is_never_comparable(printed: Printed) -> None:
    frames = {GRID: printed(GRID, reduced="14×14 images", data_sets=("thresholded-mnist",))}
    for table in (table1(frames), table8(frames), table4(frames)):
        verdicts = {cell.verdict for cell in table.cells.values() if cell.published} - {""}
        assert verdicts == {"not comparable"}
        assert "Reduced study (14×14 images)" in table.legend
        assert all(row.name.startswith("thresholded-mnist") for row in table.rows)
    mixed = table1({GRID: printed(GRID, reduced="small"), ENLARGED: printed(ENLARGED)})
    assert mixed.reduced == "dueling/grid: small"
    assert mixed.cells["fashion-mnist/CNN", MLP].verdict == "not comparable"
    assert mixed.cells["fashion-mnist/PixelCNN+", MLP].verdict == "agrees"


def test_no_setting_under_ten_nats_is_said(printed: Printed) -> None:
    frame = printed(GRID)
    frame.trials.loc[frame.trials["model.decoder"] == "CNN", "rate"] += 10
    for reduced in ("", "small"):
        table = table1({GRID: dataclasses.replace(frame, reduced=reduced)})
        row = "stochastic-mnist/CNN"
        assert all(table.cells[row, column.name].missing for column in table.columns)
        assert table.cells[row, MLP].verdict == "no setting < 10 nats"
        assert table.cells[row, MLP].planned == 3
        assert table.cells[row, BETA].note == "no setting with mean total rate < 10 nats (3 of 3 settings measured)"
        assert bold(table, MLP)["stochastic-mnist"] == {"Dueling Decoder"}


def test_a_study_under_way(printed: Printed) -> None:
    frame = printed(GRID)
    gone = ["mnist-CNN-1", "mnist-CNN-2", "mnist-PixelCNN-0", *(f"fashion-mnist-CNN-{seed}" for seed in range(3))]
    lost = frame.trials["trial"].isin(gone)
    frame.trials.loc[lost, [quantity.name for quantity in frame.quantities]] = np.nan
    frame.trials.loc[lost, "status"] = "missing"
    table = table1({GRID: frame})
    one = table.cells["mnist/CNN", MLP]
    assert (one.n, one.planned, one.verdict, one.mark) == (1, 3, "too few seeds", "plain")
    assert one.note == "not tested: fewer than two values"
    assert table.cells["mnist/PixelCNN", MLP].n == 2
    low = table.cells["fashion-mnist/CNN", MLP]  # all that is left of it
    assert low.mean == pytest.approx(0.12)
    assert table.cells["fashion-mnist/CNN", BETA].note == "the best of the 2 settings measured of 3"
    frame.trials.loc[:, [quantity.name for quantity in frame.quantities]] = np.nan
    nothing = table1({GRID: frame})
    assert all(cell.missing and not cell.verdict for cell in nothing.cells.values())
    assert nothing.cells["mnist/CNN", BETA].note == "none of 3 settings has results yet"
    assert nothing.cells["mnist/CNN", MLP].published is not None
    assert "not measured yet (published" in nothing.legend
    for build in (table4, table4_ratios, table8):
        assert all(cell.missing for cell in build({GRID: frame}).cells.values())


def test_table_8_shows_the_settings_beside_the_paper_s(printed: Printed) -> None:
    table = table8({GRID: printed(GRID), ENLARGED: printed(ENLARGED)})
    assert [row.name.partition("/")[0] for row in table.rows][:4] == [*["thresholded-mnist"] * 3, "stochastic-mnist"]
    row = "fashion-mnist/Dueling Decoder"
    values = [table.cells[row, column] for column in (BETA, BATCH, LATENT, WEIGHT)]
    assert [cell.mean for cell in values] == [1.0, 64, 64, 0.1]
    assert [cell.published.value for cell in values if cell.published] == [1.0, 64, 64, 0.1]
    assert [cell.verdict for cell in values] == [""] * 4
    assert table.cells["mnist/CNN", WEIGHT].mean == 0
    verdict = table.cells["mnist/Dueling Decoder", "distortion"].verdict  # Table 8 has its spread, our three have none
    test = stats.ttest_ind_from_stats(554.8, 0, 3, 554.8, 2.7, 3)
    assert verdict == "agrees"
    assert test.pvalue == 1
    one = table.markdown().splitlines()[6:9]
    assert [line.split("|")[1].strip() for line in one] == ["Thresholded MNIST, PixelCNN", "↳ published", "↳ verdict"]


def test_whole_data_sets_and_fewer_seeds_of_the_full_study_keep_their_verdicts(printed: Printed) -> None:
    """What a table chooses among is whole in each data set, so its number is the one that the paper's stands for."""
    part = printed(GRID, data_sets=("thresholded-mnist",), reduced="only data=thresholded-mnist", comparable=True)
    table = table1({GRID: part})
    assert {cell.verdict for cell in table.cells.values()} == {"", "agrees", "inside our 95 % interval"}
    assert table.legend.endswith("A part of the study: only data=thresholded-mnist.")
    assert "not comparable" not in table.markdown()
    one = table1({GRID: part.subset(part.trials["seed"] == 1, "")})
    assert {cell.verdict for cell in one.cells.values()} == {"", "too few seeds"}
    cut = table1({GRID: part.subset(part.trials[BETA] != 0.5, "only objective.beta[0]!=0.5")})
    assert {cell.verdict for cell in cut.cells.values()} == {"", "not comparable"}
    assert "Reduced study (only data=thresholded-mnist; only objective.beta[0]!=0.5): not comparable" in cut.legend
    mixed = table1({GRID: part, ENLARGED: printed(ENLARGED, reduced="small")})
    assert "Reduced study (dueling/grid: only data=thresholded-mnist; dueling/enlarged: small)" in mixed.legend
    assert mixed.cells["thresholded-mnist/CNN", MLP].verdict == "agrees"
    assert mixed.cells["fashion-mnist/PixelCNN+", MLP].verdict == "not comparable"
