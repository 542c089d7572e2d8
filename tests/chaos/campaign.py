"""A campaign: the stormy study is done again and again, until all faults of a forecast have struck; and its summary."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aftermath import check, outcomes
from launches import PATIENCE, Study, log_of
from monkey import Monkey
from watch import Broken
from weather import MEMORY, ON_NODES, Fault, forecast, in_rounds, shares

LIVES = 3  # of the study for each that was planned: faults that come too late are brought again in the next


@dataclass(kw_only=True)
class Summary:
    """hit: faults by kind and phase; ends: launches by exit code; lives: of the study, each in a store of its own.

    executions: trials taken up, of `trials` that were planned in all; twice: attempts that were stored though another
    of the trial stood. seconds: of the storms, the calm run apart.
    """

    seed: int
    trials: int = 0
    hit: Counter[tuple[str, str]] = field(default_factory=Counter)
    ends: Counter[int] = field(default_factory=Counter)
    launches: int = 0
    lives: int = 0
    executions: int = 0
    calm_executions: int = 0
    twice: int = 0
    seconds: float = 0.0
    calm_seconds: float = 0.0

    @property
    def faults(self) -> int:
        return sum(self.hit.values())

    def by(self, which: int) -> dict[str, int]:
        """Faults by kind (0) or phase (1), most frequent first."""
        counts: Counter[str] = Counter()
        for key, count in self.hit.items():
            counts[key[which]] += count
        return dict(counts.most_common())

    def text(self) -> str:
        kinds = "\n".join(f"  {kind:20} {count:4}" for kind, count in self.by(0).items())
        phases = ", ".join(f"{phase} {count}" for phase, count in self.by(1).items())
        ends = ", ".join(f"{code} × {count}" for code, count in sorted(self.ends.items()))
        return (
            f"seed {self.seed}: {self.faults} faults in {self.seconds:.0f} s, over {self.lives} lives of a study of "
            f"{self.trials // max(1, self.lives)} trials (the calm run: {self.calm_seconds:.0f} s)\n{kinds}\n"
            f"when they struck: {phases}\n"
            f"launches: {self.launches}, ended with {ends}\n"
            f"trials taken up: {self.executions} times, calm {self.calm_executions * self.lives}; "
            f"stored twice: {self.twice}\n"
            "every trial has the outcome of the calm run, each culprit is named, no innocent is; the tables are the "
            "calm run's, byte for byte, after halving for memory to the printed digits"
        )


class Campaign:
    """In a folder that is removed where all went well."""

    def __init__(self, seed: int, tell: Callable[[str], None] = lambda line: None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rs-chaos-"))
        self.tell = tell
        self.summary = Summary(seed=seed)
        self.calm = Study(folder=self.folder / "calm", faults=False)

    def run_calm(self) -> None:
        """The run that the others are compared with."""
        begun = time.monotonic()
        launched = self.calm.launch()
        code = launched.wait(2 * PATIENCE)
        if code != 3:  # a study with culprits
            raise Broken(f"the calm run ended with {code}:\n{log_of(launched)}")
        self.summary.calm_seconds = time.monotonic() - begun
        self.summary.calm_executions = self.calm.executions()
        self.tell(f"calm: {dict(Counter(status for status, _, _ in outcomes(self.calm).values()))}")

    def run(self, faults: Sequence[Fault], longest: int, exact: bool = True, nodes: Any = None, spare: int = 0) -> None:
        """Lives of the study until all these faults but `spare` have struck, at most `longest` in each."""
        waiting = list(faults)
        for _ in range(LIVES * len(in_rounds(faults, longest)) if faults else 0):
            if len(waiting) <= spare:
                return
            (now, *later) = in_rounds(waiting, longest)
            waiting = self._live(now, exact, nodes) + [fault for some in later for fault in some]
        if len(waiting) > spare:
            raise Broken(f"{len(waiting)} faults found no time to strike")

    def _live(self, faults: Sequence[Fault], exact: bool, nodes: Any) -> list[Fault]:
        total = self.summary
        total.lives += 1
        begun = time.monotonic()
        study = Study(folder=self.folder / f"life-{total.lives}")
        planned = len(outcomes(self.calm))
        monkey = Monkey(study=study, planned=planned, nodes=nodes)
        try:
            left = monkey.run(faults)
        finally:
            study.end_all()
        total.seconds += time.monotonic() - begun
        total.twice += check(monkey, self.calm, exact)
        total.hit += monkey.hit
        total.ends += monkey.ends
        total.launches += monkey.launches
        total.executions += study.executions()
        total.trials += planned
        self.tell(
            f"life {total.lives}: {sum(monkey.hit.values())} faults, {monkey.launches} launches, "
            f"{time.monotonic() - begun:.0f} s{f'; {len(left)} came too late' if left else ''}"
        )
        return left

    def close(self) -> None:
        """Ends what is left of processes, and removes the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def parts(total: int, weights: dict[str, float], least: int, seed: int) -> dict[str, list[Fault]]:
    """The faults of a long campaign: on a Ray of each launch's own, with memory running out, and on a cluster."""
    counts = shares(total, weights, least)
    memory = {MEMORY: counts.pop(MEMORY), "worker killed": least}
    nodes = {kind: counts.pop(kind) for kind in ON_NODES} | {"worker killed": least, "driver killed": 2}
    for part in (memory, nodes):
        for kind in part.keys() & counts.keys():
            counts[kind] -= part[kind]
    return {
        "alone": forecast(counts, seed),
        "memory": forecast(memory, seed + 1),
        "nodes": forecast(nodes, seed + 2),
    }
