"""Frontiers and hulls against brute force and Qhull."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull, QhullError

from results.frontier import convex_hull, pareto


def dominance(costs: np.ndarray) -> list[bool]:
    """The definition, pair by pair."""
    answer = []
    for point in costs:
        beaten = any((other <= point).all() and (other < point).any() for other in costs)
        answer.append(not beaten and not np.isnan(point).any())
    return answer


small = st.one_of(st.integers(-3, 3).map(float), st.just(float("nan")), st.just(float("inf")))


@given(st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(small, min_size=width, max_size=width), max_size=25)))
@settings(deadline=None, max_examples=150)
def test_pareto_is_the_definition_of_dominance(rows: list[list[float]]) -> None:
    width = len(rows[0]) if rows else 2
    names = [f"c{position}" for position in range(width)]
    frame = pd.DataFrame(np.array(rows).reshape(-1, width), columns=names, index=range(100, 100 + len(rows)))
    maximised = names[: width // 2]
    minimised = names[width // 2 :]
    signs = np.array([-1.0] * len(maximised) + [1.0] * len(minimised))
    answer = pareto(frame, minimise=minimised, maximise=maximised)
    assert answer.tolist() == dominance(frame.to_numpy() * signs)
    assert answer.index.equals(frame.index)
    assert answer.dtype == np.bool_


def test_pareto_of_rate_and_distortion_by_hand() -> None:
    frame = pd.DataFrame({"rate": [1, 2, 3, 2, 5, np.nan], "distortion": [9, 5, 5, 5, 1, 0]})
    # (3, 5) is beaten by the two equal (2, 5), which both stay; a point without a rate is nowhere.
    assert pareto(frame, minimise=["rate", "distortion"]).tolist() == [True, True, False, True, True, False]
    assert pareto(frame, minimise=["distortion"]).tolist() == [False, False, False, False, False, True]
    assert pareto(frame, maximise=["rate"], minimise=["distortion"]).tolist() == [False] * 4 + [True, False]


def test_pareto_refuses_what_it_cannot_mean() -> None:
    frame = pd.DataFrame({"rate": [1.0]})
    with pytest.raises(ValueError, match="at least one column"):
        pareto(frame)
    with pytest.raises(ValueError, match="once"):
        pareto(frame, minimise=["rate"], maximise=["rate"])
    with pytest.raises(ValueError, match="no column 'distortion'; it has rate"):
        pareto(frame, minimise=["distortion"])


@pytest.mark.parametrize("columns", [2, 3])
def test_pareto_of_twenty_thousand_rows_is_quick(columns: int) -> None:
    values = np.random.default_rng(0).normal(size=(20_000, columns))
    frame = pd.DataFrame(values, columns=[f"c{position}" for position in range(columns)])
    start = time.perf_counter()
    assert 0 < pareto(frame, minimise=list(frame.columns)).sum() < 1000
    assert time.perf_counter() - start < 5


def supported(points: np.ndarray, sign: float) -> set[tuple[float, float]]:
    """Corners of the whole hull, by Qhull, that lie on the side facing +y (sign 1) or −y."""
    hull = ConvexHull(points)
    corners = set()
    for simplex, (_, normal_y, _) in zip(hull.simplices, hull.equations, strict=True):
        if sign * normal_y > 1e-12:
            corners |= {tuple(points[vertex]) for vertex in simplex if vertex in hull.vertices}
    return corners


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=40))
@settings(deadline=None, max_examples=150)
def test_both_sides_are_those_of_qhull(pairs: list[tuple[int, int]]) -> None:
    points = np.array(pairs, dtype=np.float64)
    try:
        ConvexHull(points)
    except QhullError:
        return  # all on one line: see the test of degenerate cases
    frame = pd.DataFrame(points, columns=["x", "y"])
    for side, sign in (("upper", 1.0), ("lower", -1.0)):
        hull = convex_hull(frame, "x", "y", side=side)
        assert set(zip(hull.x, hull.y, strict=True)) == supported(points, sign)
        assert (np.diff(hull.x) > 0).all()
        assert (np.diff(sign * hull.slopes) < 0).all()


@given(st.lists(st.tuples(st.floats(0, 9, width=16), st.floats(0.5, 9, width=16)), min_size=3, max_size=40))
@settings(deadline=None, max_examples=150)
def test_visible_facets_are_those_of_qhull(pairs: list[tuple[float, float]]) -> None:
    points = np.unique(np.array(pairs, dtype=np.float64), axis=0)
    frame = pd.DataFrame(points, columns=["x", "y"])
    for side, sign in (("upper", 1.0), ("lower", -1.0)):
        eye = np.array([[0.0, sign * 2 * points[:, 1].max()]])
        try:
            qhull = ConvexHull(np.concatenate([points, eye]), qhull_options=f"QG{len(points)}")
        except (QhullError, ValueError):
            return  # all on one line
        if len(qhull.simplices) != len(qhull.good):
            return
        facing = np.abs(qhull.equations[:, :2] @ eye[0] + qhull.equations[:, 2])
        if (facing < 1e-6).any():
            return  # a facet seen edge-on: in or out by rounding
        seen = {tuple(points[vertex]) for vertex in np.unique(qhull.simplices[qhull.good])}
        hull = convex_hull(frame, "x", "y", side=side, variant="visible")
        assert set(zip(hull.x, hull.y, strict=True)) == seen
        assert len(hull) == len(seen)


def test_the_two_definitions_differ_at_the_edges() -> None:
    frame = pd.DataFrame({"rate": [1.0, 1.0, 3.0, 4.0, 2.0], "accuracy": [0.2, 0.4, 0.9, 0.1, 0.3]})
    text = convex_hull(frame, "rate", "accuracy")
    assert text.positions.tolist() == [1, 2, 3]
    np.testing.assert_allclose(text.slopes, [0.25, -0.8])
    visible = convex_hull(frame, "rate", "accuracy", variant="visible")
    assert visible.positions.tolist() == [0, 1, 2]  # with the left edge, without the steep fall (3.3 > 1.8 at rate 0)
    assert visible.slopes.tolist() == [np.inf, pytest.approx(0.25)]
    assert convex_hull(frame, "rate", "accuracy", side="upper-left").positions.tolist() == [1, 2]


def test_slopes_of_the_rate_distortion_hull_are_minus_beta() -> None:
    # D(R) = exp(−R): the optimum of D + βR lies where β = exp(−R), between the slopes of the facets at its vertex.
    rate = np.linspace(0, 5, 50)
    frame = pd.DataFrame({"rate": [*rate, 2.0, 6.0], "distortion": [*np.exp(-rate), 3.0, 0.5]})
    hull = convex_hull(frame, "rate", "distortion", side="lower-left")
    assert hull.positions.tolist() == list(range(50))  # without the points above, and without the rise to (6, 0.5)
    beta = -hull.slopes
    assert (beta[:-1] > np.exp(-rate[1:-1])).all()
    assert (beta[1:] < np.exp(-rate[1:-1])).all()


@pytest.mark.parametrize("variant", ["text", "visible"])
def test_degenerate_hulls(variant: str) -> None:
    def rows(*points: tuple[float, float]) -> list[int]:
        frame = pd.DataFrame(np.array(points, dtype=np.float64).reshape(-1, 2), columns=["x", "y"])
        return convex_hull(frame, "x", "y", variant=variant).positions.tolist()

    assert rows() == []
    assert rows((np.nan, 1), (1, np.nan), (np.inf, 1)) == []
    assert rows((np.nan, 1), (2, 3)) == [1]
    assert rows((2, 3), (2, 3)) == [0]
    assert rows((2, 3), (1, 1)) == [1, 0]
    assert rows((1, 1), (2, 2), (3, 3), (1, np.nan)) == [0, 2]
    assert rows((1, 1), (1, 3), (1, 2)) == [1]


def test_hull_keeps_the_index_of_the_frame_and_refuses_nonsense() -> None:
    frame = pd.DataFrame({"x": [0.0, 1.0], "y": [-2.0, -1.0]}, index=["a", "b"])
    assert convex_hull(frame, "x", "y").index.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="beyond all points"):
        convex_hull(frame, "x", "y", variant="visible")
    with pytest.raises(ValueError, match="side is one of upper, lower"):
        convex_hull(frame, "x", "y", side="top")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="variant is one of text, visible"):
        convex_hull(frame, "x", "y", variant="code")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="an upper and a lower side"):
        convex_hull(frame, "x", "y", side="upper-left", variant="visible")
    with pytest.raises(ValueError, match="no column 'z'"):
        convex_hull(frame, "x", "z")
