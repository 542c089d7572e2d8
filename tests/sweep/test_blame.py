"""Who is to blame for dead workers: culprits are found, and nobody is marked for what happened around him."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from models.kinds import BetaObjective, Binomial, Digits, FlatModel, Training
from studies.trial import Trial
from sweep.blame import ANY_PLACE, MOST_LOST, Blame, Death
from sweep.pack import Decision, Pack


def pack(size: int) -> Pack:
    trial = Trial(
        data=Digits(),
        model=FlatModel(latent=2, likelihood=Binomial(total=16)),
        objective=BetaObjective(),
        training=Training(steps=100, batch_size=4),
    )
    decision = Decision(shape=trial.shape, device="cpu", width=8, path="fused")
    return Pack(trials=tuple(trial.model_copy(update={"seed": seed}) for seed in range(size)), decision=decision)


LOST, STARVED = Death(lost=True), Death(starved=True)


def at(step: int) -> Mapping[str, object]:
    return {"phase": "train", "step": step, "steps": 100}


def test_a_first_death_is_forgiven_a_second_halves_and_a_half_is_not_forgiven() -> None:
    blame, whole = Blame(), pack(5)
    assert blame.died(whole, None) == ([whole], [])
    left, right = whole.halves()
    assert blame.died(whole, at(3)) == ([left, right], [])
    assert blame.died(left, at(3)) == (list(left.halves()), [])


def test_a_trial_by_itself_is_the_culprit_at_its_third_death_at_one_place() -> None:
    blame, alone = Blame(), pack(1)
    for step in (50, 48):
        assert blame.died(alone, at(step)) == ([alone], [])
    assert blame.died(alone, at(52)) == ([], [alone.trials[0].id])


def test_a_trial_by_itself_is_no_culprit_for_deaths_here_and_there_unless_there_are_many() -> None:
    blame, alone = Blame(), pack(1)
    for step in (0, 90, 20, 70, 45):
        assert blame.died(alone, at(step)) == ([alone], [])
    assert ANY_PLACE == 6
    assert blame.died(alone, at(58)) == ([], [alone.trials[0].id])


def test_a_trial_under_evaluation_at_three_deaths_is_the_culprit_and_the_others_go_on() -> None:
    blame, whole = Blame(), pack(3)
    suspect = {"phase": "evaluate", "trial": whole.trials[1].id}
    for _ in range(2):
        assert blame.died(whole, suspect) == ([whole], [])
    assert blame.died(whole, suspect) == ([whole.keep([whole.trials[0], whole.trials[2]])], [whole.trials[1].id])


def test_deaths_beside_different_trials_accuse_nobody() -> None:
    blame, whole = Blame(), pack(3)
    for trial in whole.trials:
        assert blame.died(whole, {"phase": "evaluate", "trial": trial.id}) == ([whole], [])


@pytest.mark.parametrize("size", [1, 4])
def test_the_loss_of_a_node_accuses_nobody_but_not_for_ever(size: int) -> None:
    """What always dies in a way that looks like the loss of its node would otherwise run for ever."""
    blame, whole = Blame(), pack(size)
    for _ in range(MOST_LOST):
        assert blame.died(whole, at(50), LOST) == ([whole], [])
    assert blame.deaths[whole.id] == MOST_LOST
    for _ in range(2):
        again, culprits = blame.died(whole, at(50), LOST)
    assert (again == list(whole.halves())) if size > 1 else (again == [whole])
    assert culprits == []


def test_a_pack_that_dies_twice_for_want_of_memory_is_made_narrower_and_one_that_cannot_be_has_not_fitted() -> None:
    """The first time others may have taken the memory; halves of the same width would take as much."""
    blame, whole = Blame(), pack(8)
    assert blame.died(whole, at(3), STARVED) == ([whole], [])
    parts, culprits = blame.died(whole, at(3), STARVED)
    assert (parts, culprits) == (whole.narrowed(), [])
    assert max(part.decision.width for part in parts) < whole.decision.width
    assert [trial for part in parts for trial in part.trials] == list(whole.trials)
    alone = Pack(trials=whole.trials[:1], decision=replace(whole.decision, width=1, path="sequential"))
    for _ in range(2):
        assert blame.died(alone, at(3), STARVED) == ([alone], [])
    assert blame.died(alone, at(3), STARVED) == ([], [alone.trials[0].id])
    assert STARVED.status == "out_of_memory"
