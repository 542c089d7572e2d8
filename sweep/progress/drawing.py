"""Drawing: a moment of a launch as one line, or as a panel of several."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Mapping

from sweep.progress.looking import Snapshot
from sweep.progress.pace import Left

SUCCEEDED = ("completed", "evaluated")
DIVERGED = "diverged"
NO_FAILURE = (*SUCCEEDED, DIVERGED)
BAR_COLUMNS = 24
SHOWN_REASONS = 4
LABEL_COLUMNS = 9
LEAST_HOURS = 0.01
CLOCK_FROM_SECONDS = 600  # of time left, from which on it is also told as an hour of the day


def duration(seconds: float) -> str:
    """A time as one reads it: 45 s, 2 min 5 s, 3 h 20 min, 2 d 5 h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24} h"


def amount(number: float) -> str:
    """A number with the digits that matter: 0.04, 3.2, 47, 12,345."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}" if number >= 1 else f"{number:.2g}"


def told(statuses: Mapping[str, int]) -> list[str]:
    """What did not simply succeed: '2 diverged', '1 failed (out of memory)'."""
    failed = {status: count for status, count in statuses.items() if status not in NO_FAILURE}
    diverged = [f"{statuses[DIVERGED]:,} {DIVERGED}"] if DIVERGED in statuses else []
    return diverged + [f"{count:,} failed ({status.replace('_', ' ')})" for status, count in failed.items()]


def failures(snapshot: Snapshot) -> dict[str, int]:
    """The reasons of what failed, 'error: ValueError: …', most frequent first; divergence is a result, no failure."""
    reasons = snapshot.counts.reasons.items()
    failed = {why: count for why, count in reasons if why.partition(":")[0] not in NO_FAILURE}
    return dict(sorted(failed.items(), key=lambda one: -one[1]))


def worded(why: str) -> str:
    """A reason with its status in words: 'out of memory: …'."""
    status, colon, reason = why.partition(":")
    return f"{status.replace('_', ' ')}{colon}{reason}"


def left(snapshot: Snapshot) -> str:
    """The time left in words; empty while it is not known."""
    if snapshot.stopping:
        return "stopping, what runs saves a checkpoint"
    if snapshot.seconds <= snapshot.idle:
        return "starting"
    if snapshot.left is None or snapshot.counts.work >= snapshot.counts.planned:
        return ""
    return f"{_about(snapshot.left)} left"


def _about(time_left: Left) -> str:
    return f"{'at least' if time_left.at_least else 'about'} {duration(time_left.seconds)}"


def _hours(snapshot: Snapshot) -> str:
    """Device-hours so far: GPU-hours where some packs are on GPUs; empty while there are hardly any."""
    if snapshot.hours < LEAST_HOURS:
        return ""
    return f"{amount(snapshot.hours)} {'GPU' if snapshot.on_gpus else 'CPU'}-hours"


def _rates(snapshot: Snapshot) -> list[str]:
    trials, steps = snapshot.trials_per_second, snapshot.steps_per_second
    rates = [f"{amount(trials)} trials/s"] if trials and trials >= 0.1 else []
    rates = rates or ([f"{amount(60 * trials)} trials/min"] if trials and trials >= 0.1 / 60 else [])
    return rates + ([f"{steps:,.0f} trial-steps/s"] if steps and steps >= 1 else [])


def line(snapshot: Snapshot) -> str:
    """One line: trials, packs, rates, device-hours, time left, lost workers, failures."""
    counts = snapshot.counts
    parts = [f"{counts.done:,}/{counts.trials:,} trials"]
    if counts.to_evaluate:
        parts.append(f"{counts.evaluated:,}/{counts.to_evaluate:,} evaluated")
    parts.append(f"{counts.packs_done:,}/{counts.packs:,} packs")
    if snapshot.running:
        parts[-1] += f" ({snapshot.running:,} running)"
    parts += [text for text in (left(snapshot),) if text]
    parts += _rates(snapshot)
    parts += [text for text in (_hours(snapshot),) if text]
    if snapshot.lost:
        parts.append(f"{snapshot.lost:,} {'worker' if snapshot.lost == 1 else 'workers'} lost")
    return ", ".join([*parts, *told(counts.statuses)])


def last_line(snapshot: Snapshot) -> str:
    """How it ended."""
    counts, busy = snapshot.counts, snapshot.seconds - snapshot.idle
    parts = [f"{counts.done:,}/{counts.trials:,} trials in {duration(snapshot.seconds)}"]
    if snapshot.steps > busy > 0:
        parts.append(f"{snapshot.steps / busy:,.0f} trial-steps/s")
    parts += [text for text in (_hours(snapshot),) if text]
    if snapshot.lost:
        parts.append(f"{snapshot.lost:,} {'worker' if snapshot.lost == 1 else 'workers'} lost")
    return ", ".join([*parts, *told(counts.statuses)])


def bar(part: float, columns: int = BAR_COLUMNS) -> str:
    """A part, 0 to 1, as a bar."""
    full = int(max(0.0, min(1.0, part)) * columns)
    return "█" * full + "░" * (columns - full)


def panel(snapshot: Snapshot, rows: int, zone_time: float | None = None) -> list[str]:
    """At most `rows` lines: how far, how fast, who works, what is left, what failed and why.

    zone_time: the seconds since the epoch now, for the hour at which all is done; the machine's clock by default.
    """
    counts = snapshot.counts
    part = snapshot.work / counts.planned if counts.planned else 1.0
    lines = [_row("trials", f"{counts.done:,} of {counts.trials:,}  {bar(part)} {int(100 * part)} %")]
    if counts.to_evaluate:
        lines.append(_row("evaluated", f"{counts.evaluated:,} of {counts.to_evaluate:,}"))
    lines.append(
        _row("packs", f"{counts.packs_done:,} done", f"{snapshot.running:,} running", f"{snapshot.waiting:,} waiting")
    )
    lost = [f"{snapshot.lost:,} lost"] if snapshot.lost else []
    hours = [f"{text} so far" for text in (_hours(snapshot),) if text]
    lines.append(_row("workers", f"{snapshot.running:,} at work", *lost, *hours))
    rates = _rates(snapshot)
    if rates:
        lines.append(_row("pace", *rates))
    remaining = left(snapshot)
    at = time.time() if zone_time is None else zone_time
    if snapshot.left is not None and remaining.endswith(" left") and snapshot.left.seconds >= CLOCK_FROM_SECONDS:
        remaining += f", until {_hour(at, snapshot.left.seconds)}"
    lines.append(_row("time", f"{duration(snapshot.seconds)} so far", *([remaining] if remaining else [])))
    return [*lines, *_failed(snapshot)][:rows]


def _failed(snapshot: Snapshot) -> list[str]:
    """What diverged, and what failed by reason: the most frequent ones, and how many there are besides."""
    lines, statuses = [], snapshot.counts.statuses
    if statuses.get(DIVERGED):
        lines.append(_row("diverged", f"{statuses[DIVERGED]:,}"))
    count = sum(number for status, number in statuses.items() if status not in NO_FAILURE)
    if not count:
        return lines
    reasons = failures(snapshot)
    lines.append(_row("failed", f"{count:,}"))
    lines += [f"  {number:,} × {worded(why)}" for why, number in list(reasons.items())[:SHOWN_REASONS]]
    if len(reasons) > SHOWN_REASONS:
        lines.append(f"  and for {len(reasons) - SHOWN_REASONS:,} other reasons")
    return lines


def _row(label: str, *parts: str) -> str:
    return f"{label.ljust(LABEL_COLUMNS)} {', '.join(parts)}"


def _hour(now: float, seconds: float) -> str:
    """When it will be that many seconds later, as a clock on the wall says it."""
    end = time.localtime(now + seconds)
    same_day = time.localtime(now).tm_yday == end.tm_yday and seconds < 86_400
    return time.strftime("%H:%M" if same_day else "%a %d %b %H:%M", end)


def cells(character: str) -> int:
    """The columns that a character takes on a terminal."""
    return 2 if unicodedata.east_asian_width(character) in "WF" else 0 if unicodedata.combining(character) else 1


def clipped(text: str, columns: int) -> str:
    """As much of a line as has room; what a terminal would not print, but obey, is replaced."""
    plain = "".join(character if character.isprintable() else "?" for character in text)
    if sum(map(cells, plain)) <= columns:
        return plain
    used, kept = 1, ""  # the ellipsis
    for character in plain:
        used += cells(character)
        if used > columns:
            break
        kept += character
    return f"{kept}…" if columns else ""
