"""Defaults are science that no id shows: each is pinned here, because a change would mix results.

A trial's id drops the fields that equal their default: with another default new trials would be taken for the stored
ones. What is pinned changes only together with a raised `revision` of the kind. tests/studies/test_constants.py has the
constants.
"""

from __future__ import annotations

import json

import pytest

from models.families import (
    Auxiliary,
    Data,
    Decoder,
    Encoder,
    Likelihood,
    Model,
    Objective,
    Optimiser,
    Prior,
    Schedule,
)
from models.kinds import (
    Adadelta,
    Adam,
    Adamax,
    AnnealedObjective,
    Bernoulli,
    BetaObjective,
    BinaryMnist,
    Binomial,
    Cifar10,
    ClassifierModel,
    ConstantSchedule,
    ConvolutionalAuxiliary,
    ConvolutionalDecoder,
    ConvolutionalEncoder,
    ConvolutionalHierarchy,
    CosineSchedule,
    CrossEntropyObjective,
    DenseDecoder,
    DenseEncoder,
    DenseNet121Encoder,
    Digits,
    DropoutCnnEncoder,
    DuelingObjective,
    FashionMnist,
    FlatModel,
    FreeBitsObjective,
    Gaussian,
    GradientAuxiliary,
    HierarchicalModel,
    HistogramAuxiliary,
    LogisticMixture,
    MarginalsAuxiliary,
    Mnist,
    PixelCnnDecoder,
    PyramidDecoder,
    PyramidEncoder,
    ResNet18Encoder,
    Sgd,
    StandardNormalPrior,
    StepDecaySchedule,
    StochasticMnist,
    Svhn,
    TargetRateObjective,
    ThresholdedMnist,
    Training,
    VampPrior,
    WarmupDecaySchedule,
    WideResNetEncoder,
)
from models.spec import Kind, Spec, kinds
from studies.trial import Trial

FAMILIES = (Data, Encoder, Decoder, Auxiliary, Likelihood, Prior, Model, Objective, Schedule, Optimiser)
LIKELIHOOD = Binomial(total=16)
ADVICE = "stored results would be taken for new ones and mix with them: raise the kind's `revision` (or add a field)"

DENSE = '{"kind": "dense", "widths": [64], "activation": "relu"}'
BINOMIAL = '{"kind": "binomial", "total": 16}'
NORMAL = '{"kind": "standard-normal"}'
CONSTANT = '{"kind": "constant"}'
MOMENTS = '"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-08'
ADAM = f'{{"kind": "adam", "learning_rate": 0.001, {MOMENTS}, "schedule": {CONSTANT}}}'
IMAGES = '"downsample": 1, "train_images": 50000, "test_images": 10000'
PINNED: tuple[tuple[Spec, str], ...] = (  # every kind, with no more than it must be given, and all that this means
    (Digits(), '{"kind": "digits"}'),
    (StochasticMnist(), f'{{"kind": "stochastic-mnist", {IMAGES}, "binarisation": "static"}}'),
    (ThresholdedMnist(), f'{{"kind": "thresholded-mnist", {IMAGES}}}'),
    (Mnist(), f'{{"kind": "mnist", {IMAGES}}}'),
    (FashionMnist(), f'{{"kind": "fashion-mnist", {IMAGES}}}'),
    (BinaryMnist(), '{"kind": "binary-mnist", "train_images": 60000, "test_images": 10000}'),
    (Svhn(), '{"kind": "svhn", "train_images": 73257, "test_images": 26032}'),
    (Cifar10(), '{"kind": "cifar10", "batches": 5, "test_images": 10000}'),
    (DenseEncoder(), DENSE),
    (ConvolutionalEncoder(), '{"kind": "convolutional", "channels": [16, 16], "activation": "relu"}'),
    (PyramidEncoder(), '{"kind": "pyramid", "filters": 64, "halvings": 2}'),
    (WideResNetEncoder(), '{"kind": "wide-resnet", "depth": 16, "width": 4}'),
    (ResNet18Encoder(), '{"kind": "resnet-18", "width": 64}'),
    (DenseNet121Encoder(), '{"kind": "densenet-121", "growth": 32}'),
    (
        DropoutCnnEncoder(),
        '{"kind": "dropout-cnn", "channels": [32, 64], "width": 128, "dropout": [0.25, 0.5]}',
    ),
    (DenseDecoder(), DENSE),
    (ConvolutionalDecoder(), '{"kind": "convolutional", "channels": [16, 16], "activation": "relu"}'),
    (PyramidDecoder(), '{"kind": "pyramid", "filters": 64, "halvings": 2}'),
    (PixelCnnDecoder(), '{"kind": "pixelcnn", "filters": 64, "blocks": 1, "halvings": 2, "weight_norm": true}'),
    (ConvolutionalAuxiliary(), '{"kind": "convolutional", "filters": 64, "halvings": 2}'),
    (GradientAuxiliary(), '{"kind": "gradient", "filters": 64, "halvings": 2}'),
    (MarginalsAuxiliary(), '{"kind": "marginals", "widths": [256, 256]}'),
    (HistogramAuxiliary(), '{"kind": "histogram", "widths": [256, 256]}'),
    (LIKELIHOOD, BINOMIAL),
    (Bernoulli(), '{"kind": "bernoulli"}'),
    (Gaussian(), '{"kind": "gaussian", "sigma": 0.71}'),
    (LogisticMixture(), '{"kind": "logistic-mixture", "components": 5}'),
    (StandardNormalPrior(), NORMAL),
    (VampPrior(), '{"kind": "vamp", "components": 280, "start": "data"}'),
    (
        FlatModel(latent=8, likelihood=LIKELIHOOD),
        f'{{"kind": "flat", "latent": 8, "encoder": {DENSE}, "decoder": {DENSE}, "likelihood": {BINOMIAL}, '
        f'"posterior": "diagonal", "prior": {NORMAL}, "auxiliary": null}}',
    ),
    (
        HierarchicalModel(latents=(16, 8), likelihood=LIKELIHOOD),
        f'{{"kind": "hierarchical", "latents": [16, 8], "encoder": {DENSE}, "conditional": [64], "decoder": {DENSE}, '
        f'"likelihood": {BINOMIAL}}}',
    ),
    (
        ConvolutionalHierarchy(likelihood=Gaussian()),
        '{"kind": "convolutional-hierarchy", "channels": 32, "top": 32, "hidden": 256, "inference": "generalised", '
        '"likelihood": {"kind": "gaussian", "sigma": 0.71}}',
    ),
    (
        ClassifierModel(),
        f'{{"kind": "classifier", "encoder": {DENSE}, "target": null, "augmentation": "none"}}',
    ),
    (BetaObjective(), '{"kind": "beta", "beta": [1.0], "warmup": 0}'),
    (AnnealedObjective(steps=500), '{"kind": "annealed", "beta": 1.0, "start": 0.0, "steps": 500}'),
    (FreeBitsObjective(floor=1.0), '{"kind": "free-bits", "floor": 1.0}'),
    (TargetRateObjective(target=1.0), '{"kind": "target-rate", "target": 1.0, "weight": 1.0}'),
    (
        DuelingObjective(auxiliary_weight=0.1),
        '{"kind": "dueling", "beta": [1.0], "auxiliary_weight": 0.1, "removed_at": null}',
    ),
    (CrossEntropyObjective(), '{"kind": "cross-entropy"}'),
    (ConstantSchedule(), CONSTANT),
    (
        WarmupDecaySchedule(),
        '{"kind": "warmup-decay", "factor": 0.66, "decay": 10000.0, "warmup": 1000.0, "floor": 1e-10}',
    ),
    (StepDecaySchedule(factor=0.7, every=5), '{"kind": "step-decay", "factor": 0.7, "every": 5}'),
    (CosineSchedule(steps=5), '{"kind": "cosine", "steps": 5, "every": 1}'),
    (Adam(), ADAM),
    (
        Adamax(),
        f'{{"kind": "adamax", "learning_rate": 0.002, {MOMENTS}, "bias_correction": true, "schedule": {CONSTANT}}}',
    ),
    (
        Sgd(),
        f'{{"kind": "sgd", "learning_rate": 0.01, "momentum": 0.9, "weight_decay": 0.0, "schedule": {CONSTANT}}}',
    ),
    (
        Adadelta(),
        f'{{"kind": "adadelta", "learning_rate": 1.0, "decay": 0.9, "epsilon": 1e-06, "schedule": {CONSTANT}}}',
    ),
    (
        Training(steps=5, batch_size=2),
        f'{{"steps": 5, "batch_size": 2, "optimiser": {ADAM}, "ema": null, "precision": "float32"}}',
    ),
)


@pytest.mark.parametrize(("shortest", "complete"), PINNED, ids=[type(spec).__name__ for spec, _ in PINNED])
def test_defaults_stand_for_ever(shortest: Spec, complete: str) -> None:
    advice = ADVICE if isinstance(shortest, Kind) else "it has no revision: its defaults never change"
    assert shortest.complete() == json.loads(complete), f"a default of {type(shortest).__name__} has changed; {advice}"


def test_every_kind_that_ships_is_pinned() -> None:
    shipped = {
        kind
        for family in FAMILIES
        for kind in kinds(family).values()
        if kind.__module__.startswith("models.specification")
    }
    assert shipped | {Training} == {type(spec) for spec, _ in PINNED}
    first = Trial(
        data=Digits(),
        model=FlatModel(latent=8, likelihood=LIKELIHOOD),
        objective=BetaObjective(),
        training=Training(steps=5, batch_size=2),
    )
    assert first.seed == 0, f"the default seed has changed; {ADVICE}"
