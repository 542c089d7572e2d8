"""Quantity: a named number (or picture) that a study measures of each trained model.

A quantity says what a value means; the code that computes it is named, not imported, so that plans and tables need no
torch. Values are stored with name, unit, goal and version: raising `version` makes every stored trial lack the new one,
and old and new values stand side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Goal = Literal["minimise", "maximise", "none"]
Form = Literal["number", "images", "codes"]


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """What one measured value is.

    name: column name; parameters after an @, as in `accuracy_knn@z2`.
    unit: 'nats', 'dB', 'fraction', …; goal: which direction is better.
    family: 'module:function' that computes this and its relatives in one pass, called as `family(view, names)`; a
        module left empty means the module in which the study stands (a user's own file).
    prerequisites: 'module:function' (as for `family`) that names what must be trained before this can be measured,
        called as `function(trial) -> {role: trial}`; none where it is empty. See studies/prerequisites.py.
    label: how tables and figures write it.
    form: 'number' is one value with an optional standard error; 'images' a stack of pictures; 'codes' latent points.
    levels: of images, the largest value of a pixel; 0 for that of the data.
    """

    name: str
    unit: str
    goal: Goal
    family: str
    version: int = 1
    label: str = ""
    prerequisites: str = ""
    form: Form = "number"
    levels: int = 0

    def __post_init__(self) -> None:
        if not self.name or any(letter.isspace() for letter in self.name):
            raise ValueError(f"a quantity's name is one word, not {self.name!r}")
        if self.version < 1:
            raise ValueError(f"a quantity's version counts from 1, not {self.version}")

    @property
    def title(self) -> str:
        return self.label or self.name

    @property
    def key(self) -> str:
        """Name and version, as in `rate_z1@v1`: what a trial has or lacks."""
        return f"{self.name}@v{self.version}"


@dataclass(frozen=True)
class Estimate:
    """A measured value with the standard error of its estimate, where there is one (in the quantity's unit)."""

    value: float
    standard_error: float | None = None
