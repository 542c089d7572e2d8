"""Constants and layers are science that no id shows: each is pinned here, because a change would mix results.

A trial's id never sees a constant in the code. So with another constant new trials would be taken for the stored ones.
What is pinned changes only together with a raised `revision` of the kind, or with a new field whose default is the old
value. tests/studies/test_defaults.py has the defaults.
"""

from __future__ import annotations

import torch
from torch import nn

from models import (
    augmentation,
    auxiliaries,
    convolutional_hierarchy,
    decoders,
    densenet,
    dropout_cnn,
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
from models.initialise import initialise
from models.kinds import (
    BinaryMnist,
    Binomial,
    Cifar10,
    ConvolutionalDecoder,
    ConvolutionalEncoder,
    DenseEncoder,
    Digits,
    FashionMnist,
    FlatModel,
    HierarchicalModel,
    IdxImages,
    Mnist,
    StochasticMnist,
    Svhn,
    ThresholdedMnist,
)
from models.noise import Noise, key

LIKELIHOOD = Binomial(total=16)
ADVICE = "stored results would be taken for new ones and mix with them: raise the kind's `revision` (or add a field)"


def test_the_digits_and_their_split_stand_for_ever() -> None:
    known = (Digits.shape, Digits.levels, Digits.classes, digits.COUNT, digits.TRAIN, digits.DIGEST[:16])
    assert known == ((1, 8, 8), 16, 10, 1797, 897, "87ff0c9e40dc7e2c"), f"the digits have changed; {ADVICE}"


def test_the_image_sets_and_their_splits_stand_for_ever() -> None:
    known = (mnist.OFFICIAL_TRAIN, mnist.OFFICIAL_TEST, mnist.TRAIN, mnist.SIDE, mnist.WHITE, mnist.THRESHOLD)
    assert known == (60_000, 10_000, 50_000, 28, 255, 127), f"the splits or a binarisation have changed; {ADVICE}"
    assert mnist.PART == 1_000, f"the sites of the static binarisation's draws have changed; {ADVICE}"
    levels = {kind: (kind.levels, kind.classes) for kind in (StochasticMnist, ThresholdedMnist, Mnist, FashionMnist)}
    assert list(levels.values()) == [(1, 10), (1, 10), (255, 10), (255, 10)], ADVICE
    images = {kind: (kind.shape, kind.levels, kind.classes) for kind in (BinaryMnist, Svhn, Cifar10)}
    assert list(images.values()) == [((1, 28, 28), 1, 10), ((3, 32, 32), 255, 10), ((3, 32, 32), 255, 10)], ADVICE
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
    hierarchy = (convolutional_hierarchy.KERNEL, convolutional_hierarchy.CORE, convolutional_hierarchy.HALVING)
    assert hierarchy == (4, 4, (2, 1)), f"the convolutional hierarchies have changed; {ADVICE}"
    assert convolutional_hierarchy.REACHING == {32: (2, 1), 28: (1, 0)}, ADVICE
    assert dropout_cnn.KERNEL == 3, f"the small classifier has changed; {ADVICE}"
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
