"""How fused packs are padded and narrowed, and that calibration does not take padding for work."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.training.slots import SCALAR, VECTOR, narrower, slots


@given(st.integers(1, 300), st.integers(1, 300))
def test_slots_hold_the_width_and_end_where_vectors_end(width: int, batch: int) -> None:
    taken = slots(width, batch)
    assert width <= taken < width + VECTOR
    assert taken % VECTOR == 0 or (taken == width < SCALAR and batch % VECTOR == 0)


@given(st.integers(2, 300), st.integers(1, 300))
def test_narrower_packs_take_fewer_slots(width: int, batch: int) -> None:
    less = narrower(width, batch)
    assert less >= 1
    assert less == 1 or slots(less, batch) < slots(width, batch)


@pytest.mark.parametrize(("width", "batch", "taken"), [(5, 32, 5), (5, 7, 32), (8, 32, 32), (32, 7, 32), (33, 32, 64)])
def test_examples(width: int, batch: int, taken: int) -> None:
    assert slots(width, batch) == taken
