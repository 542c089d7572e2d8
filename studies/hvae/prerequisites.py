"""The classifiers by which samples are judged (Xiao & Bamler 2023, Sec. 5.5): one a data set, trained on its images.

At full size the networks and the recipes of their code, with group for batch normalisation, and epochs of whole
batches: a small CNN for binary MNIST, ResNet-18 for SVHN (their test accuracy: 95.02 %), DenseNet-121 for CIFAR-10. The
14 epochs are the default there of all three; whether it is what their CIFAR-10 classifier had is not recorded.
A trial of the reduced twins, known by its batches of 64, has a small CNN whatever its data set.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from models.families import Data, Optimiser
from models.kinds import (
    Adadelta,
    Adam,
    BinaryMnist,
    Cifar10,
    ClassifierModel,
    CosineSchedule,
    CrossEntropyObjective,
    DenseNet121Encoder,
    DropoutCnnEncoder,
    ResNet18Encoder,
    Sgd,
    StepDecaySchedule,
    Svhn,
    Training,
    WarmupDecaySchedule,
)
from studies.hvae.sizes import SMALL_BATCH
from studies.trial import Trial

EPOCHS = 14
MNIST_BATCH, COLOUR_BATCH = 64, 256
MNIST_DECAY = 0.7  # of the learning rate, an epoch
COLOUR_DESCENT = Sgd(learning_rate=1e-2, momentum=0.9, weight_decay=5e-4)

REDUCED_STEPS = 1_500
REDUCED_TRAINING = Training(
    steps=REDUCED_STEPS,
    batch_size=64,
    optimiser=Adam(learning_rate=1e-3, schedule=WarmupDecaySchedule(decay=REDUCED_STEPS / 4, warmup=50.0)),
)


def reference(trial: Trial) -> Mapping[str, Trial]:
    """The classifier of the data set's own images, trained on the trial's training images and tested on its test
    images: where a trial has only some batches of CIFAR-10, the classifier has no more."""
    return {"reference": _classifier(trial.data, trial.training.batch_size == SMALL_BATCH)}


@functools.lru_cache(maxsize=64)
def _classifier(data: Data, reduced: bool) -> Trial:
    model, training = ClassifierModel(encoder=DropoutCnnEncoder()), REDUCED_TRAINING
    if isinstance(data, BinaryMnist) and not reduced:
        epoch = _epoch(data.train_images, MNIST_BATCH)
        training = _training(epoch, MNIST_BATCH, Adadelta(schedule=StepDecaySchedule(factor=MNIST_DECAY, every=epoch)))
    elif isinstance(data, Svhn) and not reduced:
        model = ClassifierModel(encoder=ResNet18Encoder())
        training = _training(_epoch(data.train_images, COLOUR_BATCH), COLOUR_BATCH, COLOUR_DESCENT)
    elif isinstance(data, Cifar10) and not reduced:
        model = ClassifierModel(encoder=DenseNet121Encoder(), augmentation="crop-flip")
        epoch = _epoch(data.train_images, COLOUR_BATCH)
        cosine = CosineSchedule(steps=EPOCHS * epoch, every=epoch)
        training = _training(epoch, COLOUR_BATCH, COLOUR_DESCENT.model_copy(update={"schedule": cosine}))
    return Trial(data=data, model=model, objective=CrossEntropyObjective(), training=training)


def _epoch(images: int, batch: int) -> int:
    """Steps of an epoch: whole batches, one at least."""
    return max(1, images // batch)


def _training(epoch: int, batch: int, optimiser: Optimiser) -> Training:
    return Training(steps=EPOCHS * epoch, batch_size=batch, optimiser=optimiser)
