"""Defaults and constants are science that no id shows: each is pinned here, because a change would mix results.

A trial's id drops the fields that equal their default and never sees a constant in the code. So with another default,
or another constant, new trials would be taken for the stored ones. What is pinned changes only together with a raised
`revision` of the kind (or, in place of a constant, with a new field whose default is the old value).
"""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from models import (
    augmentation,
    auxiliaries,
    decoders,
    densenet,
    encoders,
    full_normal,
    hierarchical,
    layers,
    logistic_mixture,
    pyramid,
    resnet,
    vamp,
    wide_resnet,
)
from models.build import build_network
from models.data import digits, mnist, sources
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
from models.initialise import initialise
from models.kinds import (
    Adadelta,
    Adam,
    Adamax,
    AnnealedObjective,
    Bernoulli,
    BetaObjective,
    Binomial,
    ClassifierModel,
    ConstantSchedule,
    ConvolutionalAuxiliary,
    ConvolutionalDecoder,
    ConvolutionalEncoder,
    CosineSchedule,
    CrossEntropyObjective,
    DenseDecoder,
    DenseEncoder,
    DenseNet121Encoder,
    Digits,
    DuelingObjective,
    FashionMnist,
    FlatModel,
    FreeBitsObjective,
    Gaussian,
    GradientAuxiliary,
    HierarchicalModel,
    HistogramAuxiliary,
    IdxImages,
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
    TargetRateObjective,
    ThresholdedMnist,
    Training,
    VampPrior,
    WarmupDecaySchedule,
    WideResNetEncoder,
)
from models.noise import Noise, key
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
    (DenseEncoder(), DENSE),
    (ConvolutionalEncoder(), '{"kind": "convolutional", "channels": [16, 16], "activation": "relu"}'),
    (PyramidEncoder(), '{"kind": "pyramid", "filters": 64, "halvings": 2}'),
    (WideResNetEncoder(), '{"kind": "wide-resnet", "depth": 16, "width": 4}'),
    (ResNet18Encoder(), '{"kind": "resnet-18", "width": 64}'),
    (DenseNet121Encoder(), '{"kind": "densenet-121", "growth": 32}'),
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
        ClassifierModel(),
        f'{{"kind": "classifier", "encoder": {DENSE}, "target": null, "augmentation": "none"}}',
    ),
    (BetaObjective(), '{"kind": "beta", "beta": [1.0]}'),
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


def test_the_digits_and_their_split_stand_for_ever() -> None:
    known = (Digits.shape, Digits.levels, Digits.classes, digits.COUNT, digits.TRAIN, digits.DIGEST[:16])
    assert known == ((1, 8, 8), 16, 10, 1797, 897, "87ff0c9e40dc7e2c"), f"the digits have changed; {ADVICE}"


def test_the_image_sets_and_their_splits_stand_for_ever() -> None:
    known = (mnist.OFFICIAL_TRAIN, mnist.OFFICIAL_TEST, mnist.TRAIN, mnist.SIDE, mnist.WHITE, mnist.THRESHOLD)
    assert known == (60_000, 10_000, 50_000, 28, 255, 127), f"the splits or a binarisation have changed; {ADVICE}"
    assert mnist.PART == 1_000, f"the sites of the static binarisation's draws have changed; {ADVICE}"
    levels = {kind: (kind.levels, kind.classes) for kind in (StochasticMnist, ThresholdedMnist, Mnist, FashionMnist)}
    assert list(levels.values()) == [(1, 10), (1, 10), (255, 10), (255, 10)], ADVICE
    shapes = [IdxImages(downsample=side).shape for side in (1, 2)]
    assert shapes == [(1, 28, 28), (1, 14, 14)], ADVICE
    digests = {
        name: [file.md5[:8] for file in official.files]
        for name, official in (("mnist", sources.MNIST), ("fashion-mnist", sources.FASHION_MNIST))
    }
    assert digests == {
        "mnist": ["f68b3c2d", "d53e105e", "9fb629c4", "ec29112d"],
        "fashion-mnist": ["8d4fb7e6", "25c81989", "bef4ecab", "bb300cfd"],
    }, f"the official files have changed; {ADVICE}"


def test_the_constants_of_networks_stand_for_ever() -> None:
    assert (pyramid.KERNEL, pyramid.PADDING, pyramid.CORE) == (5, 2, 7), f"the pyramids have changed; {ADVICE}"
    residual = (wide_resnet.STEM, wide_resnet.STAGES, wide_resnet.GROUPS)
    assert residual == (16, (16, 32, 64), 8), f"the wide residual networks have changed; {ADVICE}"
    assert (resnet.STAGES, resnet.BLOCKS, resnet.GROUPS) == ((1, 2, 4, 8), 2, 8), f"ResNet-18 has changed; {ADVICE}"
    dense = (densenet.BLOCKS, densenet.STEM, densenet.BOTTLENECK, densenet.COMPRESSION, densenet.GROUP)
    assert dense == ((6, 12, 24, 16), 2, 4, 2, 8), f"DenseNet-121 has changed; {ADVICE}"
    assert augmentation.PADDING == 4, f"the augmentation has changed; {ADVICE}"
    counting = (auxiliaries.ACTIVATION, auxiliaries.COMPONENTS)
    assert counting == ("relu", 5), f"the auxiliary decoders have changed; {ADVICE}"
    mixture = (logistic_mixture.UNIT, logistic_mixture.MIN_LOG_SCALE, logistic_mixture.PARAMETERS)
    assert mixture == (127.5, -7.0, 3), f"the logistic mixtures have changed; {ADVICE}"
    assert full_normal.FLOOR == 1e-5, f"the full normals have changed; {ADVICE}"
    pseudo = (vamp.CONSTANT, vamp.SPREAD, vamp.MARGIN, vamp.INTENSITIES)
    assert pseudo == (0.05, 0.01, 0.03, 255), f"the start of pseudo-inputs has changed; {ADVICE}"
    assert hierarchical.ACTIVATION == "relu", f"the conditional networks' activation has changed; {ADVICE}"
    convolution = (encoders.KERNEL, encoders.STRIDE, encoders.PADDING)
    assert convolution == (4, 2, 1), f"the convolutions have changed; {ADVICE}"
    activations = {name: repr(layer()) for name, layer in layers.ACTIVATIONS.items()}
    pinned = {"relu": "ReLU()", "tanh": "Tanh()", "elu": "ELU(alpha=1.0)"}
    assert {name: activations.get(name) for name in pinned} == pinned, f"an activation has changed; {ADVICE}"


def test_the_layers_of_networks_stand_for_ever() -> None:
    """That the constants are in use, and nothing beside them."""
    relu, elu = "ReLU()", "ELU(alpha=1.0)"
    encoder = encoders.Convolutional(ConvolutionalEncoder(activation="elu"), Digits())
    decoder = decoders.Convolutional(ConvolutionalDecoder(activation="elu"), Digits(), 3, 1)
    shape = "kernel_size=(4, 4), stride=(2, 2), padding=(1, 1))"
    assert _layers(encoder) == [f"Conv2d(1, 16, {shape}", elu, f"Conv2d(16, 16, {shape}", elu], ADVICE
    assert _layers(decoder) == [
        "Linear(in_features=3, out_features=64, bias=True)",
        *(elu, f"ConvTranspose2d(16, 16, {shape}"),
        *(elu, f"ConvTranspose2d(16, 1, {shape}"),
    ], ADVICE
    model = HierarchicalModel(latents=(4, 2), encoder=DenseEncoder(activation="elu"), likelihood=LIKELIHOOD)
    network = build_network(model, Digits())
    (prior,), (posterior,) = network.conditional_priors, network.conditional_posteriors
    for conditional, size in ((prior, 2), (posterior, 64 + 2)):
        first = f"Linear(in_features={size}, out_features=64, bias=True)"
        assert _layers(conditional)[:2] == [first, relu], f"a conditional network has changed; {ADVICE}"


def _layers(module: nn.Module) -> list[str]:
    return [repr(layer) for layer in module.modules() if not list(layer.children())]


def test_the_default_initialisation_stands_for_ever() -> None:
    """Uniform on ±1/√fan_in, written out for one layer of each type, biases too."""
    bounds = {
        "encoder.layers.0": 0.25,  # a convolution of 4 × 4 on 1 channel: 16 inputs
        "encoder.layers.2": 0.0625,  # on 16 channels: 256
        "posterior.linear": 0.125,  # 64 features
        "decoder.input": 0.5,  # 4 latents
        "decoder.layers.1": 0.0625,  # a transposed convolution of 4 × 4 to 16 channels: 256, as PyTorch counts
        "decoder.layers.3": 0.25,  # to 1 channel: 16
    }
    parts = {"encoder": ConvolutionalEncoder(), "decoder": ConvolutionalDecoder(), "likelihood": LIKELIHOOD}
    network = build_network(FlatModel(latent=4, **parts), Digits())
    keys = torch.stack([key(seed) for seed in range(2)])
    values = initialise(network, keys, torch.float64, torch.zeros(1, 1, 8, 8, dtype=torch.uint8))
    assert {name.rpartition(".")[0] for name in values} == set(bounds), ADVICE
    noise = Noise(keys, torch.zeros(2, dtype=torch.int64), torch.float64)
    for name, value in values.items():
        bound = bounds[name.rpartition(".")[0]]
        drawn = (2 * noise.uniform(f"init/{name}", tuple(value.shape[1:])) - 1) * bound
        torch.testing.assert_close(
            value, drawn, rtol=0, atol=1e-12, msg=lambda why: f"the initialisation has changed; {ADVICE}\n{why}"
        )
