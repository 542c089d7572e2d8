"""`sweep fetch`, and what other verbs share with it: the official files that studies need, in place before any work."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from sweep.cli import options
from sweep.cli.options import Parser, UsageError, Verbs

if TYPE_CHECKING:
    from models.data.download import Provided
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
        example="sweep fetch dueling --data /shared/data\nsweep fetch hvae/cifar10@small\nsweep fetch mnist --offline",
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
    from models.data.archive import provide

    with options.data_from(namespace):
        found = [(kind, official) for name in namespace.names for kind, official in _named(name)]
        for kind in dict.fromkeys(kind for kind, official in found if official is None):
            print(f"{kind}: nothing to fetch")
        for official in dict.fromkeys(official for _, official in found if official is not None):
            print(_told(official, provide(official, _tell)), flush=True)
    return 0


def _told(official: OfficialSet, provided: Provided) -> str:
    """What there is of a set now."""
    from models.data.download import megabytes

    new = provided.downloaded
    got = megabytes(sum(file.bytes for file in new))
    if official.parts:
        done = f"{len(official.parts)} files are there, with the {megabytes(official.bytes)} that are needed of them"
        done += f", unpacked from {new[0].name}, downloaded now ({got})" if new else ""
        return f"{official.name}: {done}; sizes in whole images: {provided.folder}"
    done = f"{len(official.files)} files ({megabytes(official.bytes)}) are there"
    done += f", {len(new)} of them downloaded now ({got})" if new else ""
    return f"{official.name}: {done}; sizes and MD5 as published: {provided.folder}"


def provide_all(data: Iterable[Data]) -> None:
    """Puts the official files of these data sets in place, before work that needs them; raises DataError."""
    from models.data.archive import provide
    from models.data.sources import needed_by

    for official in dict.fromkeys(needed_by(one) for one in dict.fromkeys(data)):
        if official is not None:
            provide(official, _tell)


def _tell(line: str) -> None:
    print(f"sweep: note: {line}", file=sys.stderr, flush=True)


def _named(name: str) -> Iterator[tuple[str, OfficialSet | None]]:
    """The kinds of data that a name means, one by its own name, or those that studies train on, and their files."""
    import models.kinds  # noqa: F401 - which registers them
    from models.data.sources import files_of, needed_by
    from models.families import Data
    from models.spec import kinds, nearest
    from studies.catalogue import PAPERS, find, papers
    from studies.paths import StudyError

    known: dict[str, type[Data]] = {tag: kind for tag, kind in kinds(Data).items() if issubclass(kind, Data)}
    if name in known:
        yield name, files_of(known[name])
        return
    try:
        entries = find([name])
    except StudyError:
        if ".py" in name or "@" in name:
            raise
        choices = {*known, *PAPERS, *(study.name for paper in papers() for study in paper.studies)}
        raise UsageError(f"no data set, study or paper {name!r}; {nearest(name, choices)}") from None
    for data in dict.fromkeys(trial.data for entry in entries for trial in entry.study.trials()):
        yield data.kind, needed_by(data)
