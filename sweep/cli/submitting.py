"""`sweep submit`: the same launch as a job of a Ray cluster, which goes on when this machine is closed."""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.cli import options
from sweep.cli.options import STORE_VARIABLE, Parser, UsageError, Verbs

if TYPE_CHECKING:
    from studies.catalogue import Entry
    from sweep.submission import Submission

# What `sweep launch` takes that has no place here: the cluster is that of the job.
NOT_HERE = frozenset({"help", "address", "executor"})
# What is for `sweep submit` alone, with the number of words that follow.
_IN_FILE = re.compile(r"(?P<path>.+\.py)(?=[:@]|$)")
OWN = {"--address": 1, "--wait": 0, "--submission-id": 1, "--working-dir": 1}


def add(verbs: Verbs[Parser]) -> None:
    """Declares the verb, with the arguments of `sweep launch`, whatever they are."""
    parser = options.verb(
        verbs,
        "submit",
        submit,
        help="launch as a job of a Ray cluster",
        description="Hands `sweep launch`, with the same arguments, to the job server of a Ray cluster and returns: "
        "this machine may be closed. The store must mean the same on the head as here: an absolute path of a shared "
        "file system, or a bucket. ratesweep itself must be installed on the nodes of the cluster; a user's own file "
        "of studies travels with the job. A second submission of a running study is refused. Needs ratesweep[cluster] "
        "here, and Ray's own RAY_AUTH_MODE and token where the cluster asks for one.",
        example="sweep submit digits/hvae --address http://head:8265 --store s3://bucket/runs\n"
        "sweep submit my_study.py:wide --address http://head:8265 --store /shared/runs --wait",
    )
    add_launch_arguments(verbs, parser)
    parser.add_argument(
        "--address", required=True, metavar="URL", help="the job server of the cluster's head, http://HEAD:8265"
    )
    parser.add_argument("--wait", action="store_true", help="show what it prints, and end with its exit code")
    parser.add_argument("--submission-id", metavar="ID", help="the job's id (default: made of the names and the time)")
    parser.add_argument(
        "--working-dir",
        metavar="DIR",
        help="send this folder with the job, not only the user's own file in it; Ray takes at most some 500 MiB",
    )


def add_launch_arguments(verbs: Verbs[Parser], parser: Parser) -> None:
    """Gives a verb the arguments of `sweep launch`, whatever they are, but for those that say where it runs."""
    for action in verbs.choices["launch"]._actions:
        if action.dest not in NOT_HERE:
            parser._add_action(action)


def submit(namespace: Namespace) -> int:
    """The verb `submit`."""
    from sweep.submission import JobServer

    entries = options.entries(namespace)
    submission = _submission(namespace, entries)
    if not namespace.force:
        _refuse_running(submission)
    server = JobServer(namespace.address)
    if not namespace.force and (job := server.running(submission)) is not None:
        raise UsageError(f"{', '.join(submission.studies)}: job {job} has not ended; to submit all the same: --force")
    identity = namespace.submission_id or submission.identity(time.gmtime())
    server.submit(submission, identity)
    names = shlex.join(namespace.names)
    store = shlex.quote(submission.store)
    print(f"submitted: {identity}: {submission.entrypoint}")
    print(f"next: sweep status {names} --store {store} --watch")
    print(f"      sweep logs TRIAL --store {store}")
    print(f"      sweep cancel {names} --store {store}")
    if not namespace.wait:
        return 0
    sys.stdout.flush()
    return server.follow(identity, lambda text: print(text, end="", flush=True))


def _submission(namespace: Namespace, entries: Sequence[Entry]) -> Submission:
    from sweep.submission import Submission

    store = everywhere(namespace)
    folder = Path(namespace.working_dir) if namespace.working_dir else None
    if folder is not None and not folder.is_dir():
        raise UsageError(f"--working-dir is a folder, and {folder} is none")
    files = own_files(namespace)
    renamed = {name: name.replace(str(file), _place(file, folder), 1) for name, file in files.items()}
    return Submission(
        words=list(forwarded(namespace, OWN, renamed)),
        studies=sorted(entry.study.name for entry in entries),
        store=store,
        files={} if folder is not None else {file.name: file for file in files.values()},
        folder=folder,
    )


def _place(file: Path, folder: Path | None) -> str:
    """What a user's own file is called where the job runs: in the folder that travels with it."""
    if folder is None:
        return file.name
    try:
        return str(file.resolve().relative_to(folder.resolve()))
    except ValueError:
        raise UsageError(f"{file} is not in --working-dir {folder}, and would not travel with the job") from None


def own_files(namespace: Namespace) -> dict[str, Path]:
    """The names that are of a user's own file -> that file."""
    found: dict[str, Path] = {}
    for name in namespace.names:
        match = _IN_FILE.match(name)
        if match is not None:
            found[name] = Path(match["path"])
    names = [file.name for file in set(found.values())]
    if len(names) > len(set(names)):
        raise UsageError(
            f"files that travel with a job need names of their own, not twice {max(names, key=names.count)}"
        )
    return found


def forwarded(namespace: Namespace, own: Mapping[str, int], renamed: Mapping[str, str]) -> Iterator[str]:
    """The words of the command line for `sweep launch`: all but those of a verb's own; the store is always named."""
    rest = iter(namespace.arguments[1:])
    for word in rest:
        option, equals, _ = word.partition("=")
        if option not in own:
            yield renamed.get(word, word)
        elif own[option] and not equals:
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


def _refuse_running(submission: Submission) -> None:
    """Refuses studies that a live launch is at work on, where the store can be seen from here."""
    from results.files import StoreError
    from results.store import ResultStore
    from sweep.launches import at_work_on, where

    try:
        found = at_work_on(ResultStore.open(submission.store), submission.studies)
    except StoreError:
        return  # not made yet, or not to be seen from here; the launch on the head looks again
    for record in found:
        raise UsageError(
            f"launch {record['launch']} ({where(record)}) is at work on these studies; --force submits all the same"
        )
