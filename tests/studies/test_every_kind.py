"""Every kind that ships stands for itself: a form of its own, read back as what it was, and in a trial another id."""

from __future__ import annotations

import json

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
from models.spec import Kind, kinds, parse
from studies.trial import Trial

FAMILIES = (Data, Encoder, Decoder, Auxiliary, Likelihood, Prior, Model, Objective, Schedule, Optimiser)
SHORTEST: tuple[Kind, ...] = (  # every kind that ships, with no more than it must be given
    Digits(),
    StochasticMnist(),
    ThresholdedMnist(),
    Mnist(),
    FashionMnist(),
    BinaryMnist(),
    Svhn(),
    Cifar10(),
    DenseEncoder(),
    ConvolutionalEncoder(),
    PyramidEncoder(),
    WideResNetEncoder(),
    ResNet18Encoder(),
    DenseNet121Encoder(),
    DropoutCnnEncoder(),
    DenseDecoder(),
    ConvolutionalDecoder(),
    PyramidDecoder(),
    PixelCnnDecoder(),
    ConvolutionalAuxiliary(),
    GradientAuxiliary(),
    MarginalsAuxiliary(),
    HistogramAuxiliary(),
    Binomial(total=16),
    Bernoulli(),
    Gaussian(),
    LogisticMixture(),
    StandardNormalPrior(),
    VampPrior(),
    FlatModel(latent=8, likelihood=Binomial(total=16)),
    HierarchicalModel(latents=(16, 8), likelihood=Binomial(total=16)),
    ConvolutionalHierarchy(likelihood=Gaussian()),
    ClassifierModel(),
    BetaObjective(),
    AnnealedObjective(steps=500),
    FreeBitsObjective(floor=1.0),
    TargetRateObjective(target=1.0),
    DuelingObjective(auxiliary_weight=0.1),
    CrossEntropyObjective(),
    ConstantSchedule(),
    WarmupDecaySchedule(),
    StepDecaySchedule(factor=0.7, every=5),
    CosineSchedule(steps=5),
    Adam(),
    Adamax(),
    Sgd(),
    Adadelta(),
)

DEEP = ResNet18Encoder, DenseNet121Encoder  # for images that halve three times


class BinaryImages(Data):
    """Data that nearly every part of ours can describe."""

    kind = "test-identity-binary"
    shape = (1, 28, 28)
    levels = 1
    classes = 10


def test_every_kind_that_ships_has_a_form_of_its_own() -> None:
    shipped = [
        kind
        for family in FAMILIES
        for kind in kinds(family).values()
        if kind.__module__.startswith("models.specification")
    ]
    assert set(shipped) == {type(part) for part in SHORTEST}
    for family in FAMILIES:
        forms = [part.canonical_json for part in SHORTEST if isinstance(part, family)]
        assert len(set(forms)) == len(forms)
        for part in SHORTEST:
            if isinstance(part, family):
                assert parse(family, json.loads(part.canonical_json)) == part


def test_every_kind_that_ships_gives_a_trial_an_id_of_its_own() -> None:
    def of(family: type[Kind]) -> list[Kind]:
        return [part for part in SHORTEST if isinstance(part, family)]

    def plain(**parts: Kind) -> FlatModel:
        return FlatModel.model_validate({"latent": 8, "likelihood": Bernoulli()} | parts)

    models = [
        plain(),
        plain(posterior="full"),
        *(plain(likelihood=one) for one in (Binomial(total=1), Gaussian())),
        *(plain(encoder=one) for one in of(Encoder)[1:] if not isinstance(one, DEEP)),
        *(plain(decoder=one) for one in of(Decoder)[1:]),
        *(plain(prior=one) for one in of(Prior)[1:]),
        HierarchicalModel(latents=(16, 8), likelihood=Bernoulli()),
        *(ConvolutionalHierarchy(likelihood=Bernoulli(), inference=one) for one in ("generalised", "ladder")),
    ]
    dueling = [plain(auxiliary=one) for one in of(Auxiliary)]
    classifiers = [ClassifierModel(), *(ClassifierModel(target=one) for one in of(Auxiliary))]
    rated = [
        one for one in of(Objective) if not isinstance(one, BetaObjective | DuelingObjective | CrossEntropyObjective)
    ]
    pairs = [
        *((model, objective) for model in models for objective in rated),
        *((model, BetaObjective(beta=(1,) * len(model.groups))) for model in models),
        *((model, objective) for model in dueling for objective in of(Objective) if objective.kind == "dueling"),
        *((model, CrossEntropyObjective()) for model in classifiers),
    ]
    trainings = [
        Training(steps=5, batch_size=2, optimiser=type(optimiser).model_validate({"schedule": schedule}))
        for optimiser in of(Optimiser)
        for schedule in of(Schedule)
    ]
    trials = [
        Trial(data=BinaryImages(), model=model, objective=objective, training=training)
        for model, objective in pairs
        for training in trainings
    ]
    trials += [
        Trial(
            data=Cifar10(),
            model=ClassifierModel(encoder=encoder, augmentation=augmentation),
            objective=CrossEntropyObjective(),
            training=trainings[0],
        )
        for encoder in of(Encoder)
        if isinstance(encoder, DEEP)
        for augmentation in ("none", "crop-flip")
    ]
    for data in of(Data)[1:]:
        likelihood = Bernoulli() if data.levels == 1 else Gaussian()
        trials.append(
            Trial(data=data, model=plain(likelihood=likelihood), objective=BetaObjective(), training=trainings[0])
        )
    assert len({trial.id for trial in trials}) == len(trials) == 16 * (4 * 15 + 4 + 5) + 4 + 7
