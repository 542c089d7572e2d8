"""Paper: some studies, and the tables and figures that are drawn from their results."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from models.spec import nearest
from studies.paths import StudyError
from studies.study import Study

OPTIONS = ("correction", "paired", "hull")
_BUILD = re.compile(r"[\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True, kw_only=True)
class Output:
    """One table or figure.

    name: of its files; title: of its caption; studies: those whose frames it draws on, by full name; it is made where
        all of them are asked for. also: further ones, drawn on where they are asked for too.
    build: 'module:function', imported only when it is drawn and called with the frames by study name; a module left
        empty means the module in which the paper stands (a user's own file).
    options: keyword arguments that the function takes beside the frames: of how a table tests its differences,
        `correction` ('bonferroni', 'holm' or 'none') and `paired`; of which optima a figure marks, `hull` ('text' or
        'visible', see `results.frontier.convex_hull`).
    """

    name: str
    title: str
    studies: tuple[str, ...]
    build: str
    options: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w.-]+", self.name):
            raise StudyError(f"an output is named by letters, digits, _ . and -, as its files are, not {self.name!r}")
        if not self.studies:
            raise StudyError(f"the output {self.name} draws on no study")
        if not _BUILD.fullmatch(self.build):
            raise StudyError(f"the output {self.name} is built by a 'module:function', not {self.build!r}")
        for option in self.options:
            if option not in OPTIONS:
                raise StudyError(f"the output {self.name} has no option {option!r}; {nearest(option, OPTIONS)}")


@dataclass(frozen=True, kw_only=True)
class Paper:
    """name: by which all its studies are meant at once. reference: the publication, or what else the studies follow.

    Raises StudyError where two studies or outputs share a name, or an output draws on a study that is not here.
    """

    name: str
    title: str
    reference: str
    studies: tuple[Study, ...]
    tables: tuple[Output, ...] = ()
    figures: tuple[Output, ...] = ()

    def __post_init__(self) -> None:
        names = [study.name for study in self.studies]
        self._refuse_repeats("study", names)
        self._refuse_repeats("table", (output.name for output in self.tables))
        self._refuse_repeats("figure", (output.name for output in self.figures))
        for output in (*self.tables, *self.figures):
            for name in (*output.studies, *output.also):
                if name not in names:
                    raise StudyError(f"{self.name}: {output.name} draws on {name}; {nearest(name, names)}")

    def _refuse_repeats(self, what: str, names: Iterable[str]) -> None:
        seen = set()
        for name in names:
            if name in seen:
                raise StudyError(f"{self.name}: the {what} {name} occurs twice")
            seen.add(name)
