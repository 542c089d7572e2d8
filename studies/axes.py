"""The algebra of axes: which settings a study is made of.

An *assignment* says which value stands at which path of the base trial. An axis is a sequence of them; product, union
and where make larger sequences of smaller ones. All are finite, ordered and of known length before a trial is built; as
values are placed in typed specifications, an impossible combination is refused when it is built.
"""

from __future__ import annotations

import functools
import itertools
import math
import numbers
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.spec import Kind, Spec, round_significant
from studies import paths
from studies.paths import StudyError


@dataclass(frozen=True)
class Assignment:
    """values: what stands where, by path. labels: how frames and tables write it, for the paths that have a label."""

    values: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


class Axes:
    """An ordered, finite sequence of assignments. `columns` are the paths that any of them sets."""

    @property
    def columns(self) -> tuple[str, ...]:
        raise NotImplementedError

    def __iter__(self) -> Iterator[Assignment]:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def where(self, predicate: Callable[[Mapping[str, Any]], bool]) -> Axes:
        """The assignments for which `predicate(values by path)` holds."""
        return Where(self, predicate)


@dataclass(frozen=True)
class Axis(Axes):
    """One or several paths that vary together; built by `axis`."""

    columns: tuple[str, ...] = ()
    points: tuple[Assignment, ...] = ()

    def __iter__(self) -> Iterator[Assignment]:
        return iter(self.points)

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True)
class Product(Axes):
    """Every combination of its parts' assignments, the last part varying fastest; built by `product`."""

    parts: tuple[Axes, ...]

    @functools.cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(path for part in self.parts for path in part.columns)

    def __iter__(self) -> Iterator[Assignment]:
        for chosen in itertools.product(*self.parts):
            yield Assignment(
                {path: value for one in chosen for path, value in one.values.items()},
                {path: label for one in chosen for path, label in one.labels.items()},
            )

    def __len__(self) -> int:
        return math.prod(len(part) for part in self.parts)


@dataclass(frozen=True)
class Union(Axes):
    """The assignments of each part in turn; built by `union`. A study runs a setting that occurs twice once."""

    parts: tuple[Axes, ...]

    @functools.cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(path for part in self.parts for path in part.columns))

    def __iter__(self) -> Iterator[Assignment]:
        return itertools.chain.from_iterable(self.parts)

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)


@dataclass(frozen=True)
class Where(Axes):
    """The assignments of `part` for which `predicate` holds; built by `where`."""

    part: Axes
    predicate: Callable[[Mapping[str, Any]], bool]

    @property
    def columns(self) -> tuple[str, ...]:
        return self.part.columns

    @functools.cached_property
    def _chosen(self) -> tuple[Assignment, ...]:
        return tuple(assignment for assignment in self.part if self._holds(assignment.values))

    def _holds(self, values: Mapping[str, Any]) -> bool:
        try:
            return bool(self.predicate(values))
        except KeyError as error:
            raise StudyError(f"where asks for {error}; these axes set {', '.join(values) or 'nothing'}") from None

    def __iter__(self) -> Iterator[Assignment]:
        return iter(self._chosen)

    def __len__(self) -> int:
        return len(self._chosen)


def axis(path: str | Sequence[str], values: Sequence[Any], *, labels: Sequence[str] | None = None) -> Axis:
    """An axis over the values at `path`, or over tuples of values at several paths that vary together.

    labels: how frames and tables write each value, in the column of the (first) path: for whole parts, as in
        `axis("objective", (BetaObjective(), FreeBitsObjective(floor=1.0)), labels=("β = 1", "free bits"))`.
    Raises StudyError for no values, a value or label that occurs twice (numbers at 9 significant digits), a path that
    occurs twice, or values and labels that do not match in number.
    """
    columns = (path,) if isinstance(path, str) else tuple(path)
    name = ", ".join(columns)
    if not columns:
        raise StudyError("an axis needs a path, as in objective.beta[0]")
    for column in columns:
        if paths.parse(column) == ("seed",):
            raise StudyError("seed is no axis: give the study seeds=3, or seeds=(0, 1, 2)")
    _refuse_repeats(columns, f"axis {name}: path {{}} occurs twice")
    rows = [(value,) if isinstance(path, str) else value for value in values]
    if not rows:
        raise StudyError(f"axis {name} has no values")
    for row in rows:
        if not isinstance(row, tuple | list) or len(row) != len(columns):
            raise StudyError(f"axis {name} needs {len(columns)} values at a time, got {row!r}")
    rows = [tuple(_plain(value) for value in row) for row in rows]
    _refuse_repeats(
        [tuple(_comparable(value) for value in row) for row in rows], f"axis {name}: {{}} occurs twice", rows
    )
    if labels is None:
        return Axis(columns, tuple(Assignment(dict(zip(columns, row, strict=True))) for row in rows))
    if isinstance(labels, str) or len(labels) != len(rows):
        raise StudyError(f"axis {name} has {len(rows)} values, but the labels {labels!r}")
    _refuse_repeats(list(labels), f"axis {name}: label {{!r}} occurs twice")
    return Axis(
        columns,
        tuple(
            Assignment(dict(zip(columns, row, strict=True)), {columns[0]: label})
            for row, label in zip(rows, labels, strict=True)
        ),
    )


def product(*parts: Axes) -> Axes:
    """Every combination, the last part varying fastest. Of nothing: the base trial alone.

    A whole part and something inside it may vary together (`model` and `model.encoder`); raises StudyError where one
    path varies in two parts.
    """
    columns = [path for part in parts for path in part.columns]
    _refuse_repeats(columns, "{} is an axis of this product twice")
    return Product(parts)


def union(*parts: Axes) -> Axes:
    """The settings of each part in turn; what a part does not set stays as in the base trial."""
    if not parts:
        raise StudyError("a union needs at least one part")
    return Union(parts)


def where(part: Axes, predicate: Callable[[Mapping[str, Any]], bool]) -> Axes:
    """The settings of `part` for which `predicate` holds, given the values by path, as in
    `where(grid, lambda values: values["objective.beta[0]"] <= values["objective.beta[1]"])`."""
    return Where(part, predicate)


def logspace(low: float, high: float, count: int) -> tuple[float, ...]:
    """`count` values from `low` to `high` in equal ratios, at 9 significant digits: exact at both ends, and exactly 1.0
    in the middle of (0.1, 10, 21)."""
    if not (0 < low < high < math.inf) or count < 2:
        raise StudyError(f"logspace needs 0 < low < high and at least 2 values, not ({low}, {high}, {count})")
    return tuple(round_significant(low * (high / low) ** (index / (count - 1))) for index in range(count))


def written(value: Any) -> Any:
    """A value as a cell of a frame: numbers, strings and None as they are, a tuple or a whole part as a short label.

    A part reads as its kind with the fields that are not at their default: `free-bits(floor=0.5)`.
    """
    if isinstance(value, Spec):
        fields = value.canonical().keys() & type(value).model_fields.keys()
        shown = [f"{name}={written(getattr(value, name))}" for name in type(value).model_fields if name in fields]
        title = value.kind if isinstance(value, Kind) else type(value).__name__.lower()
        return f"{title}({', '.join(shown)})" if shown else title
    if isinstance(value, tuple):
        return f"({', '.join(str(written(item)) for item in value)})"
    return value


def _plain(value: Any) -> Any:
    """NumPy's scalars as Python's own, which the strict fields of a specification ask for."""
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(value) if isinstance(value, numbers.Real) else value


def _comparable(value: Any) -> Any:
    """Equal for values that a specification would make equal."""
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, int | float):
        return round_significant(value)
    if isinstance(value, tuple | list):
        return tuple(_comparable(item) for item in value)
    if isinstance(value, Spec):
        return (type(value).__qualname__, value.canonical_json)
    return repr(value)


def _refuse_repeats(keys: Sequence[Any], message: str, shown: Sequence[Any] | None = None) -> None:
    seen = set()
    for position, key in enumerate(keys):
        if key in seen:
            value = key if shown is None else shown[position]
            raise StudyError(message.format(value[0] if isinstance(value, tuple) and len(value) == 1 else value))
        seen.add(key)
