"""Plan: what a launch of a study would do, from its enumeration and the store alone. Nothing is written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from results.evaluations import measured, reasons
from results.quantity import Quantity
from results.reading import Reading
from results.schema import EVALUATION_FAILED, FAILED, FINISHED
from results.store import ResultStore
from studies.prerequisites import described, measured_of, prerequisites
from studies.study import Study
from studies.trial import Trial
from sweep.failures import normalise
from sweep.pack import Decision, decide, group


@dataclass(frozen=True, kw_only=True)
class Prerequisite:
    """A trial that is trained before what needs it is measured, and none of the study's own.

    roles: what it is to those that need it. state: finished, with weights to be used; pending; or failed, as which a
    divergence counts here. reason: why it failed, or could not be measured itself (then its weights can be used).
    lacking: what of it is to be measured, where it is finished.
    """

    trial: Trial
    roles: tuple[str, ...]
    state: Literal["finished", "failed", "pending"]
    reason: str = ""
    lacking: tuple[Quantity, ...] = ()

    @property
    def name(self) -> str:
        """What it is, in words."""
        return described(self.trial)


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """The trials of one study by what the store has of them: trials = finished + failed + pending.

    retried: failed trials that this launch does again (they count as pending). unmeasured: the failed trials that were
    trained and could not be measured in full, by trial id, with the reason; where they are retried, they count as
    finished, and are evaluated again. unevaluated: completed trials that lack quantities of the study and whose weights
    are kept, by trial id; weightless: how many lack some and have no weights. prerequisites: of what is pending or
    unevaluated, each once, and of the rest those that failed or lack their own measure; they are not among the trials.
    """

    study: Study
    finished: tuple[Trial, ...]
    failed: tuple[Trial, ...]
    pending: tuple[Trial, ...]
    unevaluated: Mapping[str, tuple[Quantity, ...]]
    retried: int = 0
    weightless: int = 0
    unmeasured: Mapping[str, str] = field(default_factory=dict)
    prerequisites: tuple[Prerequisite, ...] = ()

    @property
    def trials(self) -> int:
        return len(self.finished) + len(self.failed) + len(self.pending)


def plan_study(
    study: Study,
    store: ResultStore | None,
    *,
    retry: Collection[str] = (),
    quantities: Collection[str] = (),
    force: bool = False,
    train: bool = True,
    reading: Reading | None = None,
) -> StudyPlan:
    """The plan of one study; without a store everything is pending.

    retry: failed statuses, or words of reasons, that are pending again ('*' for all). quantities: only these are looked
    for in finished trials; force: they are measured again where they are there, or could not be measured. train: that
    pending trials are trained, so that their prerequisites count too. A failed prerequisite is pending again where it
    is retried itself, or one that could not be measured for the lack of it. reading: of the store, of these trials,
    where that has been done.
    """
    trials = study.trials()
    reading = Reading(store, [trial.id for trial in trials]) if reading is None and store is not None else reading
    status = {} if reading is None else reading.statuses
    wanted = tuple(one for one in study.quantities if not quantities or one.name in quantities)
    evaluations = None if reading is None or not status or not wanted else reading.evaluations
    faults = {} if evaluations is None else reasons(evaluations, wanted)
    finished, failed, pending, retried = [], [], [], 0
    unmeasured, measured_again = {}, []
    for trial in trials:
        state, reason = status.get(trial.id, ("", ""))
        fault = faults.get(trial.id) if state == "completed" else None
        if fault is not None and not force and not _retries(EVALUATION_FAILED, fault, retry):
            failed.append(trial)
            unmeasured[trial.id] = fault
        elif state in FINISHED:
            finished.append(trial)
            measured_again += [fault] if fault is not None else []
        elif state in FAILED and not _retries(state, reason, retry):
            failed.append(trial)
        else:
            pending.append(trial)
            retried += state in FAILED
    completed = [trial.id for trial in finished if status[trial.id][0] == "completed"]
    lacking = {} if evaluations is None else _lacking(evaluations, completed, wanted, force)
    kept = reading.weighted if reading is not None and lacking else frozenset()
    unevaluated = {trial: quantities for trial, quantities in lacking.items() if trial in kept}
    needing = _needing(wanted)
    whole = [(trial, needing) for trial in (trials if train else finished)] if needing else []
    needs = [(trial, needing) for trial in pending] if train else []
    needs += [(trial, _needing(unevaluated[trial.id])) for trial in finished if trial.id in unevaluated]
    return StudyPlan(
        study=study,
        finished=tuple(finished),
        failed=tuple(failed),
        pending=tuple(pending),
        unevaluated=unevaluated,
        retried=retried,
        weightless=len(lacking) - len(unevaluated),
        unmeasured=unmeasured,
        prerequisites=_prerequisites(whole, needs, store, retry, measured_again),
    )


def trials_of(plans: Iterable[StudyPlan]) -> list[Trial]:
    """All trials that these plans may have trained: those of the studies, and what they need besides."""
    found = list(plans)
    trials = [trial for plan in found for trial in plan.study.trials()]
    return trials + [one.trial for plan in found for one in plan.prerequisites]


def _prerequisites(
    whole: Iterable[tuple[Trial, tuple[Quantity, ...]]],
    needs: Iterable[tuple[Trial, tuple[Quantity, ...]]],
    store: ResultStore | None,
    retry: Collection[str],
    measured_again: Collection[str],
) -> tuple[Prerequisite, ...]:
    """What has to be there for quantities of trials to be measured, each once, in the order in which it is needed.

    whole: all trials with their quantities, of which only those of `needs` are to be measured: for the others, a
    prerequisite is of interest where it failed, or lacks what is measured of it itself. measured_again: the reasons why
    trials could not be measured that are to be measured again.
    """
    found: dict[str, Trial] = {}
    roles: dict[str, dict[str, None]] = {}
    for trial, quantities in whole:
        for role, one in prerequisites(quantities, trial).items():
            found[one.id] = one
            roles.setdefault(one.id, {})[role] = None
    if not found:
        return ()
    needed_now = {one.id for trial, quantities in needs for one in prerequisites(quantities, trial).values()}
    reading = None if store is None else Reading(store, found)
    status = {} if reading is None else reading.statuses
    kept = reading.weighted if reading is not None and status else frozenset()
    evaluations = reading.evaluations if reading is not None and status else None

    def stand(trial: Trial) -> Prerequisite | None:
        about: dict[str, Any] = {"trial": trial, "roles": tuple(roles[trial.id])}
        state, reason = status.get(trial.id, ("", ""))
        now = trial.id in needed_now
        if state == "completed" and (trial.id in kept or not now) and evaluations is not None:
            asked = measured_of(trial)
            fault = reasons(evaluations, asked).get(trial.id, "")
            if fault and not _retries(EVALUATION_FAILED, fault, retry):
                return Prerequisite(**about, state="failed", reason=fault)
            lacking = _lacking(evaluations, [trial.id], asked, False).get(trial.id, ())
            lacking = lacking if trial.id in kept else ()
            return Prerequisite(**about, state="finished", lacking=lacking) if now or lacking else None
        if state == "completed":
            return Prerequisite(**about, state="failed", reason="its weights are gone")
        lacked = any(trial.id in fault for fault in measured_again)
        if state in FAILED and (_retries(state, reason, retry) or lacked):
            return Prerequisite(**about, state="pending")
        if state:
            return Prerequisite(**about, state="failed", reason=f"{state}: {reason}")
        return Prerequisite(**about, state="pending") if now else None

    return tuple(known for trial in found.values() if (known := stand(trial)) is not None)


def _needing(quantities: Iterable[Quantity]) -> tuple[Quantity, ...]:
    """Those that have prerequisites at all: mostly none, of which nobody has to ask every trial."""
    return tuple(one for one in quantities if one.prerequisites)


def _retries(status: str, reason: str, retry: Collection[str]) -> bool:
    return any(word == "*" or word == status or normalise(word) in reason for word in retry)


def _lacking(
    evaluations: pa.Table, completed: list[str], wanted: tuple[Quantity, ...], force: bool
) -> dict[str, tuple[Quantity, ...]]:
    """The quantities that each completed trial lacks, only for trials that lack some."""
    if force:
        return dict.fromkeys(completed, wanted)
    found = measured(evaluations, completed, wanted)
    return {
        completed[row]: tuple(one for one, there in zip(wanted, found[row], strict=True) if not there)
        for row in np.flatnonzero(~found.all(axis=1)).tolist()
    }


def decisions_for(
    studies: Iterable[Study],
    store: ResultStore | None,
    device: str,
    width: int | None = None,
    prerequisites: Iterable[Prerequisite] = (),
    stored: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
) -> dict[str, Decision]:
    """The decision of every shape of the studies' full enumerations: the store's first row, else by rule.

    width: the user's `--pack W`, which holds for this launch alone and is never stored. prerequisites: of shapes that
    no study has, they are trained by themselves, so that none waits for another. stored: `store.decisions()`, where
    they have been read.
    """
    planned: dict[str, dict[str, Trial]] = {}
    for study in studies:
        for trial in study.unselected().trials():
            planned.setdefault(trial.shape, {})[trial.id] = trial
    if stored is None:
        stored = {} if store is None else store.decisions()
    decisions = {}
    for shape, trials in planned.items():
        row = stored.get((shape, device))
        if width is None and row is not None:
            decisions[shape] = _decision(row)
        else:
            decisions[shape] = decide(next(iter(trials.values())), len(trials), device, width)
    for trial in (one.trial for one in prerequisites):
        if trial.shape not in decisions:
            row = stored.get((trial.shape, device))
            decisions[trial.shape] = decide(trial, 1, device) if row is None else _decision(row)
    return decisions


def _decision(row: Mapping[str, Any]) -> Decision:
    names = ("shape", "device", "width", "path", "threads", "source")
    return Decision(**{name: row[name] for name in names})


def trial_bytes(store: ResultStore | None) -> float | None:
    """What a stored trial takes of the disk, on average; None where nothing is stored."""
    kept = 0 if store is None else store.trials(["trial"]).num_rows
    return None if store is None or kept == 0 else store.size() / kept


def disk_bytes(plan: StudyPlan, each: float | None) -> int | None:
    """Estimated bytes of the pending trials. each: see `trial_bytes`."""
    return None if each is None else int(each * len(plan.pending))


def count_packs(plan: StudyPlan, decisions: Mapping[str, Decision]) -> int:
    """Packs of the pending trials; the trials of one share their prerequisites."""
    alike: dict[tuple[str, ...], list[Trial]] = {}
    needing = _needing(plan.study.quantities)
    for trial in plan.pending:
        alike.setdefault(needed(needing, trial), []).append(trial)
    return sum(len(group(members, decisions)) for members in alike.values())


def needed(quantities: Iterable[Quantity], trial: Trial) -> tuple[str, ...]:
    """The prerequisites of these quantities of a trial, by role, in one order: 'role=trial'."""
    return tuple(sorted(f"{role}={one.id}" for role, one in prerequisites(quantities, trial).items()))
