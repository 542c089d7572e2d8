"""The one grammar of `--where`: `objective.beta[0]=1.0`, `model.latent<64`, `data.kind in digits,mnist`.

A condition is a path, one of = != < <= > >= or `in`, and a value (for `in` several, between commas); several conditions
hold together. Beside the paths of a trial there are `trial` and `setting`, its identities. Numbers are compared at 9
significant digits, as specifications hold them. A whole part is compared by its kind, or by the label that the study's
axis gives it: `objective=free bits`. A trial without the path does not match, whatever the operator.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.spec import Kind, Spec, nearest, round_significant
from studies import paths
from studies.paths import StudyError
from studies.trial import Trial

IDENTITIES = ("trial", "setting")
_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CONDITION = re.compile(r"\s*(?P<path>[^\s=!<>]+)\s*(?P<operator>!=|<=|>=|=|<|>|\bin\b)\s*(?P<value>.*?)\s*", re.DOTALL)
_EXAMPLES = "a condition reads like objective.beta[0]=1.0, model.latent<64 or data.kind in digits,mnist"
NO_LABELS: Mapping[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One condition: what stands at `path`, compared with `operands` (one, or for `in` at least one)."""

    path: str
    operator: str
    operands: tuple[str, ...]

    def __str__(self) -> str:
        space = " " if self.operator == "in" else ""
        return f"{self.path}{space}{self.operator}{space}{','.join(self.operands)}"

    def exists(self, trial: Trial) -> bool:
        """Whether `trial` has the path."""
        return self.path in IDENTITIES or paths.has(trial, self.path)

    def holds(self, trial: Trial, labels: Mapping[str, str] = NO_LABELS) -> bool:
        """Whether `trial` matches. labels: how its study writes the parts at some paths.

        Raises StudyError where the value at the path cannot be compared so.
        """
        if not self.exists(trial):
            return False
        value = read(trial, self.path)
        if self.operator in _ORDER:
            return self._ordered(value)
        equal = any(self._equals(value, operand, labels) for operand in self.operands)
        return equal != (self.operator == "!=")

    def _ordered(self, value: Any) -> bool:
        if value is None:
            return False
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise StudyError(f"{self}: {self.operator} compares numbers; {self.path} is {_shown(value)}")
        return _ORDER[self.operator](value, self._number(self.operands[0]))

    def _equals(self, value: Any, operand: str, labels: Mapping[str, str]) -> bool:
        if isinstance(value, Kind):
            return operand in (value.kind, labels.get(self.path))
        if isinstance(value, tuple | Spec):
            raise StudyError(f"{self}: {self.path} has parts; compare one of them")
        if value is None or isinstance(value, bool):
            return str(value).lower() == operand.lower()
        if isinstance(value, str):
            return value == operand
        return operand.lower() != "none" and value == self._number(operand)

    def _number(self, operand: str) -> float:
        try:
            return round_significant(float(operand))
        except ValueError:
            raise StudyError(f"{self}: {self.path} is a number, and {operand!r} is none") from None


def read(trial: Trial, path: str) -> Any:
    """What a condition compares: the trial's or its setting's identity, or the value at a path."""
    if path == "trial":
        return trial.id
    return trial.setting if path == "setting" else paths.get(trial, path)


def parse(text: str) -> Condition:
    """A condition from its text; raises `StudyError` where it is none."""
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise StudyError(f"{_EXAMPLES}, not {text!r}")
    if match["value"].startswith("="):
        raise StudyError(f"{_EXAMPLES}, with one =, not {text!r}")
    listed = match["operator"] == "in"
    operands = tuple(part.strip() for part in match["value"].split(",")) if listed else (match["value"],)
    if "" in operands:
        raise StudyError(f"{text!r} has no value after {match['operator']}; {_EXAMPLES}")
    if match["path"] not in IDENTITIES:
        paths.parse(match["path"])
    return Condition(path=match["path"], operator=match["operator"], operands=operands)


def select(
    trials: Sequence[Trial],
    conditions: Iterable[str],
    labels: Callable[[Trial], Mapping[str, str]] = lambda trial: NO_LABELS,
) -> tuple[Trial, ...]:
    """The trials for which every condition holds, in their order.

    labels: how the study writes the parts of a trial, by path. Raises StudyError for a path that no trial has, and for
    a selection that leaves nothing, with the nearest choices.
    """
    chosen = tuple(trials)
    for text in conditions:
        condition = parse(text)
        if not any(condition.exists(trial) for trial in trials):
            raise StudyError(f"{condition}: no trial has {condition.path}; {_nearest_path(condition.path, trials)}")
        left = tuple(trial for trial in chosen if condition.holds(trial, labels(trial)))
        if not left:
            raise StudyError(f"no trial is left by {condition}; {_nearest_value(condition, chosen, labels)}")
        chosen = left
    return chosen


def _nearest_path(path: str, trials: Sequence[Trial]) -> str:
    return nearest(path, {known for trial in trials for known in paths.paths(trial)} | set(IDENTITIES))


def _nearest_value(condition: Condition, trials: Sequence[Trial], labels: Callable[[Trial], Mapping[str, str]]) -> str:
    """The values that the path does take: the nearest three of many numbers, else the closest words."""
    values: dict[str, Any] = {}
    for trial in trials:
        if condition.exists(trial):
            value = read(trial, condition.path)
            values[_shown(value, labels(trial).get(condition.path))] = value
    numeric = {shown: value for shown, value in values.items() if isinstance(value, int | float)}
    if numeric and len(numeric) == len(values):
        wanted = condition._number(condition.operands[0])
        close = sorted(numeric, key=lambda shown: abs(numeric[shown] - wanted))[:3]
        return f"the nearest values of {condition.path} are {', '.join(sorted(close, key=float))}"
    return f"of {condition.path}, {nearest(condition.operands[0], values)}"


def _shown(value: Any, label: str | None = None) -> str:
    return label or (value.kind if isinstance(value, Kind) else repr(value) if isinstance(value, float) else str(value))
