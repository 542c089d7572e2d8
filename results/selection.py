"""Selection rules: which setting (or trial) of a study a table reports, stated so that a caption can repeat it.

'Among settings with mean rate < 10 nats, the one with the highest mean accuracy' is a rule; what it chose, from how
many, and how complete the choice is are part of its result.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from results.frame import Frame
from results.quantity import Quantity
from results.significance import mean_and_std

Over = Literal["setting", "trial"]
Operator = Literal["<", "<=", ">", ">=", "=="]
Condition = tuple[str, Operator, float]

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {  # of a column of means and a number
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a rule chose.

    id: the setting, or the trial, or None where none qualifies; trials: the trials behind the value, in study order.
    value, std: mean and standard deviation (ddof = 1, NaN below two) of what was optimised, in its unit.
    n: trials behind the value; planned: how many it was to have.
    qualified: settings (or trials) that meet the conditions; measured: those with the values to tell; considered: all.
    reason: why nothing was chosen, else empty.
    """

    rule: str
    id: str | None
    trials: tuple[str, ...] = ()
    value: float = math.nan
    std: float = math.nan
    n: int = 0
    planned: int = 0
    qualified: int = 0
    measured: int = 0
    considered: int = 0
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class SelectionRule:
    """The best setting or trial by one quantity, among those that meet conditions on others.

    maximise, minimise: the quantity to optimise, exactly one of the two.
    where: conditions `(quantity or axis, operator, number)`, all of which must hold: of a setting's mean over its
        seeds, or of the trial itself.
    over: what is chosen: a 'setting' by its mean over seeds, or a single 'trial'.
    complete: only settings all of whose planned seeds have their values.

    Only trials that have every quantity named count, so all means of a setting are over the same seeds. Of equal
    values the first in study order is chosen.
    """

    maximise: str = ""
    minimise: str = ""
    where: tuple[Condition, ...] = ()
    over: Over = "setting"
    complete: bool = False

    def __post_init__(self) -> None:
        if bool(self.maximise) == bool(self.minimise):
            raise ValueError("a selection rule maximises or minimises one quantity")
        if self.over not in get_args(Over):
            raise ValueError(f"a selection is over {' or '.join(get_args(Over))}, not {self.over!r}")
        for name, sign, bound in self.where:
            if sign not in _OPERATORS:
                raise ValueError(f"a condition compares by one of {', '.join(_OPERATORS)}, not {name} {sign} {bound:g}")

    @property
    def target(self) -> str:
        """The quantity that is optimised."""
        return self.maximise or self.minimise

    @property
    def name(self) -> str:
        """The rule in words, by the names of the quantities."""
        return self.describe(())

    def describe(self, quantities: tuple[Quantity, ...]) -> str:
        """The rule in words for a caption, with the labels and units of the quantities that are given."""
        mean = "mean " if self.over == "setting" else ""
        goal = "highest" if self.maximise else "lowest"
        title = {quantity.name: quantity.title for quantity in quantities}.get(self.target, self.target)
        text = f"the {self.over} with the {goal} {mean}{title}"
        if self.where:
            text += f" among those with {self._conditions(quantities)}"
        if self.complete:
            text += " and all planned seeds"
        return text

    def select(self, frame: Frame, within: Mapping[str, object] | None = None) -> Selection:
        """What this rule chooses from a study, or from its trials that have the values of `within` (column to value).

        Raises ValueError where the frame lacks a column that is named.
        """
        needed = [self.target, *(name for name, _, _ in self.where)]
        rows = frame.trials
        for name in [*needed, *(within or {})]:
            if name not in rows.columns:
                raise ValueError(f"study {frame.study} has no column {name!r}; it has {', '.join(rows.columns)}")
        for name, value in (within or {}).items():
            rows = rows[rows[name] == value]

        planned = rows.groupby(self.over, sort=False).size()  # in study order
        present = rows.dropna(subset=needed)
        by = present.groupby(self.over, sort=False)
        means, sizes = by[list(dict.fromkeys(needed))].mean(), by.size()
        if self.complete:
            means = means[sizes == planned.loc[sizes.index]]
        meets = pd.Series(True, index=means.index)
        for name, sign, bound in self.where:
            meets &= _OPERATORS[sign](means[name], bound)
        qualified = means.loc[meets, self.target]

        searched = Selection(
            rule=self.describe(frame.quantities),
            id=None,
            qualified=len(qualified),
            measured=len(means),
            considered=len(planned),
        )
        if qualified.empty:
            return replace(searched, reason=self._nothing(frame, len(means), len(planned)))
        chosen = str(qualified.idxmax() if self.maximise else qualified.idxmin())
        behind = present[present[self.over] == chosen]
        value, std = mean_and_std(behind[self.target].to_numpy(np.float64))
        return replace(
            searched,
            id=chosen,
            trials=tuple(behind["trial"]),
            value=value,
            std=std,
            n=len(behind),
            planned=int(planned[chosen]),
        )

    def _conditions(self, quantities: tuple[Quantity, ...]) -> str:
        known = {quantity.name: quantity for quantity in quantities}
        mean = "mean " if self.over == "setting" else ""
        parts = []
        for name, sign, bound in self.where:
            quantity = known.get(name)
            if quantity is None:
                parts.append(f"{mean}{name} {sign} {bound:g}")
            else:
                unit = "" if quantity.unit in ("", "fraction") else f" {quantity.unit}"
                parts.append(f"{mean}{quantity.title} {sign} {bound:g}{unit}")
        return " and ".join(parts)

    def _nothing(self, frame: Frame, measured: int, considered: int) -> str:
        plural = f"{self.over}s"
        complete = " with all planned seeds" if self.complete else ""
        if considered == 0:
            return f"no {plural} are planned"
        if measured == 0:
            return f"none of {considered} {plural} has results yet{complete}"
        return (
            f"no {self.over} with {self._conditions(frame.quantities)} ({measured} of {considered} {plural} measured)"
        )
