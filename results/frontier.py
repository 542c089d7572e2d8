"""Trade-offs between measured quantities: which rows of a frame no other row beats, and which lie on a convex hull.

The Pareto frontier keeps every undominated point. The convex hull keeps of them only the *supported* ones: those that
are best for some linear weighting of the two quantities, as a β-VAE's optimum is for D + βR (Alemi et al. 2018).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

Side = Literal["upper", "lower", "upper-left", "lower-left"]
Variant = Literal["text", "visible"]

Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.intp]


def pareto(frame: pd.DataFrame, minimise: Sequence[str] = (), maximise: Sequence[str] = ()) -> pd.Series[bool]:
    """Whether each row is on the Pareto frontier of the named columns: no other row is at least as good in all of them
    and better in one.

    Rows that are equal in all the named columns do not dominate each other: all of them are on the frontier or none.
    A row with a NaN in a named column is never on the frontier and dominates nothing. The answer has the frame's
    index. Takes O(N log N) for one or two columns, O(N F) for more, F the number of distinct points on the frontier.

    Raises ValueError where no column is named, one is named twice, or the frame lacks one.
    """
    names = [*minimise, *maximise]
    if not names:
        raise ValueError("a Pareto frontier needs at least one column to minimise or maximise")
    if len(set(names)) < len(names):
        raise ValueError(f"a column is minimised or maximised once, not {', '.join(names)}")
    costs = np.column_stack([_column(frame, name) for name in minimise] + [-_column(frame, name) for name in maximise])
    on_frontier = np.zeros(len(frame), dtype=np.bool_)
    present = np.flatnonzero(~np.isnan(costs).any(axis=1))
    if len(present):
        points, which = np.unique(
            costs[present], axis=0, return_inverse=True
        )  # sorted by the first column, then the next
        undominated = _undominated_in_two(points) if points.shape[1] <= 2 else _undominated(points)
        on_frontier[present] = undominated[which.reshape(-1)]
    return pd.Series(on_frontier, index=frame.index, name="pareto")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hull:
    """A chain of convex-hull vertices, in order along the hull from its left end.

    positions: the rows of the frame, counted from 0; index: the same rows by the frame's own index.
    x, y: their coordinates, in the units of the columns.
    """

    positions: Positions
    index: pd.Index
    x: Floats
    y: Floats

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def slopes(self) -> Floats:
        """dy/dx of each facet, from left to right, one fewer than vertices; ±inf for a vertical facet.

        In the rate–distortion plane the slope of a facet is −β of the objective D + βR for which its two ends tie; a
        vertex is the optimum for every β between minus the slopes of its two facets.
        """
        run, rise = np.diff(self.x), np.diff(self.y)
        vertical = run == 0
        return np.where(vertical, np.copysign(np.inf, rise), rise / np.where(vertical, 1.0, run))


def convex_hull(frame: pd.DataFrame, x: str, y: str, side: Side = "upper", variant: Variant = "text") -> Hull:
    """The vertices of one side of the convex hull of all points (x, y).

    side: 'upper' runs over the top from the leftmost to the rightmost point, 'lower' below. 'upper-left' ends at the
        highest point and 'lower-left' at the lowest: the supported points of a trade-off in which a small x is good,
        such as rate–distortion (lower-left), whose hull goes on vertically above its first point and horizontally
        beyond its last.
    variant: 'text' is that definition, as Xiao & Bamler (2023) state it. 'visible' (upper and lower only) is what
        their code draws: the facets of the whole hull that are seen from (0, 2 max y), or (0, −2 max y) for the lower
        side. It adds a facet at the left edge and drops those that fall steeply at the right; it needs x ≥ 0 and a
        viewpoint beyond all y.

    Only corners are vertices: a point within a facet is not. Of equal points the first row stands for all. Rows with
    a NaN or an infinity are left out; one point is its own hull, and none gives an empty one.
    """
    if side not in get_args(Side):
        raise ValueError(f"a hull's side is one of {', '.join(get_args(Side))}, not {side!r}")
    if variant not in get_args(Variant):
        raise ValueError(f"a hull's variant is one of {', '.join(get_args(Variant))}, not {variant!r}")
    across, up = _column(frame, x), _column(frame, y)
    finite = np.flatnonzero(np.isfinite(across) & np.isfinite(up))
    sign = -1.0 if side.startswith("lower") else 1.0  # a lower hull is an upper one upside down
    points, first = np.unique(np.column_stack([across[finite], sign * up[finite]]), axis=0, return_index=True)
    positions = finite[first]
    if variant == "visible":
        if side not in ("upper", "lower"):
            raise ValueError(f"the visible variant has an upper and a lower side, not {side!r}")
        chain = _visible(points, 2 * float(up[finite].max())) if len(points) else []
    else:
        chain = _upper(points)
        if side.endswith("-left") and chain:
            highest = max(points[vertex, 1] for vertex in chain)
            chain = chain[: next(step for step, vertex in enumerate(chain) if points[vertex, 1] == highest) + 1]
    kept = positions[np.array(chain, dtype=np.intp)]
    return Hull(positions=kept, index=frame.index[kept], x=across[kept], y=up[kept])


def _column(frame: pd.DataFrame, name: str) -> Floats:
    if name not in frame.columns:
        raise ValueError(f"the frame has no column {name!r}; it has {', '.join(map(str, frame.columns))}")
    column: Floats = frame[name].to_numpy(np.float64, na_value=np.nan)
    return column


def _undominated_in_two(points: Floats) -> npt.NDArray[np.bool_]:
    """For distinct points in lexicographic order: whether each is below all before it in the last column."""
    undominated = np.zeros(len(points), dtype=np.bool_)
    undominated[0] = True
    if points.shape[1] == 2:
        undominated[1:] = points[1:, 1] < np.minimum.accumulate(points[:-1, 1])
    return undominated


def _undominated(points: Floats) -> npt.NDArray[np.bool_]:
    """The same in any number of columns: the first point left is on the frontier and removes all that it dominates."""
    undominated = np.zeros(len(points), dtype=np.bool_)
    left, remaining = np.arange(len(points)), points
    while len(left):
        undominated[left[0]] = True
        survivors = (remaining < remaining[0]).any(axis=1)  # the points are distinct, so all others are dominated
        left, remaining = left[survivors], remaining[survivors]
    return undominated


def _turn(a: Floats, b: Floats, c: Floats) -> float:
    """Twice the signed area of a triangle: positive where a → b → c turns left."""
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))


def _upper(points: Floats) -> list[int]:
    """Andrew's monotone chain (1979) over distinct points in lexicographic order, left to right."""
    chain: list[int] = []
    for candidate in range(len(points)):
        if candidate and points[candidate, 0] == points[candidate - 1, 0]:
            chain.pop()  # the higher point of a column hides the one below it
        while len(chain) >= 2 and _turn(points[chain[-2]], points[chain[-1]], points[candidate]) >= 0:
            chain.pop()
        chain.append(candidate)
    return chain


def _visible(points: Floats, height: float) -> list[int]:
    """The facets of the whole hull that face (0, height), as one chain, clockwise."""
    eye = np.array([0.0, height])
    if points[0, 0] < 0 or height <= points[:, 1].max():
        raise ValueError("visible facets need x ≥ 0 and a viewpoint, ±2 max y, beyond all points; use variant='text'")
    upper = _upper(points)
    lower = [len(points) - 1 - vertex for vertex in _upper(-points[::-1])]
    # Clockwise, from the rightmost point along the bottom to the left, then over the top to the right.
    ring = [vertex for vertex in lower if vertex not in (upper[0], upper[-1])] + upper
    if len(ring) < 3:
        return upper
    facets = list(zip(ring, [*ring[1:], ring[0]], strict=True))
    seen = [_turn(points[start], points[end], eye) > 0 for start, end in facets]
    begin = next(step for step in range(len(seen)) if seen[step] and not seen[step - 1])
    chain = [facets[begin][0]]
    for step in range(begin, begin + len(facets)):
        if not seen[step % len(facets)]:
            break
        chain.append(facets[step % len(facets)][1])
    return chain
