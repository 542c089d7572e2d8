"""The catalogue: studies by name, from our papers and from a user's own file.

A paper's definitions are imported when they are asked for, and import neither torch nor Ray.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from models.spec import nearest
from studies.paper import Output, Paper
from studies.paths import StudyError
from studies.study import SMALL, Study
from studies.user_file import UserModule, load_file

PAPERS = {
    "digits": "studies.digits.paper:PAPER",
    "dueling": "studies.dueling.paper:PAPER",
    "hvae": "studies.hvae.paper:PAPER",
}
_IN_FILE = re.compile(r"(?P<path>.+\.py)(?::(?P<attribute>.*))?")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A study that was asked for, the paper it belongs to and the user's file it comes from, where there is one."""

    study: Study
    paper: Paper | None = None
    source: UserModule | None = None


@functools.cache
def paper(name: str) -> Paper:
    """One of our papers by name."""
    if name not in PAPERS:
        raise StudyError(f"no paper {name!r}; {nearest(name, PAPERS)}")
    module, _, attribute = PAPERS[name].partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if not isinstance(found, Paper):
        raise StudyError(f"{PAPERS[name]} is no paper")
    return found


def papers() -> tuple[Paper, ...]:
    """All our papers."""
    return tuple(paper(name) for name in PAPERS)


def find(names: Sequence[str]) -> list[Entry]:
    """The studies of the given names, each once, in order.

    A name is a study (`digits/hvae`), a paper (`digits`: all its studies), `path/to/file.py:attribute` (a Study or a
    Paper in a user's own file), and any of them with `@small` (the reduced twin).
    Raises StudyError with the nearest names for one that is none of these.
    """
    entries: dict[str, Entry] = {}
    for name in names:
        for entry in _named(name):
            known = entries.setdefault(entry.study.name, entry)
            if known.study is not entry.study and known.study != entry.study:
                raise StudyError(f"{name} defines a second study {entry.study.name}")
    return list(entries.values())


def _named(name: str) -> list[Entry]:
    full = name.removesuffix(SMALL)
    in_file = _IN_FILE.fullmatch(full)
    if in_file is not None:
        entries = _in_file(in_file["path"], in_file["attribute"])
    elif "@" in full:
        raise StudyError(f"{name!r}: after a name, only {SMALL} is known, the reduced twin")
    else:
        entries = _in_papers(full)
    return entries if full == name else [dataclasses.replace(entry, study=entry.study.small()) for entry in entries]


def _in_papers(name: str) -> list[Entry]:
    if name in PAPERS:
        found = paper(name)
        return [Entry(study=study, paper=found) for study in found.studies]
    known = {study.name: Entry(study=study, paper=found) for found in papers() for study in found.studies}
    if name not in known:
        choices = [*PAPERS, *known]
        hint, everything = nearest(name, choices), f"known: {', '.join(choices)}, or path/to/file.py:study"
        raise StudyError(f"no study or paper {name!r}; " + (f"{hint} " if hint.startswith("did") else "") + everything)
    return [known[name]]


def _in_file(path: str, attribute: str | None) -> list[Entry]:
    source = load_file(path)
    defined = [name for name, value in vars(source.module).items() if isinstance(value, Study | Paper)]
    if not attribute:
        raise StudyError(f"{path} alone is no study: write {path}:NAME; {nearest('', defined)}")
    found = source.get(attribute)
    if isinstance(found, Study):
        return [Entry(study=_study_of(found, source), source=source)]
    if isinstance(found, Paper):
        bound = _paper_of(found, source)
        return [Entry(study=study, paper=bound, source=source) for study in bound.studies]
    raise StudyError(
        f"{path}:{attribute} is a {type(found).__name__}, not a Study or Paper; {nearest(attribute, defined)}"
    )


def _study_of(study: Study, source: UserModule) -> Study:
    """The study with its quantities bound to the module of the user's file, where they name none."""
    bound = (
        dataclasses.replace(one, family=_bound(one.family, source), prerequisites=_bound(one.prerequisites, source))
        for one in study.quantities
    )
    return dataclasses.replace(study, quantities=tuple(bound))


def _paper_of(paper: Paper, source: UserModule) -> Paper:
    return dataclasses.replace(
        paper,
        studies=tuple(_study_of(study, source) for study in paper.studies),
        tables=_outputs_of(paper.tables, source),
        figures=_outputs_of(paper.figures, source),
    )


def _outputs_of(outputs: Iterable[Output], source: UserModule) -> tuple[Output, ...]:
    return tuple(dataclasses.replace(output, build=_bound(output.build, source)) for output in outputs)


def _bound(reference: str, source: UserModule) -> str:
    return f"{source.name}{reference}" if reference.startswith(":") else reference
