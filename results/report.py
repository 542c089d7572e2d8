"""The report: one HTML file that holds everything it shows and opens without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from plotly.offline import get_plotlyjs

from results.figures import Figure, stylesheet
from results.files import LocalFiles
from results.schema import FAILED
from results.table import Table

_ORDER = ("completed", "diverged", *sorted(FAILED), "running", "missing")


@dataclass(frozen=True, kw_only=True)
class StudyProgress:
    """What a study asked and how much of it is done.

    counts: planned trials by status (completed, diverged, error, …, running, missing); their sum is what is planned.
    axes: what varies; seeds: replicates of a setting, 0 where it does not matter; reduced: how the study is cut down.
    """

    name: str
    question: str
    counts: Mapping[str, int]
    axes: tuple[str, ...] = ()
    seeds: int = 0
    reduced: str = ""

    @property
    def planned(self) -> int:
        return sum(self.counts.values())

    @property
    def finished(self) -> int:
        """Completed and diverged: divergence is a result."""
        return self.counts.get("completed", 0) + self.counts.get("diverged", 0)

    @property
    def parts(self) -> tuple[tuple[str, int, str], ...]:
        """(status in words, count, which colour) of each status that occurs, in a fixed order."""
        known = [status for status in _ORDER if status in self.counts]
        others = sorted(set(self.counts) - set(known))
        return tuple(
            (status.replace("_", " "), self.counts[status], "failed" if status in FAILED else status)
            for status in (*known, *others)
            if self.counts[status]
        )


@dataclass(frozen=True, kw_only=True)
class FailureGroup:
    """Trials that ended alike: their normalised reason, how many, the part of the grid that they share ("" where none),
    and the id of one of them."""

    study: str
    status: str
    reason: str
    count: int
    region: str
    example: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that a report shows.

    provenance: name -> value or values, in the order shown: code versions, packages, hosts, hours, the store's path.
    generated: when the report was made, in the zone in which it is to be shown.
    """

    title: str
    studies: Sequence[StudyProgress]
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    failures: Sequence[FailureGroup] = ()
    provenance: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    reference: str = ""
    generated: datetime = field(default_factory=lambda: datetime.now(UTC))


def render(report: Report) -> str:
    """The report as one HTML page: equal reports give equal text. About 5 MB, nearly all of it plotly.js.

    Raises ValueError where two tables or two figures share a name: links in the page go by name.
    """
    for what, parts in (("table", report.tables), ("figure", report.figures)):
        names = [part.name for part in parts]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"a report has each {what} once, not {name} twice")
    provenance = [
        (name, [values] if isinstance(values, str) else list(values)) for name, values in report.provenance.items()
    ]
    template = files("results").joinpath("report.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    page = environment.from_string(template).render(
        report=report,
        provenance=provenance,
        when=f"{report.generated:%Y-%m-%d %H:%M %Z}".strip(),
        css=stylesheet(),
        plotly=get_plotlyjs() if report.figures else "",
    )
    return page


def write_report(path: Path | str, report: Report) -> Path:
    """Writes the report as a file that appears whole; returns its absolute path. Raises StoreError where it cannot."""
    target = Path(path).expanduser().absolute()
    with LocalFiles(target.parent).create(target.name, durable=False) as file:
        file.write(render(report).encode())
    return target
