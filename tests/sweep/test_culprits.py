from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from sweep.culprits import culprits


@given(st.integers(1, 100), st.sets(st.integers(0, 99), min_size=1))
def test_exactly_the_culprits_are_named_in_order_and_few_parts_are_tried(size: int, guilty: set[int]) -> None:
    guilty = {one % size for one in guilty}
    asked: list[tuple[int, ...]] = []

    def fails(part: Sequence[int]) -> bool:
        asked.append(tuple(part))
        return not guilty.isdisjoint(part)

    assert culprits(range(size), fails) == sorted(guilty)
    assert len(set(asked)) == len(asked)
    assert len(asked) <= 2 * len(guilty) * (size - 1).bit_length()


@given(st.integers(1, 50))
def test_where_nothing_fails_a_second_time_one_is_named(size: int) -> None:
    assert len(culprits(range(size), lambda part: False)) == 1
