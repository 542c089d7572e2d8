from __future__ import annotations

import itertools
import time
from typing import Any

import pytest

from models.kinds import BetaObjective, Binomial, Digits, FlatModel, FreeBitsObjective, HierarchicalModel, Training
from models.spec import Spec
from results.quantity import Quantity
from studies.axes import Axes, axis, logspace, product, union
from studies.paths import StudyError
from studies.study import Reduction, Study
from studies.trial import Trial, from_json

LIKELIHOOD = Binomial(total=16)
BASE = Trial(
    data=Digits(),
    model=HierarchicalModel(latents=(16, 8), likelihood=LIKELIHOOD),
    objective=BetaObjective(beta=(1.0, 1.0)),
    training=Training(steps=1000, batch_size=32),
)
BETA1, BETA2 = "objective.beta[0]", "objective.beta[1]"
GRID = product(axis(BETA2, (0.1, 1.0, 10.0)), axis(BETA1, (0.5, 1.0)))
RATE = Quantity(name="rate", unit="nats", goal="minimise", family="m:f")


def study(axes: Axes = GRID, **fields: Any) -> Study:
    return Study(
        **{"name": "test/grid", "question": "What?", "base": BASE, "axes": axes, "quantities": (RATE,)} | fields
    )


def test_all_settings_at_the_first_seed_come_first() -> None:
    planned = study(seeds=(4, 2))
    expected = [(seed, b2, b1) for seed, b2, b1 in itertools.product((4, 2), (0.1, 1.0, 10.0), (0.5, 1.0))]
    found = [(trial.seed, *reversed(trial.objective.beta)) for trial in planned.trials()]  # type: ignore[attr-defined]
    assert found == expected
    assert len(planned) == 12
    assert planned.settings == tuple(trial.setting for trial in planned.trials()[:6])


def test_ids_are_unique_and_a_union_runs_a_common_setting_once() -> None:
    twice = study(union(GRID, axis(BETA1, (1.0, 2.0))), seeds=2)
    ids = [trial.id for trial in twice.trials()]
    assert len(set(ids)) == len(ids) == len(twice) == 2 * (6 + 1)  # β = (1, 1) is in both parts


def test_the_same_trial_in_two_studies_is_the_same() -> None:
    other = study(axis(BETA1, (1.0,)), name="test/other", quantities=())
    assert other.trials()[0].id in {trial.id for trial in study().trials()}


def test_planned_has_one_row_a_trial_and_one_column_an_axis() -> None:
    frame = study(seeds=2).planned()
    assert list(frame.columns) == ["trial", "setting", "seed", BETA2, BETA1]
    assert list(frame.trial) == [trial.id for trial in study(seeds=2).trials()]
    assert list(zip(frame.seed, frame[BETA2], frame[BETA1], strict=True)) == list(
        itertools.product((0, 1), (0.1, 1.0, 10.0), (0.5, 1.0))
    )
    assert frame[BETA1].dtype == float


def test_whole_parts_stand_in_frames_by_their_label_or_in_short() -> None:
    objectives = (BetaObjective(beta=(1.0, 1.0)), FreeBitsObjective(floor=2.0))
    labelled = study(axis("objective", objectives, labels=("ELBO", "free bits")), seeds=2)
    assert list(labelled.planned()["objective"]) == ["ELBO", "free bits"] * 2
    assert list(study(axis("objective", objectives)).planned()["objective"]) == [
        "beta(beta=(1.0, 1.0))",
        "free-bits(floor=2.0)",
    ]
    assert [trial.objective for trial in labelled.select("objective=free bits").trials()] == [objectives[1]] * 2


def test_a_path_that_only_some_trials_have_is_empty_elsewhere() -> None:
    mixed = union(axis("objective", (FreeBitsObjective(floor=1.0),)), axis(BETA1, (2.0, 3.0)))
    assert study(mixed).planned()[BETA1].isna().tolist() == [True, False, False]


def test_a_part_and_what_is_inside_it_vary_together_in_any_order() -> None:
    models = axis("model", tuple(HierarchicalModel(latents=(n, 2), likelihood=LIKELIHOOD) for n in (8, 16)))
    widths = axis("model.conditional[0]", (10, 20))
    pairs = {(trial.model.latents[0], trial.model.conditional[0]) for trial in study(product(models, widths)).trials()}  # type: ignore[attr-defined]
    assert pairs == set(itertools.product((8, 16), (10, 20)))
    assert set(study(product(models, widths)).settings) == set(study(product(widths, models)).settings)


def test_seeds_extend_and_redo_nothing() -> None:
    small, large = study(seeds=2), study(seeds=2).with_seeds(5)
    assert large.trials()[: len(small)] == small.trials()
    assert large.seed_values == (0, 1, 2, 3, 4)
    assert large.reduced == ""
    assert study(seeds=(7, 1)).with_seeds(4).seed_values == (7, 1, 0, 2)
    fewer = study(seeds=3).with_seeds(1)
    assert (fewer.seed_values, fewer.reduced) == ((0,), "1 of 3 seeds")
    assert study(seeds=3).with_seeds(2).with_seeds(1).reduced == "1 of 3 seeds"
    assert fewer.with_seeds(3).reduced == ""
    with pytest.raises(StudyError, match="at least 1 seed, not 0"):
        study().with_seeds(0)


def test_a_selection_is_a_part_that_says_so() -> None:
    whole = study(seeds=2)
    part = whole.select(f"{BETA1}=1.0", "seed = 1")
    assert part.trials() == tuple(
        trial
        for trial in whole.trials()
        if trial.seed == 1 and trial.objective.beta[0] == 1.0  # type: ignore[attr-defined]
    )
    assert part.reduced == f"only {BETA1}=1.0; only seed=1"
    assert part.name == whole.name
    assert len(part.planned()) == len(part) == 3
    assert part.unselected() == whole
    assert whole.select() is whole
    assert len(part.select(f"{BETA2}<1")) == 1
    with pytest.raises(StudyError, match="no trial is left"):
        whole.select(f"{BETA1}=7")


def test_only_whole_data_sets_and_fewer_seeds_leave_numbers_comparable() -> None:
    """A table chooses among the settings of a data set: without some of them its numbers are others."""
    whole = study(seeds=3)
    assert whole.comparable
    for conditions in (["data.kind=digits"], ["data=digits", "seed<2"], ["data.kind in digits,mnist"]):
        assert whole.select(*conditions).with_seeds(2).comparable
    for condition in (f"{BETA1}=1.0", "training.steps>0", f"trial={whole.trials()[0].id}", "model=hierarchical"):
        assert not whole.select("data.kind=digits", condition).comparable
    assert not study(reduction=Reduction(note="shorter")).small().comparable


def test_the_reduced_twin_says_how_it_is_reduced() -> None:
    reduction = Reduction(note="2 of 6 settings, 10 steps", axes=axis(BETA1, (0.5, 1.0)), assign={"training.steps": 10})
    twin = study(reduction=reduction, seeds=3).small()
    assert (twin.name, twin.full_name, twin.reduced) == ("test/grid@small", "test/grid", "2 of 6 settings, 10 steps")
    assert (len(twin), {trial.training.steps for trial in twin.trials()}) == (6, {10})
    assert twin.quantities == (RATE,)
    single = study(reduction=Reduction(note="1 seed", seeds=1), seeds=4).with_seeds(3).small()
    assert (len(single), single.reduced) == (6, "1 seed")
    for without in (study(), twin):
        with pytest.raises(StudyError, match="has no reduced twin"):
            without.small()
    with pytest.raises(StudyError, match="says in its note"):
        Reduction(note="")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"axes": axis("objective.betta", (1.0,))}, "test/grid: no objective.betta; did you mean objective.beta"),
        ({"axes": axis("model.latent", (1,))}, "did you mean model.latents"),
        ({"axes": axis("objective.beta[2]", (1.0,))}, r"objective.beta has the entries \[0\], \[1\]"),
        ({"axes": GRID.where(lambda values: False)}, "its axes leave no setting"),
        ({"axes": axis(BETA1, (-1.0,))}, r"greater than or equal to 0 \(got -1.0\)"),
        ({"axes": axis("model", (FlatModel(latent=2, likelihood=LIKELIHOOD),))}, "needs one weight for each of z1"),
        ({"seeds": 0}, "seeds is a number from 1, or distinct seeds from 0, not 0"),
        ({"seeds": ()}, "seeds is"),
        ({"seeds": (1, 1)}, "seeds is"),
        ({"seeds": (0, -1)}, "seeds is"),
        ({"quantities": (RATE, RATE)}, "the quantity rate occurs twice"),
        ({"name": "two words"}, "a study's name is one word"),
        ({"name": ""}, "a study's name is one word"),
        ({"name": "a@b"}, "a study's name is one word"),
    ],
)
def test_a_study_that_cannot_be_is_refused_at_once(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        study(**fields)


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), "1.0"])
def test_a_value_that_cannot_be_is_refused_when_trials_are_enumerated(value: Any) -> None:
    with pytest.raises(StudyError, match=r"test/grid: objective\.beta"):
        study(axis(BETA1, (1.0, value))).trials()


def test_quantities_by_name() -> None:
    assert study().quantity("rate") is RATE
    with pytest.raises(StudyError, match="measures no rat; did you mean rate"):
        study().quantity("rat")


def test_twenty_thousand_trials_are_enumerated_in_seconds() -> None:
    large = study(product(axis(BETA1, logspace(0.01, 1, 100)), axis(BETA2, logspace(0.01, 1, 100))), seeds=2)
    start = time.process_time()
    assert len({trial.id for trial in large.trials()}) == 20_000
    assert time.process_time() - start < 3.0


def test_a_setting_is_validated_once_and_its_parts_as_often_as_they_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: what an enumeration of 100,000 trials must not do for each of them."""
    fitted, encoded = [], []
    check, canonical = HierarchicalModel.check, BetaObjective.canonical
    monkeypatch.setattr(HierarchicalModel, "check", lambda self, data: [fitted.append(self), check(self, data)][1])
    monkeypatch.setattr(BetaObjective, "canonical", lambda self: [encoded.append(self), canonical(self)][1])
    planned = study(product(GRID, axis("training.steps", (10, 20))), seeds=5)
    fitted.clear()  # of the look at the first setting
    encoded.clear()
    assert len({trial.id for trial in planned.trials()}) == 6 * 2 * 5
    assert (len(fitted), len(encoded)) == (6 * 2, 6)
    assert planned.unselected() is planned


def test_a_setting_at_another_seed_is_the_trial_that_one_would_write() -> None:
    for trial in study(seeds=(4, 2)).trials():
        fresh = Trial(**{name: getattr(trial, name) for name in type(trial).model_fields})
        assert (fresh, fresh.id, fresh.setting, fresh.shape) == (trial, trial.id, trial.setting, trial.shape)
        assert (fresh.specification(), hash(fresh)) == (trial.specification(), hash(trial))
        assert from_json(trial.specification()) == trial
    with pytest.raises(ValueError, match="seed"):
        BASE.at_seed(-1)
    with pytest.raises(ValueError, match="seed"):
        BASE.at_seed(True)


def test_specifications_share_the_parts_that_they_have_in_common() -> None:
    known: dict[str, Spec] = {}
    one, other = (from_json(trial.specification(), known) for trial in study().trials()[:2])
    assert (one, other) == study().trials()[:2]
    assert one.model is other.model
    assert one.objective is not other.objective
