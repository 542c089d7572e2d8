"""Aftermath: what must hold of a store when the storm is over, beside that of a calm run."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from launches import Study
from monkey import Monkey
from watch import Broken

from results.schema import FINISHED
from results.store import ResultStore
from sweep.leftovers import checkpointed, stops

ISOLATING = 6  # times that a trial may be taken up because its neighbour kills the worker


def opened(study: Study) -> ResultStore:
    """The store, which must be there."""
    store = study.store
    if store is None:
        raise Broken(f"no store in {study.folder}")
    return store


def outcomes(study: Study) -> dict[str, tuple[str, str, int]]:
    """Status, reason and step of each trial that has an outcome: of a culprit, whom it names."""
    rows = opened(study).trials(["trial", "status", "reason", "step"]).to_pylist()
    found = {row["trial"]: (row["status"], row["reason"], row["step"]) for row in rows}
    if len(found) != len(rows):
        raise Broken("a trial has two outcomes")
    return found


def starts(study: Study) -> Counter[float]:
    """How often each trial was taken up, by its objective's number and the steps that it is to be trained."""
    return Counter(float(path.name.split("-")[0]) for path in (study.folder / "starts").iterdir())


def check(monkey: Monkey, calm: Study, exact: bool) -> int:
    """Raises Broken unless the study ended as the calm one did; gives how many attempts were made twice.

    exact: byte for byte, in tables of all digits; else in the digits that are printed.
    """
    study = monkey.study
    store = opened(study)
    found, expected = outcomes(study), outcomes(calm)
    if found.keys() != expected.keys():
        raise Broken(f"{len(found)} trials have an outcome, of {len(expected)}")
    wrong = {
        trial: (found[trial], expected[trial])
        for trial in found
        if found[trial][:2] != expected[trial][:2] or (found[trial][0] in FINISHED and found[trial] != expected[trial])
    }
    if wrong:
        raise Broken(f"other outcomes than in the calm: {json.dumps(wrong, indent=1)}")
    rows = store.scan("trials", ["trial", "attempt", "status"]).to_pylist()
    twice = len(rows) - len(expected)
    if twice and not monkey.overlaps:
        raise Broken(f"{twice} attempts too many, though one launch alone was at work at any time")
    if len({row["attempt"] for row in rows}) != len(rows):
        raise Broken("an attempt stands in the store twice")
    kept = {trial for trials in checkpointed(store).values() for trial in trials}
    useless = [trial for trial in kept if found[trial][0] in FINISHED]  # of a trial that failed, one may be of use yet
    left: dict[str, Any] = {"marks": store.inflight(), "checkpoints": useless, "beats": store.beating()}
    left["stops"] = stops(store)
    if any(left.values()) or store.damaged:
        raise Broken(f"left in the store: {left}, damaged: {store.damaged}")
    struck = sum(monkey.hit.values()) + monkey.launches
    same = Counter(starts(calm))  # trials of several shapes share their numbers
    for number, count in starts(study).items():
        if count > same[number] * (ISOLATING + struck):
            raise Broken(f"trial {number} was taken up {count} times")
    for form in ("csv", "md") if exact else ("md",):
        tables, wanted = study.tables(form), calm.tables(form)
        if not wanted or tables != wanted:
            raise Broken(f"other tables than in the calm: {study.folder}/tables-{form}, {calm.folder}/tables-{form}")
    return twice
