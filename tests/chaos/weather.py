"""Weather: which faults a study meets and when, from a seed alone."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# What is done to whom, and in which phase of its work. "train" is waited for; the others are, too, but pass quickly.
KINDS: Mapping[str, str] = {
    "worker killed": "SIGKILL of a worker",
    "worker stopped": "SIGSTOP of a worker: it hangs",
    "driver killed": "SIGKILL of the driver",
    "driver terminated": "SIGTERM of the driver",
    "driver interrupted": "SIGINT of the driver",
    "out of memory": "the device's memory runs out under a pack",
    "storage flaky": "EIO when a file of the store is flushed",
    "disk full": "ENOSPC when a file of the store is flushed",
    "compaction killed": "SIGKILL of `sweep compact` beside the launch",
    "report killed": "SIGKILL of `sweep report` or `sweep tables` beside the launch",
    "second launch": "a launch of the same study beside the first, with --force",
    "node lost": "a node of the cluster goes without a word, and another joins",
    "preemption": "a node has notice, and goes when its packs have left",
}
ON_NODES = ("node lost", "preemption")
MEMORY = "out of memory"
PHASES = ("train", "commit")
COMMITS = 0.2  # of the kills of workers and drivers that are aimed at a commit
LONGEST = 1.5  # seconds between two faults, at most, when it may happen at once


@dataclass(frozen=True, kw_only=True)
class Fault:
    """kind: of KINDS; phase: of PHASES, that it waits for; delay: seconds before; chance: chooses among the targets."""

    kind: str
    phase: str
    delay: float
    chance: float


def forecast(counts: Mapping[str, int], seed: int) -> list[Fault]:
    """So many faults of each kind, in an order and at moments of their own."""
    chooser = random.Random(seed)
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    chooser.shuffle(kinds)
    faults = []
    for kind in kinds:
        aimed = kind in ("worker killed", "driver killed") and chooser.random() < COMMITS
        phase = "commit" if aimed else "train"
        faults.append(Fault(kind=kind, phase=phase, delay=chooser.uniform(0.0, LONGEST), chance=chooser.random()))
    return faults


def shares(total: int, weights: Mapping[str, float], least: int) -> dict[str, int]:
    """So many faults by kind that they are `total`, in proportion to weights, with at least `least` of each."""
    spare = total - least * len(weights)
    if spare < 0:
        raise ValueError(f"{total} faults are too few for {least} of each of {len(weights)} kinds")
    whole = sum(weights.values())
    counts = {kind: least + int(spare * weight / whole) for kind, weight in weights.items()}
    largest = max(weights, key=lambda kind: weights[kind])
    counts[largest] += total - sum(counts.values())
    return counts


def in_rounds(faults: Sequence[Fault], longest: int) -> list[list[Fault]]:
    """The faults in their order, about as many each time, and at most `longest`."""
    rounds = -(-len(faults) // longest)
    if not rounds:
        return []
    cuts = [round(len(faults) * number / rounds) for number in range(rounds + 1)]
    return [list(faults[start:end]) for start, end in itertools.pairwise(cuts)]
