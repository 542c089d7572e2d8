"""Slots: how many members a fused pack is padded to, so that no trial's bits depend on where it stands.

An elementwise kernel runs over a whole (K, …) tensor in vectors, and does the numbers left over at its end one by one,
where exp or log may differ in the last bit. Either no slot that counts reaches the leftover (K a multiple of 32, the
most numbers that a kernel takes at a time), or batches are multiples of 32 and K is so small that tensors of one number
a slot are all leftover.
"""

from __future__ import annotations

VECTOR = 32  # float32 numbers that an unrolled AVX-512 loop takes at a time; others divide it
SCALAR = 8  # float64 numbers that an unrolled AVX2 loop takes at a time


def slots(width: int, batch_size: int) -> int:
    """The slots of a fused pack of `width` members."""
    small = width < SCALAR and batch_size % VECTOR == 0
    return width if small else -(-width // VECTOR) * VECTOR


def narrower(width: int, batch_size: int) -> int:
    """The next width that takes fewer slots, about half of them; 1 is a member by itself, which needs no padding."""
    now = slots(width, batch_size)
    if now > VECTOR:
        return -(-now // (2 * VECTOR)) * VECTOR
    if batch_size % VECTOR:
        return 1
    return max(1, min(SCALAR - 1, now // 2))
