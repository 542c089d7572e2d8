"""What travels between driver and worker: a pack to run, and what became of it. Plain values, no torch and no Ray."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from models.spec import Spec
from results.quantity import Quantity
from studies.trial import Trial, from_json
from studies.user_file import UserModule, load_source
from sweep.pack import Decision, Pack, Task
from sweep.resources import Resources


@dataclass(frozen=True, kw_only=True)
class Source:
    """A user's own file as text, to be loaded in the worker before anything else."""

    name: str
    text: str = field(repr=False)
    sha256: str

    @classmethod
    def of(cls, module: UserModule) -> Source:
        return cls(name=module.name, text=module.source, sha256=module.sha256)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all packs of a launch share.

    store: absolute path. checkpoint_seconds: a pack that trains longer than this saves a checkpoint, and another after
    as long again. data: where image sets are kept, absolute, empty for where the worker keeps them; offline: none is
    downloaded; mirror: an address in place of the official ones, empty for that which the worker has. hang_seconds: a
    worker that shows no sign of life for so long is ended, 0 for never. resources: what each pack takes of its node.
    """

    store: str
    launch: str
    checkpoint_seconds: float = 60.0
    data: str = ""
    offline: bool = False
    mirror: str = ""
    hang_seconds: float = 0.0
    resources: Resources = field(default_factory=Resources)


@dataclass(frozen=True, kw_only=True)
class PackTask:
    """One pack for one worker. pack: its id; ids: of its trials; tries: how often it was handed out before.

    requires: what its place must have besides the resources that every pack takes.
    """

    pack: str
    trials: tuple[str, ...] = field(repr=False)
    decision: Decision
    quantities: tuple[Quantity, ...]
    settings: Settings
    sources: tuple[Source, ...] = ()
    task: Task = "train"
    tries: int = 0
    requires: Mapping[str, float] = field(default_factory=dict)
    ids: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(
        cls, pack: Pack, quantities: tuple[Quantity, ...], settings: Settings, sources: tuple[Source, ...], tries: int
    ) -> PackTask:
        return cls(
            pack=pack.id,
            trials=tuple(trial.specification() for trial in pack.trials),
            decision=pack.decision,
            quantities=quantities,
            settings=settings,
            sources=sources,
            task=pack.task,
            tries=tries,
            ids=tuple(trial.id for trial in pack.trials),
        )

    def load(self) -> Pack:
        """The pack, with the user's own kinds loaded first."""
        for source in self.sources:
            load_source(source.text, source.name)
        parts: dict[str, Spec] = {}
        trials: tuple[Trial, ...] = tuple(from_json(text, parts) for text in self.trials)
        return Pack(trials=trials, decision=self.decision, task=self.task)


@dataclass(frozen=True, kw_only=True)
class PackRecord:
    """What became of a pack. counts: trials by status, with 'evaluated' for finished trials that got new quantities.

    'evaluation_failed' are trained trials of which something could not be measured. reasons: failed trials by 'status:
    reason'. stopped: the pack was asked to stop, and its trials are pending. fault: why nothing could be stored (a full
    disk), or not run here at all. traceback: of an exception outside every trial, a bug of ours. memory: bytes of the
    device that the pack might use, 0 where nobody looked; unfit: widths that were too wide for it; used: the most bytes
    that it held at once, at its own width, 0 where that was not measured.
    """

    pack: str
    counts: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    trial_steps: int = 0
    stopped: bool = False
    fault: str = ""
    traceback: str = ""
    memory: int = 0
    unfit: tuple[int, ...] = ()
    used: int = 0

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> PackRecord:
        """What `to_json` wrote."""
        values = json.loads(text)
        return cls(**values | {"unfit": tuple(values["unfit"])})

    def with_status(self, status: str, reason: str | None = None) -> PackRecord:
        """With one trial more that ended so."""
        counts = self.counts | {status: self.counts.get(status, 0) + 1}
        if reason is None:
            return replace(self, counts=counts)
        told = f"{status}: {reason}"
        return replace(self, counts=counts, reasons=self.reasons | {told: self.reasons.get(told, 0) + 1})
