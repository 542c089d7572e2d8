"""The rules by which rows count, done on whole columns, say what their definitions say row by row."""

from __future__ import annotations

import datetime
import functools
import itertools
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from results.arrays import integers, numbers, strings
from results.evaluations import measured, reasons
from results.quantity import Quantity
from results.scan import first_rows, group_numbers, winners
from results.significance import mean_and_std, means_and_stds
from results.table_latex import _escape_run, escape

WORDS = st.sampled_from(("a", "b", "ß", None))
ORDER = (("when", "descending"), ("value", "ascending"))


def _before(one: dict[str, Any], other: dict[str, Any]) -> int:
    """Whether a row comes before another by ORDER: -1, 0 or 1; null is last either way."""
    for name, direction in ORDER:
        left, right = one[name], other[name]
        if left == right:
            continue
        if left is None or right is None:
            return 1 if left is None else -1
        return (1 if left > right else -1) * (1 if direction == "ascending" else -1)
    return 0


@given(st.lists(st.tuples(WORDS, st.integers(0, 2), WORDS, st.integers(0, 2) | st.none()), max_size=12))
def test_the_first_row_of_each_key_is_that_of_the_definition(rows: list[tuple[Any, ...]]) -> None:
    names = ("name", "version", "value", "when")
    types = (pa.string(), pa.int32(), pa.string(), pa.int64())
    columns = [pa.array([row[place] for row in rows], kind) for place, kind in enumerate(types)]
    # In two chunks, as tables of several files are.
    table = pa.concat_tables([pa.table(dict(zip(names, columns, strict=True))).slice(0, len(rows) // 2)] * 1)
    table = pa.concat_tables([table, pa.table(dict(zip(names, columns, strict=True))).slice(len(rows) // 2)])
    expected = {}
    for place, row in enumerate(table.to_pylist()):
        key = row["name"], row["version"]
        if key not in expected or _before(row, table.slice(expected[key], 1).to_pylist()[0]) < 0:
            expected[key] = place
    assert set(first_rows(table, ("name", "version"), ORDER).tolist()) == set(expected.values())
    firsts: dict[Any, int] = {}
    for place, row in enumerate(table.to_pylist()):
        firsts.setdefault((row["name"], row["version"]), place)
    assert set(first_rows(table, ("name", "version"), ()).tolist()) == set(firsts.values())


def test_keys_of_more_combinations_than_an_integer_has_stay_apart() -> None:
    count = 2**13
    column = integers(np.arange(count))
    table = pa.table({f"k{place}": column for place in range(6)})  # 2⁷⁸ combinations
    assert len(np.unique(group_numbers(table, table.column_names))) == count


STATUS = st.sampled_from(("completed", "diverged", "error", "crashed"))


@given(st.lists(st.tuples(st.sampled_from("tuv"), STATUS, st.integers(0, 2)), max_size=10))
def test_the_attempt_that_counts_is_the_earliest_finished_or_the_latest_failed(
    rows: list[tuple[str, str, int]],
) -> None:
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    table = pa.table(
        {
            "trial": pa.array([trial for trial, _, _ in rows], pa.string()),
            "attempt": pa.array([f"a{place}" for place in range(len(rows))], pa.string()),
            "status": pa.array([status for _, status, _ in rows], pa.string()),
            "finished": pa.array(
                [start + datetime.timedelta(seconds=at) for _, _, at in rows], pa.timestamp("us", tz="UTC")
            ),
        }
    )
    expected = []
    for trial in sorted({trial for trial, _, _ in rows}):
        own = [(at, f"a{place}", status) for place, (name, status, at) in enumerate(rows) if name == trial]
        done = sorted((at, name) for at, name, status in own if status in ("completed", "diverged"))
        failed = sorted((-at, name) for at, name, _ in own)
        expected.append((trial, (done or failed)[0][1]))
    found = winners(table)
    assert list(zip(found["trial"].to_pylist(), found["attempt"].to_pylist(), strict=True)) == expected


QUANTITIES = tuple(Quantity(name=name, unit="nats", goal="none", family="m:f", version=2) for name in ("rate", "psnr"))
KEYS = st.sampled_from(("rate@v2", "psnr@v2", "rate@v1", "elbo@v2"))


@given(st.dictionaries(st.tuples(st.sampled_from("tuv"), KEYS), st.sampled_from(("dark", "cold", None)), max_size=12))
def test_what_is_measured_and_why_not_are_those_of_the_definition(errors: dict[tuple[str, str], str | None]) -> None:
    table = pa.table(
        {
            "trial": pa.array([trial for trial, _ in errors], pa.string()),
            "key": pa.array([key for _, key in errors], pa.string()),
            "error": pa.array(list(errors.values()), pa.string()),
        }
    )
    trials = ["v", "t", "w"]
    expected = [
        [(trial, one.key) in errors and errors[trial, one.key] is None for one in QUANTITIES] for trial in trials
    ]
    assert measured(table, trials, QUANTITIES).tolist() == expected
    told = {}
    for trial in "tuv":
        own = dict.fromkeys(errors[trial, one.key] for one in QUANTITIES if errors.get((trial, one.key)) is not None)
        if own:
            told[trial] = "; ".join(own)
    assert reasons(table, QUANTITIES) == told


VALUES = st.sampled_from((0.1, 0.2, 0.3, 1e30, -1.0, float("nan"), float("inf"))) | st.floats(-1e6, 1e6)


@given(st.lists(st.lists(VALUES, min_size=1, max_size=4), max_size=8))
def test_means_and_spreads_of_many_groups_are_those_of_each_to_the_last_bit(groups: list[list[float]]) -> None:
    values = np.array([value for group in groups for value in group])
    ends = np.cumsum([0, *map(len, groups)])
    places = [np.arange(start, end) for start, end in itertools.pairwise(ends)]
    with np.errstate(invalid="ignore"):
        alone = [mean_and_std(values[place][~np.isnan(values[place])]) for place in places]
        together = means_and_stds(values, places)
    np.testing.assert_array_equal(np.array(together), np.array(alone))


@given(st.lists(st.text(max_size=5), max_size=6), st.lists(st.integers(-(2**63), 2**63 - 1), max_size=6))
def test_arrays_made_without_pandas_are_those_made_with_it(words: list[str], whole: list[int]) -> None:
    words = [word for word in words if word.isprintable()]
    assert strings(words).equals(pa.array(words, pa.string()))
    assert integers(np.array(whole, dtype=np.int64)).equals(pa.array(whole, pa.int64()))
    chunked = pa.chunked_array([pa.array(whole, pa.int64()), pa.array(whole, pa.int64())])
    assert numbers(chunked).tolist() == functools.reduce(list.__add__, (whole, whole))


@given(st.text(alphabet=st.sampled_from("a1 .,-_&%#[*β₂²−±∞\n\\x"), max_size=12))
def test_latex_escaped_by_runs_is_latex_escaped_by_characters(text: str) -> None:
    assert escape(text) == _escape_run.__wrapped__(text.replace("\n", " "))
