"""The numbers that a paper prints, read from the `published.csv` in its folder."""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.resources import files

from results.table import Published


@dataclass(frozen=True, kw_only=True)
class PublishedNumber:
    """One printed number, every field as text.

    table: T1, T2, … or the section (S4.6). model: the row's name in the paper; config: what else tells it apart, as
    in "beta=0.1;batch=64". value, std: as printed, so that 0.90 has two decimals; std is empty where there is none.
    op: '=', or '>' and '~' for a bound and an approximate value.
    """

    paper: str
    table: str
    dataset: str
    model: str
    config: str
    metric: str
    value: str
    std: str
    op: str
    unit: str

    @property
    def settings(self) -> Mapping[str, str]:
        """The parts of `config` that assign a value."""
        parts = (part.partition("=") for part in self.config.split(";"))
        return {name: value for name, sign, value in parts if sign}

    def of_runs(self, runs: int | None) -> Published:
        """The number for a cell of a table; runs: how many it is the mean of, where that is known."""
        return Published.printed(self.value, self.std, runs)


@dataclass(frozen=True)
class PublishedNumbers:
    """All that is printed in one paper."""

    rows: tuple[PublishedNumber, ...]

    def find(
        self, table: str, metric: str, *, dataset: str, model: str, config: str | None = None
    ) -> PublishedNumber | None:
        """The number at a place of a table, None where the paper has none; without `config` there must be only one.

        Raises ValueError where several rows answer.
        """
        place = {"table": table, "metric": metric, "dataset": dataset, "model": model}
        place |= {} if config is None else {"config": config}
        found = [row for row in self.rows if all(getattr(row, name) == value for name, value in place.items())]
        if len(found) > 1:
            raise ValueError(f"{table} has {len(found)} numbers at {place}: {', '.join(row.config for row in found)}")
        return found[0] if found else None

    def settings(self, table: str, *, dataset: str, model: str) -> Mapping[str, str]:
        """What the paper says of the settings behind a row."""
        rows = (row for row in self.rows if (row.table, row.dataset, row.model) == (table, dataset, model))
        first = next(rows, None)
        return {} if first is None else first.settings


@functools.cache
def read_published(package: str) -> PublishedNumbers:
    """The numbers of the paper in this package, as "studies.dueling".

    Raises ValueError, with the line, for other columns than those of `PublishedNumber`, a value that is no number, or
    a place that occurs twice.
    """
    resource = files(package) / "published.csv"
    names = [field.name for field in fields(PublishedNumber)]
    rows: list[PublishedNumber] = []
    places: set[tuple[str, ...]] = set()
    reader = csv.reader(resource.read_text(encoding="utf-8").splitlines())
    header = next(reader, [])
    if header != names:
        raise ValueError(f"{resource} has the columns {', '.join(names)}, not {', '.join(header)}")
    for line, values in enumerate(reader, start=2):
        if len(values) != len(names):
            raise ValueError(f"{resource}, line {line}: {len(names)} values a line, not {len(values)}")
        row = PublishedNumber(**dict(zip(names, values, strict=True)))
        place = (row.table, row.dataset, row.model, row.config, row.metric)
        if place in places:
            raise ValueError(f"{resource}, line {line}: {' '.join(place)} occurs twice")
        try:
            row.of_runs(None)
        except ValueError:
            raise ValueError(f"{resource}, line {line}: {row.value!r} ± {row.std!r} is no number") from None
        places.add(place)
        rows.append(row)
    return PublishedNumbers(rows=tuple(rows))
