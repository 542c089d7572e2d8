"""What killed launches left, and that it does not hold up the next ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from results.store import ResultStore
from sweep.leftovers import leaving, stops, tidy
from sweep.run import run_pack


def test_a_checkpoint_goes_once_any_trial_of_its_pack_is_finished(
    toy: Any, store: ResultStore, launch: Callable[..., Any]
) -> None:
    """The pack is never made again as it was, so nobody would ever look for it."""
    finished, failed, open_trial = toy.trials(1, 2, 3)
    assert run_pack(toy.task(store, [finished])).counts == {"completed": 1}
    assert run_pack(toy.task(store, toy.trials(2, fault=toy.RAISE))).counts == {"error": 1}
    for pack, trials in {
        "half": [finished, open_trial],
        "open": [failed, open_trial],
    }.items():
        store.save_checkpoint(pack, {"step": np.zeros(1)}, {"trials": ",".join(trial.id for trial in trials)})
    tidy(store)
    assert store.checkpoints() == ["open"]


def test_the_trials_of_all_checkpoints_are_looked_up_at_once(
    toy: Any, store: ResultStore, files_read: list[str]
) -> None:
    done, *others = toy.trials(*range(1, 9))
    assert run_pack(toy.task(store, [done])).counts == {"completed": 1}
    for number, trial in enumerate(others):
        trials = ",".join(one.id for one in ((trial, done) if number % 2 else (trial,)))
        store.save_checkpoint(f"pack-{number}", {"step": np.zeros(1)}, {"trials": trials})
    files_read.clear()
    tidy(store)
    assert store.checkpoints() == [f"pack-{number}" for number in (0, 2, 4, 6)]
    assert [name for name in files_read if name.startswith("trials/")] == store.files.names("trials")


def test_a_request_to_leave_holds_for_the_packs_of_its_own_launch(toy: Any, store: ResultStore) -> None:
    """Its launch may be killed before the pack has left: the next must not find the pack stopped for ever."""
    task = toy.task(store, toy.trials(1, 2, steps=96, pause=0.02), launch="next")
    store.request_stop(leaving("killed", task.pack))
    assert run_pack(task).counts == {"completed": 2}
    store.request_stop(leaving("alive", task.pack))
    store.beat("alive", ["toy/some"])
    tidy(store)
    assert stops(store) == [leaving("alive", task.pack)]
    again = toy.task(store, toy.trials(3, 4, steps=96, pause=0.02), launch="alive")
    store.request_stop(leaving("alive", again.pack))
    assert run_pack(again).stopped
