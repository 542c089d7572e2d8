"""The classifiers that trials of Dueling Decoders are measured with: trials themselves, trained once for each data set.

They see original images only (Seybold et al. 2019, Sec. 4.1). On the MNISTs the architecture is the encoder's with ten
classes at its end; on Fashion-MNIST a wide residual network, at reduced size the encoder's again.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from models.families import Auxiliary, Data, Encoder
from models.kinds import (
    Adam,
    ClassifierModel,
    CrossEntropyObjective,
    DenseEncoder,
    FashionMnist,
    FlatModel,
    GradientAuxiliary,
    HistogramAuxiliary,
    IdxImages,
    MarginalsAuxiliary,
    PyramidEncoder,
    Training,
    WarmupDecaySchedule,
    WideResNetEncoder,
)
from studies.trial import Trial


def _training(steps: int, learning_rate: float) -> Training:
    """Adam with a warm-up, and a decay to 0.66⁴ = 0.19 of the learning rate."""
    schedule = WarmupDecaySchedule(decay=steps / 4, warmup=50.0)
    return Training(steps=steps, batch_size=128, optimiser=Adam(learning_rate=learning_rate, schedule=schedule))


ENCODER_TRAINING = _training(4_000, 1e-3)
RESIDUAL_TRAINING = _training(16_000, 1e-3)
REDUCED_TRAINING = _training(3_000, 2e-3)
REDUCED_FILTERS = 32


def reference(trial: Trial) -> Mapping[str, Trial]:
    """The classifier of the data set's own images, by which reconstructions are judged."""
    return {"reference": _classifier(trial.data, None)}


def supervised(trial: Trial) -> Mapping[str, Trial]:
    """The classifier that sees what the trial's auxiliary decoder is to reconstruct (Table 3); none without one."""
    model = trial.model
    if not isinstance(model, FlatModel) or model.auxiliary is None:
        return {}
    return {"supervised": _classifier(trial.data, _target(model.auxiliary))}


def _target(auxiliary: Auxiliary) -> Auxiliary | None:
    """The auxiliary decoder's target alone, whatever the size of the decoder; None for the image itself."""
    if isinstance(auxiliary, GradientAuxiliary):
        return GradientAuxiliary(halvings=auxiliary.halvings)
    if isinstance(auxiliary, MarginalsAuxiliary):
        return MarginalsAuxiliary()
    if isinstance(auxiliary, HistogramAuxiliary):
        return HistogramAuxiliary()
    return None


@functools.lru_cache(maxsize=256)
def _classifier(data: Data, target: Auxiliary | None) -> Trial:
    """All 50,000 training images at the size of the trial's; the test images are the trial's."""
    reduced = isinstance(data, IdxImages) and data.downsample > 1
    if isinstance(data, IdxImages):
        data = data.model_copy(update={"train_images": type(data).model_fields["train_images"].default})
    encoder: Encoder
    training = REDUCED_TRAINING if reduced else ENCODER_TRAINING
    if isinstance(target, MarginalsAuxiliary | HistogramAuxiliary):
        encoder = DenseEncoder(widths=target.widths)
    elif isinstance(data, FashionMnist) and not reduced and target is None:
        encoder, training = WideResNetEncoder(), RESIDUAL_TRAINING
    elif reduced:
        encoder = PyramidEncoder(filters=REDUCED_FILTERS, halvings=1)
    else:
        encoder = PyramidEncoder()
    return Trial(
        data=data,
        model=ClassifierModel(encoder=encoder, target=target),
        objective=CrossEntropyObjective(),
        training=training,
    )
