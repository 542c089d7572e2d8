"""Evaluating: what a worker measures of trained trials, and why it could not measure the rest. No failure is raised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.errors import EvaluationError
from evaluation.measure import Value, measure_each
from evaluation.view import View
from models.network import Network
from models.trained import trained_network
from results.files import StoreError
from results.quantity import Quantity
from results.store import ResultStore
from studies.prerequisites import described, prerequisites_of
from studies.trial import Trial
from sweep.failures import REASON_LENGTH, Fault, reason_of
from sweep.lost_device import fault_of

Weights = Mapping[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Prerequisites:
    """What the quantities of a pack are measured with.

    networks: trained, by role, on the CPU. used: the ids of the trials behind them by quantity, commas between, for
    quantities that need any. faults: by quantity, where what it needs is not there.
    """

    networks: Mapping[str, Network]
    used: Mapping[str, str]
    faults: Mapping[str, Fault]


def load_prerequisites(store: ResultStore, trial: Trial, quantities: Sequence[Quantity]) -> Prerequisites:
    """The prerequisites of a trial's quantities, which all trials of its pack share, from their stored weights."""
    found: dict[str, Network | Fault] = {}
    used, faults = {}, {}
    for quantity in quantities:
        try:
            roles = prerequisites_of(quantity, trial)
        except Exception as error:  # noqa: BLE001 - of a user's function, which told it to the driver
            faults[quantity.name] = Fault.of(error)
            continue
        for role, one in roles.items():
            if role not in found:
                found[role] = _stored_network(store, role, one)
        if roles:
            used[quantity.name] = ",".join(dict.fromkeys(one.id for one in roles.values()))
        lacking = [fault for role in roles if isinstance(fault := found[role], Fault)]
        if lacking:
            faults[quantity.name] = lacking[0]
    networks = {role: one for role, one in found.items() if isinstance(one, Network)}
    return Prerequisites(networks=networks, used=used, faults=faults)


def _stored_network(store: ResultStore, role: str, trial: Trial) -> Network | Fault:
    """The trained network of a prerequisite, or why there is none: it is named, since it can be done again."""
    name = f"the prerequisite {trial.id} ({role}, {described(trial)})"
    rows = store.trials(["status", "reason"], [trial.id]).to_pylist()
    if not rows:
        return Fault(reason=f"{name} has not been trained")
    if rows[0]["status"] != "completed":
        return Fault(reason=f"{name} was not trained: {rows[0]['status']}: {rows[0]['reason'] or ''}"[:REASON_LENGTH])
    try:
        return trained_network(trial.model, trial.data, store.weights(trial.id))
    except Exception as error:  # noqa: BLE001 - of its weights or a user's model: others can be measured without it
        return Fault(reason=f"{name} cannot be used: {reason_of(error)}"[:REASON_LENGTH])


def evaluate(
    view: View | Fault, quantities: Sequence[Quantity], lacking: Mapping[str, Fault]
) -> tuple[dict[str, Value], dict[str, Fault]]:
    """(values, faults) of one trial by quantity; where the trial itself cannot be looked at, that of each quantity.

    lacking: why quantities cannot be looked at, whatever the trial.
    """
    if isinstance(view, Fault):
        return {}, dict.fromkeys((quantity.name for quantity in quantities), view)
    values, errors = measure_each(view, [quantity for quantity in quantities if quantity.name not in lacking])
    return values, {**lacking, **{name: fault_of(error) for name, error in errors.items()}}


def stored_weights(
    store: ResultStore, trials: Sequence[Trial], shapes: Mapping[str, tuple[int, ...]], dtype: str
) -> list[Weights | Fault]:
    """The stored weights of each trial, if they are whole and those of its model: of these names, shapes and type."""
    try:
        held = store.weights_of([trial.id for trial in trials])
    except StoreError as error:
        return [Fault.of(error)] * len(trials)
    return [_checked(held[trial.id], shapes, dtype) for trial in trials]


def _checked(weights: Weights | StoreError, shapes: Mapping[str, tuple[int, ...]], dtype: str) -> Weights | Fault:
    if isinstance(weights, StoreError):
        return Fault.of(weights)
    try:
        _check(weights, shapes, dtype)
    except EvaluationError as error:
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
