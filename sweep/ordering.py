"""Ordering: which pack is handed out before which.

Breadth-first over seeds: all that is needed for the first seed of every setting comes before the second, so that a
study of three seeds shows its whole grid after a third of its time. For one seed the longest packs come first, so that
none is left to run by itself at the tail; and a pack so long that it would outlast all else if it waited for its seed
is begun just in time. Pure: durations are told from outside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from sweep.pack import Pack
from sweep.waiting import Job

AHEAD = -1  # the layer of prerequisites
Seconds = Callable[[Pack], float | None]


def ordered(jobs: Sequence[Job], seconds: Seconds, slots: Mapping[str, int] = MappingProxyType({})) -> list[Job]:
    """The jobs in the order in which they are to be handed out, each after those that it waits for.

    First the packs that train prerequisites, then layer by layer; in a layer those that train come before those that
    evaluate, and of each the longest first. A pack belongs to the layer of its lowest seed. seconds: how long a pack
    takes, None where that is not known: it keeps its place among the others. slots: packs that run at once by kind of
    device, where that is known: see `just_in_time`. What no rule tells apart stays in the order of `jobs`.
    """
    layers = layers_of(jobs)
    members: dict[tuple[int, bool], list[Job]] = {}
    for layer, job in zip(layers, jobs, strict=True):
        members.setdefault((layer, job.pack.task == "evaluate"), []).append(job)
    ahead = members.pop((AHEAD, False), [])
    rest = [job for key in sorted(members) for job in longest_first(members[key], seconds)]
    for device, count in slots.items():
        rest = just_in_time(rest, device, seconds, count)
    return [*ahead, *rest]


def layers_of(jobs: Sequence[Job]) -> list[int]:
    """The layer of each job: the place of its lowest seed among the seeds of all, or AHEAD for prerequisites."""
    trained = {job.pack.id: {trial.id for trial in job.pack.trials} for job in jobs if job.pack.task == "train"}
    needed = set()
    for job in jobs:
        own = {trial.id for trial in job.pack.trials}
        needed |= {pack for pack in job.after if not own <= trained.get(pack, set())}
    lowest = [AHEAD if job.pack.id in needed else min(trial.seed for trial in job.pack.trials) for job in jobs]
    place = {seed: layer for layer, seed in enumerate(sorted(set(lowest) - {AHEAD}))}
    return [place.get(seed, AHEAD) for seed in lowest]


def longest_first(jobs: Sequence[Job], seconds: Seconds) -> list[Job]:
    """Jobs of known duration by descending duration, in the places that these have; the others stay where they are."""
    known = [(place, took) for place, job in enumerate(jobs) if (took := seconds(job.pack)) is not None]
    places = [place for place, _ in known]
    result = list(jobs)
    for place, (source, _) in zip(places, sorted(known, key=lambda one: -one[1]), strict=True):
        result[place] = jobs[source]
    return result


def just_in_time(jobs: Sequence[Job], device: str, seconds: Seconds, slots: int) -> list[Job]:
    """The same order, but for packs that would end too late, which move forward to where they would not.

    With the work W of all packs that train on a device, these can end at T = max(W / slots, the longest) at best. In
    order, a pack begins about when the work before it, shared out evenly, is done. Where it would end after T, it goes
    to where it begins at T less its own duration.
    """
    training = [place for place, job in enumerate(jobs) if job.pack.task == "train" and job.device == device]
    took = {place: seconds(jobs[place].pack) or 0.0 for place in training}
    end = max([sum(took.values()) / slots, *took.values()], default=0.0)
    begins, before = {}, 0.0
    for place, own in took.items():
        begins[place] = before / slots
        before += own
    latest = {place: end - took[place] for place in took if begins[place] > end - took[place]}
    waiting = sorted(latest, key=lambda place: (-latest[place], -place))  # the most urgent one last
    result: list[Job] = []
    for place, job in enumerate(jobs):
        if place in latest:
            continue
        while place in begins and waiting and latest[waiting[-1]] < begins[place]:
            result.append(jobs[waiting.pop()])
        result.append(job)
    return [*result, *(jobs[place] for place in reversed(waiting))]
