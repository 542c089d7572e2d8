"""The figures of what was changed one at a time: every trial a mark, every setting its mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from results.frame import Frame
from studies.dueling import figures, names
from studies.dueling.paper import AUXILIARIES, ENLARGED_STUDY, OBJECTIVES
from studies.study import Study

CASES = {
    "objectives": (
        OBJECTIVES,
        {"β = 1", "β = 0.1", "KL annealing", "free bits", "target rate", "Dueling λ = 0.1", "Dueling λ = 1"},
    ),
    "auxiliaries": (AUXILIARIES, {"Conv", "Gradient", "Marginals", "Histogram"}),
    "enlarged": (ENLARGED_STUDY, {"PixelCNN+", "Dueling Decoder+"}),
}


def frame_of(study: Study, status: str = "completed") -> Frame:
    plan = study.planned().assign(status=status)
    numbers = np.random.default_rng(0).uniform(0.1, 0.9, (3, len(plan)))
    plan[names.RATE], plan[names.MLP], plan[names.RECONSTRUCTION] = 20 * numbers[0], numbers[1], numbers[2]
    plan[names.REFERENCE] = 0.99
    if status != "completed":
        plan[[names.RATE, names.MLP, names.RECONSTRUCTION, names.REFERENCE]] = np.nan
    return Frame(study=study.name, question="?", axes=study.axis_columns(), quantities=study.quantities, trials=plan)


def marks(figure: Any, axis: str, *, single: bool) -> pd.DataFrame:
    """(x, y) of the small marks of single trials, or of the large ones of means, in one panel."""
    traces = [trace for trace in figure.plot.data if (trace.xaxis or "x") == axis]
    chosen = [trace for trace in traces if (trace.customdata is not None) == single]
    return pd.DataFrame([(x, y) for trace in chosen for x, y in zip(trace.x, trace.y, strict=True)], columns=["x", "y"])


@pytest.mark.parametrize("name", CASES)
def test_every_trial_and_the_mean_of_every_setting_are_drawn_in_both_panels(name: str) -> None:
    study, labels = CASES[name]
    frame = frame_of(study)
    figure = getattr(figures, name)({study.name: frame})
    for axis, quantity in (("x", names.MLP), ("x2", names.RECONSTRUCTION)):
        single = marks(figure, axis, single=True)
        assert set(map(tuple, single.to_numpy())) == set(map(tuple, frame.trials[[names.RATE, quantity]].to_numpy()))
        means = frame.trials.groupby("setting")[[names.RATE, quantity]].mean().to_numpy()
        drawn = marks(figure, axis, single=False).to_numpy()
        np.testing.assert_allclose(drawn[np.argsort(drawn[:, 0])], means[np.argsort(means[:, 0])])
    assert {trace.name for trace in figure.plot.data if trace.showlegend} == labels
    assert figure.coverage == (len(frame.trials), len(frame.trials))
    assert "0.990" in figure.caption


@pytest.mark.parametrize("name", CASES)
def test_without_results_the_figure_says_so(name: str) -> None:
    study, _ = CASES[name]
    figure = getattr(figures, name)({study.name: frame_of(study, "missing")})
    assert any("nothing to draw yet" in (note.text or "") for note in figure.plot.layout.annotations)
    assert figure.coverage == (0, len(study))
