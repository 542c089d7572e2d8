"""The order in which waiting jobs are taken."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from models.kinds import BetaObjective, Binomial, Digits, FlatModel, Training
from studies.trial import Trial
from sweep.pack import Decision, Pack
from sweep.waiting import Job, Waiting

TRIAL = Trial(
    data=Digits(),
    model=FlatModel(latent=2, likelihood=Binomial(total=16)),
    objective=BetaObjective(),
    training=Training(steps=10, batch_size=4),
)


def job(seed: int, device: str = "cpu", after: frozenset[str] = frozenset()) -> Job:
    decision = Decision(shape=TRIAL.shape, device=device, width=1, path="sequential")
    pack = Pack(trials=(TRIAL.model_copy(update={"seed": seed}),), decision=decision)
    return Job(pack=pack, after=after)


def seeds(waiting: Waiting, devices: set[str] | None = None) -> list[int]:
    taken = []
    while (one := waiting.take(devices)) is not None:
        taken.append(one.pack.trials[0].seed)
    return taken


def test_first_come_first_served_but_what_is_done_again_goes_first() -> None:
    waiting = Waiting()
    waiting.add([job(0), job(1)], lambda _: False)
    waiting.add([job(2), job(3)], lambda _: False, again=True)
    waiting.add([job(4)], lambda _: False)
    assert len(waiting) == 5
    assert seeds(waiting) == [2, 3, 0, 1, 4]
    assert (len(waiting), waiting.any_ready, waiting.devices) == (0, False, set())


def test_each_device_has_its_own_and_without_one_the_order_is_that_of_all() -> None:
    jobs = [job(0, "cuda"), job(1, "cpu"), job(2, "cuda"), job(3, "cpu")]
    waiting = Waiting()
    waiting.add(jobs, lambda _: False)
    assert waiting.devices == {"cuda", "cpu"}
    assert waiting.take(set()) is None
    assert seeds(waiting, {"cpu"}) == [1, 3]
    assert waiting.devices == {"cuda"}
    waiting.add([job(4, "cpu")], lambda _: False)
    assert seeds(waiting) == [0, 2, 4]


@given(st.lists(st.sets(st.sampled_from("abc")), max_size=8), st.permutations("abc"))
def test_a_job_comes_when_the_last_that_it_waits_for_is_settled(after: list[set[str]], order: list[str]) -> None:
    """Against the plain definition: of those that wait for nothing open, in order, at each step."""
    open_packs = set("abc")
    waiting = Waiting()
    waiting.add([job(seed, after=frozenset(packs)) for seed, packs in enumerate(after)], open_packs.__contains__)
    taken: Counter[int] = Counter()
    for pack in ["", *order]:
        open_packs.discard(pack)
        waiting.settled(pack)
        expected = [seed for seed, packs in enumerate(after) if not packs & open_packs and not taken[seed]]
        assert seeds(waiting) == expected
        taken.update(expected)
    assert taken == Counter(range(len(after)))
