"""Which of the users' files a trial is made by, and which finished trials another version of a file made.

A kind is known by its tag and revision, whatever stands in the file that defines it; so trials of an edited file, or of
another file with the same tags, count as finished. That is what a user wants of a new comment and not of new
mathematics: it is told, and his to judge.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.spec import Kind, Spec
from results.quantity import Quantity
from results.schema import FINISHED
from results.store import ResultStore
from studies.catalogue import Entry
from studies.trial import Trial
from sweep.task import Source


def kinds_of(value: Any) -> Iterator[Kind]:
    """Every kind in a specification: data, model with its parts, objective, optimiser."""
    if isinstance(value, Kind):
        yield value
    if isinstance(value, Spec):
        for name in type(value).model_fields:
            yield from kinds_of(getattr(value, name))
    elif isinstance(value, tuple):
        for item in value:
            yield from kinds_of(item)


def sources_of(trial: Trial, quantities: Iterable[Quantity], sources: Collection[Source]) -> list[Source]:
    """Those of the files that define a kind of the trial, or the family or prerequisites of one of the quantities."""
    if not sources:
        return []
    modules = {type(kind).__module__ for kind in kinds_of(trial)}
    modules |= {name.partition(":")[0] for one in quantities for name in (one.family, one.prerequisites)}
    return [source for source in sources if source.name in modules]


@dataclass(frozen=True, kw_only=True)
class OtherSource:
    """Finished trials whose kinds come from a user's file, made by another version of it (or by another file).

    trials: how many; file: the file at hand; kinds: the names of its classes that they use.
    """

    trials: int
    file: str
    kinds: tuple[str, ...]

    def __str__(self) -> str:
        made = "1 finished trial was" if self.trials == 1 else f"{self.trials:,} finished trials were"
        which = ", ".join(self.kinds)
        return f"{made} made by another version of {self.file}; raise `revision` of {which} to keep them apart"


def other_source(entry: Entry, store: ResultStore | None) -> OtherSource | None:
    """The finished trials of a study that its file, as it is now, did not make; None where there are none."""
    file = entry.source
    if file is None or store is None:
        return None
    trials = {trial.id: trial for trial in entry.study.trials()}
    rows = store.trials(["trial", "status", "source"], trials).to_pylist()
    made_by = {row["trial"]: row["source"] or "" for row in rows if row["status"] in FINISHED}
    found: list[set[str]] = []
    for trial, hashes in made_by.items():
        if file.sha256 not in hashes.split(","):
            kinds = {type(kind).__name__ for kind in kinds_of(trials[trial]) if type(kind).__module__ == file.name}
            found += [kinds] if kinds else []
    if not found:
        return None
    return OtherSource(trials=len(found), file=Path(file.path).name, kinds=tuple(sorted(set().union(*found))))
