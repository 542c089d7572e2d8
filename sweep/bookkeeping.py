"""Bookkeeping: the rows that a launch itself stores, beside those of its workers: events, culprits, footprints."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from results.commit import new_identity, now
from results.files import StoreError
from results.quantity import Quantity
from results.store import ResultStore
from studies.trial import Trial
from sweep.blame import Death
from sweep.failures import Fault
from sweep.footprints import Footprint, Footprints
from sweep.kept_logs import collect_logs
from sweep.leftovers import leaving
from sweep.pack import Pack
from sweep.plan import StudyPlan
from sweep.provenance import provenance
from sweep.rows import Attempt, kept_weights, trial_row, value_rows
from sweep.task import PackTask, Settings, Source
from sweep.waiting import Job


@dataclass(frozen=True, kw_only=True)
class Bookkeeping:
    """Writes for one launch; see `Books`. settings, sources: what its tasks share."""

    store: ResultStore
    settings: Settings
    sources: tuple[Source, ...]
    plans: Sequence[StudyPlan]

    @property
    def launch(self) -> str:
        return self.settings.launch

    def make_task(self, pack: Pack, quantities: tuple[Quantity, ...], tries: int) -> PackTask:
        return PackTask.of(pack, quantities, self.settings, self.sources, tries)

    def crashed(self, job: Job, trials: Sequence[Trial], death: Death) -> None:
        """Stores that trials kill their worker: by training, or, with weights that are kept, by being evaluated."""
        pack = job.pack
        if pack.task == "evaluate":
            self._unmeasured(trials, job.quantities, death.why)
            return
        rows = []
        for trial in trials:
            attempt = Attempt(trial=trial, identity=new_identity(), slot=pack.trials.index(trial), started=now())
            attempt.failed(death.status, death.why)
            rows.append(trial_row(attempt, pack, self.launch, (), self.sources))
        self.store.commit({"trials": rows})

    def inflight(self) -> dict[str, dict[str, Any]]:
        """What the workers of this launch last said they were doing, by pack."""
        return {pack: said for pack, said in self.store.inflight().items() if said.get("launch") == self.launch}

    def buried(self, pack: str, death: Death) -> None:
        """Keeps what a dead worker printed, and forgets what it said that it was doing: the next has a clean slate."""
        with contextlib.suppress(StoreError):
            collect_logs(self.store, packs=[pack], outcome=death.why)
            self.store.clear_inflight(pack)

    def _unmeasured(self, trials: Sequence[Trial], quantities: Sequence[Quantity], why: str) -> None:
        """Stores that trained trials kill the worker that evaluates them."""
        found = self.store.trials(["trial", "attempt", "status"], [trial.id for trial in trials]).to_pylist()
        held = {row["trial"]: row["attempt"] for row in found if row["status"] == "completed"}
        faults = {one.name: Fault(reason=why) for one in quantities}
        rows = []
        for trial in trials:
            if trial.id in held:
                which, levels = kept_weights(trial), trial.data.levels
                rows += value_rows(trial.id, held[trial.id], which, {}, quantities, levels, faults)["metrics"]
        self.store.append("metrics", rows)

    def event(self, event: str, exit_code: int | None = None) -> None:
        """Stores that the launch has started or ended."""
        origin = provenance()
        row = {
            "launch": self.launch,
            "event": event,
            "at": now(),
            "host": socket.gethostname(),
            "process": os.getpid(),
            "command": " ".join(sys.argv),
            "exit_code": exit_code,
            "code": origin.code,
            "packages": origin.packages,
        }
        rows = [
            row | {"study": plan.study.name, "planned": plan.trials, "pending": len(plan.pending)}
            for plan in self.plans
        ]
        self.store.append("launches", rows)

    def remember(self, one: Footprint) -> None:
        """Stores what a pack was seen to take of its device's memory."""
        self.store.append("footprints", [vars(one) | {"seen": now()}])

    def footprints(self) -> Footprints:
        """What packs have been seen to take, by this launch and those before."""
        columns = ["shape", "device", "width", "memory", "fits", "used"]
        return Footprints.of(Footprint(**row) for row in self.store.scan("footprints", columns).to_pylist())

    def ask_to_leave(self, pack: str, leave: bool) -> None:
        """Asks the worker of a pack to stop with a checkpoint, or takes that back."""
        if leave:
            self.store.request_stop(leaving(self.launch, pack))
        else:
            self.store.clear_stop(leaving(self.launch, pack))
