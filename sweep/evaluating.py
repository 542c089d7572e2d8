"""Evaluating: what a worker measures of trained trials, and why it could not measure the rest. No failure is raised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from evaluation.errors import EvaluationError
from evaluation.measure import Value, measure_each
from evaluation.view import View
from results.files import StoreError
from results.quantity import Quantity
from results.store import ResultStore
from studies.trial import Trial
from sweep.failures import Fault

Weights = Mapping[str, np.ndarray]


def evaluate(view: View | Fault, quantities: Sequence[Quantity]) -> tuple[dict[str, Value], dict[str, Fault]]:
    """(values, faults) of one trial by quantity; where the trial itself cannot be looked at, that of each quantity."""
    if isinstance(view, Fault):
        return {}, dict.fromkeys((quantity.name for quantity in quantities), view)
    values, errors = measure_each(view, quantities)
    return values, {name: Fault.of(error) for name, error in errors.items()}


def stored_weights(
    store: ResultStore, trial: Trial, shapes: Mapping[str, tuple[int, ...]], dtype: str
) -> Weights | Fault:
    """The stored weights of a trial, if they are whole and those of its model: of these names, shapes and type."""
    try:
        weights = store.weights(trial.id)
        _check(weights, shapes, dtype)
    except (StoreError, EvaluationError) as error:
        return Fault.of(error)
    return weights


def _check(weights: Weights, shapes: Mapping[str, tuple[int, ...]], dtype: str) -> None:
    for name in shapes.keys() ^ weights.keys():
        raise EvaluationError(f"the stored weights {'lack' if name in shapes else 'have'} {name!r}, unlike the model")
    for name, shape in shapes.items():
        held = weights[name]
        if held.shape != shape or held.dtype != dtype:
            raise EvaluationError(
                f"the stored {name!r} is {held.dtype} of shape {held.shape}, and the model's {dtype} of shape {shape}"
            )


def filled(found: Sequence[Weights | Fault], slots: int) -> list[Weights]:
    """Weights for every slot of a pack: where there are none, those of another trial. Empty where no trial has any."""
    sound = [one for one in found if not isinstance(one, Fault)]
    if not sound:
        return []
    return [sound[-1] if isinstance(one, Fault) else one for one in found] + [sound[-1]] * (slots - len(found))
