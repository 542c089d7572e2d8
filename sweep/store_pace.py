"""How fast studies get on, from the store alone: from anywhere that sees it."""

from __future__ import annotations

import datetime
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from results.commit import now
from results.schema import FINISHED

if TYPE_CHECKING:
    from results.store import ResultStore
    from studies.trial import Trial

WINDOW_SECONDS = 300.0  # over which finished trials are counted
LEAST_SECONDS = 5.0  # of work, before a pace is told
WATCHED_SECONDS = 60.0  # from which on what was seen is taken for the pace


@dataclass(frozen=True, kw_only=True)
class StorePace:
    """How fast the trials of some studies get on.

    trials: that finished in the last `seconds`. steps_per_second: since the launches at work began, or, watched for a
    minute or more, since then. left: seconds until all that is pending is done at this pace, by steps; None where
    nothing has been done yet.
    """

    trials: int
    seconds: float
    steps_per_second: float
    left: float | None


@dataclass
class PaceOfStore:
    """Looks at the trials of some studies again and again."""

    trials: Mapping[str, Trial]
    _seen: deque[tuple[datetime.datetime, float]] = field(default_factory=deque)  # trial-steps at a time

    @classmethod
    def of(cls, trials: Iterable[Trial]) -> PaceOfStore:
        return cls(trials={trial.id: trial for trial in trials})

    def look(
        self, store: ResultStore, packs: Sequence[Mapping[str, Any]], at: datetime.datetime | None = None
    ) -> StorePace | None:
        """The pace now; packs: what workers of live launches last said. None where none of them has such a trial."""
        at = at or now()
        working = [pack for pack in packs if any(trial in self.trials for trial in pack.get("pack", ()))]
        if not working:
            self._seen.clear()
            return None
        columns = ["trial", "status", "finished", "step", "launch"]
        rows = store.trials(columns, list(self.trials)).to_pylist()
        finished = [row for row in rows if row["status"] in FINISHED]
        known = {row["trial"] for row in finished}
        running = sum(self._steps(pack, known) for pack in working)
        alive = {pack.get("launch") for pack in working}
        begun = _begun(store, alive)
        passed = (at - begun).total_seconds() if begun else 0.0
        since = at - datetime.timedelta(seconds=min(WINDOW_SECONDS, passed))
        speed = self._recent(at, running + sum(row["step"] for row in finished))
        if speed is None and passed >= LEAST_SECONDS:
            speed = (running + sum(row["step"] for row in finished if row["launch"] in alive)) / passed
        pending = sum(trial.training.steps for trial in self.trials.values() if trial.id not in known)
        return StorePace(
            trials=sum(row["finished"] >= since for row in finished),
            seconds=min(WINDOW_SECONDS, passed),
            steps_per_second=speed or 0.0,
            left=max(0.0, pending - running) / speed if speed else None,
        )

    def _steps(self, pack: Mapping[str, Any], known: Collection[str]) -> float:
        """Trial-steps of a running pack: of its trials that are not finished, as far as its worker has told."""
        own = [self.trials[one] for one in pack.get("pack", ()) if one in self.trials and one not in known]
        if pack.get("phase") == "evaluate":
            return float(sum(trial.training.steps for trial in own))
        return float(len(own) * int(pack.get("step") or 0))

    def _recent(self, at: datetime.datetime, steps: float) -> float | None:
        """Trial-steps per second since the looks began, over some minutes at most; None before the first minute."""
        self._seen.append((at, steps))
        while len(self._seen) > 2 and (at - self._seen[1][0]).total_seconds() >= WINDOW_SECONDS:
            self._seen.popleft()
        watched = (at - self._seen[0][0]).total_seconds()
        return max(0.0, steps - self._seen[0][1]) / watched if watched >= WATCHED_SECONDS else None


def _begun(store: ResultStore, launches: Collection[Any]) -> datetime.datetime | None:
    """When the first of these launches started."""
    rows = store.scan("launches", ["launch", "event", "at"]).to_pylist()
    times = [row["at"] for row in rows if row["event"] == "started" and row["launch"] in launches]
    return min(times, default=None)
