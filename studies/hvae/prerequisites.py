"""The classifiers by which samples are judged (Xiao & Bamler 2023, Sec. 5.5): one a data set, trained on its images."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from models.families import Data
from models.kinds import (
    Adam,
    ClassifierModel,
    CrossEntropyObjective,
    DropoutCnnEncoder,
    Training,
    WarmupDecaySchedule,
)
from studies.trial import Trial

REDUCED_STEPS = 1_500
REDUCED_TRAINING = Training(
    steps=REDUCED_STEPS,
    batch_size=64,
    optimiser=Adam(learning_rate=1e-3, schedule=WarmupDecaySchedule(decay=REDUCED_STEPS / 4, warmup=50.0)),
)


def reference(trial: Trial) -> Mapping[str, Trial]:
    """The classifier of the data set's own images."""
    return {"reference": _classifier(trial.data)}


@functools.lru_cache(maxsize=64)
def _classifier(data: Data) -> Trial:
    """Trained on the trial's own training images and tested on its test images."""
    return Trial(
        data=data,
        model=ClassifierModel(encoder=DropoutCnnEncoder()),
        objective=CrossEntropyObjective(),
        training=REDUCED_TRAINING,
    )
