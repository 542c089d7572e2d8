"""Study: a named question, and the trials that answer it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from models.spec import SpecificationError, nearest
from results.quantity import Quantity
from studies import overrides, paths
from studies import where as conditions
from studies.axes import Axes, product, written
from studies.paths import StudyError
from studies.trial import Trial

if TYPE_CHECKING:
    import pandas as pd

SMALL = "@small"
WHOLE_STUDIES = ("data", "data.kind", "seed")  # conditions on these leave the settings of a data set together


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """How a study becomes its reduced twin, NAME@small: what it asks, at a fraction of the cost.

    note: how the twin differs, in words; it stands in everything that the twin yields.
    axes, seeds, quantities: in place of the study's, where given. assign: values placed in the base trial, by path.
    """

    note: str
    axes: Axes | None = None
    seeds: int | tuple[int, ...] | None = None
    quantities: tuple[Quantity, ...] | None = None
    assign: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.note:
            raise StudyError("a reduction says in its note how the study is reduced")


@dataclass(frozen=True, kw_only=True)
class Study:
    """A question, a base trial, the axes along which it varies, the seeds of each setting and what is measured.

    name: 'paper/study'. seeds: a number of seeds from 0, or the seeds themselves. note: how this study differs from the
    full one, where it does; where: conditions (the `--where` grammar) that its trials meet; declared: the seeds that it
    was declared with, where others were asked for.
    Raises StudyError where it cannot be enumerated: a path that the base trial does not have, no or repeated seeds, two
    quantities of one name. A value that a specification refuses is refused when the trials are enumerated.
    """

    name: str
    question: str
    base: Trial
    axes: Axes = field(default_factory=product)
    seeds: int | tuple[int, ...] = 1
    quantities: tuple[Quantity, ...] = ()
    reduction: Reduction | None = None
    note: str = ""
    where: tuple[str, ...] = ()
    declared: int | tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not self.name or any(letter.isspace() or letter in "@:," for letter in self.name.removesuffix(SMALL)):
            raise StudyError(f"a study's name is one word without @ : or a comma, not {self.name!r}")
        seeds = self.seeds if isinstance(self.seeds, tuple) else (self.seeds - 1,)
        if not seeds or len(set(seeds)) < len(seeds) or any(isinstance(s, bool) or s < 0 for s in seeds):
            raise StudyError(f"{self.name}: seeds is a number from 1, or distinct seeds from 0, not {self.seeds!r}")
        names = [quantity.name for quantity in self.quantities]
        for name in names:
            if names.count(name) > 1:
                raise StudyError(f"{self.name}: the quantity {name} occurs twice")
        first = next(iter(self.axes), None)
        if first is None:
            raise StudyError(f"{self.name}: its axes leave no setting")
        self._apply(first.values)

    @property
    def seed_values(self) -> tuple[int, ...]:
        """The seeds themselves, in order."""
        return self.seeds if isinstance(self.seeds, tuple) else tuple(range(self.seeds))

    @property
    def reduced(self) -> str:
        """How this study is reduced, in words; empty for a full study."""
        seeds, declared = self._count(self.seeds), self._count(self.declared or self.seeds)
        fewer = [f"{seeds} of {declared} seeds"] if seeds < declared else []
        return "; ".join((*([self.note] if self.note else []), *fewer, *(f"only {text}" for text in self.where)))

    @property
    def comparable(self) -> bool:
        """Whether its numbers may stand against published ones.

        Those of a shorter study never may, nor those of a selection that leaves out settings among which a table
        chooses; whole data sets of the full study, or fewer seeds of it, may.
        """
        return not self.note and all(conditions.parse(text).path in WHOLE_STUDIES for text in self.where)

    @property
    def full_name(self) -> str:
        """The name without @small: by it tables and figures know the study."""
        return self.name.removesuffix(SMALL)

    def axis_columns(self) -> tuple[str, ...]:
        """The paths along which the study varies, in the order of its axes."""
        return self.axes.columns

    def trials(self) -> tuple[Trial, ...]:
        """All trials in the order in which they are run: every setting at the first seed, then at the second, …"""
        return self._trials

    def __len__(self) -> int:
        return len(self._trials)

    @property
    def settings(self) -> tuple[str, ...]:
        """The identities of the settings, in order."""
        return tuple(dict.fromkeys(trial.setting for trial in self._trials))

    def labels(self, trial: Trial) -> Mapping[str, str]:
        """How the study's axes label the parts of `trial`, by path."""
        return self._labels.get(trial.setting, {})

    def planned(self) -> pd.DataFrame:
        """One row a trial, in order: trial, setting, seed, and one column an axis.

        An axis column holds the specification's value, or the axis' label for it; None where a trial has no such path.
        """
        import pandas as pd

        return pd.DataFrame(self.columns())

    def columns(self) -> dict[str, list[Any]]:
        """The columns of `planned` as lists, for whoever does without pandas."""
        columns: dict[str, list[Any]] = {
            "trial": [trial.id for trial in self._trials],
            "setting": [trial.setting for trial in self._trials],
            "seed": [trial.seed for trial in self._trials],
        }
        first: dict[str, Trial] = {}
        for trial in self._trials:
            first.setdefault(trial.setting, trial)
        for column in self.axis_columns():  # none of them is the seed
            cells = {setting: self._cell(trial, column) for setting, trial in first.items()}
            columns[column] = [cells[setting] for setting in columns["setting"]]
        return columns

    def with_seeds(self, count: int) -> Study:
        """This study at `count` seeds: those it has, extended by the lowest that it has not, or the first of them."""
        if count < 1:
            raise StudyError(f"{self.name}: a study has at least 1 seed, not {count}")
        known = self.seed_values
        new = (seed for seed in range(count + len(known)) if seed not in known)
        seeds = (*known, *(next(new) for _ in range(count - len(known))))[:count]
        asked = count if seeds == tuple(range(count)) else seeds
        return dataclasses.replace(self, seeds=asked, declared=self.declared or self.seeds)

    def select(self, *where: str) -> Study:
        """The part of this study that meets every condition; raises `StudyError` where that is nothing."""
        if not where:
            return self
        chosen = dataclasses.replace(self, where=(*self.where, *(str(conditions.parse(text)) for text in where)))
        chosen.trials()
        return chosen

    def assigned(self, *texts: str) -> Study:
        """This study with other values in every trial, by the grammar of `--set`: a reduced one, which its note tells.

        Raises NoSuchPath for a path that the study does not have, and StudyError for a value that cannot stand there.
        """
        given = {one.path: one for one in map(overrides.parse, texts)}  # of two for one path, the last
        varied = {path for assignment in self.axes for path in assignment.values} | {"seed"}
        for one in given.values():
            met = sorted(path for path in varied if one.meets(path))
            if met:
                option = "--seeds" if met == ["seed"] else "--where"
                raise StudyError(f"{self.name}: {one.path} cannot be set: {met[0]} varies; choose by {option}")
        chosen = [one for one in given.values() if one.changes(self.base)]
        try:
            base = paths.assign_all(self.base, {one.path: one.value for one in chosen})
        except SpecificationError as error:
            raise StudyError(f"{self.name}: {error}") from None
        note = "; ".join((*([self.note] if self.note else []), *map(str, chosen)))
        return dataclasses.replace(self, base=base, note=note)

    def unselected(self) -> Study:
        """The whole study, at all its declared seeds: how trials are packed follows from it, never from a selection."""
        return self._unselected

    @functools.cached_property
    def _unselected(self) -> Study:
        seeds = self.seeds
        if self.declared is not None and self._count(self.declared) > self._count(seeds):
            seeds = self.declared
        # One that is whole already is itself, enumerated once.
        return dataclasses.replace(self, where=(), seeds=seeds) if self.where or seeds != self.seeds else self

    @staticmethod
    def _count(seeds: int | tuple[int, ...]) -> int:
        return seeds if isinstance(seeds, int) else len(seeds)

    def small(self) -> Study:
        """The reduced twin, NAME@small. Raises StudyError where the study defines none."""
        reduction = self.reduction
        if reduction is None:
            raise StudyError(f"{self.name} has no reduced twin: give it a reduction=Reduction(...)")
        return dataclasses.replace(
            self,
            name=self.name + SMALL,
            base=paths.assign_all(self.base, reduction.assign),
            axes=self.axes if reduction.axes is None else reduction.axes,
            seeds=self.seeds if reduction.seeds is None else reduction.seeds,
            declared=self.declared if reduction.seeds is None else None,
            quantities=self.quantities if reduction.quantities is None else reduction.quantities,
            reduction=None,
            note="; ".join(part for part in (self.note, reduction.note) if part),
        )

    def quantity(self, name: str) -> Quantity:
        """The quantity of that name; raises `StudyError` with the nearest."""
        known = {quantity.name: quantity for quantity in self.quantities}
        if name not in known:
            raise StudyError(f"{self.name} measures no {name}; {nearest(name, known)}")
        return known[name]

    def _apply(self, values: Mapping[str, Any]) -> Trial:
        try:
            return paths.assign_all(self.base, values)
        except SpecificationError as error:
            raise StudyError(f"{self.name}: {error}") from None

    def _cell(self, trial: Trial, column: str) -> Any:
        label = self.labels(trial).get(column)
        return written(paths.get(trial, column, None)) if label is None else label

    @functools.cached_property
    def _settings(self) -> dict[str, tuple[Trial, Mapping[str, str]]]:
        """Each setting once, in order: a trial of it and its labels."""
        settings: dict[str, tuple[Trial, Mapping[str, str]]] = {}
        seed = self.seed_values[0]
        variants = paths.Variants(self.base)
        for assignment in self.axes:
            try:
                trial = variants.assign({**assignment.values, "seed": seed})
            except SpecificationError as error:
                raise StudyError(f"{self.name}: {error}") from None
            settings.setdefault(trial.setting, (trial, assignment.labels))
        return settings

    @functools.cached_property
    def _labels(self) -> dict[str, Mapping[str, str]]:
        return {setting: labels for setting, (_, labels) in self._settings.items()}

    @functools.cached_property
    def _trials(self) -> tuple[Trial, ...]:
        at_first = [trial for trial, _ in self._settings.values()]
        others = (trial.at_seed(seed) for seed in self.seed_values[1:] for trial in at_first)
        trials = (*at_first, *others)
        return conditions.select(trials, self.where, self.labels) if self.where else trials
