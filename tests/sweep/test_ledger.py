"""The ledger of a launch, kept by its queue."""

from __future__ import annotations

from plain_books import PlainBooks

from models.kinds import BetaObjective, Binomial, Digits, FlatModel, Training
from studies.trial import Trial
from sweep.ledger import Ledger
from sweep.pack import Pack, decide
from sweep.pack_queue import PackQueue
from sweep.task import PackRecord
from sweep.waiting import Job

TRIAL = Trial(
    data=Digits(),
    model=FlatModel(latent=2, likelihood=Binomial(total=16)),
    objective=BetaObjective(),
    training=Training(steps=10, batch_size=4),
)
PACKS = [Pack(trials=(TRIAL.model_copy(update={"seed": i}),), decision=decide(TRIAL, 4, "cpu")) for i in range(3)]


def test_the_queue_enters_what_comes_back_is_stopped_or_dies() -> None:
    jobs = [Job(pack=pack) for pack in PACKS]
    queue = PackQueue(jobs, PlainBooks())
    now = [100.0]
    queue.ledger = Ledger(clock=lambda: now[0])
    for _ in PACKS:
        queue.take()
    now[0] = 130.0
    queue.done(PackRecord(pack=PACKS[0].id, counts={"completed": 1}, seconds=20.0))
    queue.done(PackRecord(pack=PACKS[1].id, stopped=True, seconds=5.0))
    queue.died(PACKS[2].id)
    entries = [(one.pack.id, one.seconds, one.whole) for one in queue.ledger.entries]
    assert entries == [(PACKS[0].id, 20.0, True), (PACKS[1].id, 5.0, False), (PACKS[2].id, 30.0, False)]
    assert +queue.ledger.begun == {PACKS[1].id: 1, PACKS[2].id: 1}  # a checkpoint may have some of these
    queue.done(PackRecord(pack=PACKS[0].id))  # told twice: nobody had it any more
    assert len(queue.ledger.entries) == 3


def test_all_jobs_are_seen_at_one_moment_those_that_wait_for_others_too() -> None:
    first = Job(pack=PACKS[0])
    others = [Job(pack=pack, after=frozenset({PACKS[0].id})) for pack in PACKS[1:]]
    queue = PackQueue([first, *others], PlainBooks())
    queue.take()
    counts, running, waiting = queue.jobs()
    assert (counts.packs, [job.pack.id for job in running]) == (3, [PACKS[0].id])
    assert [job.pack.id for job in waiting] == [pack.id for pack in PACKS[1:]]
    queue.done(PackRecord(pack=PACKS[0].id, counts={"completed": 1}))
    assert queue.jobs()[2] == waiting


def test_a_pack_that_no_worker_began_waits_again_and_has_taken_no_time() -> None:
    queue = PackQueue([Job(pack=pack) for pack in PACKS[:1]], PlainBooks())
    first = queue.take()
    assert first is not None
    queue.returned(PACKS[0].id)
    assert (queue.ledger.entries, +queue.ledger.begun, queue.counts.deaths) == ([], {}, 0)
    again = queue.take()
    assert again is not None
    assert (again.pack, again.tries) == (PACKS[0].id, 0)
    queue.done(PackRecord(pack=PACKS[0].id, counts={"completed": 1}))
    queue.returned(PACKS[0].id)  # told late
    assert queue.exhausted
