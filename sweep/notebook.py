"""A store in a notebook: frames, tables, figures and trained networks by name.

runs = open_store("runs")
runs.frame("digits/hvae").trials                      # a pandas DataFrame, one row a planned trial
print(runs.table("objectives").markdown())
runs.model("02aac57b")                                # a network with its trained weights
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from models.spec import SpecificationError, nearest
from results.frame import Frame
from results.store import ResultStore
from results.table import Table
from studies.catalogue import Entry, find, papers
from studies.paper import Output
from studies.paths import StudyError
from studies.study import Study
from studies.trial import Trial, from_json
from sweep.outputs import Results, build_figures, build_tables, find_table, read_results, study_frame
from sweep.trial_record import TrialRecord, read_trial, resolve

if TYPE_CHECKING:
    import pandas as pd

    from models.network import Network
    from results.figures import Figure


def open_store(path: str | Path) -> Notebook:
    """The store at `path`, a folder or an address (s3://bucket/prefix), to be read; raises StoreError without one."""
    return Notebook(ResultStore.open(path))


class Notebook:
    """What is stored, by name. Nothing is cached: while a study runs, the same call gives more."""

    def __init__(self, store: ResultStore) -> None:
        self.store = store

    def __repr__(self) -> str:
        return f"open_store({self.store.location!r})"

    def frame(
        self, study: str | Study, *, where: Sequence[str] = (), seeds: int | None = None, assign: Sequence[str] = ()
    ) -> Frame:
        """The frame of one study, by name ("digits/hvae", "digits/hvae@small", "path/to/file.py:study") or itself.

        where, seeds, assign: as --where, --seeds and --set on the command line.
        """
        chosen = study if isinstance(study, Study) else self._entry(study).study
        chosen = chosen.assigned(*assign)
        if seeds is not None:
            chosen = chosen.with_seeds(seeds)
        return study_frame(chosen.select(*where), self.store)

    def tables(self, *names: str) -> dict[str, Table]:
        """The tables of studies or papers, by name."""
        return {table.name: table for table in build_tables(self._results(names))}

    def table(self, name: str, *studies: str) -> Table:
        """One table, of our papers or of the studies named; `.markdown()`, `.latex()`, `.csv()`, `.html()` write it."""
        return find_table(build_tables(self._results(studies or self._drawn_on("tables", name))), name)

    def figure(self, name: str, *studies: str) -> Figure:
        """One figure, of our papers or of the studies named; `.plot` is plotly's."""
        known = {one.name: one for one in build_figures(self._results(studies or self._drawn_on("figures", name)))}
        if name not in known:
            raise StudyError(f"no figure {name!r}; {nearest(name, known)}")
        return known[name]

    def trials(self) -> pd.DataFrame:
        """Every stored trial, the attempt that counts: a row of the table `trials`."""
        frame: pd.DataFrame = self.store.trials().to_pandas()
        return frame

    def trial(self, identity: str) -> TrialRecord:
        """All that is stored of a trial; the first characters of its id are enough."""
        return read_trial(self.store, identity)

    def specification(self, identity: str) -> Trial:
        """What a trial is. Raises SpecificationError for one of a user's own kinds whose file is not loaded."""
        trial = resolve(self.store, identity)
        try:
            return from_json(self.store.trials(["specification"], [trial])["specification"][0].as_py())
        except SpecificationError as error:
            hint = "; a kind of your own is known once its file is: .frame('path/to/file.py:study')"
            raise SpecificationError(f"{trial}: {error}{hint}") from None

    def model(self, identity: str) -> Network:
        """The trained network of a trial, in evaluation mode, on the CPU. Raises StoreError without weights."""
        from models.trained import trained_network

        trial = resolve(self.store, identity)
        specification = self.specification(trial)
        network = trained_network(specification.model, specification.data, self.store.weights(trial))
        return network.eval()

    def _entry(self, name: str) -> Entry:
        entries = find([name])
        if len(entries) > 1:
            raise StudyError(f"a frame is of one study; {name} has {', '.join(one.study.name for one in entries)}")
        return entries[0]

    def _results(self, names: Sequence[str]) -> Results:
        return read_results(find(names), self.store)

    def _drawn_on(self, what: str, name: str) -> tuple[str, ...]:
        """The studies that an output of our papers draws on."""
        known: dict[str, Output] = {output.name: output for paper in papers() for output in getattr(paper, what)}
        if name not in known:
            raise StudyError(f"no {what[:-1]} {name!r}; {nearest(name, known)}; name the studies of any other")
        return known[name].studies
