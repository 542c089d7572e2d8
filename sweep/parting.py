"""Parting: a pack that raised an exception, as packs of those that do not raise and of each that does."""

from __future__ import annotations

from collections.abc import Callable

from models.training.problem import Problem
from models.training.state import PackState
from models.training.trainer import train
from sweep.checkpoints import Stopped, mean_step
from sweep.culprits import culprits
from sweep.lost_device import end_if_device_is_lost
from sweep.pack import Pack
from sweep.pulse import Pulse


def parted(pack: Pack, problem: Callable[[Pack], Problem], pulse: Pulse) -> list[Pack]:
    """The packs to run in the stead of one that raised, innocents first; empty for a trial by itself.

    Who raises is found by training parts of the pack, though no further than it came: so the innocents are trained to
    the end once, together, and not half by half, each padded to the width of the whole. problem: builds what is
    trained; pulse: says how far the pack had come.
    """
    if len(pack.trials) == 1:
        return []
    if pack.decision.path == "sequential":
        return [pack.keep([trial]) for trial in pack.trials]
    reached = pulse.step
    found = culprits(pack.trials, lambda part: _raises(pack.keep(part), problem, pulse, reached))
    guilty = {trial.id for trial in found}
    innocent = [trial for trial in pack.trials if trial.id not in guilty]
    alone = [pack.keep([trial]) for trial in found]
    return [pack.keep(innocent), *alone] if innocent else alone


class _FarEnough(Exception):
    """A part of a pack has come further than the whole had when it raised."""


def _raises(pack: Pack, problem: Callable[[Pack], Problem], pulse: Pulse, until: int) -> bool:
    """Whether a pack raises by the block of steps after step `until`. What it trains is not kept."""

    def look(state: PackState) -> None:
        step = mean_step(state)
        pulse.trained(step)
        if step > until:
            raise _FarEnough

    try:
        train(problem(pack), pack.decision.path, None, look)
    except _FarEnough:
        return False
    except Stopped:
        raise
    except Exception as error:  # noqa: BLE001 - its reason is told when the culprit is tried by itself
        end_if_device_is_lost(error)
        return True
    return False
