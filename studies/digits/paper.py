"""The embedded default: two studies on scikit-learn's handwritten digits, which every machine has.

`digits/hvae` repeats the question of Xiao & Bamler (ICLR 2023) at the size of a laptop: their grid of layer weights,
their generalised top-down hierarchy and their measures of what a code is good for. `digits/objectives` compares
objectives on one flat model.
"""

from __future__ import annotations

from models.kinds import (
    Adam,
    AnnealedObjective,
    BetaObjective,
    Binomial,
    DenseDecoder,
    DenseEncoder,
    Digits,
    FlatModel,
    FreeBitsObjective,
    HierarchicalModel,
    TargetRateObjective,
    Training,
)
from studies import quantities
from studies.axes import Axes, axis, logspace, product
from studies.hvae.names import BETA1, BETA2
from studies.paper import Output, Paper
from studies.study import Reduction, Study
from studies.trial import Trial

TRAINING = Training(steps=1000, batch_size=32, optimiser=Adam(learning_rate=5e-3))
SMALL_STEPS = 200
WIDTH = 48  # of every hidden layer of the hierarchy: 441 of them train in minutes on two cores
WEIGHTS = logspace(0.1, 10, 21)
SMALL_WEIGHTS = tuple(WEIGHTS[position] for position in (0, 5, 10, 20))  # keeps β = 1 and both ends
RATE = 30.0  # nats: the floor of free bits and the target rate, between those of β = 1 (20) and of β = 0.1 (48)
LIKELIHOOD = Binomial(total=Digits.levels)


def _objectives(steps: int) -> Axes:
    """The objectives under comparison, for a training of so many steps: annealing takes the first half of them."""
    return axis(
        "objective",
        (
            BetaObjective(beta=(1.0,)),
            BetaObjective(beta=(0.1,)),
            AnnealedObjective(steps=steps // 2),
            FreeBitsObjective(floor=RATE),
            TargetRateObjective(target=RATE),
        ),
        labels=("β = 1", "β = 0.1", "KL annealing", "free bits", "target rate"),
    )


HVAE = Study(
    name="digits/hvae",
    question="How does splitting the rate between the layers of a hierarchical VAE trade reconstruction, sampling and "
    "classification against each other?",
    base=Trial(
        data=Digits(),
        model=HierarchicalModel(
            latents=(16, 8),
            encoder=DenseEncoder(widths=(WIDTH,)),
            conditional=(WIDTH,),
            decoder=DenseDecoder(widths=(WIDTH,)),
            likelihood=LIKELIHOOD,
        ),
        objective=BetaObjective(beta=(1.0, 1.0)),
        training=TRAINING,
    ),
    axes=product(axis(BETA2, WEIGHTS), axis(BETA1, WEIGHTS)),
    seeds=1,
    quantities=(
        *quantities.information(("z1", "z2")),
        quantities.PSNR,
        *quantities.probes(("z2", "z1")),
        quantities.mutual_information("z2"),
        *quantities.PICTURES,
    ),
    reduction=Reduction(
        note=f"{len(SMALL_WEIGHTS)} × {len(SMALL_WEIGHTS)} of {len(WEIGHTS)} × {len(WEIGHTS)} layer weights, "
        f"{SMALL_STEPS} of {TRAINING.steps} steps",
        axes=product(axis(BETA2, SMALL_WEIGHTS), axis(BETA1, SMALL_WEIGHTS)),
        assign={"training.steps": SMALL_STEPS},
    ),
)

OBJECTIVES = Study(
    name="digits/objectives",
    question="Which objective gives which rate and distortion, and which codes classify best, on one flat VAE?",
    base=Trial(
        data=Digits(),
        model=FlatModel(latent=16, likelihood=LIKELIHOOD),
        objective=BetaObjective(),
        training=TRAINING,
    ),
    axes=_objectives(TRAINING.steps),
    seeds=3,
    quantities=(
        *quantities.information(("z1",)),
        quantities.PSNR,
        *quantities.probes(("z1",)),
        *quantities.PICTURES,
    ),
    reduction=Reduction(
        note=f"{SMALL_STEPS} of {TRAINING.steps} steps",
        axes=_objectives(SMALL_STEPS),
        assign={"training.steps": SMALL_STEPS},
    ),
)

PAPER = Paper(
    name="digits",
    title="Rate and what it buys, on handwritten digits",
    reference="After T. Z. Xiao and R. Bamler, Trading Information between Latents in Hierarchical Variational "
    "Autoencoders, ICLR 2023, on the digits of scikit-learn",
    studies=(HVAE, OBJECTIVES),
    tables=(
        Output(
            name="best_accuracy",
            title="Best accuracy over the grid",
            studies=(HVAE.name,),
            build="studies.digits.tables:best_accuracy",
        ),
        Output(
            name="optima",
            title="Models that are best for one task",
            studies=(HVAE.name,),
            build="studies.digits.tables:optima",
        ),
        Output(
            name="objectives",
            title="Objectives compared",
            studies=(OBJECTIVES.name,),
            build="studies.digits.tables:objectives",
            options=("correction", "paired"),
        ),
    ),
    figures=(
        Output(
            name="rate_rate",
            title="What each allocation of rate between the layers is good for",
            studies=(HVAE.name,),
            build="studies.digits.figures:rate_rate",
            options=("hull",),
        ),
        Output(
            name="against_total_rate",
            title="Each quantity against the total rate",
            studies=(HVAE.name,),
            build="studies.digits.figures:against_total_rate",
            options=("hull",),
        ),
        Output(
            name="surface",
            title="Where each task is best: over the rates and over the layer weights",
            studies=(HVAE.name,),
            build="studies.digits.figures:surface",
        ),
        Output(
            name="reconstructions",
            title="Reconstructions and samples of three models",
            studies=(HVAE.name,),
            build="studies.digits.figures:reconstructions",
        ),
        Output(
            name="rate_distortion",
            title="The rate–distortion plane of the objectives",
            studies=(OBJECTIVES.name,),
            build="studies.digits.figures:rate_distortion",
        ),
    ),
)
