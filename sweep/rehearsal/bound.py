"""Lower bound on the makespan: no order of the packs, and no scheduler, could be done sooner.

With the seconds p of every job as it is packed, undisturbed, the bound is the largest of

* for each kind of device, all its work shared out evenly: Σ p / m over its m slots;
* for each kind of device and k = 1, 2, …, with its jobs in descending order: the k + 1 shortest of the k·m + 1 longest
  one after another, since some slot gets k + 1 of these;
* the longest chain: a job, after the longest of the chains that it waits for (a prerequisite, the pack that trains
  what it evaluates).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sweep.waiting import Job


@dataclass(frozen=True, kw_only=True)
class Bound:
    """The parts of a lower bound, in seconds: of work shared evenly, of whole packs, and of the longest chain."""

    work: float
    packs: float
    chain: float

    @property
    def seconds(self) -> float:
        return max(self.work, self.packs, self.chain)

    @property
    def reason(self) -> str:
        """Which part it is that binds."""
        if self.chain >= self.seconds:
            return "its longest chain of packs"
        return "all work shared out evenly" if self.work >= self.seconds else "its packs, which are not divided"


def lower_bound(jobs: Sequence[Job], seconds: Mapping[str, float], slots: Mapping[str, int]) -> Bound:
    """The bound of jobs. seconds: of each, by its pack's id; slots: of each kind of device."""
    by_device: dict[str, list[float]] = {}
    for job in jobs:
        by_device.setdefault(job.device, []).append(seconds[job.pack.id])
    work = max((sum(took) / slots[device] for device, took in by_device.items()), default=0.0)
    whole = max((undivided(took, slots[device]) for device, took in by_device.items()), default=0.0)
    after = {job.pack.id: job.after for job in jobs}
    chains: dict[str, float] = {}

    def chain(pack: str) -> float:
        if pack not in chains:
            chains[pack] = seconds[pack] + max((chain(one) for one in after[pack] if one in after), default=0.0)
        return chains[pack]

    return Bound(work=work, packs=whole, chain=max(map(chain, after), default=0.0))


def undivided(took: Sequence[float], slots: int) -> float:
    """The largest, over k, of the k + 1 shortest of the k·slots + 1 longest jobs, in seconds; the longest for k = 0."""
    longest = sorted(took, reverse=True)
    counts = range((len(longest) - 1) // slots + 1) if longest else range(0)
    return max((sum(longest[k * slots - k : k * slots + 1]) for k in counts), default=0.0)
