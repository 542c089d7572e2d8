from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

import pytest

from models.kinds import BetaObjective, Binomial, Digits, FlatModel, Training
from results.commit import new_identity
from results.quantity import Estimate, Quantity
from results.store import ResultStore
from studies.trial import Trial
from sweep.estimate import Spent, Times, times_from
from sweep.pack import Decision, Pack
from sweep.rows import Attempt, trial_row, value_rows

BASE = Trial(
    data=Digits(),
    model=FlatModel(latent=2, likelihood=Binomial(total=16)),
    objective=BetaObjective(),
    training=Training(steps=100, batch_size=64),
)
RATE = Quantity(name="rate", unit="nats", goal="none", family="m:f")
BEGUN = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)


def seconds(count: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=count)


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore.open(tmp_path / "runs", create=True)


def trials(count: int, first: int = 0, steps: int = 100, latent: int = 2) -> tuple[Trial, ...]:
    training = BASE.training.model_copy(update={"steps": steps})
    model = BASE.model.model_copy(update={"latent": latent})
    about = {"training": training, "model": model}
    return tuple(BASE.model_copy(update={**about, "seed": first + place}) for place in range(count))


def packed(
    members: Sequence[Trial], width: int, path: str = "fused", device: str = "cuda", task: str = "train"
) -> Pack:
    decision = Decision(shape=members[0].shape, device=device, width=width, path=path)  # type: ignore[arg-type]
    return Pack(trials=tuple(members), decision=decision, task=task)  # type: ignore[arg-type]


def store_pack(
    store: ResultStore, pack: Pack, train: float, evaluate: float = 0.0, start: float = 0.0, apart: float = 0.0
) -> None:
    """A pack as a worker stores it: seconds to train it and to evaluate each trial; apart: by another pack."""
    tables: dict[str, list[dict[str, object]]] = {"trials": [], "metrics": []}
    whole = start + train + evaluate * len(pack.trials)
    for slot, trial in enumerate(pack.trials):
        attempt = Attempt(trial=trial, identity=new_identity(), slot=slot, started=BEGUN)
        attempt.train_seconds, attempt.evaluate_seconds = train / len(pack.trials), evaluate
        tables["trials"].append(trial_row(attempt, pack, "one") | {"finished": BEGUN + seconds(whole)})
        if apart:
            rows = value_rows(trial.id, attempt.identity, "last", {"rate": Estimate(1.0)}, (RATE,), 16)["metrics"]
            tables["metrics"] += [row | {"evaluated": BEGUN + seconds(1000 + apart * slot)} for row in rows]
    store.commit(tables)


def test_without_a_store_or_anything_alike_nothing_is_known(store: ResultStore) -> None:
    asked = packed(trials(4), 4)
    assert times_from(None, trials(4)).seconds(asked) is None
    store_pack(store, packed(trials(4, latent=3), 4), 60.0)
    times = times_from(store, trials(4))
    assert (times.seconds(asked), times.basis(asked)) == (None, None)


def test_a_fused_pack_costs_what_its_width_costs_however_few_are_in_it(store: ResultStore) -> None:
    store_pack(store, packed(trials(64), 64), 60.0, start=5.0)
    times = times_from(store, trials(70))
    for count in (64, 3):
        assert times.seconds(packed(trials(count), 64)) == pytest.approx(65.0)
    assert times.basis(packed(trials(3), 64)) == "measured"
    assert times.seconds(packed(trials(3), 64, device="cpu")) is None


def test_of_another_width_it_is_in_proportion_to_the_slots(store: ResultStore) -> None:
    store_pack(store, packed(trials(64), 64), 60.0, start=5.0)
    times = times_from(store, trials(64))
    assert times.seconds(packed(trials(32), 32)) == pytest.approx(35.0)
    assert times.seconds(packed(trials(20), 20)) == pytest.approx(35.0)  # padded to 32 slots


def test_in_sequence_each_trial_costs_the_same(store: ResultStore) -> None:
    store_pack(store, packed(trials(4), 4, "sequential"), 80.0, start=5.0)
    times = times_from(store, trials(5))
    assert times.seconds(packed(trials(1), 4, "sequential")) == pytest.approx(25.0)
    assert times.seconds(packed(trials(4), 4, "sequential")) == pytest.approx(85.0)
    assert times.seconds(packed(trials(4), 4, "fused")) is None


def test_a_pack_that_was_held_up_does_not_count_for_more(store: ResultStore) -> None:
    for number, took in enumerate((60.0, 62.0, 900.0)):
        store_pack(store, packed(trials(2, first=2 * number), 2), took)
    assert times_from(store, trials(6)).seconds(packed(trials(2), 2)) == pytest.approx(62.0)


def test_evaluation_counts_for_each_trial_where_the_pack_does_it(store: ResultStore) -> None:
    store_pack(store, packed(trials(4), 4), 60.0, evaluate=2.0)
    within, apart = (times_from(store, trials(4), lambda trial, it=it: it) for it in (False, True))  # type: ignore[misc]
    assert within.seconds(packed(trials(3), 4)) == pytest.approx(66.0)
    assert apart.seconds(packed(trials(3), 4)) == pytest.approx(60.0)
    assert apart.seconds(packed(trials(3), 4, task="evaluate")) == pytest.approx(6.0)


def test_evaluation_apart_is_told_by_when_one_trial_after_another_was_measured(store: ResultStore) -> None:
    store_pack(store, packed(trials(5), 5), 60.0, apart=3.0)
    times = times_from(store, trials(5), lambda trial: True)
    assert times.seconds(packed(trials(5), 5)) == pytest.approx(60.0)
    assert times.seconds(packed(trials(4), 5, device="cpu", task="evaluate")) == pytest.approx(12.0)
    assert times.seconds(packed(trials(4), 5, task="evaluate")) is None  # that was done on CPUs


def test_of_other_steps_it_is_in_proportion_to_them_but_for_the_start(store: ResultStore) -> None:
    store_pack(store, packed(trials(4, steps=100), 4), 10.0, start=5.0)
    store_pack(store, packed(trials(4, steps=200), 4), 22.0, evaluate=3.0, start=5.0)
    long = packed(trials(4, steps=1000), 4)
    times = times_from(store, long.trials)
    assert times.seconds(long) == pytest.approx(5.0 + 22.0 * 5 + 4 * 3.0)  # what is evaluated is no more
    assert times.basis(long) == "scaled"
    other = packed(trials(4, steps=1000, latent=5), 4)
    assert times_from(store, other.trials).seconds(other) is None


def test_failed_trials_tell_nothing(store: ResultStore) -> None:
    pack = packed(trials(1), 1)
    attempt = Attempt(trial=pack.trials[0], identity=new_identity(), slot=0, started=BEGUN)
    attempt.failed("error", "none")
    store.commit({"trials": [trial_row(attempt, pack, "one")]})
    assert times_from(store, pack.trials).seconds(pack) is None


def test_what_is_given_holds_and_an_unknown_evaluation_takes_what_is_said() -> None:
    pack = packed(trials(4), 4)
    spent = Spent(fused={4: 50.0}, basis="given")
    times = Times(otherwise=1.5).with_spent(pack.decision.shape, "cuda", spent)
    assert times.seconds(pack) == pytest.approx(56.0)
    assert times.seconds(packed(trials(2), 4, task="evaluate")) == pytest.approx(3.0)
    assert spent.stretched(2.0) == Spent(fused={4: 100.0}, basis="scaled")
