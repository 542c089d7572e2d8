"""Books of a launch for tests of its queue: in memory, and open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from results.quantity import Quantity
from studies.trial import Trial
from sweep.blame import Death
from sweep.footprints import Footprint
from sweep.pack import Pack
from sweep.task import PackTask, Settings
from sweep.waiting import Job

SETTINGS = Settings(store="/nowhere", launch="one")


@dataclass
class PlainBooks:
    """See `Books`; what the queue has had stored is in the fields."""

    marks: dict[str, Mapping[str, object]] = field(default_factory=dict)
    culprits: list[str] = field(default_factory=list)
    deaths: list[Death] = field(default_factory=list)
    dead: list[tuple[str, bool]] = field(default_factory=list)
    asked: list[tuple[str, bool]] = field(default_factory=list)
    remembered: list[Footprint] = field(default_factory=list)

    def make_task(self, pack: Pack, quantities: tuple[Quantity, ...], tries: int) -> PackTask:
        return PackTask.of(pack, quantities, SETTINGS, (), tries)

    def inflight(self) -> Mapping[str, Mapping[str, object]]:
        return self.marks

    def crashed(self, job: Job, trials: Sequence[Trial], death: Death) -> None:
        assert {trial.id for trial in trials} <= {trial.id for trial in job.pack.trials}
        self.culprits += [trial.id for trial in trials]
        self.deaths.append(death)

    def buried(self, pack: str, death: Death) -> None:
        self.dead.append((pack, death.lost))
        self.marks.pop(pack, None)

    def remember(self, footprint: Footprint) -> None:
        self.remembered.append(footprint)

    def ask_to_leave(self, pack: str, leave: bool) -> None:
        self.asked.append((pack, leave))
