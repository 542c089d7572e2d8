"""Votes counted by hand."""

from __future__ import annotations

import numpy as np

from evaluation.votes import by_class, elected


def test_votes_of_three_pairs():
    classes = np.array([3, 5, 9])
    # Pairs 3-5, 3-9, 5-9. The last point gives each class one vote.
    firsts = [np.array(column, bool) for column in ([1, 0, 0, 1], [1, 1, 0, 0], [0, 1, 0, 1])]
    assert elected(classes, firsts).tolist() == [3, 5, 9, 3]


def test_by_class():
    classes, parts = by_class(np.array([[1.0], [2.0], [3.0]]), np.array([7, 2, 7]))
    assert classes.tolist() == [2, 7]
    assert [part.ravel().tolist() for part in parts] == [[2.0], [1.0, 3.0]]
