"""The reference classifiers: the authors' recipes at full size, a small network on small data, one a data set."""

from __future__ import annotations

import pytest

from models.families import Data
from models.kinds import (
    Adadelta,
    BinaryMnist,
    Cifar10,
    ClassifierModel,
    CosineSchedule,
    DenseNet121Encoder,
    DropoutCnnEncoder,
    ResNet18Encoder,
    Sgd,
    StepDecaySchedule,
    Svhn,
    Training,
)
from studies.hvae.paper import STUDIES
from studies.hvae.prerequisites import reference
from studies.hvae.sizes import CIFAR10, MNIST, SVHN, SVHN_LADDER, Size
from studies.paths import assign_all
from studies.trial import Trial

SIZES = (MNIST, SVHN, CIFAR10)


def _judge(data: Data) -> Trial:
    """Of the study of these data, at full size."""
    size = next(size for size in SIZES if isinstance(data, type(size.data)))
    return _of(size.trial().model_copy(update={"data": data}))


def _of(trial: Trial) -> Trial:
    roles = reference(trial)
    assert roles.keys() == {"reference"}
    assert roles["reference"].data == trial.data
    return roles["reference"]


def _of_twin(size: Size) -> Trial:
    return _of(assign_all(size.trial(), size.reduced()))


def test_at_full_size_they_have_the_authors_recipes() -> None:
    """14 epochs of whole batches: 937 of 64, 286 and 195 of 256."""
    mnist, svhn, cifar10 = (_judge(size.data) for size in SIZES)
    assert mnist.model == ClassifierModel(encoder=DropoutCnnEncoder(channels=(32, 64), width=128, dropout=(0.25, 0.5)))
    adadelta = Adadelta(learning_rate=1.0, schedule=StepDecaySchedule(factor=0.7, every=937))
    assert mnist.training == Training(steps=14 * 937, batch_size=64, optimiser=adadelta)
    descent = {"learning_rate": 0.01, "momentum": 0.9, "weight_decay": 5e-4}
    assert svhn.model == ClassifierModel(encoder=ResNet18Encoder(width=64))
    assert svhn.training == Training(steps=14 * 286, batch_size=256, optimiser=Sgd.model_validate(descent))
    cosine = CosineSchedule(steps=14 * 195, every=195)
    assert cifar10.model == ClassifierModel(encoder=DenseNet121Encoder(growth=32), augmentation="crop-flip")
    assert cifar10.training == Training(
        steps=14 * 195, batch_size=256, optimiser=Sgd.model_validate(descent | {"schedule": cosine})
    )


@pytest.mark.parametrize(
    ("data", "epoch"),
    [
        (Cifar10(batches=1, test_images=1_000), 10_000 // 256),
        (Svhn(train_images=1_000), 3),
        (BinaryMnist(train_images=40), 1),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_with_fewer_images_to_train_on_the_epochs_are_shorter(data: Data, epoch: int) -> None:
    """A part of a full-size study is judged by a classifier of full size, which sees the part's own images alone."""
    judge = _judge(data)
    assert judge.training.steps == 14 * epoch
    schedule = getattr(judge.training.optimiser, "schedule", None)
    if isinstance(schedule, CosineSchedule | StepDecaySchedule):
        assert schedule.every == epoch


@pytest.mark.parametrize("size", SIZES, ids=lambda size: size.data.kind)
def test_on_small_data_it_is_a_small_network_by_another_recipe(size: Size) -> None:
    judge = _of_twin(size)
    assert judge.model == ClassifierModel(encoder=DropoutCnnEncoder())
    assert judge.training.steps * judge.training.batch_size < 100_000


def test_golden_ids() -> None:
    """These never change: stored trials were judged by these classifiers."""
    ids = [(_judge(size.data).id, _of_twin(size).id) for size in SIZES]
    assert ids == [
        ("9bb35b4b01e6e273", "6dc7409ceb37b5ec"),
        ("2fe709fd01f156ef", "91261184b3d623ff"),
        ("09bca0fac1cd43f0", "4a91f784e9c99b73"),
    ]


def test_every_trial_of_a_study_has_the_same_and_both_svhn_studies_share_it() -> None:
    for study in STUDIES:
        assert len({reference(trial)["reference"].id for trial in study.trials()}) == 1
    assert reference(SVHN.trial()) == reference(SVHN_LADDER.trial())
