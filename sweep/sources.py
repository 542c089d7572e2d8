"""Which of the users' files a trial is made by, and which finished trials another version of a file made.

A kind is known by its tag and revision, whatever stands in the file that defines it; so trials of an edited file, or of
another file with the same tags, count as finished. That is what a user wants of a new comment and not of new
mathematics: it is told, and his to judge.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from results.quantity import Quantity
from results.reading import Reading
from results.store import ResultStore
from studies.catalogue import Entry
from studies.trial import Trial
from sweep.task import Source


def sources_of(trial: Trial, quantities: Iterable[Quantity], sources: Collection[Source]) -> list[Source]:
    """Those of the files that define a kind of the trial, or the family or prerequisites of one of the quantities."""
    if not sources:
        return []
    modules = {type(kind).__module__ for kind in trial.kinds}
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


def other_source(entry: Entry, store: ResultStore | None, reading: Reading | None = None) -> OtherSource | None:
    """The finished trials of a study that its file, as it is now, did not make; None where there are none.

    reading: of the store, of these trials, where that has been done.
    """
    file = entry.source
    if file is None or store is None:
        return None
    trials = {trial.id: trial for trial in entry.study.trials()}
    finished = (reading or Reading(store, trials)).finished
    columns = (finished[name].to_pylist() for name in ("trial", "source"))
    made_by = {trial: source or "" for trial, source in zip(*columns, strict=True)}
    found: list[set[str]] = []
    for trial, hashes in made_by.items():
        if file.sha256 not in hashes.split(","):
            kinds = {type(kind).__name__ for kind in trials[trial].kinds if type(kind).__module__ == file.name}
            found += [kinds] if kinds else []
    if not found:
        return None
    return OtherSource(trials=len(found), file=Path(file.path).name, kinds=tuple(sorted(set().union(*found))))
