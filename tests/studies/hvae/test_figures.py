"""Figures of Trading Information between Latents: every mark checked against the frame it was drawn from."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from scipy.spatial import ConvexHull

from results.frame import Frame
from results.information_bound import fano_accuracy
from studies.hvae import figures
from studies.hvae.metrics import METRICS
from studies.hvae.names import BETA1, BETA2, CIFAR10, LADDER, MNIST, SUFFIX, SVHN
from studies.hvae.outputs import EVERY_METRIC, FIGURES
from studies.hvae.paper import PAPER

STUDIES = {study.name: study for study in PAPER.studies}
BEST = {"logistic": 0.5, "svm_linear": 0.55, "svm_rbf": 0.9, "knn": 0.8}
LABEL_ENTROPY = 2.25  # nats: of classes that are not equally frequent
SINGLE = tuple(output for output in FIGURES if output.studies == (MNIST,))


def values(plan: pd.DataFrame) -> dict[str, np.ndarray]:
    """Smooth quantities of plausible size over a grid of layer weights, with a little noise."""
    noise = np.random.default_rng(0)
    beta2, beta1 = plan[BETA2].to_numpy(float), plan[BETA1].to_numpy(float)
    rate_z2 = 14.0 / (1 + (1.1 * beta2) ** 1.25) * beta1**0.12 / (1 + 0.25 / (beta1 + 0.1))
    rate_z1 = 30.0 / (1 + (0.9 * beta1) ** 0.85) * (1 - 0.03 * rate_z2)
    rate = rate_z1 + rate_z2
    distortion = 400 + 60 * np.exp(-rate / 9) + 0.02 * rate_z2**2
    sharpness = 1 + 0.45 * (1 - np.exp(-rate_z2 / 4)) - 0.02 * np.maximum(rate_z2 - 7, 0)
    diversity = 5 + 3 * np.exp(-rate_z1 / 12)
    columns = {
        "rate_z1": rate_z1,
        "rate_z2": rate_z2,
        "rate": rate,
        "distortion": distortion,
        "elbo": -(rate + distortion),
        "psnr": 24 - 9 * np.exp(-rate / 14) - 0.12 * rate_z2 + noise.normal(0, 0.05, len(plan)),
        "inception_score@10000": sharpness * diversity + noise.normal(0, 0.05, len(plan)),
        "diversity@10000": diversity,
        "sharpness@10000": sharpness,
        "reference_accuracy": np.full(len(plan), 0.95),
        "mutual_information@z2": LABEL_ENTROPY * (1 - np.exp(-rate_z2 / 2.2)),
        "mutual_information_bound@z2": 1.6 * (1 - np.exp(-rate_z2 / 3)),
        "accuracy_bound@z2": fano_accuracy(rate_z2, 10, LABEL_ENTROPY),
        "accuracy_bound@z1": fano_accuracy(rate, 10, LABEL_ENTROPY),
    }
    for name, best in BEST.items():
        for group, information in (("z2", rate_z2), ("z1", rate), ("z1_mode", 0.9 * rate)):
            known = 1 - np.exp(-information / 4)
            columns[f"accuracy_{name}@{group}"] = 0.19 + (best - 0.19) * known + noise.normal(0, 0.008, len(plan))
    return columns


def arrays(colour: bool) -> Callable[[str, str], np.ndarray]:
    """Discs as large as their class: MNIST's grey, the others' in three colours."""

    def pictures(trial: str, kind: str) -> np.ndarray:
        side = 32 if colour else 28
        noise = np.random.default_rng(zlib.crc32((trial + kind).encode()))
        y, x = np.mgrid[:side, :side]
        discs = np.stack([np.hypot(x - side / 2, y - side / 2) < 3 + label for label in range(10)])[:, None]
        if not colour:
            return (discs * noise.integers(0, 256, (10, 1, side, side))).astype(np.uint8)
        tint = noise.integers(60, 255, (10, 3, 1, 1))
        return np.where(discs, tint, 255 - tint).astype(np.uint8)

    return pictures


@functools.cache
def results(name: str) -> pd.DataFrame:
    plan = STUDIES[name].planned().assign(status="completed")
    return plan.assign(**values(plan))


def frame(name: str, *, missing: int = 0, reduced: str = "") -> Frame:
    """One study, the last trials missing."""
    study = STUDIES[name]
    trials = results(name).copy()
    gone = trials.index[len(trials) - missing :]
    trials.loc[gone, "status"] = "missing"
    trials.loc[gone, list(values(trials[:1]))] = np.nan
    return Frame(
        study=name,
        question=study.question,
        axes=study.axis_columns(),
        quantities=study.quantities,
        trials=trials,
        reduced=reduced,
        arrays=arrays(name != MNIST),
    )


def build(name: str, frames: dict[str, Frame], **options: Any) -> Any:
    """A figure by the name in the paper's list, of those frames that it asks for."""
    output = next(output for output in FIGURES if output.name == name)
    drawn = [study for study in (*output.studies, *output.also) if study in frames]
    return getattr(figures, output.build.partition(":")[2])({study: frames[study] for study in drawn}, **options)


def named(figure: Any, name: str) -> list[Any]:
    return [trace for trace in figure.plot.data if trace.name == name]


def points(figure: Any) -> list[Any]:
    """The traces of trained models: those whose hover names a trial."""
    return [trace for trace in figure.plot.data if trace.type != "heatmap" and "trial" in (trace.hovertemplate or "")]


def upper_hull(x: np.ndarray, y: np.ndarray) -> set[tuple[float, float]]:
    """The corners of the convex hull on and above the line from its left to its right end, by scipy."""
    corners = np.column_stack([x, y])[ConvexHull(np.column_stack([x, y])).vertices]
    left, right = corners[corners[:, 0].argmin()], corners[corners[:, 0].argmax()]
    chord = left[1] + (right[1] - left[1]) * (corners[:, 0] - left[0]) / (right[0] - left[0])
    return {tuple(corner) for corner in corners[corners[:, 1] >= chord - 1e-12]}


@pytest.fixture(scope="module")
def mnist() -> dict[str, Frame]:
    return {MNIST: frame(MNIST, missing=12, reduced="fewer steps")}


@pytest.mark.parametrize("name", [output.name for output in SINGLE])
def test_a_figure_counts_its_trials_and_says_how_it_is_reduced(mnist: dict[str, Frame], name: str) -> None:
    figure = build(name, mnist)
    assert figure.name == name
    assert figure.title == next(output.title for output in SINGLE if output.name == name)
    assert figure.remarks[:2] == ("429 of 441 trials", "reduced: fewer steps")
    assert "not drawn: 12 missing" in figure.remarks
    listed = [trace.name for trace in figure.plot.data if getattr(trace, "showlegend", False)]
    assert len(set(listed)) == len(listed)


@pytest.mark.parametrize("name", [output.name for output in SINGLE])
@pytest.mark.parametrize("left", [0, 1])
def test_a_figure_of_little_or_nothing_says_so(name: str, left: int) -> None:
    one = frame(MNIST, missing=441 - left)
    figure = build(name, {MNIST: one})
    assert figure.coverage == (left, 441)
    assert f"not drawn: {441 - left} missing" in figure.remarks
    told = " ".join(note.text or "" for note in figure.plot.layout.annotations)
    assert ("nothing to draw yet: 0 of 441 trials" in told) == (left == 0)
    figure.html()


def test_every_study_has_every_figure_under_a_name_of_its_own() -> None:
    names = [output.name for output in PAPER.figures]
    assert len(set(names)) == len(names) == 4 * 7
    for study, suffix in SUFFIX.items():
        mine = {output.name for output in PAPER.figures if output.studies == (study,)}
        assert mine == {f"figure{number}{suffix}" for number in (1, 3, 4, 5, 6, 7)} | {EVERY_METRIC[study]}
    assert {EVERY_METRIC[MNIST], EVERY_METRIC[LADDER]} == {"figure8", "figure9"}


def test_every_metric_is_drawn_once_for_every_trial(mnist: dict[str, Frame]) -> None:
    rows = mnist[MNIST].trials.dropna(subset=["rate"])
    drawn = points(build("figure8", mnist))
    assert len(drawn) == len(METRICS) == 19
    columns = [
        f"{panel.quantity}@10000" if panel.row == 1 and panel.quantity != "psnr" else panel.quantity
        for panel in METRICS
    ]
    for column, trace in zip(columns, drawn, strict=True):
        np.testing.assert_array_equal(trace.x, rows["rate_z2"])
        np.testing.assert_array_equal(trace.y, rows["rate_z1"])
        np.testing.assert_array_equal(trace.marker.color, rows[column])
        assert [who[2] for who in trace.customdata] == list(rows["trial"])
    measured = {one.name for one in STUDIES[MNIST].quantities if one.form == "number" and one.goal != "none"}
    assert measured - {"rate", "distortion"} == set(columns)


def test_a_reduced_twin_scores_fewer_samples(mnist: dict[str, Frame]) -> None:
    full = mnist[MNIST]
    fewer = {name: name.replace("@10000", "@1000") for name in full.trials if name.endswith("@10000")}
    twin = STUDIES[MNIST].small()
    small = Frame(
        study=twin.name,
        question=twin.question,
        axes=twin.axis_columns(),
        quantities=twin.quantities,
        trials=full.trials.rename(columns=fewer),
        arrays=full.arrays,
    )
    for name in ("figure1_mnist", "figure4_mnist", "figure5_mnist"):
        assert build(name, {MNIST: small}).plot == build(name, mnist).plot


def test_optima_are_the_upper_convex_hull_by_scipy(mnist: dict[str, Frame]) -> None:
    rows = mnist[MNIST].trials.dropna(subset=["rate"])
    diamonds = named(build("figure5_mnist", mnist), "convex-hull optima")
    for trace, name in zip(diamonds, ("inception_score@10000", "diversity@10000", "sharpness@10000"), strict=True):
        corners = upper_hull(rows["rate"].to_numpy(), rows[name].to_numpy())
        best = rows[[pair in corners for pair in zip(rows["rate"], rows[name], strict=True)]]
        assert set(zip(trace.x, trace.y, strict=True)) == set(zip(best["rate_z2"], best["rate_z1"], strict=True))
    (chain,) = named(build("figure6_mnist", mnist), "convex hull")
    accuracy = rows["accuracy_svm_rbf@z2"].to_numpy()
    assert set(zip(chain.x, chain.y, strict=True)) == upper_hull(rows["rate"].to_numpy(), accuracy)


def test_the_hull_of_the_authors_code_is_a_named_option() -> None:
    falling = frame(MNIST)
    rows = falling.trials
    rows["accuracy_svm_rbf@z2"] *= 1 - (rows["rate"] / 30) ** 8  # steeply at its end, which that code leaves out
    text, visible = (build("figure6_mnist", {MNIST: falling}, hull=hull) for hull in ("text", "visible"))
    (chain,) = named(visible, "convex hull")
    x, y = rows["rate"].to_numpy(), rows["accuracy_svm_rbf@z2"].to_numpy()
    whole = np.column_stack([x, y])[ConvexHull(np.column_stack([x, y])).vertices]  # counterclockwise
    sides = list(zip(whole, np.roll(whole, -1, axis=0), strict=True))
    eye = np.array([0.0, 2 * y.max()])
    seen = [np.linalg.det(np.stack([end - start, eye - start])) < 0 for start, end in sides]
    facing = {
        tuple(corner) for (start, end), faces in zip(sides, seen, strict=True) if faces for corner in (start, end)
    }
    assert set(zip(chain.x, chain.y, strict=True)) == facing
    assert facing != set(zip(*(getattr(named(text, "convex hull")[0], axis) for axis in "xy"), strict=True))
    assert "authors' code" in visible.caption
    assert "authors' code" not in text.caption


def test_fano_bound_is_that_of_the_labels_of_the_test_set(mnist: dict[str, Frame]) -> None:
    (bound,) = named(build("figure6_mnist", mnist), "Fano bound")
    few = frame(MNIST)
    np.testing.assert_allclose(bound.y, fano_accuracy(np.asarray(bound.x), 10))  # no rate is low enough to tell H(y)
    few.trials["rate"] *= 0.1
    few.trials["accuracy_bound@z1"] = fano_accuracy(few.trials["rate"], 10, LABEL_ENTROPY)
    (bound,) = named(build("figure6_mnist", {MNIST: few}), "Fano bound")
    np.testing.assert_allclose(bound.y, fano_accuracy(np.asarray(bound.x), 10, LABEL_ENTROPY), atol=1e-9)


def test_crosses_stand_at_the_best_reconstructions_the_best_samples_and_the_vae(mnist: dict[str, Frame]) -> None:
    rows = mnist[MNIST].trials.dropna(subset=["rate"])
    vae = rows[(rows[BETA2] == 1) & (rows[BETA1] == 1)].index[0]
    models = rows.loc[[rows["psnr"].idxmax(), rows["inception_score@10000"].idxmax(), vae]]
    for name in ("figure3_mnist", "figure5_mnist"):
        (cross,) = named(build(name, mnist), "models 1–3")
        assert list(cross.text) == [" <b>1</b>", " <b>2</b>", " <b>3</b>"]
        np.testing.assert_array_equal(cross.x, models["rate_z2"])
        np.testing.assert_array_equal(cross.y, models["rate_z1"])
    assert build("figure4_mnist", mnist).trials == tuple(models["trial"])


def test_a_model_that_is_best_twice_is_marked_once() -> None:
    twice = frame(MNIST)
    twice.trials["inception_score@10000"] = twice.trials["psnr"]
    (cross,) = named(build("figure5_mnist", {MNIST: twice}), "models 1–3")
    assert list(cross.text) == [" <b>1, 2</b>", " <b>3</b>"]


def test_landscapes_show_the_grid_and_the_best_model_of_each_task(mnist: dict[str, Frame]) -> None:
    rows = mnist[MNIST].trials
    figure = build("figure1_mnist", mnist)
    key, *heats = [trace for trace in figure.plot.data if isinstance(trace, go.Heatmap)]
    tasks = {
        "psnr": "best for reconstruction",
        "accuracy_svm_rbf@z2": "best for representation",
        "inception_score@10000": "best for generation",
    }
    space = [trace for trace in figure.plot.data if trace.type == "scatter3d"]
    for place, ((quantity, name), heat) in enumerate(zip(tasks.items(), heats, strict=True)):
        np.testing.assert_array_equal(heat.z, rows.pivot(index=BETA1, columns=BETA2, values=quantity))
        assert np.isnan(np.asarray(heat.z)).sum() == 12
        best = rows.loc[rows[quantity].idxmax()]
        (mark,) = named(figure, name)
        assert (mark.x[0], mark.y[0]) == pytest.approx((np.log10(best[BETA2]), np.log10(best[BETA1])))
        there = space[3 + place]
        assert [there.x[0], there.y[0], there.z[0]] == list(best[list(tasks)])
    lean = rows.assign(lean=np.log10(rows[BETA2] / rows[BETA1]).where(rows["rate"].notna()))
    np.testing.assert_allclose(key.z, lean.pivot(index=BETA1, columns=BETA2, values="lean"), atol=1e-12)
    (sheet,) = [trace for trace in figure.plot.data if trace.type == "surface"]
    for axis, quantity in zip("xyz", tasks, strict=True):
        np.testing.assert_array_equal(sheet[axis], rows.pivot(index=BETA1, columns=BETA2, values=quantity))
    np.testing.assert_array_equal(np.isnan(sheet.surfacecolor), np.isnan(sheet.x))


def test_reconstruction_stands_over_the_rates_in_three_dimensions(mnist: dict[str, Frame]) -> None:
    rows = mnist[MNIST].trials
    (sheet,) = [trace for trace in build("figure3_mnist", mnist).plot.data if trace.type == "surface"]
    for axis, quantity in (("x", "rate_z2"), ("y", "rate_z1"), ("z", "psnr"), ("surfacecolor", "psnr")):
        np.testing.assert_array_equal(sheet[axis], rows.pivot(index=BETA1, columns=BETA2, values=quantity))


def test_two_data_sets_stand_side_by_side_where_both_are_asked_for() -> None:
    both = {SVHN: frame(SVHN, missing=40, reduced="fewer steps"), CIFAR10: frame(CIFAR10, missing=441)}
    for name, panels in (("figure3", 1), ("figure7", 5)):
        figure = build(name, both)
        assert figure.coverage == (401, 882)
        assert figure.studies == (SVHN, CIFAR10)
        assert {"hvae/svhn: not drawn: 40 missing", "hvae/cifar10: not drawn: 441 missing"} <= set(figure.remarks)
        assert "reduced: hvae/svhn: fewer steps" in figure.remarks
        texts = [note.text for note in figure.plot.layout.annotations]
        assert texts.count("not measured yet") == panels
    alone = build("figure7", {SVHN: both[SVHN]})
    assert alone.coverage == (401, 441)


@pytest.mark.parametrize("study", [MNIST, SVHN])
def test_pictures_are_those_stored_for_the_named_models(study: str, decoded: Callable[[str], np.ndarray]) -> None:
    one = frame(study)
    figure = build(f"figure4{SUFFIX[study]}", {study: one})
    canvas = decoded(figure.plot.data[0].source)
    side, apart, between = (28, 3, 17) if study == MNIST else (32, 3, 17)
    for model, trial in enumerate(figure.trials):
        for row, kind in enumerate(("originals", "reconstructions", "samples")):
            top = model * (3 * (side + 2 * apart) + between) + row * (side + 2 * apart) + apart
            for label, picture in enumerate(one.arrays(trial, kind)):
                left = label * (side + apart) + apart
                shown = canvas[top : top + side, left : left + side]
                stored = 255 - np.repeat(picture, 3, axis=0) if study == MNIST else picture
                np.testing.assert_array_equal(shown, stored.transpose(1, 2, 0))


def test_the_figures_of_a_study_are_small(mnist: dict[str, Frame]) -> None:
    assert sum(len(build(output.name, mnist).html()) for output in SINGLE) < 1.5e6
