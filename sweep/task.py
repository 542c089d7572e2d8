"""What travels between driver and worker: a pack to run, and what became of it. Plain values, no torch and no Ray."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from results.quantity import Quantity
from studies.trial import Trial, from_json
from studies.user_file import UserModule, load_source
from sweep.pack import Decision, Pack, Task


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
    downloaded; mirror: an address in place of the official ones, empty for that which the worker has.
    """

    store: str
    launch: str
    checkpoint_seconds: float = 60.0
    data: str = ""
    offline: bool = False
    mirror: str = ""


@dataclass(frozen=True, kw_only=True)
class PackTask:
    """One pack for one worker. pack: its id; retry: deaths of workers that this pack has seen."""

    pack: str
    trials: tuple[str, ...] = field(repr=False)
    decision: Decision
    quantities: tuple[Quantity, ...]
    settings: Settings
    sources: tuple[Source, ...] = ()
    task: Task = "train"
    retry: int = 0

    @classmethod
    def of(
        cls, pack: Pack, quantities: tuple[Quantity, ...], settings: Settings, sources: tuple[Source, ...], retry: int
    ) -> PackTask:
        return cls(
            pack=pack.id,
            trials=tuple(trial.specification() for trial in pack.trials),
            decision=pack.decision,
            quantities=quantities,
            settings=settings,
            sources=sources,
            task=pack.task,
            retry=retry,
        )

    def load(self) -> Pack:
        """The pack, with the user's own kinds loaded first."""
        for source in self.sources:
            load_source(source.text, source.name)
        trials: tuple[Trial, ...] = tuple(from_json(text) for text in self.trials)
        return Pack(trials=trials, decision=self.decision, task=self.task)


@dataclass(frozen=True, kw_only=True)
class PackRecord:
    """What became of a pack. counts: trials by status, with 'evaluated' for finished trials that got new quantities.

    'evaluation_failed' are trained trials of which something could not be measured. stopped: the pack was asked to
    stop, and its trials are pending. fault: why nothing could be stored (a full disk), or not run here at all.
    traceback: of an exception outside every trial, a bug of ours.
    """

    pack: str
    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    trial_steps: int = 0
    stopped: bool = False
    fault: str = ""
    traceback: str = ""

    def with_status(self, status: str, count: int = 1) -> PackRecord:
        return replace(self, counts=self.counts | {status: self.counts.get(status, 0) + count})
