"""What `plan` and `launch` have in common: the arguments that say what would be done, and how a plan is told."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweep.cli.options import Parser, UsageError, whole

if TYPE_CHECKING:
    from results.store import ResultStore
    from studies.catalogue import Entry
    from sweep.plan import Prerequisite, StudyPlan

ALL = "*"


def add_work(parser: Parser) -> None:
    """--retry-failed, --pack and --device."""
    add_retry(
        parser,
        "do failed trials again: all, or those of a status (error, crashed, timeout, out_of_memory, evaluation_failed) "
        "or with these words in their reason; what is trained, and could not be measured, is not trained again",
    )
    parser.add_argument(
        "--pack",
        type=_width,
        default=None,
        metavar="auto|W",
        help="train W trials together, in place of the width that is decided by rule (or measured: --calibrate) and "
        "stored; results then agree to a tolerance, not to the bit",
    )
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="where to train; auto (the default) is cuda where this machine, or the cluster named, has an NVIDIA GPU",
    )


def add_retry(parser: Parser, told: str) -> None:
    """--retry-failed, which `told` explains."""
    parser.add_argument(
        "--retry-failed",
        nargs="?",
        const=ALL,
        action="append",
        default=[],
        type=_reason,
        metavar="REASON",
        help=told,
    )
    parser.add_argument(
        "--reason",
        action="append",
        default=[],
        metavar="REASON",
        help="with --retry-failed: only those of this status, or with these words in their reason",
    )


def _reason(text: str) -> str:
    from studies.catalogue import PAPERS

    if text.partition("/")[0].partition("@")[0] in PAPERS or ".py" in text:
        raise argparse.ArgumentTypeError(f"took {text!r} for its REASON; write names before the option")
    return text


def _width(text: str) -> int | None:
    if text == "auto":
        return None
    try:
        return whole(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"auto or {error}") from None


def device_of(namespace: argparse.Namespace) -> str:
    """'cpu' or 'cuda', found without importing torch. Raises UsageError for a GPU that is not here."""
    asked: str = namespace.device
    if asked == "cpu":
        return asked
    found = _has_gpu()
    # A cluster may have GPUs where the machine that launches has none.
    if asked == "cuda" and not found and not getattr(namespace, "address", None):
        raise UsageError("--device cuda: this machine has no NVIDIA GPU (no /dev/nvidia0, none in nvidia-smi -L)")
    return "cuda" if found or asked == "cuda" else "cpu"


def _has_gpu() -> bool:
    if os.path.exists("/dev/nvidia0"):
        return True
    program = shutil.which("nvidia-smi")
    if program is None:
        return False
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return "GPU" in listed.stdout


def retried(namespace: argparse.Namespace, entries: Sequence[Entry], store: ResultStore | None) -> tuple[str, ...]:
    """What --retry-failed asks for. Raises UsageError for words that no failure of these studies has."""
    from results.schema import FAILED
    from sweep.failures import normalise

    if namespace.reason and not namespace.retry_failed:
        raise UsageError("--reason tells which failed trials --retry-failed does again: give that, too")
    asked: tuple[str, ...] = tuple(namespace.retry_failed)
    if namespace.reason:
        asked = (*(word for word in asked if word != ALL), *namespace.reason)
    words = [word for word in asked if word != ALL and word not in FAILED]
    if words:
        failures = [] if store is None else _failures(entries, store)
        for word in words:
            if not any(normalise(word) in reason for reason in failures):
                known = "; ".join(f"{reason!r}" for reason in failures[:3]) or "no trial has failed"
                raise UsageError(f"--retry-failed: no failure with {word!r}; there are: {known}")
    return asked


def _failures(entries: Sequence[Entry], store: ResultStore) -> list[str]:
    """The reasons of the studies' failed trials, most frequent first."""
    from collections import Counter

    from results.schema import FAILED
    from sweep.plan import plan_study

    planned = {trial.id for entry in entries for trial in entry.study.trials()}
    rows = store.trials(["status", "reason"], planned).to_pylist()
    counted = Counter(row["reason"] or "" for row in rows if row["status"] in FAILED)
    for entry in entries:
        counted.update(plan_study(entry.study, store).unmeasured.values())
    return [reason for reason, _ in counted.most_common()]


def prerequisite_records(needs: Iterable[Prerequisite]) -> list[dict[str, Any]]:
    """Prerequisites as `--json` prints them."""
    return [
        {
            "trial": one.trial.id,
            "name": one.name,
            "roles": list(one.roles),
            "state": one.state,
            "reason": one.reason,
            "to_evaluate": [quantity.name for quantity in one.lacking],
        }
        for one in needs
    ]


def prerequisite_lines(records: Sequence[Mapping[str, Any]], indent: str) -> list[str]:
    """Prerequisites as one reads them, one a line."""
    lines = []
    for record in records:
        told = record["state"] + (f": {record['reason']}" if record["reason"] else "")
        told += f", to evaluate for {', '.join(record['to_evaluate'])}" if record["to_evaluate"] else ""
        shown = f" (sweep show {record['trial']})" if record["state"] != "pending" else ""
        lines.append(f"{indent}{record['name']}: {told}{shown}")
    return lines


def counted(count: int, word: str) -> str:
    """'1 trial', '1,200 trials'."""
    return f"{count:,} {word if count == 1 else word + 's'}"


def enumeration(plan: StudyPlan) -> str:
    """'441 trials = 441 settings × 1 seed'; a selection need not have every setting at every seed."""
    settings, seeds = extent(plan)
    if settings * seeds == plan.trials:
        return f"{counted(plan.trials, 'trial')} = {counted(settings, 'setting')} × {counted(seeds, 'seed')}"
    return f"{counted(plan.trials, 'trial')} of {counted(settings, 'setting')} and {counted(seeds, 'seed')}"


def extent(plan: StudyPlan) -> tuple[int, int]:
    """(settings, seeds) of a study."""
    trials = plan.study.trials()
    return len({trial.setting for trial in trials}), len({trial.seed for trial in trials})
