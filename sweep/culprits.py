"""Culprits: which members of a group make it fail, found by halves. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Member = TypeVar("Member")


def culprits(group: Sequence[Member], fails: Callable[[Sequence[Member]], bool]) -> list[Member]:
    """The members, in order, for which a group that has failed fails.

    fails: whether a part of the group fails as well; it is asked at most about twice the logarithm of the group's size
    a culprit. Where one half passes, the other is taken to fail, so at least one is named even where nothing fails a
    second time: who is named should be tried by himself.
    """
    if len(group) == 1:
        return list(group)
    middle = (len(group) + 1) // 2
    left, right = group[:middle], group[middle:]
    if not fails(left):
        return culprits(right, fails)
    found = culprits(left, fails)
    return found + culprits(right, fails) if fails(right) else found
