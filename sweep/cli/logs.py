"""`sweep logs`: what the workers printed while a trial's packs ran, from anywhere that sees the store."""

from __future__ import annotations

import re
import sys
import time
from argparse import Namespace
from typing import TYPE_CHECKING

from sweep.cli import options
from sweep.cli.options import Parser, UsageError, Verbs

if TYPE_CHECKING:
    from results.store import ResultStore
    from sweep.kept_logs import PackLog

FOLLOW_SECONDS = 1.0
_ID = re.compile(r"[0-9a-f]{4,16}")
_OVERLAP = 200  # bytes by which the place in a log that was cut back meanwhile is found again


def add(verbs: Verbs[Parser]) -> None:
    """Declares the verb."""
    parser = options.verb(
        verbs,
        "logs",
        show_logs,
        help="what workers printed while a trial ran",
        description="Prints what the workers wrote to stdout and stderr while the packs ran that a trial was in, with "
        "the traceback of its exception or of a crash in native code: at most the last 64 KiB of each run. The first "
        "characters of the trial's id are enough; for a study, that of its trials which failed last is shown. Packs "
        "that printed nothing have no log, and those of --executor local print where they are launched.",
        example="sweep logs 02aac57b\nsweep logs digits/hvae --store s3://bucket/runs\nsweep logs 02aac57b --follow",
    )
    parser.add_argument("name", metavar="TRIAL|NAME", help="a trial, or a study: its trial that failed last")
    options.add_store(parser)
    parser.add_argument(
        "--follow", action="store_true", help="go on printing until the trial has ended; Ctrl-C ends it"
    )


def show_logs(namespace: Namespace) -> int:
    """The verb `logs`."""
    store = options.open_existing_store(namespace)
    trial = _trial(namespace.name, store)
    if namespace.follow:
        return _follow(store, trial)
    from sweep.kept_logs import logs_of

    logs = logs_of(store, trial)
    for log in logs:
        print(log.heading())
        print(log.text, end="" if log.text.endswith("\n") else "\n")
    errors = [row for row in store.attempts(trial).to_pylist() if row["traceback"]]
    for row in errors:
        print(f"== {row['status'].replace('_', ' ')} at step {row['step']}, attempt {row['attempt']}")
        print(row["traceback"].rstrip())
    if not logs and not errors:
        print(f"trial {trial}: nothing was printed")
    return 0


def _trial(name: str, store: ResultStore) -> str:
    """The one trial that is meant, by its id or as the last failure of a study."""
    if not _ID.fullmatch(name):
        return _failed_last(name, store)
    from sweep.kept_logs import logged_trials
    from sweep.trial_record import resolve

    unended = sorted(one for one in logged_trials(store) if one.startswith(name))
    stored = store.trials(["trial"])["trial"].to_pylist()
    if len(unended) == 1 and not any(one.startswith(name) and one != unended[0] for one in stored):
        return unended[0]
    return resolve(store, name)


def _failed_last(name: str, store: ResultStore) -> str:
    from results.schema import FAILED
    from studies.catalogue import find

    planned = [trial.id for entry in find([name]) for trial in entry.study.trials()]
    rows = store.trials(["trial", "status", "reason", "finished"], planned).to_pylist()
    failed = [row for row in rows if row["status"] in FAILED]
    if not failed:
        raise UsageError(f"no trial of {name} has failed; name a trial (sweep status {name} tells of those that run)")
    last = max(failed, key=lambda row: row["finished"])
    trial = str(last["trial"])
    print(f"trial {trial} failed last, of {len(failed):,}: {last['reason']}", file=sys.stderr)
    return trial


def _follow(store: ResultStore, trial: str) -> int:
    """Prints what is new, again and again, until the trial has ended or nobody is at work on it any more."""
    from sweep.kept_logs import logs_of
    from sweep.launches import live_launches

    printed: dict[str, str] = {}
    try:
        while True:
            ended = bool(len(store.trials(["trial"], [trial]))) or not live_launches(store)
            logs = logs_of(store, trial)
            for log in logs:
                _print_new(log, printed)
            if ended and not any(log.running for log in logs):
                return 0
            time.sleep(FOLLOW_SECONDS)
    except KeyboardInterrupt:
        return 0


def _print_new(log: PackLog, printed: dict[str, str]) -> None:
    """Prints what a log has that was not printed before."""
    before = printed.get(log.log)
    if before is None:
        print(log.heading())
        before = ""
    new = log.text
    if before:
        place = new.rfind(before[-_OVERLAP:])
        new = new if place < 0 else new[place + len(before[-_OVERLAP:]) :]
    print(new, end="", flush=True)
    printed[log.log] = log.text or before
