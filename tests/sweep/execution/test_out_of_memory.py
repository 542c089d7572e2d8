"""A device without the memory for a pack: the pack is halved, the width is remembered, and the results stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from results.store import ResultStore
from sweep.executor import Executor

TOLERANCE = 1e-5  # relative: of float32 sums in another order
Launching = Callable[..., Any]


def values(store: ResultStore) -> dict[tuple[str, str], float]:
    rows = store.winning("metrics", ["trial", "quantity", "value"]).to_pylist()
    return {(row["trial"], row["quantity"]): row["value"] for row in rows}


@pytest.mark.timeout(300)
def test_a_pack_is_halved_the_width_remembered_and_the_rest_packed_for_it_at_once(
    toy: Any,
    store: ResultStore,
    another_store: ResultStore,
    launch: Launching,
    launch_calmly: Launching,
    executor: Executor,
) -> None:
    """Packs of 7, where only 3 fit: one of each worker runs out, if both had begun, and then none."""
    numbers = [number / 4 for number in range(1, 29)]
    trials = toy.trials(*numbers, fault=toy.OUT_OF_MEMORY, fits=3)
    entry = toy.study(trials)
    outcome = launch(store, entry, executor=executor, width=7)
    assert (outcome.exit_code, outcome.statuses) == (0, {"completed": 28})
    rows = store.scan("trials").to_pylist()
    assert len(rows) == len({row["trial"] for row in rows}) == 28
    assert {(row["status"], row["width"], row["path"]) for row in rows} == {("completed", 3, "fused")}
    (seen,) = store.scan("footprints").to_pylist()
    assert (seen["width"], seen["fits"], seen["device"], seen["shape"]) == (7, False, "cpu", trials[0].shape)
    assert seen["memory"] > 0
    again = sum(count - 1 for count in toy.starts().values())
    assert again in ((7,) if executor.name == "local" else (7, 14, 21))  # of those packs that ran out
    calm = toy.study(toy.trials(*numbers))
    assert launch_calmly(another_store, calm, width=7).exit_code == 0
    assert {row["width"] for row in another_store.trials().to_pylist()} == {7}
    numbered = {trial.id: other.id for trial, other in zip(trials, toy.trials(*numbers), strict=True)}
    found = {(numbered[trial], name): value for (trial, name), value in values(store).items()}
    expected = values(another_store)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert np.isclose(found[key], value, rtol=TOLERANCE, atol=0), key


def test_the_next_launch_begins_with_the_width_that_fits(toy: Any, store: ResultStore, launch: Launching) -> None:
    few = toy.study(toy.trials(1, 2, 3, 4, 5, fault=toy.OUT_OF_MEMORY, fits=3))
    more = toy.study(toy.trials(1, 2, 3, 4, 5, 6, 6.5, fault=toy.OUT_OF_MEMORY, fits=3))
    assert launch(store, few, width=5).exit_code == 0
    assert toy.starts() == dict.fromkeys((1, 2, 3, 4, 5), 2)
    assert launch(store, more, width=7).exit_code == 0
    assert toy.starts() == dict.fromkeys((1, 2, 3, 4, 5), 2) | {6: 1, 6.5: 1}


def test_one_that_does_not_fit_by_itself_has_failed_and_the_others_complete(
    toy: Any, store: ResultStore, launch: Launching, statuses: Callable[..., Any]
) -> None:
    trials = [*toy.trials(1, 2), *toy.trials(3, fault=toy.OUT_OF_MEMORY, fits=0)]
    outcome = launch(store, toy.study(trials), width=3)
    assert (outcome.exit_code, outcome.statuses) == (3, {"completed": 2, "out_of_memory": 1})
    assert statuses(store) == {1: "completed", 2: "completed", 3: "out_of_memory"}
    (row,) = store.trials(None, [trials[2].id]).to_pylist()
    assert row["reason"].startswith("OutOfMemoryError: CUDA out of memory")
    assert "in act" in row["traceback"]
