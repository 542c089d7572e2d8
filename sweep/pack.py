"""Packs: trials of one shape that one worker trains together, and the rule by which they are grouped.

A pack's width, path and thread count are decided once for a shape and a kind of device, from the study's full
enumeration and never from what is pending, and kept in the store: so a resumed, smaller or bisected pack computes the
same bits as the undisturbed one.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from models.families import Model
from models.training.slots import narrower
from studies.trial import Trial

Task = Literal["train", "evaluate"]
FUSED_WIDTH_CPU = 32  # wider packs gain little more, and a crash would cost more
FUSED_WIDTH_CUDA = 64
SEQUENTIAL_WIDTH = 4  # members run one after another: a pack only shares its start-up and its commit


@dataclass(frozen=True, kw_only=True)
class Decision:
    """How trials of one shape are packed on one kind of device, 'cpu' or 'cuda'."""

    shape: str
    device: str
    width: int
    path: Literal["fused", "sequential"]
    threads: int = 1
    source: Literal["rule", "calibrated", "asked"] = "rule"


@dataclass(frozen=True, kw_only=True)
class Pack:
    """1..W trials of one shape; slot by slot in the order of `trials`."""

    trials: tuple[Trial, ...]
    decision: Decision
    task: Task = "train"

    @functools.cached_property
    def id(self) -> str:
        """The same trials under the same decision are the same pack, so that a checkpoint is found again."""
        parts = (self.task, self.decision.path, str(self.decision.width), *(trial.id for trial in self.trials))
        return hashlib.sha256(",".join(parts).encode()).hexdigest()[:16]

    def halves(self) -> tuple[Pack, Pack]:
        """Two packs that keep width and path: a trial's bits do not change by bisection."""
        middle = (len(self.trials) + 1) // 2
        return self.keep(self.trials[:middle]), self.keep(self.trials[middle:])

    def narrowed(self) -> list[Pack]:
        """These trials in packs of about half the memory, for a device without the memory for it; bits may differ.

        Trials that run in sequence are parted, so that the one that is too large is known, and each keeps its bits.
        Empty for one by itself: that cannot be helped.
        """
        if self.decision.path == "sequential":
            return [self.keep([trial]) for trial in self.trials] if len(self.trials) > 1 else []
        width = narrower(self.decision.width, self.trials[0].training.batch_size)
        decision = replace(self.decision, width=width, path="sequential" if width == 1 else "fused")
        chunks = [self.trials[start : start + width] for start in range(0, len(self.trials), width)]
        return [replace(self, trials=chunk, decision=decision) for chunk in chunks]

    def keep(self, trials: Iterable[Trial]) -> Pack:
        return Pack(trials=tuple(trials), decision=self.decision, task=self.task)


def prefers_fusing(model: Model, device: str) -> bool:
    """The shipped rule: on a CPU convolutions run in sequence (fused they are slower), small dense networks fused.

    Autoregressive models run in sequence on any device: they are evaluated by sampling pixel by pixel, from values that
    are kept between pixels, which vmap cannot do; and one of them fills a device, where a fused pack would not fit.
    """
    return not model.autoregressive and (device != "cpu" or not model.convolutional)


def decide(trial: Trial, planned: int, device: str, width: int | None = None) -> Decision:
    """The decision by rule for a shape of which the study plans `planned` trials; `width` is the user's `--pack W`."""
    fused = prefers_fusing(trial.model, device) and width != 1 and planned > 1  # one by itself needs no padding
    largest = SEQUENTIAL_WIDTH if not fused else FUSED_WIDTH_CPU if device == "cpu" else FUSED_WIDTH_CUDA
    if width is None:
        width = min(planned, largest)
        source: Literal["rule", "asked"] = "rule"
    else:
        source = "asked"
    path: Literal["fused", "sequential"] = "fused" if fused else "sequential"
    return Decision(shape=trial.shape, device=device, width=width, path=path, source=source)


def group(
    trials: Sequence[Trial],
    decisions: Mapping[str, Decision],
    task: Task = "train",
    begun: Sequence[Sequence[str]] = (),
) -> list[Pack]:
    """Packs of `trials` (in their order) under the decision of each shape.

    begun: trial ids of packs that left a checkpoint; where all of such a pack is asked for again, it is made again.
    """
    wanted = {trial.id: trial for trial in trials}
    packs = []
    for ids in begun:
        members = [wanted[trial] for trial in ids if trial in wanted]
        if len(members) == len(ids) > 0 and len({member.shape for member in members}) == 1:
            decision = decisions[members[0].shape]
            if len(members) > decision.width:  # begun under a wider `--pack W`: its checkpoint does not fit
                continue
            packs.append(Pack(trials=tuple(members), decision=decision, task=task))
            for member in members:
                del wanted[member.id]
    shapes: dict[str, list[Trial]] = {}
    for trial in wanted.values():
        shapes.setdefault(trial.shape, []).append(trial)
    for shape, members in shapes.items():
        width = decisions[shape].width
        for start in range(0, len(members), width):
            chunk = tuple(members[start : start + width])
            packs.append(Pack(trials=chunk, decision=decisions[shape], task=task))
    return packs
