"""measure: a trained trial and a list of quantities in, named values out.

A family computes related quantities in one pass: a function `(view, names) -> {name: value}`, where a value is an
`Estimate` or, for pictures and codes, an array. Every value must be finite. A family that cannot give one raises
EvaluationError with the reason; there is no NaN that means "missing", so that a stored value is always a measured one.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from evaluation.errors import EvaluationError
from evaluation.view import View
from models.spec import nearest
from results.quantity import Estimate, Quantity

Value = Estimate | npt.NDArray[np.generic]


class Family(Protocol):
    """Computes the quantities called `names`, and may return more than was asked for."""

    def __call__(self, view: View, names: tuple[str, ...]) -> Mapping[str, Value]: ...


def measure(view: View, quantities: Sequence[Quantity], module: str = "") -> dict[str, Value]:
    """The value of each quantity by name, in the order asked for; each family runs once.

    module: where a family written as ':function' is found, the module of a user's own study. Raises EvaluationError,
    naming family and quantity, where a family or a value is absent, of the wrong form or not finite, and whatever a
    family raises itself.
    """
    values, errors = measure_each(view, quantities, module)
    for error in errors.values():
        raise error
    return values


def measure_each(
    view: View, quantities: Sequence[Quantity], module: str = ""
) -> tuple[dict[str, Value], dict[str, Exception]]:
    """(values, errors) by quantity, each in the order asked for: what can be measured, and why the rest cannot.

    A family that fails has no value of any of its quantities, and does no harm to other families; see `measure`.
    """
    wanted: dict[str, list[Quantity]] = {}
    for quantity in quantities:
        wanted.setdefault(quantity.family, []).append(quantity)
    found: dict[str, Value] = {}
    errors: dict[str, Exception] = {}
    for family, members in wanted.items():
        names = tuple(quantity.name for quantity in members)
        try:
            values = resolve(family, module)(view, names)
        except Exception as error:  # noqa: BLE001 - a family may raise anything, and the others are to be kept
            errors |= dict.fromkeys(names, error)
            continue
        for quantity in members:
            try:
                found[quantity.name] = _value(quantity, values)
            except Exception as error:  # noqa: BLE001 - a family may return anything, and its other values are kept
                errors[quantity.name] = error
    names = tuple(quantity.name for quantity in quantities)
    return {name: found[name] for name in names if name in found}, {
        name: errors[name] for name in names if name in errors
    }


def resolve(family: str, module: str = "") -> Family:
    """The function behind 'module:function', imported now."""
    place, _, name = family.partition(":")
    place = place or module
    if not place or not name:
        raise EvaluationError(f"a family is 'module:function', not {family!r}")
    try:
        holder = importlib.import_module(place)
    except ModuleNotFoundError as error:
        raise EvaluationError(f"{family}: {error}") from None
    function = getattr(holder, name, None)
    if not callable(function):
        choices = (key for key, value in vars(holder).items() if callable(value))
        raise EvaluationError(f"{place} has no function {name!r}; {nearest(name, choices)}")
    return cast(Family, function)


def _value(quantity: Quantity, values: Mapping[str, Value]) -> Value:
    """The quantity's own, if it has its form and is finite; raises EvaluationError otherwise."""
    if quantity.name not in values:
        hint = nearest(quantity.name, values)
        raise EvaluationError(f"{quantity.family} gave no value for {quantity.name!r}; {hint}")
    value = values[quantity.name]
    where = f"{quantity.family}, {quantity.name}"
    if quantity.form == "number":
        if not isinstance(value, Estimate):
            raise EvaluationError(f"{where}: a number is an Estimate, not {type(value).__name__}")
        error = value.standard_error
        if not math.isfinite(value.value) or not (error is None or (math.isfinite(error) and error >= 0)):
            raise EvaluationError(f"{where}: {value.value} ± {error} is not a finite number with a standard error")
        return Estimate(float(value.value), None if error is None else float(error))
    if not isinstance(value, np.ndarray):
        raise EvaluationError(f"{where}: {quantity.form} are an array, not {type(value).__name__}")
    if quantity.form == "images" and (value.dtype != np.uint8 or value.ndim != 4):
        raise EvaluationError(f"{where}: images are uint8 (n, C, H, W), not {value.dtype} {value.shape}")
    if quantity.form == "codes" and not (np.issubdtype(value.dtype, np.floating) and np.isfinite(value).all()):
        raise EvaluationError(f"{where}: codes are finite floating-point numbers; got {value.dtype} or non-finite ones")
    return value if value.base is None else value.copy()  # of a part, the whole would be kept
