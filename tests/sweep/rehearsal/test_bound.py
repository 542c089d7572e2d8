from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.pack import Decision, Pack
from sweep.rehearsal.bound import lower_bound, undivided
from sweep.rehearsal.scenarios import grid
from sweep.waiting import Job

TRIALS = grid("bound", 12, seeds=1).trials()


def job(number: int, device: str = "cuda", after: Sequence[Job] = ()) -> Job:
    decision = Decision(shape=TRIALS[number].shape, device=device, width=1, path="sequential")
    pack = Pack(trials=(TRIALS[number],), decision=decision)
    return Job(pack=pack, after=frozenset(one.pack.id for one in after))


def shortest(durations: Sequence[int], slots: int) -> int:
    """Oracle: the least makespan over all assignments."""
    loads = {(0,) * slots}
    for duration in durations:
        loads = {
            tuple(sorted((*one[:slot], one[slot] + duration, *one[slot + 1 :])))
            for one in loads
            for slot in range(slots)
        }
    return min(max(one) for one in loads)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=7), st.integers(1, 4))
def test_the_bound_is_below_the_shortest_makespan_and_above_the_simple_ones(durations: list[int], slots: int) -> None:
    jobs = [job(number) for number in range(len(durations))]
    seconds = {one.pack.id: float(duration) for one, duration in zip(jobs, durations, strict=True)}
    bound = lower_bound(jobs, seconds, {"cuda": slots})
    assert bound.seconds <= shortest(durations, slots) + 1e-9
    assert bound.seconds >= max(sum(durations) / slots, *durations) - 1e-9
    assert (bound.work, bound.chain) == (pytest.approx(sum(durations) / slots), max(durations))


@pytest.mark.parametrize(
    ("count", "slots", "rounds"), [(7, 4, 2), (8, 4, 2), (9, 4, 3), (1, 4, 1), (4, 4, 1), (0, 3, 0)]
)
def test_equal_packs_take_whole_rounds(count: int, slots: int, rounds: int) -> None:
    assert undivided([5.0] * count, slots) == 5.0 * rounds


def test_the_longest_chain_goes_over_kinds_of_device() -> None:
    first, alone = job(0), job(1)
    second = job(2, after=[first])
    last = job(3, "cpu", after=[second, alone])
    jobs = [last, second, first, alone]
    seconds = {first.pack.id: 3.0, second.pack.id: 4.0, last.pack.id: 5.0, alone.pack.id: 6.0}
    bound = lower_bound(jobs, seconds, {"cuda": 8, "cpu": 8})
    assert (bound.chain, bound.seconds, bound.reason) == (12.0, 12.0, "its longest chain of packs")
    assert lower_bound(jobs, seconds, {"cuda": 1, "cpu": 8}).work == 13.0


def test_nothing_takes_no_time() -> None:
    assert lower_bound([], {}, {"cuda": 1}).seconds == 0.0
