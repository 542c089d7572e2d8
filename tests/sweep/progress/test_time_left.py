"""The time left against known truth: simulated workers, of which it is known when they will have done everything."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from sweep.pack import Pack

Make = Callable[..., Any]


def steps_of(pack: Pack) -> float:
    return float(sum(trial.training.steps for trial in pack.trials))


def errors(simulation: Any, every: float = 1.0, **options: Any) -> list[tuple[float, float | None, bool]]:
    """(part of the time that has passed, seconds said to be left as a part of the true ones, at least) of each look."""
    end = simulation.run(every=every, **options)
    told = []
    for now, snapshot in simulation.seen:
        left = snapshot.left
        if now < end:
            told.append((now / end, left and left.seconds / (end - now), bool(left and left.at_least)))
    return told


def between(told: list[tuple[float, float | None, bool]], first: float, last: float) -> list[float]:
    return [ratio for part, ratio, _ in told if first <= part < last and ratio is not None]


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("share", [0.8, 0.3])
def test_uniform_packs(pack: Make, simulate: Make, workers: int, share: float) -> None:
    """Whatever evaluation takes beside training: until one pack has come to it, that is a guess."""
    simulation = simulate([pack(i) for i in range(40)], lambda _: 30.0, {"cpu": workers}, share=share, start=10.0)
    told = errors(simulation)
    assert between(told, 0.2, 0.95) == pytest.approx([1.0] * len(between(told, 0.2, 0.95)), rel=0.1)
    assert len(between(told, 0.2, 0.95)) > 100
    before = [ratio for part, ratio, _ in told if part * simulation.now < 13]
    assert len(before) > 5
    assert all(ratio is None for ratio in before)  # nothing was seen of any pack yet
    assert not any(at_least for *_, at_least in told)


def test_a_first_guess_comes_with_the_first_pack_under_way(pack: Make, simulate: Make) -> None:
    told = errors(simulate([pack(i) for i in range(10)], lambda _: 1000.0, {"cpu": 2}), limit=4000, every=5.0)
    first = next(part for part, ratio, _ in told if ratio is not None)
    assert first * 4000 < 120


def test_a_long_tail_is_weighted_by_its_steps(pack: Make, simulate: Make) -> None:
    """A few packs of fifty times the steps come last: by the number of packs nearly nothing would be left."""
    packs = [pack(i, steps=100) for i in range(60)] + [pack(100 + i, steps=5000) for i in range(4)]
    told = errors(simulate(packs, lambda one: steps_of(one) / 100, {"cpu": 4}))
    assert len(between(told, 0.05, 0.95)) > 100
    assert all(0.8 < ratio < 1.25 for ratio in between(told, 0.05, 0.95))


def test_the_longest_pack_by_itself_sets_the_end(pack: Make, simulate: Make) -> None:
    """Other workers cannot help the one that has it."""
    packs = [pack(0, steps=20_000), *(pack(i, steps=1000) for i in range(1, 13))]
    told = errors(simulate(packs, lambda one: steps_of(one) / 100, {"cpu": 4}))
    assert len(between(told, 0.1, 0.98)) > 100
    assert all(0.8 < ratio < 1.25 for ratio in between(told, 0.1, 0.98))


def test_work_from_checkpoints_makes_the_rest_no_faster(pack: Make, simulate: Make) -> None:
    packs = [pack(i) for i in range(20)]
    had = {one.id: 0.9 for one in packs[:4]}
    told = errors(simulate(packs, lambda _: 100.0, {"cpu": 2}, resumed=had))
    assert len(between(told, 0.15, 0.95)) > 100
    assert all(0.8 < ratio < 1.25 for ratio in between(told, 0.15, 0.95))


def test_what_is_evaluated_apart_counts_when_it_is_known(pack: Make, job: Make, simulate: Make) -> None:
    """On the same workers, after all training: at least so long, as long as no pack has been evaluated."""
    trained = [pack(i) for i in range(12)]
    apart = [job(pack(i, task="evaluate"), after=[trained[i].id], apart=True) for i in range(12)]
    simulation = simulate([*trained, *apart], lambda one: 50.0 if one.task == "train" else 100.0, {"cpu": 2}, share=1.0)
    told = errors(simulation)
    early, late = [one for one in told if 0.1 < one[0] < 0.3], [one for one in told if 0.5 < one[0] < 0.97]
    assert all(at_least and ratio < 1 for _, ratio, at_least in early if ratio is not None)
    assert all(not at_least and 0.85 < ratio < 1.15 for _, ratio, at_least in late if ratio is not None)
    assert (len(early) > 50, len(late) > 50) == (True, True)


def test_what_is_evaluated_beside_the_training_of_a_gpu(pack: Make, job: Make, simulate: Make) -> None:
    """The slower of both sets the end: here two CPUs that need 90 s for what a GPU trains in 30 s."""
    trained = [pack(i, device="cuda") for i in range(20)]
    apart = [job(pack(i, task="evaluate"), after=[trained[i].id], apart=True) for i in range(20)]
    simulation = simulate(
        [*trained, *apart],
        lambda one: 30.0 if one.task == "train" else 90.0,
        {"cuda": 1, "cpu": 2},
        share=1.0,
    )
    told = errors(simulation)
    assert len(between(told, 0.25, 0.97)) > 100
    assert all(0.85 < ratio < 1.15 for ratio in between(told, 0.25, 0.97))
    assert simulation.seen[-1][1].on_gpus
    assert simulation.looking.look().hours == pytest.approx(20 * 30 / 3600)  # of the GPU alone


def test_the_time_between_packs_counts(pack: Make, simulate: Make) -> None:
    """Packs of a second with half a second between them: to hand out takes a third of the time."""
    told = errors(simulate([pack(i) for i in range(300)], lambda _: 1.0, {"cpu": 2}, between=0.5), every=0.7)
    assert len(between(told, 0.3, 0.95)) > 100
    assert all(0.8 < ratio < 1.25 for ratio in between(told, 0.3, 0.95))


def test_marks_that_are_made_rarely_are_read_rarely(pack: Make, simulate: Make) -> None:
    """Where each is a request that is paid for; what is shown goes on at every look, and stays as good."""
    packs = [pack(i) for i in range(20)]
    readings = {}
    for mark_seconds in (0.0, 10.0):
        simulation = simulate(packs, lambda _: 60.0, {"cpu": 2}, mark_seconds=mark_seconds)
        told = errors(simulation, every=0.5)
        assert simulation.now == 600
        assert len({snapshot.seconds for _, snapshot in simulation.seen}) == 1200
        assert all(0.8 < ratio < 1.25 for ratio in between(told, 0.2, 0.9))
        readings[mark_seconds] = simulation.store.readings
    assert readings == {0.0: 1200, 10.0: 120}


def test_slow_machines_are_no_surprise_at_the_end(pack: Make, simulate: Make) -> None:
    """Packs take one to four times as long, at random: what has come back first is not what the rest takes."""
    chance = random.Random(3)
    seconds = {i: 20.0 * chance.choice((1, 2, 4)) for i in range(60)}
    told = errors(simulate([pack(i) for i in range(60)], lambda one: seconds[one.trials[0].seed // 1000], {"cpu": 6}))
    assert len(between(told, 0.25, 0.9)) > 100
    assert all(0.65 < ratio < 1.5 for ratio in between(told, 0.25, 0.9))


def test_half_the_workers_lost_doubles_the_time(pack: Make, simulate: Make) -> None:
    simulation = simulate([pack(i) for i in range(60)], lambda _: 20.0, {"cpu": 4})
    simulation.run(every=1.0, limit=100.0)
    before = simulation.seen[-1][1].left.seconds
    for one in sorted(simulation._at_work)[:2]:
        simulation.queue.died(one)
        del simulation._at_work[one]
    simulation.run(every=1.0, limit=200.0)
    snapshot = simulation.seen[-1][1]
    assert (snapshot.lost, snapshot.running) == (2, 2)
    assert snapshot.left.seconds == pytest.approx(2 * (before - 50), rel=0.15)
