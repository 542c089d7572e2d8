"""Dueling Decoders: Regularizing Variational Autoencoder Latent Spaces (Seybold, Fertig, Alemi & Fischer 2019)."""

from __future__ import annotations

from models.families import Objective
from models.kinds import (
    AnnealedObjective,
    BetaObjective,
    DuelingObjective,
    FashionMnist,
    FreeBitsObjective,
    TargetRateObjective,
)
from studies import quantities
from studies.axes import Axes, axis, product, union
from studies.dueling.sizes import (
    BATCH,
    BETA,
    DUELING,
    ENLARGED,
    FULL,
    JUDGED,
    LATENT,
    PIXELCNN,
    SMALL,
    SMALL_ENLARGED,
    WEIGHT,
    Size,
    note,
    parts,
)
from studies.paper import Output, Paper
from studies.paths import assign
from studies.study import Reduction, Study

BETAS, BATCHES, LATENTS, WEIGHTS = (0.1, 1.0), (32, 64), (2, 16, 64), (0.1, 1.0)
SEEDS = 3
TARGET_RATE = 10.0  # nats: Table 2 has free bits at 10.16 and the penalty at 10.04
ANNEALING = (0.25, 0.5, 0.75, 1.0)  # of the training: 5,000 to 20,000 steps
REMOVAL = (0.0, 0.25, 0.5, 1.0)  # of the first 20,000 steps: at 0, 5,000, 10,000 and 20,000 (Fig. 4)

MEASURED = (
    *quantities.information(("z1",)),
    *quantities.semantic("z1"),
    *quantities.semantic_reconstruction("studies.dueling.prerequisites:reference"),
)
SUPERVISED = quantities.supervised_accuracy("studies.dueling.prerequisites:supervised")


def _grid(size: Size) -> Axes:
    """PixelCNN, CNN and Dueling Decoder, each at every β, batch size and number of latents, the last at every λ."""
    common = (axis(BETA, BETAS), axis(BATCH, BATCHES), axis(LATENT, LATENTS))
    duel = product(size.dueling(), axis(WEIGHT, WEIGHTS), *common)
    return product(size.data_sets(), union(product(size.baselines(), *common), duel))


def _enlarged(size: Size, latents: tuple[int, ...] = LATENTS) -> Axes:
    """The enlarged networks on Fashion-MNIST, whose size limits the batch to 32."""
    common = (axis(BETA, BETAS), axis(LATENT, latents))
    duel = product(size.dueling(f"{DUELING}+"), axis(WEIGHT, WEIGHTS), *common)
    return product(size.data_sets(FashionMnist), union(product(size.pixelcnn_alone(f"{PIXELCNN}+"), *common), duel))


def _objectives(size: Size) -> Axes:
    """One architecture under each objective of Table 2."""
    lengths = [round(part * size.steps) for part in ANNEALING]
    alone: dict[str, Objective] = {
        "β = 1": BetaObjective(),
        "β = 0.1": BetaObjective(beta=(0.1,)),
        **{f"KL annealing over {steps:,} steps": AnnealedObjective(steps=steps) for steps in lengths},
        "free bits": FreeBitsObjective(floor=TARGET_RATE),
        "target rate": TargetRateObjective(target=TARGET_RATE),
    }
    dueling = {f"Dueling λ = {weight:g}": DuelingObjective(auxiliary_weight=weight) for weight in WEIGHTS}
    return union(
        axis(("objective", "model.auxiliary"), [(one, None) for one in alone.values()], labels=list(alone)),
        axis(
            ("objective", "model.auxiliary"),
            [(one, size.convolutional_auxiliary) for one in dueling.values()],
            labels=list(dueling),
        ),
    )


def _auxiliaries(
    size: Size,
    betas: tuple[float, ...] = BETAS,
    batches: tuple[int, ...] = BATCHES,
    latents: tuple[int, ...] = LATENTS,
) -> Axes:
    """Each auxiliary decoder over the grid of the Dueling Decoder; those with the convolutional one are the grid's."""
    return product(
        size.auxiliaries(),
        axis(BETA, betas),
        axis(BATCH, batches),
        axis(LATENT, latents),
        axis(WEIGHT, WEIGHTS),
    )


def _removal(size: Size) -> Axes:
    """λ = 0.1 until a step, and 0 from it on; trained for twice as long."""
    return axis("objective.removed_at", [round(part * size.steps) for part in REMOVAL])


GRID = Study(
    name="dueling/grid",
    question="Does an auxiliary decoder put more of the image's meaning into the latents of an autoregressive decoder "
    "at like rate?",
    base=FULL.trial(),
    axes=_grid(FULL),
    seeds=SEEDS,
    quantities=(*MEASURED, *quantities.latents("z1")),
    reduction=Reduction(note=note(SMALL), axes=_grid(SMALL), assign=parts(SMALL.trial())),
)

ENLARGED_STUDY = Study(
    name="dueling/enlarged",
    question="Does the auxiliary decoder keep an enlarged autoregressive decoder, limited to small batches, from "
    "ignoring its latents on Fashion-MNIST?",
    base=ENLARGED.trial(FashionMnist),
    axes=_enlarged(ENLARGED),
    seeds=SEEDS,
    quantities=MEASURED,
    reduction=Reduction(
        note=note(SMALL_ENLARGED, "2 and 16 of 2, 16 and 64 latents"),
        axes=_enlarged(SMALL_ENLARGED, latents=(2, 16)),
        assign=parts(SMALL_ENLARGED.trial(FashionMnist)),
    ),
)

OBJECTIVES = Study(
    name="dueling/objectives",
    question="Which change of the objective keeps an autoregressive decoder from ignoring its latents, and what do "
    "they hold then?",
    base=FULL.trial(),
    axes=_objectives(FULL),
    seeds=SEEDS,
    quantities=MEASURED,
    reduction=Reduction(note=note(JUDGED), axes=_objectives(JUDGED), assign=parts(JUDGED.trial())),
)

AUXILIARIES = Study(
    name="dueling/auxiliaries",
    question="What must an auxiliary decoder reconstruct for the latents to hold meaning?",
    base=FULL.trial(dueling=True),
    axes=_auxiliaries(FULL),
    seeds=SEEDS,
    quantities=(*MEASURED, SUPERVISED),
    reduction=Reduction(
        note=note(SMALL, "β = 1 and batches of 32 only, 2 and 16 of 2, 16 and 64 latents"),
        axes=_auxiliaries(SMALL, betas=(1.0,), batches=(32,), latents=(2, 16)),
        assign=parts(SMALL.trial(dueling=True)),
    ),
)

REMOVAL_STUDY = Study(
    name="dueling/removal",
    question="Does a model that leaves its auxiliary decoder behind fall back to ignoring its latents?",
    base=assign(FULL.trial(dueling=True), "training.steps", 2 * FULL.steps),
    axes=_removal(FULL),
    seeds=SEEDS,
    quantities=MEASURED,
    reduction=Reduction(
        note=note(SMALL, steps=2 * SMALL.steps, full_steps=2 * FULL.steps),
        axes=_removal(SMALL),
        assign=parts(assign(SMALL.trial(dueling=True), "training.steps", 2 * SMALL.steps)),
    ),
)


def _table(number: int, title: str, study: Study, also: tuple[Study, ...] = (), *, tests: bool = False) -> Output:
    return Output(
        name=f"table{number}",
        title=title,
        studies=(study.name,),
        also=tuple(one.name for one in also),
        build=f"studies.dueling.tables:table{number}",
        options=("correction", "paired") if tests else (),
    )


def _figure(name: str, title: str, study: Study = GRID) -> Output:
    return Output(name=name, title=title, studies=(study.name,), build=f"studies.dueling.figures:{name}")


PAPER = Paper(
    name="dueling",
    title="Dueling Decoders: Regularizing Variational Autoencoder Latent Spaces",
    reference="B. Seybold, E. Fertig, A. Alemi and I. Fischer, Dueling Decoders: Regularizing Variational Autoencoder "
    "Latent Spaces, arXiv:1905.07478, 2019",
    studies=(GRID, ENLARGED_STUDY, OBJECTIVES, AUXILIARIES, REMOVAL_STUDY),
    tables=(
        _table(1, "The best low-rate model of each decoder", GRID, (ENLARGED_STUDY,), tests=True),
        _table(2, "Changes of the objective compared", OBJECTIVES, tests=True),
        _table(3, "Auxiliary decoders compared", AUXILIARIES, (GRID,)),
        _table(4, "How far one semantic accuracy predicts another", GRID),
        Output(
            name="table4_ratios",
            title="How much of the accuracy of an MLP the other measures keep",
            studies=(GRID.name,),
            build="studies.dueling.tables:table4_ratios",
        ),
        _table(8, "Settings of the best low-rate models", GRID, (ENLARGED_STUDY,)),
    ),
    figures=(
        _figure("figure2", "Reconstructions by the best low-rate models"),
        _figure("figure3", "Semantic accuracy against rate and distortion"),
        _figure("figure4", "Removing the auxiliary decoder while training", REMOVAL_STUDY),
        _figure("figure5", "Accuracy of reconstructions and of representations"),
        _figure("figure6", "Posteriors over two latents, on thresholded MNIST"),
        _figure("figure7", "The rate–distortion plane"),
        _figure("figure8", "Posteriors over two latents, on every data set"),
        _figure("figure9", "t-SNE of the posterior means"),
        _figure("objectives", "What each change of the objective buys with its rate", OBJECTIVES),
        _figure("auxiliaries", "What each auxiliary decoder puts into the latents", AUXILIARIES),
        _figure("enlarged", "The enlarged networks on Fashion-MNIST", ENLARGED_STUDY),
    ),
)
