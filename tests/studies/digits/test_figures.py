"""Figures of the digits studies: every mark checked against the frame it was drawn from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from results.frame import Frame
from results.frontier import convex_hull, pareto
from results.information_bound import fano_accuracy
from studies.digits import figures
from studies.digits.landscapes import TASKS
from studies.digits.planes import PANELS
from studies.digits.tradeoff import label_offsets

BETA2, BETA1 = "objective.beta[1]", "objective.beta[0]"
SMALL = (0.1, 0.316227766, 1.0, 10.0)


@pytest.fixture(scope="module")
def frames(hvae: Callable[..., Frame], objectives: Callable[[], Frame]) -> dict[str, Frame]:
    return {"digits/hvae": hvae(missing=5), "digits/objectives": objectives()}


def named(figure: Any, name: str) -> list[Any]:
    return [trace for trace in figure.plot.data if trace.name == name]


def points(figure: Any) -> list[Any]:
    """The traces of trained models: those whose hover names a trial."""
    return [trace for trace in figure.plot.data if trace.customdata is not None and "trial" in trace.hovertemplate]


@pytest.mark.parametrize("name", figures.__all__)
def test_a_figure_counts_its_trials(frames: dict[str, Frame], name: str) -> None:
    figure = getattr(figures, name)(frames)
    frame = frames[figure.studies[0]]
    completed = frame.trials[frame.trials["status"] == "completed"]
    assert figure.coverage == (len(completed), len(frame.trials))
    assert set(figure.trials) <= set(completed["trial"])
    assert ("not drawn: 5 missing" in figure.remarks) == (frame.study == "digits/hvae")
    assert figure.name == name


@pytest.mark.parametrize("name", figures.__all__)
@pytest.mark.parametrize("chosen", ["none stored", "none planned", "one"])
def test_a_figure_of_little_or_nothing_says_so(
    hvae: Callable[..., Frame], objectives: Callable[[], Frame], name: str, chosen: str
) -> None:
    if chosen == "none stored":
        grid, others = hvae(SMALL, missing=16), objectives()
        others.trials["status"] = "missing"
    else:
        keep = [chosen == "one"] + [False] * 15
        grid, others = hvae(SMALL).subset(keep, "a filter"), objectives().subset(keep[:15], "a filter")
    figure = getattr(figures, name)({"digits/hvae": grid, "digits/objectives": others})
    told = " ".join(note.text or "" for note in figure.plot.layout.annotations)
    if chosen == "none stored":
        assert "nothing to draw yet: 0 of" in told
    elif chosen == "none planned":
        assert "no trial matches this selection" in told
        assert "reduced: a filter" in figure.remarks
    else:
        assert figure.coverage == (1, 1)
    figure.html()


def test_the_rate_rate_plane_draws_every_trial_once_a_panel(frames: dict[str, Frame]) -> None:
    rows = frames["digits/hvae"].trials.dropna(subset=["rate"])
    drawn = points(figures.rate_rate(frames))
    assert len(drawn) == len(PANELS)
    for panel, trace in zip(PANELS, drawn, strict=True):
        np.testing.assert_array_equal(trace.x, rows["rate_z2"])
        np.testing.assert_array_equal(trace.y, rows["rate_z1"])
        np.testing.assert_array_equal(trace.marker.color, rows[panel.quantity])
        assert [who[2] for who in trace.customdata] == list(rows["trial"])


def test_baselines_stand_where_the_weights_are_equal(frames: dict[str, Frame]) -> None:
    rows = frames["digits/hvae"].trials.dropna(subset=["rate"])
    equal = rows[rows[BETA2] == rows[BETA1]].sort_values(BETA2)
    vae = rows[(rows[BETA2] == 1) & (rows[BETA1] == 1)]
    figure = figures.rate_rate(frames)
    line, star = named(figure, "β-VAEs (β₂ = β₁)")[0], named(figure, "VAE (β₂ = β₁ = 1)")[0]
    np.testing.assert_array_equal(line.x, equal["rate_z2"])
    assert list(star.y) == list(vae["rate_z1"])
    assert len(equal) == 20  # the last of 21 is missing


def test_diamonds_are_the_hull_of_the_quantity_against_total_rate(frames: dict[str, Frame]) -> None:
    rows = frames["digits/hvae"].trials.dropna(subset=["rate"])
    plane, total = figures.rate_rate(frames), figures.against_total_rate(frames)
    diamonds, chains = named(plane, "convex-hull optima"), named(total, "convex hull")
    for panel, diamond, chain in zip(PANELS, diamonds, chains, strict=True):
        hull = convex_hull(rows, "rate", panel.quantity, side="upper")
        np.testing.assert_array_equal(diamond.x, rows.loc[hull.index, "rate_z2"])
        np.testing.assert_array_equal(chain.x, hull.x)
        np.testing.assert_array_equal(chain.y, hull.y)


def test_dashed_diagonals_have_equal_total_rate(frames: dict[str, Frame]) -> None:
    figure = figures.rate_rate(frames)
    trace = named(figure, "equal total rate")[0]
    x, y = np.reshape(trace.x, (-1, 3)), np.reshape(trace.y, (-1, 3))
    np.testing.assert_allclose(x[:, 0] + y[:, 0], x[:, 1] + y[:, 1])
    ticks = figure.plot.layout.xaxis.dtick
    np.testing.assert_allclose(np.diff(x[:, 1]), ticks)


def test_fano_bound_is_drawn_with_accuracies_only(frames: dict[str, Frame]) -> None:
    bounds = named(figures.against_total_rate(frames), "Fano bound")
    assert len(bounds) == 8
    np.testing.assert_allclose(bounds[0].y, fano_accuracy(np.asarray(bounds[0].x), 10))


def test_one_legend_entry_a_kind_of_mark(frames: dict[str, Frame]) -> None:
    for name in figures.__all__:
        traces = getattr(figures, name)(frames).plot.data
        listed = [trace.name for trace in traces if getattr(trace, "showlegend", False)]
        assert len(set(listed)) == len(listed)


def test_a_quantity_that_is_not_measured_yet_is_named_so(hvae: Callable[..., Frame]) -> None:
    frame = hvae(SMALL)
    frame.trials["psnr"] = np.nan
    del frame.trials["accuracy_knn@z1"]
    for build in (figures.rate_rate, figures.against_total_rate):
        texts = [note.text for note in build({"digits/hvae": frame}).plot.layout.annotations]
        assert texts.count("not measured yet") == 2


def test_landscapes_show_the_grid_and_its_best_model(frames: dict[str, Frame]) -> None:
    rows = frames["digits/hvae"].trials
    figure = figures.surface(frames)
    heats = [trace for trace in figure.plot.data if isinstance(trace, go.Heatmap)]
    crosses = named(figure, "best for the task")
    assert len(heats) == len(crosses) == 4
    psnr = rows.pivot(index=BETA1, columns=BETA2, values="psnr")
    np.testing.assert_array_equal(heats[0].z, psnr)  # NaN where missing
    assert np.isnan(np.asarray(heats[0].z)).sum() == 5
    best = rows.loc[rows["psnr"].idxmax()]
    assert (crosses[0].x[0], crosses[0].y[0]) == pytest.approx((np.log10(best[BETA2]), np.log10(best[BETA1])))
    (models,) = points(figure)
    np.testing.assert_array_equal(models.z, rows.dropna(subset=["rate"])["psnr"])


def test_the_surface_has_a_menu_of_heights(frames: dict[str, Frame]) -> None:
    rows = frames["digits/hvae"].trials
    figure = figures.surface(frames)
    sheet = next(trace for trace in figure.plot.data if isinstance(trace, go.Surface))
    np.testing.assert_array_equal(sheet.x, rows.pivot(index=BETA1, columns=BETA2, values="rate_z2"))
    lean = np.log10(rows[BETA2] / rows[BETA1]).where(rows["rate"].notna())
    lean = rows.assign(lean=lean).pivot(index=BETA1, columns=BETA2, values="lean")
    np.testing.assert_allclose(sheet.surfacecolor, lean, atol=1e-12)
    buttons = figure.plot.layout.updatemenus[0].buttons
    assert [button.label for button in buttons] == list(TASKS.values())
    heights, relabelled, moved = buttons[3].args
    assert relabelled == {"scene.zaxis.title.text": "ELBO (nats)"}
    assert [figure.plot.data[position].type for position in moved] == ["surface", "scatter3d", "scatter3d", "scatter3d"]
    np.testing.assert_array_equal(heights["z"][0], rows.pivot(index=BETA1, columns=BETA2, values="elbo"))
    np.testing.assert_array_equal(heights["z"][1], rows.dropna(subset=["rate"])["elbo"])
    assert not figure.still().layout.updatemenus


def test_lines_and_landscapes_mean_over_seeds(hvae: Callable[..., Frame]) -> None:
    one = hvae(SMALL)
    second = one.trials.assign(seed=1, trial=one.trials["trial"] + "b")
    moved = [each.name for each in one.quantities]
    second[moved] = second[moved] + 2.0
    frame = dataclasses.replace(one, trials=pd.concat([one.trials, second], ignore_index=True))
    plane, space = figures.rate_rate({"digits/hvae": frame}), figures.surface({"digits/hvae": frame})
    equal = one.trials[one.trials[BETA2] == one.trials[BETA1]].sort_values(BETA2)
    np.testing.assert_allclose(named(plane, "β-VAEs (β₂ = β₁)")[0].x, equal["rate_z2"] + 1)
    heat = next(trace for trace in space.plot.data if isinstance(trace, go.Heatmap))
    np.testing.assert_allclose(heat.z, one.trials.pivot(index=BETA1, columns=BETA2, values="psnr") + 1)
    assert len(named(plane, "VAE (β₂ = β₁ = 1)")[0].x) == 2


def test_pictures_are_those_stored_for_the_three_models(
    frames: dict[str, Frame], decoded: Callable[[str], np.ndarray]
) -> None:
    frame = frames["digits/hvae"]
    rows = frame.trials
    figure = figures.reconstructions(frames)
    vae = rows[(rows[BETA2] == 1) & (rows[BETA1] == 1)]["trial"].item()
    best = [rows.loc[rows[name].idxmax(), "trial"] for name in ("psnr", "accuracy_svm_rbf@z2")]
    assert figure.trials == (vae, *best)
    canvas = decoded(figure.plot.data[0].source)
    for model, trial in enumerate(figure.trials):
        for row, kind in enumerate(("originals", "reconstructions", "samples")):
            top = model * (3 * 10 + 5) + row * 10 + 1
            for label, picture in enumerate(frame.arrays(trial, kind)):
                left = label * 9 + 1
                for colour in range(3):
                    np.testing.assert_array_equal(canvas[top : top + 8, left : left + 8, colour], 255 - picture[0])


def test_missing_pictures_are_noted(hvae: Callable[..., Frame]) -> None:
    frame = hvae(SMALL)
    unsampled = dataclasses.replace(
        frame, arrays=lambda trial, kind: None if kind == "samples" else frame.arrays(trial, kind)
    )
    figure = figures.reconstructions({"digits/hvae": unsampled})
    assert sum("no samples stored" in remark for remark in figure.remarks) == 3
    bare = figures.reconstructions({"digits/hvae": dataclasses.replace(frame, arrays=lambda trial, kind: None)})
    assert bare.plot.layout.annotations[0].text == "no pictures are stored yet"


def test_rate_distortion_marks_means_frontier_and_hull(frames: dict[str, Frame]) -> None:
    rows = frames["digits/objectives"].trials
    figure = figures.rate_distortion(frames)
    for label, part in rows.groupby("objective"):
        (mean,) = named(figure, label)
        assert (mean.x[0], mean.y[0]) == pytest.approx((part["rate"].mean(), part["distortion"].mean()))
        assert any(note.text == f"<b>{label}</b>" for note in figure.plot.layout.annotations)
    (step,) = named(figure, "Pareto frontier")
    assert step.line.shape == "hv"
    assert set(step.x[1:-1]) == set(rows.loc[pareto(rows, ["rate", "distortion"]), "rate"])
    (hull,) = named(figure, "convex hull")
    assert set(hull.x) <= set(step.x)
    for line in named(figure, "equal −ELBO (nats)"):
        assert line.x[0] + line.y[0] == pytest.approx(line.x[1] + line.y[1])
    assert sum(len(trace.x) for trace in points(figure)) == len(rows)


def test_labels_never_touch() -> None:
    window = [0.0, 100.0]
    means = [50.0, 50.1, 50.2, 3.0, 2.0, 98.0]
    offsets = label_offsets(means, window, tall=480)
    places = sorted(480 * (100 - mean) / 100 + offset for mean, offset in zip(means, offsets, strict=True))
    assert np.diff(places).min() >= 18.9
    assert places[-1] <= 480
