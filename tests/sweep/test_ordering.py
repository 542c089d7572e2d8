from __future__ import annotations

import heapq
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from models.kinds import BetaObjective, Binomial, Digits, FlatModel, Training
from studies.trial import Trial
from sweep.ordering import layers_of, longest_first, ordered
from sweep.pack import Decision, Pack
from sweep.waiting import Job

BASE = Trial(
    data=Digits(),
    model=FlatModel(latent=2, likelihood=Binomial(total=16)),
    objective=BetaObjective(),
    training=Training(steps=10, batch_size=4),
)
DECISION = Decision(shape=BASE.shape, device="cpu", width=4, path="fused")


def trial(setting: int, seed: int) -> Trial:
    return BASE.model_copy(update={"objective": BetaObjective(beta=(1.0 + setting,)), "seed": seed})


def job(*members: tuple[int, int], after: Sequence[Job] = (), evaluates: bool = False) -> Job:
    """A job of trials given as (setting, seed)."""
    task = "evaluate" if evaluates else "train"
    pack = Pack(trials=tuple(trial(*one) for one in members), decision=DECISION, task=task)
    return Job(pack=pack, after=frozenset(one.pack.id for one in after), apart=evaluates)


def lowest(one: Job) -> int:
    return min(trial.seed for trial in one.pack.trials)


def list_scheduled(durations: Sequence[float], slots: int) -> float:
    """Oracle: the makespan when every free slot takes the next of the list."""
    free = [0.0] * slots
    for duration in durations:
        heapq.heappush(free, heapq.heappop(free) + duration)
    return max(free)


def shortest_makespan(durations: Sequence[float], slots: int) -> float:
    """Oracle: the least over all assignments, by trying every one."""
    best = sum(durations)

    def place(position: int, loads: tuple[float, ...]) -> None:
        nonlocal best
        if max(loads) >= best:
            return
        if position == len(durations):
            best = max(loads)
            return
        for load in set(loads):
            at = loads.index(load)
            place(position + 1, (*loads[:at], load + durations[position], *loads[at + 1 :]))

    place(0, (0.0,) * slots)
    return best


SEEDS = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=3), min_size=1, max_size=12)


@given(SEEDS, st.data())
def test_layers_of_seeds_never_mix_whatever_is_known_of_durations(seeds: list[list[int]], data: st.DataObject) -> None:
    jobs = [job(*((setting, seed) for seed in set(own))) for setting, own in enumerate(seeds)]
    known = {one.pack.id: data.draw(st.none() | st.floats(1, 9)) for one in jobs}
    result = ordered(jobs, lambda pack: known[pack.id])
    assert sorted(one.pack.id for one in result) == sorted(one.pack.id for one in jobs)
    assert [lowest(one) for one in result] == sorted(lowest(one) for one in jobs)


@given(SEEDS)
def test_without_durations_the_order_of_the_study_stays_within_a_layer(seeds: list[list[int]]) -> None:
    jobs = [job(*((setting, seed) for seed in set(own))) for setting, own in enumerate(seeds)]
    assert ordered(jobs, lambda pack: None) == sorted(jobs, key=lowest)
    assert ordered(jobs, lambda pack: 5.0) == sorted(jobs, key=lowest)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=7), st.integers(1, 3))
def test_the_last_layer_is_within_grahams_bound_of_the_shortest_makespan(durations: list[int], slots: int) -> None:
    """Longest first is at most 4/3 − 1/(3m) times the optimum (Graham 1969)."""
    jobs = [job((setting, 0)) for setting in range(len(durations))]
    known = {one.pack.id: float(duration) for one, duration in zip(jobs, durations, strict=True)}
    result = [known[one.pack.id] for one in ordered(jobs, lambda pack: known[pack.id])]
    assert result == sorted(map(float, durations), reverse=True)
    best = shortest_makespan(sorted(map(float, durations), reverse=True), slots)
    assert list_scheduled(result, slots) <= (4 / 3 - 1 / (3 * slots)) * best + 1e-9


@given(st.lists(st.none() | st.integers(1, 5), max_size=12))
def test_longest_first_is_stable_and_leaves_what_it_does_not_know(durations: list[int | None]) -> None:
    jobs = [job((setting, 0)) for setting in range(len(durations))]
    known = {one.pack.id: duration for one, duration in zip(jobs, durations, strict=True)}
    result = longest_first(jobs, lambda pack: known[pack.id])
    unknown = [place for place, duration in enumerate(durations) if duration is None]
    assert [result[place] for place in unknown] == [jobs[place] for place in unknown]
    measured = [one for one in jobs if known[one.pack.id] is not None]
    assert [one for one in result if known[one.pack.id] is not None] == sorted(
        measured, key=lambda one: -(known[one.pack.id] or 0)
    )


def test_prerequisites_come_first_and_evaluation_follows_its_training() -> None:
    prerequisite = job((9, 3))
    trained = [job((setting, seed)) for seed in (1, 0) for setting in range(2)]
    measured = [
        job(
            *((trial.objective.beta[0] - 1, trial.seed) for trial in one.pack.trials),
            after=[one, prerequisite],
            evaluates=True,
        )
        for one in trained
    ]
    jobs = [*trained, *measured, prerequisite]
    assert layers_of(jobs) == [1, 1, 0, 0, 1, 1, 0, 0, -1]
    result = ordered(jobs, lambda pack: None)
    first, second = trained[2:], trained[:2]
    assert result == [prerequisite, *first, *measured[2:], *second, *measured[:2]]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 50)), min_size=1, max_size=20),
    st.integers(1, 4),
)
def test_a_long_pack_is_begun_in_time_and_the_others_keep_their_order(packs: list[tuple[int, int]], slots: int) -> None:
    jobs = [job((setting, seed)) for setting, (seed, _) in enumerate(packs)]
    known = {one.pack.id: float(duration) for one, (_, duration) in zip(jobs, packs, strict=True)}
    layered = ordered(jobs, lambda pack: known[pack.id])
    result = ordered(jobs, lambda pack: known[pack.id], {"cpu": slots})
    assert sorted(one.pack.id for one in result) == sorted(one.pack.id for one in jobs)
    end = max(sum(known.values()) / slots, *known.values(), 0.0)
    before = 0.0
    late = set()
    for one in layered:
        late |= {one.pack.id} if before / slots + known[one.pack.id] > end else set()
        before += known[one.pack.id]
    assert [one for one in result if one.pack.id not in late] == [one for one in layered if one.pack.id not in late]
    assert all(result.index(one) <= layered.index(one) for one in jobs if one.pack.id in late)


def test_a_pack_as_long_as_all_others_together_does_not_wait_for_its_seed() -> None:
    jobs = [job((setting, 0)) for setting in range(8)] + [job((9, 1))]
    known = {one.pack.id: 10.0 for one in jobs} | {jobs[-1].pack.id: 80.0}
    durations = [known[one.pack.id] for one in ordered(jobs, lambda pack: known[pack.id])]
    in_time = [known[one.pack.id] for one in ordered(jobs, lambda pack: known[pack.id], {"cpu": 2})]
    assert list_scheduled(durations, 2) == 120.0
    assert list_scheduled(in_time, 2) == 80.0 == shortest_makespan(in_time, 2)
