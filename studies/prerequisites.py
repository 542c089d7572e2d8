"""Prerequisites: trained models that are needed to measure others, such as the classifier that judges reconstructions.

A prerequisite is an ordinary trial, with the identity of its science alone, so it is trained once for all the trials,
settings and studies that need it. A quantity names the function that tells its prerequisites for a trial.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from models.kinds import ClassifierModel
from models.spec import nearest
from results.quantity import Quantity
from studies.paths import StudyError
from studies.quantities import CLASSIFICATION
from studies.trial import Trial

Roles = Mapping[str, Trial]
_RESOLVED: dict[tuple[str, str], Roles] = {}  # (function, id of a trial) -> what it told; a study asks again and again
_TRIALS: dict[str, Trial] = {}  # each prerequisite once, however many trials need it


def prerequisites_of(quantity: Quantity, trial: Trial) -> Roles:
    """What must be trained before `quantity` of `trial` can be measured: role -> trial; nothing for most quantities.

    Raises StudyError where the quantity's function is not there, or tells something else.
    """
    reference = quantity.prerequisites
    if not reference:
        return {}
    key = (reference, trial.id)
    if key not in _RESOLVED:
        told: Any = _function(reference, quantity)(trial)
        if not isinstance(told, Mapping) or not all(isinstance(one, Trial) for one in told.values()):
            raise StudyError(f"{reference} (prerequisites of {quantity.name}) gives a trial by role, not {told!r}")
        _RESOLVED[key] = {str(role): _TRIALS.setdefault(one.id, one) for role, one in told.items()}
    return _RESOLVED[key]


def prerequisites(quantities: Iterable[Quantity], trial: Trial) -> Roles:
    """The prerequisites of all these quantities together; raises StudyError where a role is another trial for each."""
    found: dict[str, Trial] = {}
    for quantity in quantities:
        for role, one in prerequisites_of(quantity, trial).items():
            if found.setdefault(role, one).id != one.id:
                raise StudyError(
                    f"{quantity.prerequisites} (prerequisites of {quantity.name}): {role!r} is another trial for "
                    "another quantity; give it a role of its own"
                )
    return found


def measured_of(prerequisite: Trial) -> tuple[Quantity, ...]:
    """What is measured of a prerequisite itself: of a classifier its accuracy, so that one sees what it is worth."""
    return CLASSIFICATION if isinstance(prerequisite.model, ClassifierModel) else ()


def described(prerequisite: Trial) -> str:
    """A prerequisite in words: 'classifier of mnist'."""
    model, data = prerequisite.model, prerequisite.data
    target = model.target if isinstance(model, ClassifierModel) else None
    return f"{model.kind} of {data.kind}" if target is None else f"{model.kind} of the {target.kind} of {data.kind}"


def _function(reference: str, quantity: Quantity) -> Callable[[Trial], object]:
    place, _, name = reference.partition(":")
    where = f"{reference} (prerequisites of {quantity.name})"
    if not place or not name:
        raise StudyError(f"{where}: write 'module:function', or in your own file ':function'")
    try:
        holder = importlib.import_module(place)
    except ModuleNotFoundError as error:
        raise StudyError(f"{where}: {error}") from None
    function = getattr(holder, name, None)
    if not callable(function):
        choices = (key for key, value in vars(holder).items() if callable(value))
        raise StudyError(f"{where}: {place} has no function {name!r}; {nearest(name, choices)}")
    found: Callable[[Trial], object] = function
    return found
