"""Specifications: frozen, typed and validated descriptions of what a trial is made of.

A specification says what is trained, never how or where. It imports no torch, so that studies can be listed and planned
in an instant. Every open choice (a data set, a decoder, an objective, …) is a *kind*: a subclass of one of the families
of models/families.py, found by its `kind` tag, so that a user's own file adds kinds beside ours.

The canonical form, from which a trial's identity is hashed, drops fields that equal their default and never a kind's
tag; so a field with a default can be added later without changing the identity of what is already stored. A default
itself is never changed. `revision` is part of the canonical form above 1: a correction of a kind's mathematics raises
it.
"""

from __future__ import annotations

import difflib
import functools
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

SIGNIFICANT_DIGITS = 9
Form = Literal["canonical", "masked", "complete"]


class SpecificationError(ValueError):
    """A specification that cannot be: the message gives the rule, the value and the nearest valid choice."""


def round_significant(value: float) -> float:
    """`value` at 9 significant digits, so that `np.logspace` and `10**x`, which differ in the last bit, agree."""
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}") + 0.0  # + 0.0 turns -0.0 into 0.0


Real = Annotated[float, Field(strict=True, allow_inf_nan=False), AfterValidator(round_significant)]
NonNegative = Annotated[Real, Field(ge=0)]
Positive = Annotated[Real, Field(gt=0)]
Fraction = Annotated[Real, Field(ge=0, lt=1)]
Count = Annotated[int, Field(strict=True, ge=1)]
Widths = Annotated[tuple[Count, ...], Field(min_length=1)]


def nearest(word: str, choices: Iterable[str]) -> str:
    """A hint for an error message: the closest choices, or all of them."""
    known = sorted(choices)
    close = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"known: {', '.join(known) or 'none'}"


class Spec(BaseModel):
    """Base of every specification: immutable, no unknown field."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def canonical(self) -> dict[str, Any]:
        """The science in this specification as plain JSON values, without the fields that equal their default."""
        return self._encode("canonical")

    def complete(self) -> dict[str, Any]:
        """Every field as plain JSON values, defaults too: what is stored, to be read without this code."""
        return self._encode("complete")

    def masked(self) -> dict[str, Any]:
        """The canonical form, every per-trial number replaced by its shape: equal for trials that may share a pack."""
        return self._encode("masked")

    @functools.cached_property
    def canonical_json(self) -> str:
        return to_json(self.canonical())

    @functools.cached_property
    def masked_json(self) -> str:
        return to_json(self.masked())

    @functools.cached_property
    def complete_json(self) -> str:
        return to_json(self.complete())

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Every kind in this specification, itself first: a model with its parts, an optimiser with its schedule."""
        return (self, *self._kinds_inside) if isinstance(self, Kind) else self._kinds_inside

    @functools.cached_property
    def _kinds_inside(self) -> tuple[Kind, ...]:
        return tuple(kind for name in type(self).model_fields for kind in _kinds(getattr(self, name)))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other values in it, validated, and without what this one has cached of its own."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**(fields | dict(update or {})))

    def _encode(self, form: Form) -> dict[str, Any]:
        encoded: dict[str, Any] = {}
        for name, default in _defaults(type(self)).items():
            value = getattr(self, name)
            if form == "masked" and name in self._numbers():
                encoded[name] = len(value) if isinstance(value, tuple) else "number"
            elif (
                form == "complete"
                or (form == "masked" and isinstance(value, Spec))
                or value != default
                or _is_revised(value)
            ):
                encoded[name] = _plain(value, form)
        return encoded

    def _numbers(self) -> frozenset[str]:
        return frozenset()


@functools.cache
def _defaults(cls: type[Spec]) -> Mapping[str, Any]:
    """The fields of a specification with their defaults, which pydantic would copy at each look."""
    return {name: field.get_default(call_default_factory=True) for name, field in cls.model_fields.items()}


def _is_revised(value: Any) -> bool:
    """Whether a part has a revision above 1 in it: then it is written out even where it is the default."""
    if isinstance(value, Spec):
        own = isinstance(value, Kind) and value.revision > 1
        return own or any(_is_revised(getattr(value, name)) for name in type(value).model_fields)
    return isinstance(value, tuple) and any(map(_is_revised, value))


def _kinds(value: Any) -> Iterator[Kind]:
    if isinstance(value, Spec):
        yield from value.kinds
    elif isinstance(value, tuple):
        for item in value:
            yield from _kinds(item)


def _plain(value: Any, form: Form) -> Any:
    if isinstance(value, Spec):
        return value._encode(form)
    if isinstance(value, tuple):
        return [_plain(item, form) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise SpecificationError(f"a specification holds numbers, strings, tuples and specifications, not {value!r}")


def to_json(value: object) -> str:
    """Canonical JSON: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


class Kind(Spec):
    """One of the choices of a family; subclasses of a family name themselves by `kind`.

    kind: the tag in stored specifications; never reused for something else.
    revision: raised when a correction changes the mathematics, so that old and new results never mix.
    implementation: 'module:attribute' of the code behind it, imported only when it is built; a module left empty means
        the module of the kind itself (a user's own file).
    numbers: fields that are plain numbers to a training step, and so may differ within one pack.
    """

    kind: ClassVar[str] = ""
    revision: ClassVar[int] = 1
    implementation: ClassVar[str] = ""
    numbers: ClassVar[frozenset[str]] = frozenset()

    def _numbers(self) -> frozenset[str]:
        return self.numbers

    def _encode(self, form: Form) -> dict[str, Any]:
        tags: dict[str, Any] = {"kind": self.kind}
        if self.revision > 1:
            tags["revision"] = self.revision
        return tags | super()._encode(form)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if not cls.kind:
            return
        family = _family(cls)
        known = _KINDS.setdefault(family, {})
        other = known.get(cls.kind)
        if other is not None and _origin(other) != _origin(cls):
            raise SpecificationError(f"{family.__name__.lower()} kind {cls.kind!r} is taken by {other.__module__}")
        known[cls.kind] = cls


_KINDS: dict[type[Kind], dict[str, type[Kind]]] = {}


def _origin(cls: type[Kind]) -> tuple[str, str]:
    """Where a kind is defined: by file, so that a later version of a user's own file replaces its earlier kinds."""
    module = sys.modules.get(cls.__module__)
    return getattr(module, "__file__", None) or cls.__module__, cls.__qualname__


def _family(cls: type[Kind]) -> type[Kind]:
    for base in reversed(cls.__mro__):
        if issubclass(base, Kind) and base is not Kind:
            return base
    raise SpecificationError(f"{cls.__name__} belongs to no family")


def kinds(family: type[Kind]) -> Mapping[str, type[Kind]]:
    """All registered kinds of a family by tag."""
    return dict(_KINDS.get(family, {}))


def parse_kind(family: type[Kind], value: Any) -> Any:
    """A kind from its stored form, `{"kind": tag, ...}`; anything else is passed on for pydantic to judge."""
    if not isinstance(value, Mapping):
        return value
    fields = dict(value)
    tag = fields.pop("kind", None)
    revision = fields.pop("revision", 1)
    known = _KINDS.get(family, {})
    if tag not in known:
        raise ValueError(f"no {family.__name__.lower()} kind {tag!r}; {nearest(str(tag), known)}")
    cls = known[tag]
    if revision != cls.revision:
        raise ValueError(f"{tag!r} was stored at revision {revision}, this code has revision {cls.revision}")
    return cls.model_validate(fields)


S = TypeVar("S", bound=Spec)


def parse(cls: type[S], value: object) -> S:
    """A specification from its stored form; raises `SpecificationError` with one line a fault."""
    try:
        if isinstance(cls, type) and issubclass(cls, Kind):
            value = parse_kind(_family(cls), value)
        return cls.model_validate(value)
    except ValidationError as error:
        raise SpecificationError(describe(error)) from None
    except ValueError as error:
        raise SpecificationError(str(error)) from None


def describe(error: ValidationError) -> str:
    """A validation error in one line: where, the rule, the value."""
    faults = []
    errors = error.errors(include_url=False)
    inside = {fault["loc"][:-1] for fault in errors}
    for fault in errors:
        if fault["type"] == "too_short" and fault["loc"] in inside:
            continue  # only because an item of it was refused, which is told itself
        where = ".".join(str(part) for part in fault["loc"]) or error.title
        given = fault["input"]
        shown = f" (got {given!r})" if isinstance(given, bool | int | float | str | None) else ""
        faults.append(f"{where}: {fault['msg'].removeprefix('Value error, ')}{shown}")
    return "; ".join(faults)
