"""A trial's identity is its science: pinned by golden ids, and blind to everything that is not science."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.families import (
    Auxiliary,
    Data,
    Likelihood,
    Objective,
)
from models.kinds import (
    Adam,
    AnnealedObjective,
    Bernoulli,
    BetaObjective,
    BinaryMnist,
    Binomial,
    Cifar10,
    ClassifierModel,
    ConvolutionalAuxiliary,
    ConvolutionalHierarchy,
    CrossEntropyObjective,
    DenseDecoder,
    DenseEncoder,
    Digits,
    DuelingObjective,
    FashionMnist,
    FlatModel,
    FreeBitsObjective,
    Gaussian,
    GradientAuxiliary,
    HierarchicalModel,
    LogisticMixture,
    PixelCnnDecoder,
    PyramidEncoder,
    StochasticMnist,
    Svhn,
    TargetRateObjective,
    ThresholdedMnist,
    Training,
    VampPrior,
    WarmupDecaySchedule,
)
from models.spec import SpecificationError, to_json
from studies.trial import Trial, from_json
from studies.user_file import load_file

LIKELIHOOD = Binomial(total=16)
COLOUR = ConvolutionalHierarchy(likelihood=Gaussian())
LADDER = ConvolutionalHierarchy(likelihood=Gaussian(), inference="ladder")
BINARY = ConvolutionalHierarchy(channels=16, top=20, hidden=128, likelihood=Bernoulli())


def hierarchical(beta1: float, beta2: float) -> Trial:
    return Trial(
        data=Digits(),
        model=HierarchicalModel(latents=(16, 8), likelihood=LIKELIHOOD),
        objective=BetaObjective(beta=(beta1, beta2)),
        training=Training(steps=1000, batch_size=32, optimiser=Adam(learning_rate=3e-3)),
    )


def flat(objective: Objective, seed: int = 0) -> Trial:
    return Trial(
        data=Digits(),
        model=FlatModel(latent=16, likelihood=LIKELIHOOD),
        objective=objective,
        training=Training(steps=1000, batch_size=32, ema=0.99, precision="float64"),
        seed=seed,
    )


def dueling(data: Data, likelihood: Likelihood, seed: int = 0) -> Trial:
    return Trial(
        data=data,
        model=FlatModel(
            latent=16,
            encoder=PyramidEncoder(),
            decoder=PixelCnnDecoder(),
            likelihood=likelihood,
            posterior="full",
            prior=VampPrior(),
            auxiliary=ConvolutionalAuxiliary(),
        ),
        objective=DuelingObjective(auxiliary_weight=0.1),
        training=Training(steps=20_000, batch_size=32, optimiser=Adam(schedule=WarmupDecaySchedule())),
        seed=seed,
    )


def convolutional(data: Data, model: ConvolutionalHierarchy, warmup: int = 0) -> Trial:
    training = Training(steps=117_000, batch_size=256, optimiser=Adam(learning_rate=3e-4))
    return Trial(data=data, model=model, objective=BetaObjective(beta=(0.1, 10.0), warmup=warmup), training=training)


def classifier(target: Auxiliary | None) -> Trial:
    return Trial(
        data=StochasticMnist(),
        model=ClassifierModel(encoder=PyramidEncoder(), target=target),
        objective=CrossEntropyObjective(),
        training=Training(steps=1000, batch_size=64),
    )


@pytest.mark.parametrize(
    ("trial", "identity", "setting"),
    [
        (hierarchical(0.1, 0.1), "65f5d273eb3c279c", "c9acb997579ca896"),
        (hierarchical(10, 10), "555d1f731c2477c3", "8e28a3b0746c2625"),
        (flat(BetaObjective()), "f61a8b943d82f1e4", "d8820baf338aacaa"),
        (flat(TargetRateObjective(target=16), seed=2), "7134af057fe57efe", "9b557fc5c50e2ba5"),
        (flat(FreeBitsObjective(floor=0.5), seed=2), "30651c2feaf4c291", "f4dc69170a4f2bd2"),
        (flat(AnnealedObjective(steps=500), seed=1), "e445395c07b129b7", "14e2c8d9fff26fe5"),
        (dueling(ThresholdedMnist(), Bernoulli()), "73980bf7fb7621f6", "2ca9fbe5a54945dd"),
        (dueling(FashionMnist(), LogisticMixture(), 2), "eefc2895dd439491", "9e5b50e4f3dba415"),
        (convolutional(BinaryMnist(), BINARY), "3bdb0ec966049a18", "68b070270db841e5"),
        (convolutional(Svhn(), LADDER, 28_600), "6a6938838ef3c5cc", "f9409a913ccfd28a"),
        (convolutional(Cifar10(batches=1), COLOUR), "b1cacfe1944e3a7a", "dd45ddb0eef536c5"),
        (classifier(None), "072e29d1def27562", "2d09d75218ed840b"),
        (classifier(GradientAuxiliary()), "4e200be5305d7e51", "5ee6860a5f396442"),
    ],
)
def test_golden_ids(trial: Trial, identity: str, setting: str) -> None:
    """These never change: a store written today must be found by the code of any later day."""
    assert (trial.id, trial.setting) == (identity, setting)


def test_what_was_stored_before_there_were_more_fields_is_the_same_trial() -> None:
    """A specification as the first version wrote it, defaults and all."""
    adam = '{"kind":"adam","learning_rate":0.001,"beta1":0.9,"beta2":0.999,"epsilon":1e-08}'
    dense = '{"kind":"dense","widths":[64],"activation":"relu"}'
    stored = (
        '{"data":{"kind":"digits"},"model":{"kind":"flat","latent":16,"encoder":' + dense + ',"decoder":' + dense + ","
        '"likelihood":{"kind":"binomial","total":16}},"objective":{"kind":"beta","beta":[1.0]},"training":{"steps":1000,'
        '"batch_size":32,"optimiser":' + adam + ',"ema":0.99,"precision":"float64"},"seed":0}'
    )
    assert from_json(stored) == flat(BetaObjective())
    assert from_json(stored).id == "f61a8b943d82f1e4"


def test_an_id_is_a_hash_of_the_canonical_json() -> None:
    parts = (
        '{"kind":"digits"}',
        '{"kind":"hierarchical","latents":[16,8],"likelihood":{"kind":"binomial","total":16}}',
        '{"beta":[0.1,10.0],"kind":"beta"}',
        '{"batch_size":32,"optimiser":{"kind":"adam","learning_rate":0.003},"steps":1000}',
    )
    trial = hierarchical(0.1, 10)
    for text, found in (("trial:" + "\n".join(parts) + ":0", trial.id), ("setting:" + "\n".join(parts), trial.setting)):
        assert hashlib.sha256(text.encode()).hexdigest()[:16] == found


@given(beta=st.tuples(st.floats(0, 1e3), st.floats(0, 1e3)), seed=st.integers(0, 2**63))
def test_the_stored_specification_makes_the_trial_again(beta: tuple[float, float], seed: int) -> None:
    trial = Trial(**{**dict(hierarchical(*beta)), "seed": seed})
    assert trial.specification() == to_json(trial.complete())
    again = from_json(trial.specification())
    assert again == trial
    assert (again.id, again.setting, again.shape) == (trial.id, trial.setting, trial.shape)


def test_order_of_fields_and_keys_does_not_matter() -> None:
    trial = hierarchical(0.1, 10)
    fields = dict(reversed(list(dict(trial).items())))
    assert Trial(**fields).id == trial.id
    backwards = json.loads(trial.specification(), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert from_json(json.dumps(backwards, indent=4)).id == trial.id


def test_a_number_is_the_same_however_it_was_computed() -> None:
    for index, value in enumerate(np.logspace(-1, 1, 21)):
        exact = hierarchical(10 ** (-1 + index / 10), 1)
        assert hierarchical(float(value), 1.0).id == exact.id
        assert hierarchical(value, np.float64(1)).id == exact.id
        assert hierarchical(float(f"{value:.9g}"), 1).id == exact.id
    assert hierarchical(0.0, 1).id == hierarchical(-0.0, 1).id == hierarchical(0, 1).id
    assert hierarchical(0.1, 1).id != hierarchical(0.10000001, 1).id


def test_a_default_written_out_is_the_default() -> None:
    brief = flat(BetaObjective())
    model = FlatModel(latent=16, encoder=DenseEncoder(widths=(64,)), decoder=DenseDecoder(), likelihood=LIKELIHOOD)
    training = Training(
        steps=1000, batch_size=32, optimiser=Adam(learning_rate=0.001, beta1=0.9), ema=0.99, precision="float64"
    )
    full = Trial(data=Digits(), model=model, objective=BetaObjective(beta=(1,)), training=training, seed=0)
    assert full.id == brief.id


def test_the_seed_makes_replicates_of_one_setting() -> None:
    replicates = [flat(BetaObjective(), seed) for seed in range(3)]
    assert len({trial.id for trial in replicates}) == 3
    assert len({trial.setting for trial in replicates}) == 1
    assert replicates[0].setting not in {trial.id for trial in replicates}


def test_only_plain_numbers_of_a_step_may_differ_within_a_shape() -> None:
    assert hierarchical(0.1, 1).shape == hierarchical(10, 0.5).shape
    assert flat(BetaObjective(), 1).shape == flat(BetaObjective(beta=(0.5,)), 2).shape
    assert flat(BetaObjective()).shape != flat(FreeBitsObjective(floor=1)).shape
    assert flat(BetaObjective()).shape != hierarchical(1, 1).shape


def test_a_number_at_its_default_does_not_change_the_shape() -> None:
    default, other = (Training(steps=5, batch_size=2, optimiser=Adam(learning_rate=rate)) for rate in (1e-3, 3e-3))
    assert default.masked() == other.masked()
    assert default.canonical() != other.canonical()


GROWING = """
from models.families import AnyDecoder, Objective
from models.spec import NonNegative

class Growing(Objective):
    kind = "test-identity-growing"
    weight: NonNegative = 1.0
"""


def test_a_new_field_at_its_default_changes_no_id(tmp_path: Path) -> None:
    path = tmp_path / "growing.py"
    path.write_text(GROWING)
    old = load_file(path).get("Growing")
    path.write_text(GROWING + "    power: NonNegative = 2.0\n    part: AnyDecoder | None = None\n")
    new = load_file(path).get("Growing")
    for weight in (1.0, 3.0):
        assert flat(new(weight=weight)).id == flat(old(weight=weight)).id
    assert flat(new(power=3.0)).id != flat(new()).id
    assert from_json(flat(old(weight=3.0)).specification()) == flat(new(weight=3.0))


def test_a_revision_changes_the_id_and_refuses_what_was_stored_before(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = flat(BetaObjective())
    identity, stored = trial.id, trial.specification()
    for part in (BetaObjective, DenseEncoder, Adam, Digits, FlatModel, Binomial):
        with monkeypatch.context() as raised:
            raised.setattr(part, "revision", 2)
            revised = Trial(
                data=Digits(),
                model=FlatModel(latent=16, encoder=DenseEncoder(), likelihood=Binomial(total=16)),
                objective=BetaObjective(),
                training=Training(steps=1000, batch_size=32, optimiser=Adam(), ema=0.99, precision="float64"),
            )
            assert revised.id != identity
            assert from_json(revised.specification()) == revised
            with pytest.raises(SpecificationError, match="was stored at revision 1, this code has revision 2"):
                from_json(stored)


def test_a_copy_has_the_identity_of_what_it_holds() -> None:
    """Also where the original was asked for its own before, which it keeps."""
    trial = flat(BetaObjective())
    identity, setting, shape, text = trial.id, trial.setting, trial.shape, trial.objective.canonical_json
    copies = (
        trial.model_copy(update={"seed": 3}),
        trial.model_copy(update={"objective": trial.objective.model_copy(update={"beta": (0.5,)})}),
        trial.model_copy(update={"training": trial.training.model_copy(update={"steps": 7})}),
        trial.model_copy(update={"data": trial.data.model_copy()}),
    )
    for copy in copies:
        again = from_json(copy.specification())
        assert (copy.id, copy.setting, copy.shape) == (again.id, again.setting, again.shape)
        assert copy == again
    assert [copy.id == identity for copy in copies] == [False, False, False, True]
    assert [copy.setting == setting for copy in copies] == [True, False, False, True]
    assert copies[1].objective.canonical_json != text
    assert (trial.id, trial.setting, trial.shape) == (identity, setting, shape)


@pytest.mark.parametrize(
    ("update", "told"),
    [
        ({"seed": -1}, "greater than or equal to 0"),
        ({"sed": 1}, "Extra inputs are not permitted"),
        ({"objective": BetaObjective(beta=(1.0, 1.0))}, "beta"),
        ({"training": None}, "training"),
    ],
)
def test_a_copy_is_held_to_what_a_new_trial_is_held_to(update: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        flat(BetaObjective()).model_copy(update=update)
