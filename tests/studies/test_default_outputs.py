"""The table and figures of a study that has none of its own."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from results.frame import Frame
from results.quantity import Quantity
from studies.default_figures import default_figures
from studies.default_table import axis_titles, decimals, setting_headings, settings_table

NAMES = ("rate", "distortion")


def frame(axes: dict[str, list[Any]], *, seeds: int = 1, measured: bool = True, quantities: bool = True) -> Frame:
    """A frame of one setting a row of `axes`, with rate = 10 row + seed and distortion = 100 - rate."""
    settings = len(next(iter(axes.values()))) if axes else 1
    rows = [(row, seed) for seed in range(seeds) for row in range(settings)]
    trials = pd.DataFrame(
        {
            "trial": [f"t{row}-{seed}" for row, seed in rows],
            "setting": [f"s{row}" for row, _ in rows],
            "seed": [seed for _, seed in rows],
            "status": "completed" if measured else "missing",
            "reason": "",
        }
        | {axis: pd.Series([values[row] for row, _ in rows], dtype=None) for axis, values in axes.items()}
    )
    if quantities:
        rate = np.array([10.0 * row + seed for row, seed in rows])
        trials = trials.assign(rate=rate, distortion=100 - rate)
        if not measured:
            trials[list(NAMES)] = np.nan
    known = [Quantity(name=name, unit="nats", goal="minimise", family=":f") for name in NAMES] if quantities else []
    return Frame(study="own/study", question="?", axes=tuple(axes), quantities=tuple(known), trials=trials)


def test_an_axis_is_headed_by_the_shortest_end_that_is_its_own() -> None:
    paths = ("model.latent", "model.encoder.widths", "model.decoder.widths", "objective.beta[0]", "widths")
    assert axis_titles(paths) == {
        "model.latent": "latent",
        "model.encoder.widths": "encoder.widths",
        "model.decoder.widths": "decoder.widths",
        "objective.beta[0]": "beta[0]",
        "widths": "widths",
    }


def test_a_setting_is_named_exactly_and_labelled_to_be_read() -> None:
    headings = setting_headings(frame({"objective.beta[0]": [0.125892541, 1.0], "objective": ["a", None]}))
    assert [heading.name for heading in headings.values()] == [
        "objective.beta[0]=0.125892541, objective=a",
        "objective.beta[0]=1",
    ]
    assert [heading.label for heading in headings.values()] == ["beta[0]=0.1259, objective=a", "beta[0]=1"]


def test_settings_that_are_written_alike_are_told_apart() -> None:
    alike = setting_headings(frame({"objective": ["same", "same"]}))
    assert [heading.name for heading in alike.values()] == [
        "objective=same, setting=s0",
        "objective=same, setting=s1",
    ]
    close = setting_headings(frame({"x": [1.00001, 1.00002]}))
    assert [heading.label for heading in close.values()] == ["x=1.00001", "x=1.00002"]


@pytest.mark.parametrize(
    ("largest", "shown"), [(0.98, 4), (1.0, 3), (9.99, 3), (123.4, 1), (1e5, 0), (0.0, 3), (1e-12, 9), (math.nan, 3)]
)
def test_the_largest_value_has_four_significant_digits(largest: float, shown: int) -> None:
    assert decimals(np.array([largest, -largest / 3, math.nan, math.inf])) == shown


def test_cells_are_means_over_seeds() -> None:
    table = settings_table(frame({"x": [1.0, 2.0]}, seeds=3), "own")
    cell = table.cell("x=2", "rate")
    assert (cell.mean, cell.std, cell.n, cell.planned) == (11.0, 1.0, 3, 3)
    assert dict(zip(cell.trials, cell.values, strict=True)) == {"t1-0": 10.0, "t1-1": 11.0, "t1-2": 12.0}
    assert table.coverage == (6, 6)


def test_missing_results_are_missing_cells() -> None:
    table = settings_table(frame({"x": [1.0, 2.0]}, measured=False), "own")
    assert all(cell.missing and cell.planned == 1 for cell in table.cells.values())
    assert "No results yet: 0 of 2 planned trials." in table.legend


def test_a_study_that_measures_nothing_shows_what_has_finished() -> None:
    table = settings_table(frame({}, seeds=2, quantities=False), "own")
    assert table.cell("base", "finished").text == "2 of 2"
    assert table.markdown()
    waiting = settings_table(frame({}, seeds=2, measured=False, quantities=False), "own")
    assert waiting.cell("base", "finished").missing
    assert default_figures(frame({}, quantities=False), "own") == []


def test_each_axis_has_a_figure_and_names_are_file_stems() -> None:
    figures = default_figures(frame({"objective.beta[0]": [0.1, 1.0], "model.encoder": ["a b", "ü"]}, seeds=2), "own-x")
    assert [figure.name for figure in figures] == [
        "own-x-rate-distortion",
        "own-x-against-beta-0",
        "own-x-against-encoder",
    ]
    for figure in figures:
        assert re.fullmatch(r"[\w.-]+", figure.name)
        assert figure.coverage == (4, 4)
        assert figure.html()


def test_values_are_drawn_where_they_are() -> None:
    against = default_figures(frame({"x": [100.0, 1.0, 10.0]}, seeds=2), "own")[1]
    means = [trace for trace in against.plot.data if "lines" in trace.mode]
    assert [list(trace.x) for trace in means] == [[1.0, 10.0, 100.0]] * 2
    assert list(means[0].y) == [10.5, 20.5, 0.5]
    assert against.plot.layout.xaxis.type == "log"
    faint = [trace for trace in against.plot.data if trace.mode == "markers"]
    assert sorted(faint[0].y) == [0, 1, 10, 11, 20, 21]
    linear = default_figures(frame({"x": [1, 2, 3]}), "own")[1]
    assert linear.plot.layout.xaxis.type is None
    named = default_figures(frame({"x": ["b", "a"]}), "own")[1]
    assert named.plot.layout.xaxis.type == "category"


def test_few_other_settings_have_colours_of_their_own_and_many_share_a_scale() -> None:
    grid = [(x, y) for x in range(1, 4) for y in range(1, 4)]
    few = default_figures(frame({"x": [x for x, _ in grid], "y": [y for _, y in grid]}), "own")[1]
    assert {trace.name for trace in few.plot.data} == {"y = 1", "y = 2", "y = 3"}
    assert sum(bool(trace.showlegend) for trace in few.plot.data) == 3
    grid = [(x, 10.0**y) for x in range(2) for y in range(-5, 5)]
    plane, many, _ = default_figures(frame({"x": [x for x, _ in grid], "y": [y for _, y in grid]}), "own")
    assert list(many.plot.data[0].marker.color) == pytest.approx([y for _ in range(2) for y in range(-5, 5)])
    marks = next(trace for trace in plane.plot.data if trace.mode == "markers")
    assert len(marks.x) == len(marks.marker.color) == 20


def test_frontier_and_hull_are_those_of_the_models() -> None:
    trials = pd.DataFrame({"rate": [1.0, 2.0, 3.0, 3.0], "distortion": [9.0, 8.5, 1.0, 5.0]})
    study = frame({"x": [1, 2, 3, 4]})
    plane = default_figures(
        Frame(**{**vars(study), "trials": study.trials.assign(rate=trials["rate"], distortion=trials["distortion"])}),
        "own",
    )[0]
    traces = {trace.name: trace for trace in plane.plot.data}
    assert list(traces["Pareto frontier"].x) == [1.0, 2.0, 3.0]
    assert list(traces["convex hull"].x) == [1.0, 3.0]


def test_without_results_a_figure_says_so() -> None:
    for figure in default_figures(frame({"x": [1.0, 2.0]}, measured=False), "own"):
        assert figure.coverage == (0, 2)
        assert "nothing to draw yet" in figure.html()
        assert "not drawn: 2 missing" in figure.html()
