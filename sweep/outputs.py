"""Outputs: the frames, tables, figures and the report of studies, from stored results alone.

The outputs of a paper are made where all the studies that they draw on are asked for. A study that no table (or figure)
of its paper covers, or that has no paper, gets the default ones. Neither torch nor Ray is imported here, and plotly
only for figures.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from models.spec import nearest
from results.frame import Frame, build_frame
from results.schema import FAILED, FINISHED
from results.store import ResultStore
from results.table import NoSuchCell, Table
from studies.catalogue import Entry
from studies.default_table import settings_table
from studies.paper import Output, Paper
from studies.paths import StudyError
from studies.study import SMALL, Study
from sweep.failures import grouped
from sweep.origins import origins

if TYPE_CHECKING:
    from results.figures import Figure
    from results.report import Report, StudyProgress

What = Literal["tables", "figures"]
Made = TypeVar("Made")


@dataclass(frozen=True, kw_only=True)
class Results:
    """The studies that were asked for and what is stored of them.

    frames: by the studies' full names, as papers' tables and figures know them. damaged: files that were skipped,
    with the reason.
    """

    entries: tuple[Entry, ...]
    frames: Mapping[str, Frame]
    damaged: Mapping[str, str]

    @property
    def papers(self) -> tuple[Paper, ...]:
        """The papers of the studies, each once."""
        return tuple({entry.paper.name: entry.paper for entry in self.entries if entry.paper is not None}.values())


def study_frame(study: Study, store: ResultStore) -> Frame:
    """The frame of a study from a store."""
    return build_frame(
        study.name,
        study.question,
        study.axis_columns(),
        study.quantities,
        study.planned(),
        store,
        study.reduced,
        study.comparable,
    )


def read_results(entries: Sequence[Entry], store: ResultStore) -> Results:
    """What is stored of the studies; raises StudyError for a study and its reduced twin: their outputs share names."""
    frames: dict[str, Frame] = {}
    for entry in entries:
        name = entry.study.full_name
        if name in frames:
            raise StudyError(f"{name} and {name}{SMALL} give outputs of the same names: ask for one at a time")
        frames[name] = study_frame(entry.study, store)
    results = Results(entries=tuple(entries), frames=frames, damaged=dict(store.damaged))
    for paper in results.papers:
        _refuse_repeats(f"{paper.name}: two outputs are called", [one.name for one in (*paper.tables, *paper.figures)])
    return results


def build_tables(results: Results, options: Mapping[str, object] | None = None) -> list[Table]:
    """The tables of the studies: those of their papers, then the default ones.

    options: how differences are tested (`Output.options`), for the tables that test some.
    """
    made = [_build(output, results.frames, Table, options or {}) for output in chosen(results, "tables")]
    made += [settings_table(results.frames[name], f"{_stem(name)}-settings") for name in _uncovered(results, "tables")]
    _refuse_repeats("two studies have a table", [table.name for table in made])
    return made


def build_figures(results: Results, options: Mapping[str, object] | None = None) -> list[Figure]:
    """The figures of the studies: those of their papers, then the default ones. options: see `Output.options`."""
    from results.figures import Figure
    from studies.default_figures import default_figures

    made = [_build(output, results.frames, Figure, options or {}) for output in chosen(results, "figures")]
    for name in _uncovered(results, "figures"):
        made += default_figures(results.frames[name], _stem(name))
    _refuse_repeats("two studies have a figure", [figure.name for figure in made])
    return made


def chosen(results: Results, what: What) -> list[Output]:
    """The outputs of the papers all of whose studies were asked for."""
    return [output for paper in results.papers for output in _outputs(paper, what) if _is_asked(output, results)]


def left_out(results: Results, what: What) -> list[str]:
    """One line for each output that was not made, since it also draws on studies that were not asked for."""
    return [
        f"{output.name} is left out: it also draws on "
        + ", ".join(name for name in output.studies if name not in results.frames)
        for paper in results.papers
        for output in _outputs(paper, what)
        if not _is_asked(output, results) and any(name in results.frames for name in output.studies)
    ]


def find_table(tables: Sequence[Table], name: str) -> Table:
    """The table of that name; raises NoSuchCell with the nearest."""
    known = {table.name: table for table in tables}
    if name not in known:
        raise NoSuchCell(f"no table {name!r}; {nearest(name, known)}")
    return known[name]


def build_report(
    results: Results,
    store: ResultStore,
    running: Collection[str] = (),
    options: Mapping[str, object] | None = None,
) -> Report:
    """All of the studies on one page. running: ids of trials that a launch works on now; options: see build_tables."""
    from results.report import FailureGroup, Report

    whole = len(results.papers) == 1 and {study.name for study in results.papers[0].studies} == set(results.frames)
    trials = {trial for frame in results.frames.values() for trial in frame.trials["trial"]}
    failures = [
        FailureGroup(study=frame.study, **vars(group))
        for frame in results.frames.values()
        for group in grouped(frame.trials, frame.axes, FAILED | {"diverged"})
    ]
    return Report(
        title=results.papers[0].title if whole else ", ".join(frame.study for frame in results.frames.values()),
        reference="; ".join(paper.reference for paper in results.papers),
        studies=[_progress(entry.study, results.frames[entry.study.full_name], running) for entry in results.entries],
        tables=build_tables(results, options),
        figures=build_figures(results, options),
        failures=failures,
        provenance=origins(store, trials),
    )


def _progress(study: Study, frame: Frame, running: Collection[str]) -> StudyProgress:
    from results.report import StudyProgress

    status = frame.trials["status"]
    status = status.mask(frame.trials["trial"].isin(sorted(running)) & ~status.isin(sorted(FINISHED)), "running")
    return StudyProgress(
        name=study.name,
        question=study.question,
        counts={str(name): int(count) for name, count in status.value_counts().items()},
        axes=frame.axes,
        seeds=len(study.seed_values),
        reduced=frame.reduced,
    )


def _outputs(paper: Paper, what: What) -> tuple[Output, ...]:
    return paper.tables if what == "tables" else paper.figures


def _is_asked(output: Output, results: Results) -> bool:
    return all(name in results.frames for name in output.studies)


def _uncovered(results: Results, what: What) -> list[str]:
    """The studies that no output of their paper draws on."""
    covered = {name for output in chosen(results, what) for name in (*output.studies, *output.also)}
    return [name for name in results.frames if name not in covered]


def _build(
    output: Output, frames: Mapping[str, Frame], kind: type[Made], options: Mapping[str, object] | None = None
) -> Made:
    """The table or figure of an output; raises StudyError where its function is missing or gives something else."""
    module, _, attribute = output.build.partition(":")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise StudyError(f"{output.name} is built by {output.build}, which is not there: {error}") from None
    function: Callable[..., Any] | None = getattr(found, attribute, None)
    if function is None:
        raise StudyError(
            f"{output.name} is built by {output.build}, which is not there; {nearest(attribute, vars(found))}"
        )
    taken = {name: value for name, value in (options or {}).items() if name in output.options}
    drawn = (*output.studies, *(name for name in output.also if name in frames))
    made = function({name: frames[name] for name in drawn}, **taken)
    if not isinstance(made, kind):
        raise StudyError(f"{output.name}: {output.build} gives a {type(made).__name__}, not a {kind.__name__}")
    name = getattr(made, "name", None)
    if name != output.name:
        raise StudyError(f"{output.name}: {output.build} calls it {name!r}: give both one name")
    return made


def _stem(name: str) -> str:
    """A study's name as the beginning of a file's."""
    return name.replace("/", "-")


def _refuse_repeats(fault: str, names: Sequence[str]) -> None:
    """Names are those of files: raises StudyError for one that stands twice."""
    for name in names:
        if names.count(name) > 1:
            raise StudyError(f"{fault} {name}, and so their files")
