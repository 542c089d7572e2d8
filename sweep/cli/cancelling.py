"""`sweep cancel`: asks the launches of a study, wherever they run, to stop so that they can be resumed."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Collection
from typing import TYPE_CHECKING

from sweep.cli import options
from sweep.cli.options import Parser, UsageError, Verbs
from sweep.exit_codes import INTERRUPTED

if TYPE_CHECKING:
    from results.store import ResultStore

WAIT_SECONDS = 600.0
LOOK_SECONDS = 0.5


def add(verbs: Verbs[Parser]) -> None:
    """Declares the verb."""
    parser = options.verb(
        verbs,
        "cancel",
        cancel,
        help="ask the launches of a study to stop, wherever they run",
        description="Asks the launches that are at work on these studies to stop: by the store, so from anywhere that "
        "sees it. Their workers save a checkpoint and leave within seconds, and the launches end with exit code 75; "
        "the same launch again resumes. A launch of several studies stops as a whole. Exit codes: 0 asked (with "
        "--wait: ended), 2 where no such launch runs, 75 where one has not ended in time.",
        example="sweep cancel digits/hvae --store /shared/runs\nsweep cancel digits --store s3://bucket/runs --wait",
    )
    options.add_names(parser)
    options.add_store(parser)
    parser.add_argument(
        "--wait",
        nargs="?",
        type=options.whole,
        const=int(WAIT_SECONDS),
        metavar="SECONDS",
        help=f"wait until they have ended, so long at most (default: {WAIT_SECONDS:.0f})",
    )


def cancel(namespace: Namespace) -> int:
    """The verb `cancel`."""
    from studies.catalogue import find
    from sweep.launches import at_work_on, where

    store = options.open_existing_store(namespace)
    names = {entry.study.name for entry in find(namespace.names)}
    found = {str(record["launch"]): record for record in at_work_on(store, names)}
    if not found:
        raise UsageError(f"no launch of {', '.join(sorted(names))} is at work on {namespace.store or 'this store'}")
    for launch, record in found.items():
        store.request_stop(launch)
        print(f"asked to stop: {where(record)} (launch {launch})")
    sys.stdout.flush()
    if namespace.wait is not None and not _ended(store, found, namespace.wait):
        print(f"sweep: error: still at work after {namespace.wait} s", file=sys.stderr)
        return INTERRUPTED
    if namespace.wait is not None:
        print(f"ended: {len(found)} launch{'' if len(found) == 1 else 'es'}; the same launch again resumes")
    return 0


def _ended(store: ResultStore, launches: Collection[str], seconds: float) -> bool:
    """Whether all have ended within so many seconds."""
    from sweep.launches import live_launches

    deadline = time.monotonic() + seconds
    while not live_launches(store).keys().isdisjoint(launches):
        if time.monotonic() >= deadline:
            return False
        time.sleep(LOOK_SECONDS)
    return True
