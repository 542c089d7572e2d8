"""`sweep submit`: the same launch as a job of a Ray cluster, which goes on when this machine is closed."""

from __future__ import annotations

import shlex
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.cli import options
from sweep.cli.forwarding import (
    add_launch_arguments,
    by_base_name,
    everywhere,
    forwarded,
    note_own_options,
    own_files,
    renamed,
)
from sweep.cli.options import Parser, UsageError, Verbs

if TYPE_CHECKING:
    from studies.catalogue import Entry
    from sweep.on_ray.submission import Submission


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
    note_own_options(verbs, parser)


def submit(namespace: Namespace) -> int:
    """The verb `submit`."""
    from sweep.on_ray.submission import JobServer

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
    from sweep.on_ray.submission import Submission

    store = everywhere(namespace)
    folder = Path(namespace.working_dir) if namespace.working_dir else None
    if folder is not None and not folder.is_dir():
        raise UsageError(f"--working-dir must be a folder, not {folder}")
    return Submission(
        words=list(forwarded(namespace, renamed(namespace, lambda file: _place(file, folder)))),
        studies=sorted(entry.study.name for entry in entries),
        store=store,
        files={} if folder is not None else by_base_name(own_files(namespace).values()),
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
