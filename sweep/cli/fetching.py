"""`sweep fetch`, and what other verbs share with it: the official files that studies need, in place before any work."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sweep.cli import options
from sweep.cli.options import Parser, UsageError, Verbs

if TYPE_CHECKING:
    from models.data.sources import OfficialSet
    from models.families import Data


def add(verbs: Verbs[Parser]) -> None:
    """Declares fetch."""
    fetch = options.verb(
        verbs,
        "fetch",
        fetch_data,
        help="download the official files of data sets",
        description="Downloads the official files of data sets, or of those that studies train on, into a folder that "
        "all launches share, and checks each by its size and digest. What is there already is only checked. A launch "
        "does the same by itself; fetch serves machines that compute without a network, of which one may fetch for "
        "all. Where the official addresses cannot be reached, RATESWEEP_MIRROR names another one, under which the "
        "files lie as in the folder: SET/FILE.",
        example="sweep fetch dueling --data /shared/data\nsweep fetch fashion-mnist\nsweep fetch mnist --offline",
    )
    fetch.add_argument(
        "names",
        nargs="+",
        metavar="NAME",
        help="a data set (mnist), a study, a paper (all its studies) or path/to/file.py:study",
    )
    options.add_data(fetch)


def fetch_data(namespace: Namespace) -> int:
    """The verb `fetch`."""
    from models.data.download import ensure, megabytes

    with options.data_from(namespace):
        kinds = [kind for name in namespace.names for kind in _kinds_of(name)]
        for kind in dict.fromkeys(kinds):
            if not _official([kind]):
                print(f"{kind.kind}: nothing to fetch")
        for official in _official(kinds):
            provided = ensure(official, _tell)
            new = provided.downloaded
            size = megabytes(official.bytes)
            done = f"{len(official.files)} files ({size}) are there"
            if new:
                done += f", {len(new)} of them downloaded now ({megabytes(sum(file.bytes for file in new))})"
            print(f"{official.name}: {done}; sizes and MD5 as published: {provided.folder}", flush=True)
    return 0


def provide(kinds: Iterable[type[Data]]) -> None:
    """Puts the official files of these kinds of data in place, before work that needs them; raises DataError."""
    from models.data.download import ensure

    for official in _official(kinds):
        ensure(official, _tell)


def _tell(line: str) -> None:
    print(f"sweep: note: {line}", file=sys.stderr, flush=True)


def _official(kinds: Iterable[type[Data]]) -> list[OfficialSet]:
    """The sets of files that the kinds are made from, each once."""
    from models.data.sources import files_of

    return list(dict.fromkeys(official for kind in kinds if (official := files_of(kind)) is not None))


def _kinds_of(name: str) -> Sequence[type[Data]]:
    """The kinds of data that a name means: one by its own name, or those that studies train on."""
    import models.kinds  # noqa: F401 - which registers them
    from models.families import Data
    from models.spec import kinds, nearest
    from studies.catalogue import PAPERS, find, papers
    from studies.paths import StudyError

    known: dict[str, type[Data]] = {tag: kind for tag, kind in kinds(Data).items() if issubclass(kind, Data)}
    if name in known:
        return [known[name]]
    try:
        entries = find([name])
    except StudyError:
        if ".py" in name or "@" in name:
            raise
        choices = {*known, *PAPERS, *(study.name for paper in papers() for study in paper.studies)}
        raise UsageError(f"no data set, study or paper {name!r}; {nearest(name, choices)}") from None
    return list(dict.fromkeys(type(trial.data) for entry in entries for trial in entry.study.trials()))
