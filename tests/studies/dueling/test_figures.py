"""Figures of Dueling Decoders: every mark checked against the frame it was drawn from."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from results.figures import Figure
from results.frame import Frame
from studies.dueling import figures
from studies.dueling.latents import ELLIPSES, outlines
from studies.dueling.marks import CLASSES
from studies.dueling.names import (
    DATA,
    DATA_SETS,
    DECODER,
    DISTORTION,
    GRID,
    LINEAR,
    MLP,
    ORDER,
    RATE,
    RECONSTRUCTION,
    REMOVAL,
)
from studies.dueling.removal import REMOVED_AT
from studies.dueling.sizes import BETA, CNN, DUELING, LATENT, PIXELCNN

DECODERS = (PIXELCNN, CNN, DUELING)
NUMBERED = [name for name in figures.__all__ if name.startswith("figure")]  # the others: test_modifications.py
Frames = dict[str, Frame]


@pytest.fixture(scope="module")
def frames(grid_frame: Callable[..., Frame], removal_frame: Callable[..., Frame]) -> Frames:
    return {GRID: grid_frame(), REMOVAL: removal_frame()}


@pytest.fixture(scope="module")
def made(frames: Frames) -> Callable[[str], Figure]:
    """A figure of all results, built once."""
    return functools.cache(lambda name: getattr(figures, name)(frames))


def panel(figure: Any, number: int) -> list[Any]:
    """The traces of a panel, counted from 1 as they are read."""
    axis = "x" if number == 1 else f"x{number}"
    return [trace for trace in figure.plot.data if (trace.xaxis or "x") == axis]


def models(traces: list[Any]) -> list[Any]:
    """Those of trained models: whose hover names a trial."""
    return [trace for trace in traces if trace.customdata is not None]


def drawn(traces: list[Any]) -> pd.DataFrame:
    """One row a mark of a trained model: which trial, where, how."""
    rows = [
        {"trial": trial, "x": x, "y": y, "symbol": trace.marker.symbol, "name": trace.name}
        for trace in models(traces)
        for x, y, (_, _, trial) in zip(trace.x, trace.y, trace.customdata, strict=True)
    ]
    return pd.DataFrame(rows, columns=["trial", "x", "y", "symbol", "name"]).set_index("trial")


def texts(figure: Any) -> list[str]:
    return [note.text or "" for note in figure.plot.layout.annotations]


def best(frame: Frame, target: str, **at: object) -> pd.DataFrame:
    """Among the settings with a mean rate below 10 nats the one with the highest mean, by a loop over all."""
    rows = frame.trials
    for column, value in at.items():
        rows = rows[rows[column] == value]
    means = {name: part[[RATE, target]].mean() for name, part in rows.dropna(subset=[RATE, target]).groupby("setting")}
    low = {name: mean[target] for name, mean in means.items() if mean[RATE] < 10}
    return rows[rows["setting"] == max(low, key=lambda name: low[name])].sort_values("seed")


# Of every figure.

PARTS = {"figure6": {DATA: "thresholded-mnist", LATENT: 2}, "figure8": {LATENT: 2}}


@pytest.mark.parametrize("name", NUMBERED)
def test_a_figure_counts_its_trials(
    grid_frame: Callable[..., Frame], removal_frame: Callable[..., Frame], name: str
) -> None:
    frames = {GRID: grid_frame(missing=5), REMOVAL: removal_frame(missing=2)}
    figure = getattr(figures, name)(frames)
    rows = frames[figure.studies[0]].trials
    for column, value in PARTS.get(name, {}).items():
        rows = rows[rows[column] == value]
    completed = rows[rows["status"] == "completed"]
    left_out = name == "figure7", completed.get(DATA, pd.Series(dtype=str)).isin(["mnist", "fashion-mnist"])
    shown = completed[~(left_out[1] & (completed[DECODER] == CNN))] if left_out[0] else completed
    assert figure.name == name
    assert figure.coverage == (len(shown), len(rows))
    assert set(figure.trials) <= set(shown["trial"])
    absent = len(rows) - len(completed)
    assert any(f"not drawn: {absent} missing" in remark for remark in figure.remarks) == bool(absent)


@pytest.mark.parametrize("name", NUMBERED)
@pytest.mark.parametrize("chosen", ["none stored", "none planned", "one"])
def test_a_figure_of_little_or_nothing_says_so(
    grid_frame: Callable[..., Frame], removal_frame: Callable[..., Frame], name: str, chosen: str
) -> None:
    if chosen == "none stored":
        grid, removal = grid_frame(missing=576), removal_frame(missing=12)
    else:
        grid, removal = grid_frame(), removal_frame()
        first = (grid.trials[DATA] == "thresholded-mnist") & (grid.trials[LATENT] == 2)
        keep = first & (grid.trials.index == first.idxmax()) & (chosen == "one")
        grid = grid.subset(keep, "a filter")
        removal = removal.subset((removal.trials.index == 0) & (chosen == "one"), "a filter")
    figure = getattr(figures, name)({GRID: grid, REMOVAL: removal})
    told = " ".join(texts(figure))
    if chosen == "none stored":
        assert "nothing to draw yet: 0 of" in told
        assert figure.trials == ()
    elif chosen == "none planned":
        assert "no trial matches this selection" in told
        assert "reduced: a filter" in figure.remarks
    else:
        assert figure.coverage == (1, 1)
    figure.html()


@pytest.mark.parametrize("name", sorted(set(NUMBERED) - {"figure4"}))
def test_quantities_that_are_not_measured_yet_are_told(grid_frame: Callable[..., Frame], name: str) -> None:
    """With rates and distortions alone there is nothing to draw."""
    frame = grid_frame()
    bare = dataclasses.replace(
        frame, trials=frame.trials.assign(**{MLP: np.nan, LINEAR: np.nan, RECONSTRUCTION: np.nan})
    )
    figure = getattr(figures, name)({GRID: bare})
    assert any("nothing to draw yet" in text for text in texts(figure))
    assert any("without these quantities" in remark for remark in figure.remarks)


@pytest.mark.parametrize("name", NUMBERED)
def test_one_legend_entry_a_kind_of_mark_in_a_line_above_the_panels(made: Callable[[str], Figure], name: str) -> None:
    figure = made(name)
    listed = [trace.name for trace in figure.plot.data if trace.showlegend or trace.showlegend is None]
    listed = [name for name in listed if name is not None]
    assert len(set(listed)) == len(listed)
    if listed:
        assert figure.plot.layout.legend.yref == "container"


@pytest.mark.parametrize("name", ["figure3", "figure5", "figure7", "figure8", "figure9"])
def test_a_data_set_that_is_not_asked_for_has_no_panel(frames: Frames, name: str) -> None:
    frame = frames[GRID]
    two = frame.subset(frame.trials[DATA].isin(["mnist", "stochastic-mnist"]), "two sets")
    written = " ".join(texts(getattr(figures, name)({GRID: two})))
    if name in ("figure8", "figure9"):
        plot = getattr(figures, name)({GRID: two}).plot
        titles = [axis.title.text for axis in plot.select_yaxes() if axis.title.text]
        assert titles == ["<b>Stochastic MNIST</b>", "<b>MNIST</b>"]
    else:
        assert "Stochastic MNIST" in written
        assert "Fashion-MNIST" not in written


# Figures 3, 5 and 7.


def test_figure_3_has_all_models_by_rate_and_those_of_low_rate_by_distortion(
    frames: Frames, made: Callable[[str], Figure]
) -> None:
    trials = frames[GRID].trials.set_index("trial")
    figure = made("figure3")
    for row, data in enumerate(ORDER):
        here = trials[trials[DATA] == data]
        for column, expected, x in ((1, here, RATE), (2, here[here[RATE] < 10], DISTORTION)):
            marks = drawn(panel(figure, 2 * row + column))
            assert sorted(marks.index) == sorted(expected.index)
            np.testing.assert_array_equal(marks["x"], expected.loc[marks.index, x])
            np.testing.assert_array_equal(marks["y"], expected.loc[marks.index, MLP])
            np.testing.assert_array_equal(marks["name"], expected.loc[marks.index, DECODER])
            opened = expected.loc[marks.index, BETA] == 0.1
            assert list(marks["symbol"].str.endswith("-open")) == list(opened)
            assert (
                marks.groupby("name")["symbol"].apply(lambda all: all.str.removesuffix("-open").nunique()).eq(1).all()
            )
        assert f"<b>{DATA_SETS[data]}: all models</b>" in texts(figure)
    cuts = [shape for shape in figure.plot.layout.shapes if shape.x0 == shape.x1 == 10]
    assert len(cuts) == 4
    keys = [trace.name for trace in figure.plot.data if trace.showlegend is None]
    assert keys == [*DECODERS, "β = 1", "β = 0.1"]


def test_figure_3_says_where_no_model_has_a_low_rate(frames: Frames) -> None:
    frame = frames[GRID]
    high = frame.subset(frame.trials[RATE] > 10, "high rates")
    assert texts(figures.figure3({GRID: high})).count("no model below 10 nats") == 4


def test_figure_5_has_each_model_twice(frames: Frames, made: Callable[[str], Figure]) -> None:
    trials = frames[GRID].trials.set_index("trial")
    figure = made("figure5")
    for number, data in enumerate(ORDER, start=1):
        here = trials[trials[DATA] == data]
        traces = panel(figure, number)
        for classifier, quantity in (("MLP", MLP), ("linear", LINEAR)):
            marks = drawn([trace for trace in traces if str(trace.name).endswith(classifier)])
            assert sorted(marks.index) == sorted(here.index)
            np.testing.assert_array_equal(marks["x"], here.loc[marks.index, RECONSTRUCTION])
            np.testing.assert_array_equal(marks["y"], here.loc[marks.index, quantity])
            assert set(marks["symbol"].str.endswith("-open")) == {classifier == "linear"}
        (unity,) = [trace for trace in traces if trace.name == "equal accuracy"]
        assert (tuple(unity.x), tuple(unity.y)) == ((0, 1), (0, 1))


def test_figure_7_leaves_out_the_cnns_of_grey_images_and_says_so(frames: Frames, made: Callable[[str], Figure]) -> None:
    trials = frames[GRID].trials.set_index("trial")
    figure = made("figure7")
    shown = []
    for number, data in enumerate(ORDER, start=1):
        here = trials[trials[DATA] == data]
        if data in ("mnist", "fashion-mnist"):
            here = here[here[DECODER] != CNN]
        marks = drawn(panel(figure, number))
        assert sorted(marks.index) == sorted(here.index)
        np.testing.assert_array_equal(marks["x"], here.loc[marks.index, RATE])
        np.testing.assert_array_equal(marks["y"], here.loc[marks.index, DISTORTION])
        shown += list(here.index)
        for trace in models(panel(figure, number)):
            who = [trial for _, _, trial in trace.customdata]
            np.testing.assert_array_equal(trace.marker.color, here.loc[who, RECONSTRUCTION])
    assert sorted(figure.trials) == sorted(shown)
    assert "The CNNs of MNIST and Fashion-MNIST lie far above" in figure.caption
    frame = frames[GRID]
    binary = frame.subset(frame.trials[DATA] == "thresholded-mnist", "one set")
    assert "CNNs" not in figures.figure7({GRID: binary}).caption


def test_diagonals_of_figure_7_have_equal_elbo_and_enclose_the_models(made: Callable[[str], Figure]) -> None:
    figure = made("figure7")
    for number in range(1, 5):
        traces = panel(figure, number)
        (line,) = [trace for trace in traces if trace.name == "equal −ELBO"]
        ends = np.reshape(np.asarray(line.x) + np.asarray(line.y), (-1, 3))
        np.testing.assert_allclose(ends[:, 0], ends[:, 1])
        apart = np.diff(ends[:, 0])
        np.testing.assert_allclose(apart, apart[0])
        marks = drawn(traces)
        totals = marks["x"] + marks["y"]
        assert ends[0, 0] <= totals.min()
        assert ends[-1, 0] >= totals.max()


# Figures 2, 6, 8 and 9.


def test_figure_2_shows_the_best_model_of_each_decoder(frames: Frames, made: Callable[[str], Figure]) -> None:
    frame = frames[GRID]
    figure = made("figure2")
    strips = iter([trace for trace in figure.plot.data if isinstance(trace, go.Heatmap)])
    winners = []
    for data in ORDER:
        chosen = [best(frame, RECONSTRUCTION, **{DATA: data, DECODER: decoder}) for decoder in DECODERS]
        trials = [rows.loc[rows[RECONSTRUCTION].idxmax()] for rows in chosen]
        winners += [row["trial"] for row in trials]
        assert {row["status"] for row in trials} == {"completed"}
        levels = 255 if data in ("mnist", "fashion-mnist") else 1
        kinds = [(trials[0]["trial"], "originals")]
        kinds += [(row["trial"], "sampled_reconstructions") for row in trials]
        for trial, kind in kinds:
            stack = frame.arrays(trial, kind)
            assert stack is not None
            for picture in stack:
                np.testing.assert_allclose(next(strips).z, picture[0] / levels)
        for decoder, row in zip(DECODERS, trials, strict=True):
            told = f"{decoder}: R = {row[RATE]:.1f} nats, accuracy {row[RECONSTRUCTION]:.2f}"
            assert told in texts(figure)
    assert figure.trials == tuple(winners)
    assert next(strips, None) is None
    assert figure.plot.layout.yaxis.scaleanchor == "x"  # pictures are square on any page


def test_strips_of_figure_2_do_not_overlap(made: Callable[[str], Figure]) -> None:
    figure = made("figure2")
    heats = [trace for trace in figure.plot.data if isinstance(trace, go.Heatmap)]
    tops = sorted({float(np.min(np.asarray(trace.y))) for trace in heats})
    assert len(tops) == 4 * 4
    assert min(np.diff(tops)) >= 1 - 1e-9
    assert figure.plot.layout.yaxis.range[0] > max(float(np.max(np.asarray(trace.y))) for trace in heats)


def test_pictures_and_codes_that_are_not_stored_are_told(frames: Frames) -> None:
    bare = {GRID: dataclasses.replace(frames[GRID], arrays=lambda trial, name: None)}
    figure = figures.figure2(bare)
    assert "no pictures are stored yet" in texts(figure)
    assert [note.count(" of ") for note in figure.notes] == [1 + 12]
    assert figure.trials == ()
    for build in (figures.figure6, figures.figure8, figures.figure9):
        empty = build(bare)
        panels = 3 if empty.name == "figure6" else 12
        assert texts(empty).count("no codes are stored") == panels
        assert f"drawn: 0 of the {panels} best models" in empty.notes


def test_where_no_model_has_a_low_rate_no_other_is_drawn(frames: Frames) -> None:
    frame = frames[GRID]
    trials = frame.trials.copy()
    trials.loc[trials[DECODER] == CNN, RATE] += 30
    figure = figures.figure6({GRID: dataclasses.replace(frame, trials=trials)})
    assert texts(figure).count("no model below 10 nats yet") == 1
    assert len(figure.trials) == 2
    assert [tuple(trace.x) for trace in panel(figure, 2)] == [(None,)]  # nothing, so that it has axes
    pictures = figures.figure2({GRID: dataclasses.replace(frame, trials=trials)})
    names = ", ".join(f"CNN of {title}" for title in map(DATA_SETS.get, ORDER))
    assert pictures.notes == (f"no pictures of a model with a rate below 10 nats: {names}",)


def test_the_legend_stands_with_the_first_panel_that_has_a_model(frames: Frames) -> None:
    frame = frames[GRID]
    trials = frame.trials.copy()
    trials.loc[trials[DECODER] == PIXELCNN, RATE] += 30
    figure = figures.figure8({GRID: dataclasses.replace(frame, trials=trials)})
    assert len([trace for trace in figure.plot.data if trace.showlegend]) == 10


@pytest.mark.parametrize(
    ("name", "codes", "within"),
    [("figure6", "latents", {LATENT: 2}), ("figure8", "latents", {LATENT: 2}), ("figure9", "tsne", {})],
)
def test_panels_of_codes_show_the_best_low_rate_models(
    frames: Frames, made: Callable[[str], Figure], name: str, codes: str, within: dict[str, object]
) -> None:
    frame = frames[GRID]
    figure = made(name)
    sets = ("thresholded-mnist",) if name == "figure6" else ORDER
    winners = []
    for index, (data, decoder) in enumerate((data, decoder) for data in sets for decoder in DECODERS):
        row = best(frame, MLP, **{DATA: data, DECODER: decoder}, **within).iloc[0]
        winners.append(row["trial"])
        stored = frame.arrays(row["trial"], codes)
        assert stored is not None
        traces = panel(figure, index + 1)
        assert len(traces) == 10
        for label, trace in enumerate(traces):
            if codes == "tsne":
                points = stored[stored[:, -1] == label]
                np.testing.assert_allclose(np.stack([trace.x, trace.y], axis=1), points[:, :2])
                assert trace.marker.color == CLASSES[label]
            else:
                points = stored[:ELLIPSES][stored[:ELLIPSES, -1] == label].astype(np.float64)
                np.testing.assert_allclose(np.stack([trace.x, trace.y]), np.stack(outlines(points)))
                assert trace.line.color == CLASSES[label]
        told = f"<b>{decoder}: {row[RATE]:.1f} nats, accuracy {row[RECONSTRUCTION]:.2f}</b>"
        assert told in texts(figure)
        assert figure.plot.get_subplot(index // 3 + 1, index % 3 + 1).yaxis.scaleanchor is not None
    assert figure.trials == tuple(winners)
    assert figure.notes == (f"drawn: {len(winners)} of the {len(winners)} best models",)


def test_classes_are_named_as_in_all_of_the_data_sets_shown(frames: Frames) -> None:
    frame = frames[GRID]
    names = {
        data: [
            trace.name
            for trace in figures.figure9({GRID: frame.subset(frame.trials[DATA].isin(data), "")}).plot.data
            if trace.showlegend
        ]
        for data in (("mnist",), ("fashion-mnist",), ("mnist", "fashion-mnist"))
    }
    assert [name[8] for name in names.values()] == ["8", "bag", "8 / bag"]


def test_outlines_lie_one_standard_deviation_from_the_mean() -> None:
    """(x − μ)ᵀ Σ⁻¹ (x − μ) = 1 with Σ = LLᵀ, and the extent along an axis is the marginal deviation."""
    points = np.array(
        [[1.0, -2.0, 0.5, 0.3, 0.2, 7.0], [0.0, 3.0, 2.0, 0.0, 0.1, 7.0], [4.0, 4.0, 1.0, -1.5, 0.7, 7.0]]
    )
    x, y = (np.reshape(values, (len(points), -1)) for values in outlines(points))
    assert np.isnan(x[:, -1]).all()
    for number, (one, two, a, b, c, _) in enumerate(points):
        factor = np.array([[a, 0.0], [b, c]])
        covariance = factor @ factor.T
        away = np.stack([x[number, :-1] - one, y[number, :-1] - two])
        np.testing.assert_allclose(np.einsum("ip,ij,jp->p", away, np.linalg.inv(covariance), away), 1.0)
        np.testing.assert_allclose(away[:, 0], away[:, -1], atol=1e-12)  # closed
        assert away[0].max() == pytest.approx(np.sqrt(covariance[0, 0]))
        assert away[1].max() == pytest.approx(np.sqrt(covariance[1, 1]), rel=0.02)  # 24 points a turn
        angles = np.unwrap(np.arctan2(*np.linalg.solve(factor, away)[::-1]))
        np.testing.assert_allclose(np.diff(angles), 2 * np.pi / 24)


# Figure 4.


def test_figure_4_draws_mean_curves_with_a_mark_where_the_decoder_is_removed(
    frames: Frames, made: Callable[[str], Figure]
) -> None:
    frame = frames[REMOVAL]
    figure = made("figure4")
    for removed, rows in frame.trials.groupby(REMOVED_AT):
        label = f"removed at step {removed:,}" if removed else "never there"
        curves = [frame.curves(trial) for trial in rows["trial"]]
        steps = curves[0]["distortion"][0]
        distortion, rate = (np.mean([one[name][1] for one in curves], axis=0) for name in ("distortion", "rate_z1"))
        left, right = ([trace for trace in panel(figure, n) if trace.legendgroup == label] for n in (1, 2))
        solid, dashed = (trace for trace in left if trace.mode == "lines")
        (line,) = (trace for trace in right if trace.mode == "lines")
        for trace, values in ((solid, distortion), (dashed, distortion + rate), (line, rate)):
            np.testing.assert_array_equal(trace.x, steps)
            np.testing.assert_allclose(trace.y, values)
        assert (solid.line.dash, dashed.line.dash) == ("solid", "4px,3px")
        marks = [trace for trace in (*left, *right) if trace.mode == "markers"]
        assert len(marks) == (2 if removed else 0)
        for mark, values in zip(marks, (distortion, rate), strict=False):
            assert tuple(mark.x) == (removed,)
            assert mark.y[0] == pytest.approx(values[steps == removed][0])
    assert len({trace.line.color for trace in figure.plot.data if trace.mode == "lines"}) == 4


def test_figure_4_hides_the_first_steps_and_nothing_else(made: Callable[[str], Figure]) -> None:
    figure = made("figure4")
    low, high = figure.plot.layout.yaxis.range
    for trace in panel(figure, 1):
        late = np.asarray(trace.y)[np.asarray(trace.x) > 2_000]
        assert low < late.min(initial=np.inf)
        assert late.max(initial=-np.inf) < high
    assert max(np.asarray(trace.y).max() for trace in panel(figure, 1)) > high


def test_figure_4_says_which_curves_are_not_stored(frames: Frames) -> None:
    frame = frames[REMOVAL]
    early = set(frame.trials.loc[frame.trials[REMOVED_AT] == 5_000, "trial"])
    some = dataclasses.replace(frame, curves=lambda trial: {} if trial in early else frame.curves(trial))
    figure = figures.figure4({REMOVAL: some})
    nothing = "removed at step 5,000: no training curves are stored"
    assert figure.notes == ("not drawn: 3 without these quantities", nothing)
    assert figure.coverage == (9, 12)
    assert not early & set(figure.trials)
    none = figures.figure4({REMOVAL: dataclasses.replace(frame, curves=lambda trial: {})})
    assert any("nothing to draw yet: 0 of 12 trials" in text for text in texts(none))
    assert none.notes[1:2] == ("never there: no training curves are stored",)
    assert len(none.notes) == 5


def test_figure_4_takes_the_mean_of_the_seeds_that_have_curves(frames: Frames) -> None:
    frame = frames[REMOVAL]
    first = set(frame.trials.loc[frame.trials["seed"] == 0, "trial"])
    some = dataclasses.replace(frame, curves=lambda trial: frame.curves(trial) if trial in first else {})
    figure = figures.figure4({REMOVAL: some})
    trial = frame.trials.loc[(frame.trials[REMOVED_AT] == 10_000) & (frame.trials["seed"] == 0), "trial"].item()
    (line,) = (trace for trace in figure.plot.data if trace.showlegend is None and "10,000" in str(trace.name))
    np.testing.assert_allclose(line.y, frame.curves(trial)["distortion"][1])
