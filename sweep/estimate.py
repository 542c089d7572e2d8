"""Estimate: what packs take, from what packs of the same shape took before. Pure, but for one reading of a store.

A fused pack costs what its width costs, however many of its slots are trials of ours; of trials that run in sequence
each costs the same. What is not known is None, never a guess: an unknown shape has no time until some steps of it have
been measured (`sweep plan --calibrate`).
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from models.spec import SpecificationError, to_json
from models.training.slots import slots
from results.schema import FINISHED
from results.store import ResultStore
from studies.trial import Trial, from_json
from sweep.pack import Pack

Basis = Literal["measured", "scaled", "calibrated", "given"]
SAMPLED_PACKS = 8  # of a shape, where the times of evaluation are read from the times at which values were stored


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What it took to train trials of one shape on one kind of device, in seconds.

    fused: width -> of a pack; alone: of one trial in a pack that runs in sequence. start: of a pack beside training and
    evaluation: building it, reading its data. basis: measured on packs of this shape; scaled, by steps, from trials
    that differ in their number alone; calibrated on some steps; or given by the user.
    """

    fused: Mapping[int, float] = field(default_factory=dict)
    alone: float | None = None
    start: float = 0.0
    basis: Basis = "measured"

    def pack(self, pack: Pack) -> float | None:
        """Seconds to train a pack; of another width than is known in proportion to the slots."""
        if pack.decision.path == "sequential":
            return None if self.alone is None else self.start + self.alone * len(pack.trials)
        if not self.fused:
            return None
        batch, width = pack.trials[0].training.batch_size, pack.decision.width
        near = min(self.fused, key=lambda known: (abs(known - width), known))
        return self.start + self.fused[near] * slots(width, batch) / slots(near, batch)

    def stretched(self, factor: float) -> Spent:
        """The same for so many times the steps; the start does not stretch."""
        fused = {width: seconds * factor for width, seconds in self.fused.items()}
        alone = None if self.alone is None else self.alone * factor
        return replace(self, fused=fused, alone=alone, basis="scaled")


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds of packs by shape and kind of device.

    training: (shape, device) -> what training took. evaluation: (shape, device) -> seconds to evaluate one trial.
    apart: whether a trial is evaluated by another pack than that which trains it. otherwise: seconds to evaluate a
    trial where nothing is known of it.
    """

    training: Mapping[tuple[str, str], Spent] = field(default_factory=dict)
    evaluation: Mapping[tuple[str, str], float] = field(default_factory=dict)
    apart: Callable[[Trial], bool] = lambda trial: False
    otherwise: float | None = None

    def seconds(self, pack: Pack) -> float | None:
        """Seconds of a pack on its kind of device; None where they are not known.

        A pack that evaluates what it trains, where only the time of training is known, is told without evaluation.
        """
        key = (pack.decision.shape, pack.decision.device)
        evaluation = self.evaluation.get(key, self.otherwise)
        if pack.task == "evaluate":
            return None if evaluation is None else evaluation * len(pack.trials)
        spent = self.training.get(key)
        trained = None if spent is None else spent.pack(pack)
        if trained is None or self.apart(pack.trials[0]):
            return trained
        return trained + (evaluation or 0.0) * len(pack.trials)

    def basis(self, pack: Pack) -> Basis | None:
        """On what the time of training a pack rests; None where it is not known."""
        spent = self.training.get((pack.decision.shape, pack.decision.device))
        return None if spent is None or spent.pack(pack) is None else spent.basis

    def with_spent(self, shape: str, device: str, spent: Spent) -> Times:
        return replace(self, training={**self.training, (shape, device): spent})


def times_from(
    store: ResultStore | None, trials: Sequence[Trial], apart: Callable[[Trial], bool] = lambda trial: False
) -> Times:
    """The times of these trials' shapes, from the finished trials of a store, whatever study they are of.

    The time of a shape is the median of its packs, so that one that was held up or resumed does not count for more.
    Where a shape has not been seen, trials that differ in their number of steps alone stand for it, training in
    proportion to the steps. Trials that were evaluated apart have no time of evaluation: it is told by the distances
    between the times at which the values of one trial after another were measured.
    """
    shapes = {trial.shape: trial for trial in trials}
    if store is None or not shapes:
        return Times(apart=apart)
    packs = _packs(store)
    known = {trial.id: trial for trial in trials}
    of = {pack["trial"]: known[pack["trial"]].shape for pack in packs if pack["trial"] in known}
    training = _training(packs, of)
    unknown = {shape: trial for shape, trial in shapes.items() if not any(shape == key[0] for key in training)}
    factors: dict[str, tuple[str, float]] = {}
    if unknown:
        found = _specified(store, [pack["trial"] for pack in packs if pack["trial"] not in of])
        of |= {trial: one.shape for trial, one in found.items()}
        training = _training(packs, of)
        factors = _alike({one.shape: one for one in (*found.values(), *known.values())}, unknown, training)
    evaluation = _evaluation(packs, of)
    wanted = shapes.keys() | {shape for shape, _ in factors.values()}
    lacking = {shape for shape in wanted if not any(shape == key[0] for key in evaluation)}
    evaluation |= _evaluated_apart(store, packs, of, lacking)
    for shape, (other, factor) in factors.items():
        training |= {(shape, key[1]): spent.stretched(factor) for key, spent in training.items() if key[0] == other}
        evaluation |= {(shape, key[1]): took for key, took in evaluation.items() if key[0] == other}
    return Times(training=training, evaluation=evaluation, apart=apart)


def _packs(store: ResultStore) -> list[dict[str, Any]]:
    """One record an executed pack: pack, started, device, path, width, a trial of it, how many, seconds by kind."""
    columns = ["trial", "pack", "started", "finished", "device", "path", "width", "status"]
    table = store.trials([*columns, "train_seconds", "evaluate_seconds"])
    table = table.filter(pc.is_in(table["status"], value_set=pa.array(sorted(FINISHED), pa.string())))
    keys = ["pack", "started", "device", "path", "width"]
    sums = [("trial", "min"), ("trial", "count"), ("finished", "max"), ("train_seconds", "sum")]
    grouped = table.group_by(keys).aggregate([*sums, ("evaluate_seconds", "sum")])
    records = []
    for row in grouped.to_pylist():
        train, evaluate = row["train_seconds_sum"] or 0.0, row["evaluate_seconds_sum"] or 0.0
        whole = (row["finished_max"] - row["started"]).total_seconds()
        record = {name: row[name] for name in keys} | {"trial": row["trial_min"], "trials": row["trial_count"]}
        records.append(record | {"train": train, "evaluate": evaluate, "start": max(0.0, whole - train - evaluate)})
    return records


def _training(packs: Sequence[Mapping[str, Any]], of: Mapping[str, str]) -> dict[tuple[str, str], Spent]:
    fused: dict[tuple[str, str], dict[int, list[float]]] = {}
    alone: dict[tuple[str, str], list[float]] = {}
    start: dict[tuple[str, str], list[float]] = {}
    for pack in packs:
        shape = of.get(pack["trial"])
        if shape is None:
            continue
        key = (shape, pack["device"])
        start.setdefault(key, []).append(pack["start"])
        if pack["path"] == "fused":
            fused.setdefault(key, {}).setdefault(pack["width"], []).append(pack["train"])
        else:
            alone.setdefault(key, []).append(pack["train"] / pack["trials"])
    return {
        key: Spent(
            fused={width: statistics.median(took) for width, took in fused.get(key, {}).items()},
            alone=statistics.median(alone[key]) if key in alone else None,
            start=statistics.median(start[key]),
        )
        for key in start
    }


def _evaluation(packs: Sequence[Mapping[str, Any]], of: Mapping[str, str]) -> dict[tuple[str, str], float]:
    took: dict[tuple[str, str], list[float]] = {}
    for pack in packs:
        shape = of.get(pack["trial"])
        if shape is not None and pack["evaluate"] > 0:
            took.setdefault((shape, pack["device"]), []).append(pack["evaluate"] / pack["trials"])
    return {key: statistics.median(values) for key, values in took.items()}


def _evaluated_apart(
    store: ResultStore, packs: Sequence[Mapping[str, Any]], of: Mapping[str, str], shapes: Collection[str]
) -> dict[tuple[str, str], float]:
    """Seconds to evaluate a trial, on CPUs, from the times at which the trials of a pack were evaluated in turn."""
    sampled: dict[str, list[str]] = {}
    for pack in packs:
        shape = of.get(pack["trial"])
        if shape is not None and shape in shapes and len(chosen := sampled.setdefault(shape, [])) < SAMPLED_PACKS:
            chosen.append(pack["pack"])
    if not sampled:
        return {}
    members = store.trials(["trial", "pack"])
    wanted = pa.array([pack for chosen in sampled.values() for pack in chosen], pa.string())
    members = members.filter(pc.is_in(members["pack"], value_set=wanted))
    pack_of = dict(zip(members["trial"].to_pylist(), members["pack"].to_pylist(), strict=True))
    rows = store.winning("metrics", ["trial", "evaluated"], list(pack_of)).group_by("trial")
    stamps: dict[str, list[Any]] = {}
    for row in rows.aggregate([("evaluated", "min")]).to_pylist():
        stamps.setdefault(pack_of[row["trial"]], []).append(row["evaluated_min"])
    took: dict[tuple[str, str], float] = {}
    for shape, names in sampled.items():
        between = []
        for name in names:
            times = sorted(stamps.get(name, ()))
            between += [(after - before).total_seconds() for before, after in itertools.pairwise(times)]
        if between:
            took[shape, "cpu"] = statistics.median(between)
    return took


def _specified(store: ResultStore, trials: Sequence[str]) -> dict[str, Trial]:
    """Stored trials by id, without those of kinds that are not loaded here."""
    if not trials:
        return {}
    found: dict[str, Trial] = {}
    table = store.trials(["trial", "specification"], trials)
    for trial, text in zip(table["trial"].to_pylist(), table["specification"].to_pylist(), strict=True):
        try:
            found[trial] = from_json(text)
        except SpecificationError:
            continue
    return found


def _alike(
    seen: Mapping[str, Trial], unknown: Mapping[str, Trial], training: Mapping[tuple[str, str], Spent]
) -> dict[str, tuple[str, float]]:
    """For unknown shapes, a known one that differs in its number of steps alone, and how many times its steps they do.

    Of several known ones the one of most steps.
    """
    best: dict[str, Trial] = {}
    for shape in dict.fromkeys(shape for shape, _ in training):
        trial = seen[shape]
        key = _but_steps(trial)
        if key not in best or trial.training.steps > best[key].training.steps:
            best[key] = trial
    found = {shape: (trial, best.get(_but_steps(trial))) for shape, trial in unknown.items()}
    return {
        shape: (other.shape, trial.training.steps / other.training.steps)
        for shape, (trial, other) in found.items()
        if other is not None
    }


def _but_steps(trial: Trial) -> str:
    """The shape of a trial without its number of steps."""
    training = {name: value for name, value in trial.training.masked().items() if name != "steps"}
    return to_json([trial.data.masked(), trial.model.masked(), trial.objective.masked(), training])
