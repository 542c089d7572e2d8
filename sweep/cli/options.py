"""What the verbs share: how a verb is declared, the arguments that mean the same everywhere, and what they name.

Nothing heavy is imported before a verb runs, so that help and mistakes are answered at once.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from results.store import ResultStore
    from studies.catalogue import Entry

STORE_VARIABLE = "RATESWEEP_STORE"
DEFAULT_STORE = "runs"
WIDTH = 100


class UsageError(Exception):
    """A command line that cannot be: one line with the rule, the value and the nearest choice."""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises `UsageError` where the standard one prints its usage and exits."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


Verbs = argparse._SubParsersAction  # the type of what `add_subparsers` gives has no public name
Run = Callable[[argparse.Namespace], int]


def verb(verbs: Verbs[Parser], name: str, run: Run, *, help: str, description: str, example: str) -> Parser:
    """Declares a verb: `help` for the list of verbs, a paragraph for its own page, and an example or several lines."""
    examples = textwrap.indent(textwrap.dedent(example).strip(), "  ")
    parser = verbs.add_parser(
        name,
        help=help,
        description=textwrap.fill(" ".join(description.split()), WIDTH),
        epilog=f"example:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    return parser


def add_names(parser: Parser) -> None:
    """NAME…: the studies, for `entries`."""
    parser.add_argument(
        "names",
        nargs="+",
        metavar="NAME",
        help="a study (digits/hvae), a paper (digits: all its studies) or path/to/file.py:study; "
        "with @small the reduced twin",
    )


def add_store(parser: Parser) -> None:
    """--store STORE, for `open_existing_store` and `open_store_for_writing`."""
    parser.add_argument(
        "--store",
        metavar="STORE",
        help="the folder of the results, or their address on object storage, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX "
        f"(default: ${STORE_VARIABLE}, else ./{DEFAULT_STORE})",
    )


def add_data(parser: Parser) -> None:
    """--data DIR and --offline, for `data_from`."""
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="the folder of the official files of data sets (default: $RATESWEEP_DATA, else ~/.cache/ratesweep/data)",
    )
    parser.add_argument(
        "--offline",
        action="store_true",
        help="download nothing: use the files that are there (also by RATESWEEP_OFFLINE=1)",
    )


@contextlib.contextmanager
def data_from(namespace: argparse.Namespace) -> Iterator[None]:
    """Where the command line says that data come from, in this process's environment, and then as it was before."""
    from models.data.download import FOLDER_VARIABLE, OFFLINE_VARIABLE, cache_folder

    before = {name: os.environ.get(name) for name in (FOLDER_VARIABLE, OFFLINE_VARIABLE)}
    if namespace.data:
        os.environ[FOLDER_VARIABLE] = namespace.data
    if os.environ.get(FOLDER_VARIABLE):
        os.environ[FOLDER_VARIABLE] = str(cache_folder())  # a worker's working folder is another
    if namespace.offline:
        os.environ[OFFLINE_VARIABLE] = "1"
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def add_selection(parser: Parser) -> None:
    """--where, --seeds and --set, for `entries`."""
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="CONDITION",
        help="only the trials that meet it: 'objective.beta[0]=1.0', 'model.latent<64', 'data.kind in digits,mnist'; "
        "given again, all must hold",
    )
    parser.add_argument(
        "--seeds",
        type=whole,
        metavar="N",
        help="each setting at N seeds; more than the study has extends it and redoes nothing",
    )
    parser.add_argument(
        "--set",
        dest="assign",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        help="every trial with another value, as a reduced study that says so: 'data.batches=1', "
        "'training.steps=1000'; may be given again",
    )


def add_json(parser: Parser) -> None:
    """--json: for scripts."""
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")


def whole(text: str) -> int:
    """A whole number from 1, as an argument's type."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1, not {text!r}")
    return value


def entries(namespace: argparse.Namespace) -> list[Entry]:
    """The studies that the command line names, with the values, at the seeds and under the conditions that it gives.

    Of several studies, those in which no trial meets the conditions, or that have no such value, are left out, and said
    so on stderr. Raises StudyError where a name is unknown, a value cannot be, or no trial at all is left.
    """
    from studies.catalogue import find
    from studies.paths import NoSuchPath, StudyError

    chosen: list[Entry] = []
    refused: dict[str, StudyError] = {}
    for entry in find(namespace.names):
        try:
            study = entry.study.assigned(*namespace.assign)
        except NoSuchPath as error:
            refused[entry.study.name] = error
            continue
        if namespace.seeds is not None:
            study = study.with_seeds(namespace.seeds)
        study.trials()  # a value that a specification refuses is told now, before anything is done
        try:
            chosen.append(dataclasses.replace(entry, study=study.select(*namespace.where)))
        except StudyError as error:
            refused[study.name] = error
    if not chosen:
        raise next(iter(refused.values()))
    for name, why in refused.items():
        print(f"sweep: note: {name} is left out: {why}", file=sys.stderr)
    return chosen


def store_place(namespace: argparse.Namespace) -> str:
    """The folder or the address that the command line, the environment or the default names."""
    named: str | None = namespace.store
    return named or os.environ.get(STORE_VARIABLE) or DEFAULT_STORE


def open_existing_store(namespace: argparse.Namespace) -> ResultStore:
    """The store, for reading; raises StoreError where there is none."""
    from results.store import ResultStore

    return ResultStore.open(store_place(namespace))


def open_store_if_any(namespace: argparse.Namespace) -> ResultStore | None:
    """The store, for reading; None where there is nothing. Raises StoreError for anything else."""
    from results.files import NoStore

    try:
        return open_existing_store(namespace)
    except NoStore:
        return None


def note_damaged(store: ResultStore) -> None:
    """Says on stderr which files of the store the readings so far had to skip."""
    for name, fault in sorted(store.damaged.items()):
        print(f"sweep: note: a damaged file is skipped: {store.files}/{name}: {fault}", file=sys.stderr)


def open_store_for_writing(namespace: argparse.Namespace) -> ResultStore:
    """The store, made where there is none; raises StoreError where it cannot be written."""
    from results.store import ResultStore

    return ResultStore.open(store_place(namespace), create=True)


def print_json(value: Any) -> None:
    """Prints a value as JSON; NaN and infinities, which JSON has not, must have become null before."""
    import json

    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))
