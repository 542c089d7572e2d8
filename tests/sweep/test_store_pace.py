"""The pace as a store tells it, against rows and marks whose times are known."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from models.kinds import BetaObjective, Binomial, Digits, FlatModel, Training
from results.store import ResultStore
from studies.trial import Trial
from sweep.store_pace import PaceOfStore

NOW = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
TRIALS = [
    Trial(
        data=Digits(),
        model=FlatModel(latent=2, likelihood=Binomial(total=16)),
        objective=BetaObjective(),
        training=Training(steps=1000, batch_size=4),
        seed=seed,
    )
    for seed in range(40)
]


def before(seconds: float) -> datetime.datetime:
    return NOW - datetime.timedelta(seconds=seconds)


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    """A launch that began 1000 s ago and has finished ten trials, one every hundred seconds; one older trial."""
    opened = ResultStore.open(tmp_path, create=True)
    opened.append("launches", [{"launch": "one", "study": "s", "event": "started", "at": before(1000)}])
    for number, trial in enumerate(TRIALS[:11]):
        row: dict[str, Any] = {"trial": trial.id, "attempt": str(number), "status": "completed", "step": 1000}
        launch, finished = ("one", before(100 * number)) if number < 10 else ("old", before(5000))
        opened.commit({"trials": [row | {"launch": launch, "finished": finished, "started": finished}]})
    return opened


def pack(trials: list[Trial], step: int, **more: Any) -> dict[str, Any]:
    mark = {"launch": "one", "pack": [trial.id for trial in trials], "phase": "train", "step": step, "steps": 1000}
    return mark | more


def test_the_pace_is_of_the_launches_at_work(store: ResultStore) -> None:
    """Ten trials and half of four others in 1000 s; what an earlier launch has done is none of it."""
    found = PaceOfStore.of(TRIALS).look(store, [pack(TRIALS[11:15], 500)], NOW)
    assert found is not None
    assert found.steps_per_second == pytest.approx((10 * 1000 + 4 * 500) / 1000)
    assert found.left == pytest.approx((29 * 1000 - 4 * 500) / 12)
    assert (found.trials, found.seconds) == (4, 300.0)  # now, and 100, 200 and 300 s ago


def test_a_pack_that_is_evaluated_has_been_trained(store: ResultStore) -> None:
    found = PaceOfStore.of(TRIALS).look(store, [pack(TRIALS[11:15], 0, phase="evaluate", done=1)], NOW)
    assert found is not None
    assert found.steps_per_second == pytest.approx(14_000 / 1000)


def test_a_pack_whose_trials_are_finished_is_counted_once(store: ResultStore) -> None:
    """Its mark is taken away after the commit."""
    found = PaceOfStore.of(TRIALS).look(store, [pack(TRIALS[:4], 1000)], NOW)
    assert found is not None
    assert found.steps_per_second == pytest.approx(10_000 / 1000)


def test_watched_for_a_while_the_pace_is_what_was_seen(store: ResultStore) -> None:
    looking, mark = PaceOfStore.of(TRIALS), pack(TRIALS[11:15], 100)
    assert looking.look(store, [mark], NOW) is not None
    later = looking.look(store, [mark | {"step": 400}], NOW + datetime.timedelta(seconds=120))
    assert later is not None
    assert later.steps_per_second == pytest.approx(4 * 300 / 120)
    assert later.left == pytest.approx((29_000 - 1600) / 10)


def test_nobody_at_work_has_no_pace(store: ResultStore) -> None:
    assert PaceOfStore.of(TRIALS).look(store, [], NOW) is None
    assert PaceOfStore.of(TRIALS[:5]).look(store, [pack(TRIALS[11:15], 500)], NOW) is None  # at work for others


def test_before_anything_is_done_no_time_is_told(store: ResultStore) -> None:
    mark = pack(TRIALS[11:15], 0, launch="unknown")
    found = PaceOfStore.of(TRIALS).look(store, [mark], NOW)
    assert found is not None
    assert (found.steps_per_second, found.left) == (0.0, None)
