"""Failures as data: reasons made comparable, the region of a grid that they share, a launch in which all fails alike.

Pure: no process is watched here and nothing is stored.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    Columns = Mapping[str, Sequence[Any]] | pd.DataFrame

ALIKE = frozenset({"error", "crashed", "evaluation_failed"})  # what a mistake in a study ends all of its trials with
FIRST_FAILURES = 12  # so many trials that end first and fail alike stop a launch, unless it is asked otherwise
REASON_LENGTH = 300
TRACEBACK_LENGTH = 8000
_PATH = re.compile(r"(?<![\w.])/[\w./+-]+")
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]+\b")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(\.\d+)?([eE][+-]?\d+)?(?![\w.])")


def normalise(reason: str) -> str:
    """One line without addresses, paths and numbers, so that equal failures of different trials read the same."""
    line = " ".join(reason.split())
    line = _NUMBER.sub("N", _ADDRESS.sub("ADDRESS", _PATH.sub("PATH", line)))
    return line[:REASON_LENGTH].rstrip()


def reason_of(error: BaseException) -> str:
    """The normalised reason of an exception: its type and message."""
    return normalise(f"{type(error).__name__}: {error}")


def traceback_of(error: BaseException) -> str:
    """The traceback as text, its end kept where it is long."""
    return "".join(traceback.format_exception(error))[-TRACEBACK_LENGTH:]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Why something could not be done: a normalised reason, and the traceback where there was an exception."""

    reason: str
    traceback: str | None = None

    @classmethod
    def of(cls, error: BaseException) -> Fault:
        return cls(reason=reason_of(error), traceback=traceback_of(error))


def region(failed: Columns, planned: Columns, axes: Sequence[str]) -> str:
    """The part of the grid that failed trials share: the axes on which they stand at fewer values than were planned.

    `failed` are rows of `planned`. An empty string where the failures are spread over all of every axis.
    """
    shared = []
    for axis in (*axes, "seed"):
        if axis not in planned:
            continue
        values = list(dict.fromkeys(failed[axis]))
        if len(values) < len({value for value in planned[axis] if value is not None and value == value}):
            shown = ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values[:4])
            shared.append(f"{axis} = {shown}{', …' if len(values) > 4 else ''}")
    return "; ".join(shared)


@dataclass(frozen=True, kw_only=True)
class FailureGroup:
    """Failed trials of one status and normalised reason."""

    status: str
    reason: str
    count: int
    region: str
    example: str


def grouped(trials: Columns, axes: Sequence[str], failed: frozenset[str]) -> list[FailureGroup]:
    """Failures of a study's trials (a frame's, or the columns alone) by status and reason, most frequent first."""
    columns = {name: list(trials[name]) for name in ("trial", "status", "reason", *axes, "seed") if name in trials}
    alike: dict[tuple[str, str], list[int]] = {}
    for place, (status, reason) in enumerate(zip(columns["status"], columns["reason"], strict=True)):
        if status in failed:
            alike.setdefault((str(status), str(reason or "")), []).append(place)
    groups = []
    for (status, reason), places in sorted(alike.items()):
        members = {name: [column[place] for place in places] for name, column in columns.items()}
        groups.append(
            FailureGroup(
                status=status,
                reason=reason,
                count=len(places),
                region=region(members, columns, axes),
                example=str(members["trial"][0]),
            )
        )
    return sorted(groups, key=lambda group: -group.count)


@dataclass
class FirstFailures:
    """Looks whether the first `limit` trials of a launch (0: never) all fail alike: then the rest would, too."""

    limit: int
    _ended: int = 0
    _alike: str | None = None
    _told: bool = False

    def add(self, counts: Mapping[str, int], reasons: Mapping[str, int]) -> str:
        """Takes in the trials of one pack, by status and, those that failed, by reason; the one reason, said once."""
        if self._told or not self.limit or not counts:
            return ""
        alike = {reason for reason in reasons if reason.partition(":")[0] in ALIKE}
        known = alike | ({self._alike} if self._alike else set())
        failed = sum(count for status, count in counts.items() if status in ALIKE)
        if len(known) != 1 or failed < sum(counts.values()):
            self.limit = 0  # something else came out
            return ""
        (self._alike,) = known
        self._ended += failed
        self._told = self._ended >= self.limit
        return self._alike if self._told else ""
