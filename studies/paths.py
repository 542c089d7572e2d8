"""Paths: how a study names one part of a trial, as in `objective.beta[0]`, `model.latent` or `seed`.

A path is field names joined by dots, each followed by `[i]` where an entry of a tuple is meant. Reading and assigning
go by the typed specification itself: a path that does not exist is refused with the nearest that does, and whatever is
assigned passes the same validation as a specification written by hand.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from models.spec import Kind, Spec, SpecificationError, describe

Steps = tuple[str | int, ...]
S = TypeVar("S", bound=Spec)
Change = Callable[
    [Any, list[tuple[Steps, Any]], Steps], Any
]  # (value, changes inside it, where it stands) -> new value

_REQUIRED = object()
KIND = "kind"  # the tag of a part, as in `objective.kind`: it can be read, and is changed by assigning the whole part
_STEP = re.compile(r"(?P<name>[A-Za-z_]\w*)(?P<indices>(?:\[(?:0|[1-9]\d*)\])*)")


class StudyError(SpecificationError):
    """A study, path or selection that cannot be: the message gives the rule, the value and the nearest valid choice."""


class NoSuchPath(StudyError):
    """A path that a specification does not have."""


@functools.lru_cache(maxsize=4096)
def parse(path: str) -> Steps:
    """The steps of a path: `objective.beta[0]` is ("objective", "beta", 0)."""
    steps: list[str | int] = []
    for part in path.split("."):
        match = _STEP.fullmatch(part)
        if match is None:
            raise StudyError(f"a path reads like objective.beta[0] or training.optimiser.learning_rate, not {path!r}")
        steps.append(match["name"])
        steps += [int(index) for index in re.findall(r"\d+", match["indices"])]
    return tuple(steps)


def render(steps: Steps) -> str:
    """The path of some steps: the inverse of `parse`."""
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def get(spec: Spec, path: str, default: Any = _REQUIRED) -> Any:
    """The value at `path`; of a part of some kind, `.kind` is its tag.

    Where there is none, `default`, or without one a `StudyError`.
    """
    steps = parse(path)
    value, depth = _walk(spec, steps)
    if depth == len(steps):
        return value
    if default is _REQUIRED:
        raise _missing(value, steps, depth)
    return default


def has(spec: Spec, path: str) -> bool:
    """Whether `path` exists in `spec`. Raises `StudyError` where it is no path at all."""
    steps = parse(path)
    return _walk(spec, steps)[1] == len(steps)


def _walk(spec: Spec, steps: Steps) -> tuple[Any, int]:
    """How many of the steps exist, and the value where the last of these leads."""
    value: Any = spec
    for depth, step in enumerate(steps):
        if isinstance(step, str) and isinstance(value, Spec) and step in type(value).model_fields:
            value = getattr(value, step)
        elif isinstance(step, int) and isinstance(value, tuple) and step < len(value):
            value = value[step]
        elif step == KIND and isinstance(value, Kind):
            value = value.kind
        else:
            return value, depth
    return value, len(steps)


def paths(spec: Spec, prefix: Steps = ()) -> Iterator[str]:
    """Every path that exists in `spec`, parts before their entries."""
    if isinstance(spec, Kind):
        yield render((*prefix, KIND))
    for name in type(spec).model_fields:
        yield from _paths(getattr(spec, name), (*prefix, name))


def _paths(value: Any, steps: Steps) -> Iterator[str]:
    yield render(steps)
    if isinstance(value, Spec):
        yield from paths(value, steps)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _paths(item, (*steps, index))


def assign(spec: S, path: str, value: Any) -> S:
    """`spec` with `value` at `path`, validated anew. Raises `StudyError` where the path or the value is not valid."""
    return assign_all(spec, {path: value})


def assign_all(spec: S, values: Mapping[str, Any]) -> S:
    """`spec` with every value at its path, validated once, when all are in place.

    So parts that only fit together, such as a model and the weights of its layers, may change at once. A whole part is
    placed before what is inside it. Parts that no path touches stay the same objects, with their cached canonical JSON.
    """
    return _rebuild(spec, [(parse(path), value) for path, value in values.items()], ())


class Variants(Generic[S]):
    """Variants of one specification. A part that several of them change to the same is built, and validated, once."""

    def __init__(self, base: S) -> None:
        self._base = base
        # By the identity of the values, which are kept alive beside what was made of them.
        self._made: dict[tuple[Any, ...], tuple[Any, Any]] = {}

    def assign(self, values: Mapping[str, Any]) -> S:
        """See `assign_all`."""
        return _rebuild(self._base, [(parse(path), value) for path, value in values.items()], (), self._changed)

    def _changed(self, value: Any, changes: list[tuple[Steps, Any]], where: Steps) -> Any:
        key = (where, *((steps, id(new)) for steps, new in changes))
        if key not in self._made:
            self._made[key] = _change(value, changes, where), changes
        return self._made[key][0]


def _rebuild(spec: S, changes: Iterable[tuple[Steps, Any]], where: Steps, change: Change | None = None) -> S:
    change = change or _change
    fields = {name: getattr(spec, name) for name in type(spec).model_fields}
    for step, inner in _by_first_step(changes).items():
        if step not in fields:
            raise _missing(spec, (*where, step), len(where), assigning=True)
        fields[str(step)] = change(fields[str(step)], inner, (*where, step))
    try:
        return type(spec)(**fields)
    except ValidationError as error:
        prefix = f"{render(where)}." if where else ""
        raise StudyError(prefix + describe(error)) from None


def _change(value: Any, changes: list[tuple[Steps, Any]], where: Steps) -> Any:
    """`value`, found at `where`, with the changes made inside it."""
    for steps, new in changes:
        if not steps:
            value = new
    inner = [change for change in changes if change[0]]
    if not inner:
        return value
    if isinstance(value, Spec):
        return _rebuild(value, inner, where)
    if isinstance(value, tuple | list):
        items = list(value)
        for step, deeper in _by_first_step(inner).items():
            if not isinstance(step, int) or step >= len(items):
                raise _missing(tuple(items), (*where, step), len(where))
            items[step] = _change(items[step], deeper, (*where, step))
        return tuple(items)
    raise _missing(value, (*where, inner[0][0][0]), len(where))


def _by_first_step(changes: Iterable[tuple[Steps, Any]]) -> dict[str | int, list[tuple[Steps, Any]]]:
    grouped: dict[str | int, list[tuple[Steps, Any]]] = {}
    for steps, value in changes:
        grouped.setdefault(steps[0], []).append((steps[1:], value))
    return grouped


def _missing(value: Any, steps: Steps, depth: int, *, assigning: bool = False) -> NoSuchPath:
    """The error for a path whose step `depth` does not exist in `value`, the part before it."""
    path, parent, step = render(steps), render(steps[:depth]), steps[depth]
    if assigning and step == KIND and isinstance(value, Kind):
        return NoSuchPath(f"{path} is changed by assigning a whole part to {parent}")
    if isinstance(value, tuple):
        return NoSuchPath(f"no {path}: {parent} has the entries {', '.join(f'[{i}]' for i in range(len(value)))}")
    if not isinstance(value, Spec):
        return NoSuchPath(f"no {path}: {parent} is {value!r}, which has no parts")
    names = [*type(value).model_fields, *([KIND] if isinstance(value, Kind) else [])]
    if isinstance(step, int):
        return NoSuchPath(f"no {path}: {parent} has named parts, {', '.join(names)}")
    close = difflib.get_close_matches(step, names, n=2, cutoff=0.5)
    full = [render((*steps[:depth], name)) for name in close or names]
    return NoSuchPath(f"no {path}; " + (f"did you mean {' or '.join(full)}?" if close else f"known: {', '.join(full)}"))
