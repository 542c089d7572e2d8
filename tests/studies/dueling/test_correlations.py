"""Table 4 of Dueling Decoders and the ratios of Sec. 4.6, against scipy and pandas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from results.frame import Frame
from studies.dueling.names import (
    GRID,
    LINEAR,
    MLP,
    RECONSTRUCTION,
)
from studies.dueling.tables import table4, table4_ratios

Printed = Callable[..., Frame]


def test_table_4_is_the_squared_correlation_over_all_models(printed: Printed) -> None:
    frame = printed(GRID)
    generator = np.random.default_rng(1)
    for name, noise in ((LINEAR, 0.2), (MLP, 0.05)):
        frame.trials[name] = frame.trials[RECONSTRUCTION] + generator.normal(0, noise, len(frame.trials))
    table = table4({GRID: frame})
    assert [row.name for row in table.rows] == ["thresholded-mnist", "stochastic-mnist", "mnist", "fashion-mnist"]
    for row in table.rows:
        rows = frame.trials[frame.trials["data"] == row.name]
        for column in (LINEAR, MLP):
            cell = table.cells[row.name, column]
            r = stats.pearsonr(rows[RECONSTRUCTION], rows[column])
            assert cell.mean == pytest.approx(r.statistic**2)
            assert cell.n == len(rows) == 27
            interval = r.confidence_interval(0.95)
            assert cell.published is not None
            inside = interval.low**2 - 0.0005 <= cell.published.value <= interval.high**2 + 0.0005
            assert cell.verdict == f"{'inside' if inside else 'outside'} our 95 % interval"
    assert {cell.verdict for cell in table.cells.values()} == {"inside our 95 % interval", "outside our 95 % interval"}
    frame.trials.loc[frame.trials["data"] == "mnist", MLP] = 0.5
    frame.trials.loc[(frame.trials["data"] == "fashion-mnist") & (frame.trials["seed"] > 0), MLP] = np.nan
    changed = table4({GRID: frame})
    assert changed.cells["mnist", MLP].note == "no correlation where an accuracy does not vary"
    assert "(9/27 models)" in changed.markdown()


def test_the_ratios_of_section_4_6(printed: Printed) -> None:
    frame = printed(GRID)
    table = table4_ratios({GRID: frame})
    ratio = 100 * frame.trials[RECONSTRUCTION] / frame.trials[MLP]
    cell = table.cells["all", "reconstruction"]
    assert cell.mean == pytest.approx(ratio.mean())
    assert cell.std == pytest.approx(ratio.std())
    assert cell.published is not None
    assert (cell.published.value, cell.published.std) == (88, 11)
    low, high = stats.t.interval(0.95, len(ratio) - 1, loc=ratio.mean(), scale=stats.sem(ratio))
    assert cell.verdict == f"{'inside' if low - 0.5 <= 88 <= high + 0.5 else 'outside'} our 95 % interval"
    assert table.cells["all", "linear"].published is not None
    assert table.cells["mnist", "linear"].published is None
    one = table4_ratios({GRID: printed(GRID, data_sets=("mnist",))})
    assert one.cells["all", "linear"].published is None  # the paper's is over four data sets
