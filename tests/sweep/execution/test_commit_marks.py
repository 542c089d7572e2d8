"""What a worker says of itself while it commits: whoever ends it then, no trial of its pack is to blame."""

from __future__ import annotations

from typing import Any

import pytest

from results.store import ResultStore
from sweep.blame import Blame
from sweep.run import run_pack


def test_the_trial_that_was_evaluated_last_is_not_blamed_for_deaths_during_the_commit(
    toy: Any, store: ResultStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[dict[str, Any]] = []
    commit = ResultStore.commit

    def looked_at(self: ResultStore, *arguments: Any) -> str:
        said.extend(self.inflight().values())
        return commit(self, *arguments)

    monkeypatch.setattr(ResultStore, "commit", looked_at)
    task = toy.task(store, toy.trials(1, 2, 3))
    assert run_pack(task).counts == {"completed": 3}
    (mark,) = said
    blame, pack = Blame(), task.load()
    assert blame.died(pack, mark) == ([pack], [])
    halves, culprits = blame.died(pack, mark)
    assert [trial.id for half in halves for trial in half.trials] == [trial.id for trial in pack.trials]
    assert culprits == []
    (_, alone) = halves
    assert len(alone.trials) == 1
    for _ in range(2):
        assert blame.died(alone, mark) == ([alone], [])
