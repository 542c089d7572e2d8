from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.kinds import Adam, BetaObjective, FreeBitsObjective, Training
from models.spec import round_significant
from studies.axes import axis, logspace, product, union, where, written
from studies.paths import StudyError

PATHS = ("objective.beta[0]", "objective.beta[1]", "training.steps")
Values = st.lists(st.integers(-50, 50), min_size=1, max_size=4, unique=True)


@given(lists=st.lists(Values, min_size=1, max_size=3))
def test_a_product_is_itertools_product(lists: list[list[int]]) -> None:
    columns = PATHS[: len(lists)]
    grid = product(*(axis(path, values) for path, values in zip(columns, lists, strict=True)))
    expected = [dict(zip(columns, row, strict=True)) for row in itertools.product(*lists)]
    assert [assignment.values for assignment in grid] == expected
    assert len(grid) == len(expected)
    assert grid.columns == columns


@given(left=Values, right=Values)
def test_a_union_is_one_after_the_other(left: list[int], right: list[int]) -> None:
    both = union(axis(PATHS[0], left), product(axis(PATHS[0], right), axis(PATHS[2], (1, 2))))
    assert [one.values.get(PATHS[0]) for one in both] == left + [value for value in right for _ in (1, 2)]
    assert len(both) == len(left) + 2 * len(right)
    assert both.columns == (PATHS[0], PATHS[2])


@given(left=Values, right=Values)
def test_where_is_a_filter_that_keeps_the_order(left: list[int], right: list[int]) -> None:
    def holds(values: Any) -> bool:
        return bool(values[PATHS[0]] <= values[PATHS[1]])

    grid = product(axis(PATHS[0], left), axis(PATHS[1], right))
    expected = [pair for pair in itertools.product(left, right) if pair[0] <= pair[1]]
    for chosen in (grid.where(holds), where(grid, holds)):
        assert [tuple(one.values.values()) for one in chosen] == expected
        assert len(chosen) == len(expected)
        assert chosen.columns == grid.columns


def test_a_product_of_nothing_is_the_base_alone() -> None:
    (only,) = product()
    assert (len(product()), only.values) == (1, {})


def test_paths_that_vary_together() -> None:
    pairs = axis(("training.steps", "training.batch_size"), ((100, 64), (200, 32)), labels=("wide", "long"))
    assert pairs.columns == ("training.steps", "training.batch_size")
    assert [one.values for one in pairs] == [
        {"training.steps": 100, "training.batch_size": 64},
        {"training.steps": 200, "training.batch_size": 32},
    ]
    assert [one.labels for one in pairs] == [{"training.steps": "wide"}, {"training.steps": "long"}]
    with pytest.raises(StudyError, match="needs 2 values at a time, got 100"):
        axis(("training.steps", "training.batch_size"), (100, 200))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((), "axis objective.beta.0. has no values"),
        ((0.1, 1.0, 0.1), "0.1 occurs twice"),
        ((1, 1.0), "1.0 occurs twice"),
        ((0.1, 0.1 * (1 + 1e-12)), "occurs twice"),
        (((1.0, 2), (1, 2.0)), "occurs twice"),
        ((BetaObjective(), BetaObjective(beta=(1,))), "occurs twice"),
    ],
)
def test_an_axis_without_values_or_with_equal_ones_is_refused(values: tuple[Any, ...], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        axis("objective.beta[0]", values)


def test_truth_is_no_number_and_kinds_differ() -> None:
    assert len(axis("x", (True, 1, False, 0, None, "1"))) == 6
    assert len(axis("objective", (BetaObjective(), FreeBitsObjective(floor=1)))) == 2


@pytest.mark.parametrize(
    ("labels", "message"),
    [(("a",), "has 2 values, but the labels"), (("a", "a"), "label 'a' occurs twice"), ("ab", "but the labels 'ab'")],
)
def test_labels_match_the_values(labels: Any, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        axis("objective", (BetaObjective(), FreeBitsObjective(floor=1.0)), labels=labels)


def test_one_path_is_an_axis_once() -> None:
    with pytest.raises(StudyError, match=r"objective\.beta\[0\] is an axis of this product twice"):
        product(axis(PATHS[0], (1, 2)), union(axis(PATHS[0], (3,)), axis(PATHS[1], (4,))))
    with pytest.raises(StudyError, match=r"path training\.steps occurs twice"):
        axis(("training.steps", "training.steps"), ((1, 2),))
    with pytest.raises(StudyError, match="seed is no axis"):
        axis("seed", (1, 2))
    with pytest.raises(StudyError, match="a path reads like"):
        axis("objective.beta[", (1, 2))
    with pytest.raises(StudyError, match="needs a path"):
        axis((), ())
    with pytest.raises(StudyError, match="at least one part"):
        union()


def test_a_predicate_that_asks_for_another_path_is_told_which_there_are() -> None:
    wrong = axis(PATHS[0], (1, 2)).where(lambda values: values["beta"] > 1)
    with pytest.raises(StudyError, match=r"where asks for 'beta'; these axes set objective\.beta\[0\]"):
        len(wrong)


def test_numpy_values_become_plain_numbers() -> None:
    counts = [one.values["training.steps"] for one in axis("training.steps", np.arange(3))]  # type: ignore[arg-type]
    assert [type(value) for value in counts] == [int, int, int]
    assert type(next(iter(axis("x", [np.float32(0.5)]))).values["x"]) is float


@given(low=st.floats(1e-6, 1e3), ratio=st.floats(1.001, 1e6), count=st.integers(2, 60))
def test_logspace_is_numpys_at_nine_digits(low: float, ratio: float, count: int) -> None:
    values = logspace(low, low * ratio, count)
    half_a_digit = 5.01e-9
    np.testing.assert_allclose(values, np.geomspace(low, low * ratio, count), rtol=half_a_digit)
    assert all(value == round_significant(value) for value in values)


def test_the_grid_of_weights_holds_exactly_one_and_both_ends() -> None:
    grid = logspace(0.1, 10, 21)
    assert (grid[0], grid[10], grid[20]) == (0.1, 1.0, 10.0)
    assert grid == tuple(round_significant(10 ** (-1 + index / 10)) for index in range(21))
    assert grid == tuple(round_significant(float(value)) for value in np.logspace(-1, 1, 21))


@pytest.mark.parametrize("arguments", [(0, 1, 3), (1, 1, 3), (2, 1, 3), (1, 2, 1), (1, float("inf"), 3), (-1, 1, 3)])
def test_logspace_refuses_what_has_no_logarithm(arguments: tuple[float, float, int]) -> None:
    with pytest.raises(StudyError, match="logspace needs 0 < low < high"):
        logspace(*arguments)


def test_how_values_are_written() -> None:
    assert written(0.5) == 0.5
    assert written((16, 8)) == "(16, 8)"
    assert written(BetaObjective()) == "beta"
    assert written(BetaObjective(beta=(0.1,))) == "beta(beta=(0.1))"
    assert written(FreeBitsObjective(floor=2.0)) == "free-bits(floor=2.0)"
    assert written(Training(steps=5, batch_size=2)) == "training(steps=5, batch_size=2)"
    assert written(Adam(learning_rate=0.1, beta1=0.5)) == "adam(learning_rate=0.1, beta1=0.5)"
