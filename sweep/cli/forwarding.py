"""Forwarding: what the verbs share that hand a launch on to another place, `submit` and `recipe`."""

from __future__ import annotations

import os
import re
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from sweep.cli.options import STORE_VARIABLE, Parser, UsageError, Verbs

# What `sweep launch` takes that has no place here: the cluster is that of the job.
NOT_HERE = frozenset({"help", "address", "executor"})
_IN_FILE = re.compile(r"(?P<path>.+\.py)(?=[:@]|$)")


def add_launch_arguments(verbs: Verbs[Parser], parser: Parser) -> None:
    """Gives a verb the arguments of `sweep launch`, whatever they are, but for those that say where it runs."""
    for action in verbs.choices["launch"]._actions:
        if action.dest not in NOT_HERE:
            parser._add_action(action)


def note_own_options(verbs: Verbs[Parser], parser: Parser) -> None:
    """Notes in a verb's namespaces, as `own`, its options that `sweep launch` has not: how many words follow each."""
    launch = verbs.choices["launch"]._actions
    own = [action for action in parser._actions if action not in launch]
    parser.set_defaults(own={option: int(action.nargs is None) for action in own for option in action.option_strings})


def own_files(namespace: Namespace) -> dict[str, Path]:
    """The names that are of a user's own file -> that file."""
    matches = {name: _IN_FILE.match(name) for name in namespace.names}
    return {name: Path(match["path"]) for name, match in matches.items() if match is not None}


def renamed(namespace: Namespace, place: Callable[[Path], str]) -> dict[str, str]:
    """Those names -> what they are called where a file is found at the path that `place` says."""
    return {
        name: _IN_FILE.sub(lambda match: place(Path(match["path"])), name, count=1) for name in own_files(namespace)
    }


def by_base_name(files: Iterable[Path]) -> dict[str, Path]:
    """Files as they travel with a job, without their folders. Raises UsageError for two of one name."""
    found: dict[str, Path] = {}
    for file in files:
        if found.setdefault(file.name, file).resolve() != file.resolve():
            raise UsageError(f"files that travel with a job need names of their own, not twice {file.name}")
    return found


def forwarded(namespace: Namespace, names: Mapping[str, str]) -> Iterator[str]:
    """The words of the command line for `sweep launch`: all but those of a verb's own; the store is always named.

    names: what those of users' own files are called there.
    """
    rest = iter(namespace.arguments[1:])
    for word in rest:
        option, equals, _ = word.partition("=")
        if option not in namespace.own:
            yield names.get(word, word)
        elif namespace.own[option] and not equals:
            next(rest)
    if not namespace.store:
        yield from ("--store", everywhere(namespace))


def everywhere(namespace: Namespace) -> str:
    """The store by a name that means the same on every machine; raises UsageError for a relative one."""
    if namespace.data and not Path(namespace.data).is_absolute():
        raise UsageError(
            f"--data must mean the same on the nodes of the cluster, so it is absolute, not {namespace.data!r}"
        )
    place = str(namespace.store or os.environ.get(STORE_VARIABLE) or "")
    if "://" in place or Path(place).is_absolute():
        return place
    given = f"not {place!r}" if place else "and none is given"
    raise UsageError(
        f"--store must mean the same on the nodes of the cluster, so it is absolute (/shared/runs) or a bucket "
        f"(s3://bucket/runs), {given}"
    )
