"""Ten studies of 10,005 trials each, as a user's own file names them, for a store of 100,050 trials.

    sweep status tests/benchmarks/grid_studies.py:study_3 --store STORE

Each is 29 × 23 weights of the layers × 5 learning rates × 3 seeds of a small hierarchy on the digits, at a number of
steps of its own; of each trial 30 numbers and two stacks of pictures are measured. They could be launched, for a day;
tests/benchmarks/store_of_grids.py writes a store that looks as if they had been.
"""

from __future__ import annotations

from typing import Any

from models.kinds import Adam, BetaObjective, Binomial, DenseDecoder, DenseEncoder, Digits, HierarchicalModel, Training
from results.quantity import Estimate, Quantity
from studies.axes import axis, logspace, product
from studies.quantities import PICTURES
from studies.study import Study
from studies.trial import Trial

NUMBERS = 30
STUDIES = 10


def measure(view: Any, names: tuple[str, ...]) -> dict[str, Estimate]:
    """Quantiles of the distortion over the test images: as many numbers as one likes."""
    import numpy as np

    return {name: Estimate(float(np.quantile(view.distortion, int(name[-2:]) / NUMBERS))) for name in names}


QUANTITIES = tuple(
    Quantity(name=f"distortion_q{index:02}", unit="nats", goal="minimise", family=":measure")
    for index in range(NUMBERS)
)


def grid(index: int) -> Study:
    return Study(
        name=f"grids/study-{index}",
        question="How does the rate of two layers and the rate of learning shape the distortion?",
        base=Trial(
            data=Digits(),
            model=HierarchicalModel(
                latents=(16, 8),
                encoder=DenseEncoder(widths=(48,)),
                conditional=(48,),
                decoder=DenseDecoder(widths=(48,)),
                likelihood=Binomial(total=Digits.levels),
            ),
            objective=BetaObjective(beta=(1.0, 1.0)),
            training=Training(steps=1000 + index, batch_size=32, optimiser=Adam(learning_rate=5e-3)),
        ),
        axes=product(
            axis("objective.beta[1]", logspace(0.1, 10, 29)),
            axis("objective.beta[0]", logspace(0.1, 10, 23)),
            axis("training.optimiser.learning_rate", logspace(1e-3, 1e-2, 5)),
        ),
        seeds=3,
        quantities=(*QUANTITIES, *PICTURES[:2]),
    )


study_0, study_1, study_2, study_3, study_4, study_5, study_6, study_7, study_8, study_9 = map(grid, range(STUDIES))
