from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_books import PlainBooks

from models.kinds import BetaObjective, Binomial, Digits, FlatModel, Training
from studies.trial import Trial
from sweep.blame import Death
from sweep.pack import Decision, Pack, group
from sweep.pack_queue import PackQueue
from sweep.places import Place
from sweep.task import PackRecord
from sweep.waiting import Job

BASE = Trial(
    data=Digits(),
    model=FlatModel(latent=2, likelihood=Binomial(total=16)),
    objective=BetaObjective(),
    training=Training(steps=10, batch_size=4),
)


class Site:
    """A queue over `trials` trials in packs of `width`, and workers that die beside certain trials."""

    def __init__(self, trials: int, width: int, first_failures: int = 0) -> None:
        self.trials = [BASE.model_copy(update={"seed": seed}) for seed in range(trials)]
        decision = Decision(shape=BASE.shape, device="cpu", width=width, path="fused")
        self.packs = group(self.trials, {BASE.shape: decision})
        self.books = PlainBooks()
        self.halts: list[int] = []
        self.queue = PackQueue(
            [Job(pack=pack) for pack in self.packs],
            self.books,
            halt=lambda: self.halts.append(1),
            first_failures=first_failures,
        )

    def take(self) -> Pack:
        task = self.queue.take()
        assert task is not None
        return task.load()


def record(pack: Pack, **more: Any) -> PackRecord:
    steps = sum(trial.training.steps for trial in pack.trials)
    return PackRecord(**{"pack": pack.id, "counts": {"completed": len(pack.trials)}, "trial_steps": steps} | more)


@given(st.integers(1, 30), st.integers(1, 9), st.sets(st.integers(0, 29)), st.integers(1, 4), st.booleans())
def test_exactly_the_culprits_are_marked_and_all_others_complete_once(
    trials: int, width: int, killers: set[int], workers: int, seen: bool
) -> None:
    """Any trial of `killers` kills its worker at every attempt; `seen`: while it is being evaluated, as is marked."""
    site = Site(trials, width)
    completed: Counter[int] = Counter()
    deaths = 0
    running: list[Pack] = []
    while not site.queue.exhausted:
        while len(running) < workers and (task := site.queue.take()) is not None:
            running.append(task.load())
        pack = running.pop(0)
        deadly = [trial for trial in pack.trials if trial.seed in killers]
        if not deadly:
            completed.update(trial.seed for trial in pack.trials)
            site.queue.done(record(pack))
            continue
        deaths += 1
        site.books.marks = {pack.id: {"phase": "evaluate", "trial": deadly[0].id}} if seen else {}
        site.queue.died(pack.id)
    guilty = {seed for seed in killers if seed < trials}
    assert sorted(site.books.culprits) == sorted(site.trials[seed].id for seed in guilty)
    assert completed == Counter(seed for seed in range(trials) if seed not in guilty)
    counts = site.queue.snapshot()
    assert counts.statuses == {
        status: count for status, count in (("completed", trials - len(guilty)), ("crashed", len(guilty))) if count
    }
    assert counts.done == counts.trials == trials
    assert counts.packs_done == counts.packs
    assert counts.steps == 10 * (trials - len(guilty))
    # A culprit: two deaths of the whole pack, one of each half on the way down to it, and three of it by itself.
    assert deaths <= len(guilty) * ((width - 1).bit_length() + 4)


def test_tasks_come_in_order_and_say_how_often_their_pack_died() -> None:
    site = Site(5, 2)
    tasks = [site.queue.take() for _ in range(3)]
    assert [len(task.trials) for task in tasks if task is not None] == [2, 2, 1]
    assert site.queue.take() is None
    assert not site.queue.exhausted  # three are running
    site.queue.died(site.packs[1].id)
    again = site.queue.take()
    assert again is not None
    assert (again.load().id, again.tries) == (site.packs[1].id, 1)
    assert [job.pack.id for job in site.queue.jobs()[1]] == [site.packs[0].id, site.packs[2].id, site.packs[1].id]


class Waiting:
    """A queue of packs of `width` trials, some of which wait for others: `after[i]` are the places they wait for."""

    def __init__(self, after: list[set[int]], width: int = 2) -> None:
        decision = Decision(shape=BASE.shape, device="cpu", width=width, path="fused")
        trials = [BASE.model_copy(update={"seed": seed}) for seed in range(width * len(after))]
        self.packs = group(trials, {BASE.shape: decision})
        self.place = {pack.id: place for place, pack in enumerate(self.packs)}
        jobs = [
            Job(pack=pack, after=frozenset(self.packs[other].id for other in after[place]))
            for place, pack in enumerate(self.packs)
        ]
        self.books = PlainBooks()
        self.queue = PackQueue(jobs, self.books)

    def take(self) -> Pack | None:
        task = self.queue.take()
        return None if task is None else task.load()

    def first_of(self, pack: Pack) -> int:
        """The place of the pack that this one is a part of."""
        return pack.trials[0].seed // len(self.packs[0].trials)


def test_a_pack_waits_until_what_it_needs_is_settled_and_others_go_first() -> None:
    site = Waiting([set(), {0}, set(), {0, 2}, {3}])
    first, second = site.take(), site.take()
    assert [first, second] == [site.packs[0], site.packs[2]]
    assert site.take() is None
    assert not site.queue.exhausted
    site.queue.done(record(site.packs[0], counts={"error": 2}))  # failed is settled, too
    assert site.take() == site.packs[1]
    assert site.take() is None
    site.queue.done(record(site.packs[2]))
    assert [site.take(), site.take()] == [site.packs[3], None]
    site.queue.done(record(site.packs[1]))
    site.queue.done(record(site.packs[3]))
    assert site.take() == site.packs[4]
    site.queue.done(record(site.packs[4]))
    assert site.queue.exhausted


def test_a_pack_that_dies_is_settled_when_all_its_parts_are() -> None:
    site = Waiting([set(), {0}])
    for _ in range(2):  # forgiven once, then halved
        assert site.take() == site.packs[0]
        site.queue.died(site.packs[0].id)
    left, right = site.take(), site.take()
    assert left is not None
    assert right is not None
    assert [len(left.trials), len(right.trials)] == [1, 1]
    site.queue.done(record(left))
    for _ in range(2):
        assert site.take() is None
        site.queue.died(right.id)
        assert site.take() == right
    assert site.take() is None
    site.queue.died(right.id)  # the culprit, alone
    assert site.books.culprits == [right.trials[0].id]
    assert site.take() == site.packs[1]
    site.queue.done(record(site.packs[1]))
    assert site.queue.exhausted


def test_packs_whose_prerequisites_stopped_are_not_handed_out_and_do_not_hold_the_launch() -> None:
    site = Waiting([set(), {0}])
    site.take()
    site.queue.stop()
    site.queue.done(record(site.packs[0], counts={}, stopped=True))
    assert site.take() is None
    assert site.queue.exhausted


def test_a_pack_that_is_not_in_the_queue_is_not_waited_for() -> None:
    site = Waiting([set()])
    queue = PackQueue([Job(pack=site.packs[0], after=frozenset({"of-old"}))], PlainBooks())
    assert queue.take() is not None


@given(st.data(), st.integers(1, 8), st.integers(1, 4), st.integers(1, 3), st.sets(st.integers(0, 31)))
def test_nothing_starts_before_what_it_needs_is_settled_and_everything_ends(
    data: st.DataObject, packs: int, width: int, workers: int, killers: set[int]
) -> None:
    """Any graph of waiting, any trials that kill their worker, any number of workers that end in any order."""
    after = [set(data.draw(st.sets(st.integers(0, place - 1)))) if place else set() for place in range(packs)]
    site = Waiting(after, width)
    settled: Counter[int] = Counter()
    running: list[Pack] = []
    while not site.queue.exhausted:
        while len(running) < workers and (pack := site.take()) is not None:
            for needed in after[site.first_of(pack)]:
                assert settled[needed] == width
            running.append(pack)
        pack = running.pop(data.draw(st.integers(0, len(running) - 1)))
        if not any(trial.seed in killers for trial in pack.trials):
            settled[site.first_of(pack)] += len(pack.trials)
            site.queue.done(record(pack))
            continue
        before = len(site.books.culprits)
        site.queue.died(pack.id)
        settled[site.first_of(pack)] += len(site.books.culprits) - before
    assert settled == dict.fromkeys(range(packs), width)
    assert site.queue.counts.done == site.queue.counts.trials


class Apart:
    """A queue of packs of two trials on CUDA, each of which waits to be evaluated on the CPU, trial by trial."""

    def __init__(self, packs: int) -> None:
        trials = [BASE.model_copy(update={"seed": seed}) for seed in range(2 * packs)]
        on = {
            device: {BASE.shape: Decision(shape=BASE.shape, device=device, width=width, path="sequential")}
            for device, width in (("cuda", 2), ("cpu", 1))
        }
        self.trained = group(trials, on["cuda"])
        jobs = [Job(pack=pack) for pack in self.trained]
        for pack in self.trained:
            parts = group(pack.trials, on["cpu"], "evaluate")
            jobs += [Job(pack=part, after=frozenset({pack.id}), apart=True) for part in parts]
        self.queue = PackQueue(jobs, PlainBooks())

    def take(self, **counts: int) -> Pack | None:
        places = [Place(name=device, device=device, count=count) for device, count in counts.items()]
        task = self.queue.take(places or None)
        return None if task is None else task.load()


def test_places_bound_what_runs_on_each_kind_of_device() -> None:
    site = Apart(3)
    assert site.queue.devices == {"cuda", "cpu"}
    places = {"cuda": 2, "cpu": 1}
    assert [site.take(**places), site.take(**places)] == site.trained[:2]
    assert site.take(**places) is None  # a third would wait, and nothing is there to be evaluated
    site.queue.done(record(site.trained[0]))
    assert site.take(**places) == site.trained[2]  # in order
    first = site.take(**places)
    assert first is not None
    assert (first.task, first.trials) == ("evaluate", site.trained[0].trials[:1])
    assert site.take(**places) is None
    assert not site.queue.exhausted
    site.queue.done(record(first, counts={"evaluated": 1}, trial_steps=0))
    second = site.take(**places)
    assert second is not None
    assert second.trials == site.trained[0].trials[1:]
    assert site.take() is None  # without bounds, too: the others wait for what is trained


def test_a_trial_counts_when_it_is_trained_and_what_fails_later_takes_its_place() -> None:
    site = Apart(2)
    queue = site.queue
    assert (queue.counts.trials, queue.counts.to_evaluate, queue.counts.packs, queue.counts.planned) == (4, 4, 6, 8)
    for pack, counts in zip(site.trained, ({"completed": 2}, {"completed": 1, "diverged": 1}), strict=True):
        assert site.take() == pack
        queue.done(record(pack, counts=counts))
    assert (queue.counts.done, queue.counts.work) == (4, 4)
    results: list[dict[str, int]] = [{"evaluated": 1}, {"evaluation_failed": 1}, {}]  # the last: that which diverged
    for counts in results:
        pack = site.take()
        assert pack is not None
        queue.done(record(pack, counts=counts, trial_steps=0))
    last = site.take()
    assert last is not None
    for _ in range(3):
        queue.died(last.id)
        last = site.take() or last
    counts = queue.snapshot()
    assert counts.statuses == {"completed": 1, "diverged": 1, "evaluation_failed": 1, "crashed": 1}
    assert (counts.evaluated, counts.packs_done, counts.work) == (4, 6, counts.planned)
    assert queue.exhausted


def test_a_stop_hands_out_nothing_more_and_waits_for_what_runs() -> None:
    site = Site(4, 2)
    pack = site.take()
    site.queue.stop()
    assert site.queue.stopping
    assert site.queue.take() is None
    assert not site.queue.exhausted
    site.queue.done(record(pack, counts={}, stopped=True))
    assert site.queue.exhausted
    assert site.queue.counts.done == site.queue.counts.packs_done == 0


def test_a_fault_stops_the_launch_and_says_why() -> None:
    site = Site(4, 2)
    pack = site.take()
    site.queue.done(record(pack, counts={}, fault="cannot write: no space left on device"))
    assert site.queue.fault == "cannot write: no space left on device"
    assert site.queue.exhausted
    assert site.queue.counts.done == 0


def test_what_runs_is_asked_to_stop_where_nothing_can_be_stored() -> None:
    site = Site(4, 2)
    first, second = site.take(), site.take()
    site.queue.done(record(first, counts={}, fault="no space left on the disk"))
    assert site.halts == [1]
    site.queue.done(record(second, counts={}, stopped=True))
    assert (site.queue.fault, site.queue.exhausted) == ("no space left on the disk", True)


def test_the_width_that_starved_a_node_is_remembered_for_what_waits() -> None:
    site = Site(16, 8)
    for _ in range(2):
        pack = site.take()
        assert pack.decision.width == 8
        site.queue.died(pack.id, Death(starved=True))
    assert [(one.width, one.fits) for one in site.books.remembered] == [(8, False)]
    widths = set()
    while (task := site.queue.take()) is not None:
        widths.add(task.decision.width)
    assert max(widths) < 8
    assert site.books.culprits == []


def test_a_death_after_a_stop_hands_out_nothing() -> None:
    site = Site(2, 2)
    pack = site.take()
    site.queue.stop()
    site.queue.died(pack.id)
    assert site.queue.take() is None
    assert site.queue.exhausted


@pytest.mark.parametrize("report", ["done", "died"])
def test_a_report_of_an_unknown_pack_counts_nothing(report: str) -> None:
    site = Site(2, 2)
    if report == "done":
        site.queue.done(PackRecord(pack="unknown", counts={"completed": 2}))
    else:
        site.queue.died("unknown")
    assert site.queue.counts.done == 0
    assert not site.queue.exhausted


def test_a_snapshot_is_a_copy() -> None:
    site = Site(2, 1)
    before = site.queue.snapshot()
    site.queue.done(record(site.take()))
    assert before.statuses == {}
    assert site.queue.snapshot().statuses == {"completed": 1}


def place(name: str = "cuda", count: int = 1, memory: int | None = None) -> Place:
    return Place(name=name, device="cpu", count=count, memory=memory)


def widths(site: Site, *places: Place) -> list[int]:
    """The widths of the packs that are handed out at these places, each done before the next is taken."""
    found = []
    while (task := site.queue.take(places or None)) is not None:
        found.append(task.decision.width)
        site.queue.done(record(task.load()))
    return found


def test_a_width_that_memory_refused_is_remembered_and_the_rest_is_packed_for_it() -> None:
    """The worker that ran out of memory has trained its own trials in narrower packs; no other pack is to find out."""
    site = Site(256, 64)
    first = site.take()
    site.queue.done(record(first, unfit=(64,), memory=1000))
    assert [(one.width, one.fits, one.memory) for one in site.books.remembered] == [(64, False, 1000)]
    assert widths(site) == [32] * 6
    assert site.queue.counts.statuses == {"completed": 256}
    assert site.queue.counts.packs == site.queue.counts.packs_done == 7
    assert site.queue.exhausted


def test_each_device_gets_packs_as_wide_as_its_memory_has_room_for() -> None:
    site = Site(192, 64)
    first = site.queue.take([place(memory=1000)])
    assert first is not None
    assert first.decision.width == 64  # nobody has seen what it takes
    site.queue.done(record(first.load(), used=800, memory=1000))
    large, small = place("large", memory=1000), place("small", memory=500)
    both = [site.queue.take([large, small]) for _ in range(2)]
    assert [task.decision.width for task in both if task is not None] == [64, 32]
    for task in both:
        assert task is not None
        site.queue.done(record(task.load()))
    assert widths(site, small) == [32]
    assert site.queue.counts.statuses == {"completed": 192}


def test_a_place_is_required_of_the_task_that_goes_there() -> None:
    site = Site(2, 1)
    task = site.queue.take([Place(name="a", device="cpu", count=1, requires={"accelerator_type:A": 0.001})])
    assert task is not None
    assert task.requires == {"accelerator_type:A": 0.001}
    plain = site.queue.take()
    assert plain is not None
    assert plain.requires == {}


def test_a_pack_that_leaves_its_place_runs_again_and_nobody_is_blamed() -> None:
    site = Site(2, 2)
    pack = site.take()
    for _ in range(2):  # asked once
        site.queue.leave(pack.id)
    assert site.books.asked == [(pack.id, True)]
    site.queue.done(record(pack, counts={}, stopped=True))
    assert site.books.asked == [(pack.id, True), (pack.id, False), (pack.id, False)]
    task = site.queue.take()
    assert task is not None
    assert (task.load(), task.tries) == (pack, 1)  # it may have left after a commit: the next worker looks
    assert (site.queue.counts.left, site.queue.counts.deaths) == (1, 0)
    site.queue.leave("unknown")
    assert len(site.books.asked) == 3


def test_a_request_to_leave_that_a_killed_launch_left_is_taken_back() -> None:
    site = Site(2, 2)
    pack = site.take()
    site.queue.done(record(pack, counts={}, stopped=True))
    assert site.books.asked == [(pack.id, False)]


def test_the_loss_of_nodes_is_forgiven_and_the_next_worker_looks_for_what_is_stored() -> None:
    site = Site(1, 1)
    for lost in range(1, 9):
        pack = site.take()
        site.queue.died(pack.id, Death(why="its node was lost", lost=True))
        assert (site.queue.counts.lost, site.books.culprits) == (lost, [])
    task = site.queue.take()
    assert task is not None
    assert task.tries == 8


def test_a_trial_that_hangs_thrice_has_timed_out() -> None:
    site = Site(1, 1)
    long_ago = "2026-01-01T00:00:00+00:00"
    for _ in range(3):
        pack = site.take()
        site.books.marks = {pack.id: {"phase": "train", "step": 5, "steps": 10, "at": long_ago, "hang_seconds": 60.0}}
        site.queue.died(pack.id)
    assert [death.status for death in site.books.deaths] == ["timeout"]
    assert site.queue.counts.statuses == {"timeout": 1}


def test_the_launch_ends_when_the_first_trials_all_fail_alike() -> None:
    site = Site(40, 4, first_failures=12)
    for packs in range(1, 4):
        assert not site.queue.halted
        pack = site.take()
        site.queue.done(record(pack, counts={"error": 4}, reasons={"error: ValueError: no": 4}))
        assert len(site.halts) == (packs == 3)
    assert site.queue.halted == "error: ValueError: no"
    assert site.queue.take() is None
    assert site.queue.exhausted
    assert site.queue.counts.reasons == {"error: ValueError: no": 12}


@pytest.mark.parametrize(
    "other",
    [
        ({"completed": 1, "error": 3}, {"error: ValueError: no": 3}),
        ({"error": 4}, {"error: KeyError: no": 4}),
        ({"diverged": 4}, {"diverged: the loss was not finite": 4}),
        ({"error": 3, "diverged": 1}, {"error: ValueError: no": 3, "diverged: the loss was not finite": 1}),
    ],
)
def test_the_launch_goes_on_where_anything_else_comes_out(other: tuple[dict[str, int], dict[str, int]]) -> None:
    site = Site(40, 4, first_failures=12)
    for number in range(10):
        pack = site.take()
        counts, reasons = other if number == 1 else ({"error": 4}, {"error: ValueError: no": 4})
        site.queue.done(record(pack, counts=counts, reasons=reasons))
    assert (site.queue.halted, site.halts) == ("", [])


def test_packs_at_once_are_bounded_whatever_the_places_are_called() -> None:
    site = Site(8, 1)
    assert site.queue.take([place("cuda", 2)], most=2) is not None
    assert site.queue.take([place("cuda", 2)], most=2) is not None
    assert site.queue.take([place("cuda:T4", 2)], most=2) is None
    assert site.queue.take([place("cuda:T4", 2)], most=3) is not None


def test_what_a_dead_worker_said_and_printed_is_seen_to_once_it_has_been_read() -> None:
    site = Site(2, 2)
    pack = site.take()
    site.books.marks = {pack.id: {"phase": "evaluate", "trial": pack.trials[0].id}}
    for _ in range(4):  # the marks of the first are not held against the trial at the deaths of those that never began
        site.queue.died(pack.id)
        again = site.queue.take()
        assert again is not None
        pack = again.load()
    assert site.books.dead[0] == (site.packs[0].id, False)
    assert site.books.culprits == []


def test_packs_that_stop_with_the_launch_have_not_left_their_place() -> None:
    site = Site(2, 1)
    first, second = site.take(), site.take()
    site.queue.done(record(first, counts={}, stopped=True))
    site.queue.stop()
    site.queue.done(record(second, counts={}, stopped=True))
    assert site.queue.counts.left == 1
