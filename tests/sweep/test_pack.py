from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.kinds import (
    BetaObjective,
    Binomial,
    ConvolutionalDecoder,
    ConvolutionalEncoder,
    Digits,
    FlatModel,
    FreeBitsObjective,
    PixelCnnDecoder,
    Training,
)
from models.training.slots import slots
from studies.trial import Trial
from sweep.pack import Decision, Pack, decide, group

LIKELIHOOD = Binomial(total=16)
DENSE = FlatModel(latent=2, likelihood=LIKELIHOOD)
CONVOLUTIONAL = FlatModel(
    latent=2, encoder=ConvolutionalEncoder(), decoder=ConvolutionalDecoder(), likelihood=LIKELIHOOD
)
SHAPES = [(DENSE, BetaObjective()), (DENSE, FreeBitsObjective(floor=1.0)), (CONVOLUTIONAL, BetaObjective())]


def trial(shape: int, seed: int) -> Trial:
    model, objective = SHAPES[shape]
    training = Training(steps=10, batch_size=4)
    return Trial(data=Digits(), model=model, objective=objective, training=training, seed=seed)


TRIALS = [trial(shape, seed) for seed, shape in itertools.product(range(12), range(3))]


def decisions(*widths: int) -> dict[str, Decision]:
    return {
        trial(shape, 0).shape: Decision(shape=trial(shape, 0).shape, device="cpu", width=width, path="fused")
        for shape, width in enumerate(widths)
    }


chosen = st.lists(st.sampled_from(TRIALS), unique=True)
widths = st.tuples(*[st.integers(1, 9)] * 3)


@given(chosen, widths)
def test_packs_partition_the_trials_by_shape_in_order(trials: list[Trial], sizes: tuple[int, int, int]) -> None:
    packs = group(trials, decisions(*sizes))
    assert sorted(one.id for pack in packs for one in pack.trials) == sorted(one.id for one in trials)
    for pack in packs:
        assert {one.shape for one in pack.trials} == {pack.decision.shape}
        assert 1 <= len(pack.trials) <= pack.decision.width
    for shape in {one.shape for one in trials}:
        mine = [pack for pack in packs if pack.decision.shape == shape]
        members = [one for one in trials if one.shape == shape]
        assert [one for pack in mine for one in pack.trials] == members
        assert len(mine) == -(-len(members) // mine[0].decision.width)  # no more packs than needed


@given(chosen, widths, st.data())
def test_a_pack_with_a_checkpoint_is_made_again_where_all_of_it_is_asked_for(
    trials: list[Trial], sizes: tuple[int, int, int], data: st.DataObject
) -> None:
    known = decisions(*sizes)
    old = group(data.draw(st.permutations(TRIALS)), known)
    begun = data.draw(st.lists(st.sampled_from(old), unique_by=lambda pack: pack.id))
    packs = group(trials, known, begun=[[one.id for one in pack.trials] for pack in begun])
    assert sorted(one.id for pack in packs for one in pack.trials) == sorted(one.id for one in trials)
    ids = {pack.id for pack in packs}
    for pack in begun:
        if set(pack.trials) <= set(trials):
            assert pack.id in ids


@pytest.mark.parametrize(
    "begun", [[[""]], [["unknown"]], [[TRIALS[0].id, "unknown"]], [[]], [[t.id for t in TRIALS[:3]]]]
)
def test_a_checkpoint_of_other_trials_changes_nothing(begun: list[list[str]]) -> None:
    known = decisions(4, 4, 4)
    assert group(TRIALS, known, begun=begun) == group(TRIALS, known)


def test_a_checkpoint_of_a_wider_pack_does_not_make_a_pack_wider_than_decided() -> None:
    members = [one for one in TRIALS if one.shape == TRIALS[0].shape][:4]
    packs = group(members, decisions(2, 2, 2), begun=[[one.id for one in members]])
    assert [len(pack.trials) for pack in packs] == [2, 2]


def test_a_packs_identity_is_its_trials_its_task_and_its_decision() -> None:
    one, other = decisions(4, 4, 4)[TRIALS[0].shape], decisions(5, 4, 4)[TRIALS[0].shape]
    packs = [
        Pack(trials=(TRIALS[0], TRIALS[3]), decision=one),
        Pack(trials=(TRIALS[3], TRIALS[0]), decision=one),  # slots differ
        Pack(trials=(TRIALS[0],), decision=one),
        Pack(trials=(TRIALS[0], TRIALS[3]), decision=other),
        Pack(trials=(TRIALS[0], TRIALS[3]), decision=one, task="evaluate"),
    ]
    assert len({pack.id for pack in packs}) == len(packs)
    assert packs[0].id == Pack(trials=(TRIALS[0], TRIALS[3]), decision=one).id


@given(st.integers(2, 12))
def test_halves_keep_order_width_and_path_and_are_smaller(size: int) -> None:
    members = [one for one in TRIALS if one.shape == TRIALS[0].shape][:size]
    pack = Pack(trials=tuple(members), decision=decisions(32, 1, 1)[TRIALS[0].shape])
    first, second = pack.halves()
    assert (*first.trials, *second.trials) == pack.trials
    assert first.decision == second.decision == pack.decision
    assert 0 < len(second.trials) <= len(first.trials) < size


def test_narrowing_takes_fewer_slots_each_time_until_a_trial_is_by_itself() -> None:
    """A pack that does not fit is narrowed until its *slots* fall, since padding takes memory too."""
    members = tuple(one for one in TRIALS if one.shape == TRIALS[0].shape)[:3]
    batch = members[0].training.batch_size
    pack, taken = Pack(trials=members, decision=decisions(100, 1, 1)[TRIALS[0].shape]), []
    while parts := pack.narrowed():
        assert [one for part in parts for one in part.trials] == list(pack.trials)
        taken.append(slots(pack.decision.width, batch))
        pack = parts[0]
    assert taken == sorted(set(taken), reverse=True)
    assert taken[0] == 128
    assert (pack.decision.width, pack.decision.path, len(pack.trials)) == (1, "sequential", 1)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("width", [None, 16])
def test_autoregressive_models_run_one_after_another_on_any_device(device: str, width: int | None) -> None:
    model = DENSE.model_copy(update={"decoder": PixelCnnDecoder()})
    made = decide(trial(0, 0).model_copy(update={"model": model}), 48, device, width)
    assert (made.path, made.width) == ("sequential", width or 4)


@pytest.mark.parametrize(
    ("shape", "planned", "device", "width", "expected"),
    [
        (0, 441, "cpu", None, (32, "fused", "rule")),
        (0, 441, "cuda", None, (64, "fused", "rule")),
        (0, 3, "cpu", None, (3, "fused", "rule")),
        (0, 1, "cpu", None, (1, "sequential", "rule")),
        (0, 441, "cpu", 1, (1, "sequential", "asked")),
        (2, 441, "cpu", None, (4, "sequential", "rule")),
        (2, 441, "cuda", None, (64, "fused", "rule")),
        (0, 3, "cpu", 7, (7, "fused", "asked")),
        (2, 441, "cpu", 1, (1, "sequential", "asked")),
    ],
)
def test_the_rule(shape: int, planned: int, device: str, width: int | None, expected: tuple[object, ...]) -> None:
    made = decide(trial(shape, 0), planned, device, width)
    assert (made.shape, made.device, made.threads) == (trial(shape, 0).shape, device, 1)
    assert (made.width, made.path, made.source) == expected
