"""What networks compute is science that no id shows: one trial's terms are pinned for each part that ships.

Defaults and constants are pinned by name in tests/studies; these numbers move with anything else too: a layer,
a formula, an initial distribution or the site of a draw. They change only together with a raised `revision`.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from models.build import build_network
from models.families import Data, Model
from models.initialise import initialise
from models.kinds import (
    Bernoulli,
    BinaryMnist,
    Cifar10,
    ClassifierModel,
    ConvolutionalAuxiliary,
    ConvolutionalHierarchy,
    DenseNet121Encoder,
    DropoutCnnEncoder,
    FashionMnist,
    FlatModel,
    Gaussian,
    GradientAuxiliary,
    HistogramAuxiliary,
    LogisticMixture,
    MarginalsAuxiliary,
    Mnist,
    PixelCnnDecoder,
    PyramidDecoder,
    PyramidEncoder,
    ResNet18Encoder,
    ThresholdedMnist,
    VampPrior,
    WideResNetEncoder,
)
from models.network import Labelled
from models.noise import Noise, key

SMALL: dict[str, Any] = {
    "posterior": "full",
    "encoder": PyramidEncoder(filters=2, halvings=1),
    "prior": VampPrior(components=3),
}
BINARY, GREY = ThresholdedMnist(downsample=2), Mnist(downsample=2)
PYRAMID, PIXELS = PyramidDecoder(filters=2, halvings=1), PixelCnnDecoder(filters=2, halvings=1)
COMPUTED: tuple[tuple[str, Data, Model, tuple[float, ...]], ...] = (
    (
        "pyramid",
        BINARY,
        FlatModel(latent=2, likelihood=Bernoulli(), decoder=PYRAMID, **SMALL),
        (135.81540313, -0.1415225538),
    ),
    (
        "mixture",
        GREY,
        FlatModel(latent=2, likelihood=LogisticMixture(), decoder=PYRAMID, **SMALL),
        (1230.6094737, -0.2103713512),
    ),
    (
        "pixelcnn",
        BINARY,
        FlatModel(latent=2, likelihood=Bernoulli(), decoder=PIXELS, **SMALL),
        (146.67056674, -0.1415225538),
    ),
    *(
        (
            f"{auxiliary.kind}-{data.levels}",
            data,
            FlatModel(latent=2, likelihood=likelihood, decoder=PYRAMID, auxiliary=auxiliary, **SMALL),
            values,
        )
        for auxiliary, data, likelihood, values in (
            (
                ConvolutionalAuxiliary(filters=2, halvings=1),
                BINARY,
                Bernoulli(),
                (135.81540313, -0.1415225538, 135.83105273),
            ),
            (
                GradientAuxiliary(filters=2, halvings=1),
                BINARY,
                Bernoulli(),
                (135.81540313, -0.1415225538, 401.70108825),
            ),
            (
                GradientAuxiliary(filters=2, halvings=1),
                GREY,
                LogisticMixture(),
                (1230.6094737, -0.2103713512, 2325.1081887),
            ),
            (MarginalsAuxiliary(), BINARY, Bernoulli(), (135.81540313, -0.1415225538, 274.60643266)),
            (HistogramAuxiliary(), GREY, LogisticMixture(), (1230.6094737, -0.2103713512, 1087.9831508)),
        )
    ),
    *(
        (
            f"{inference}-{data.kind}",
            data,
            ConvolutionalHierarchy(channels=3, top=2, hidden=5, inference=inference, likelihood=likelihood),
            values,
        )
        for inference, data, likelihood, values in (
            ("generalised", Cifar10(), Gaussian(), (2950.1237133, 9.6853421076, 0.20491776563)),
            ("ladder", Cifar10(), Gaussian(), (2950.3161971, 5.1233087843, 0.19227671673)),
            ("generalised", BinaryMnist(), Bernoulli(), (543.36001534, 9.7205632947, 0.20491776563)),
            ("ladder", BinaryMnist(), Bernoulli(), (543.45372447, 5.1319166757, 0.19739641665)),
        )
    ),
    ("classifier", FashionMnist(), ClassifierModel(encoder=WideResNetEncoder(depth=10, width=1)), (2.4667166752,)),
    ("resnet-18", Cifar10(), ClassifierModel(encoder=ResNet18Encoder(width=8)), (2.2931041853,)),
    ("densenet-121", Cifar10(), ClassifierModel(encoder=DenseNet121Encoder(growth=8)), (2.5257533156,)),
    ("dropout-cnn", BinaryMnist(), ClassifierModel(encoder=DropoutCnnEncoder(channels=(2, 3))), (2.3153449392,)),
    ("augmented", Cifar10(), ClassifierModel(augmentation="crop-flip"), (2.3825137674,)),
)


ADVICE = "what a network computes has changed; stored results would mix with new ones: raise the kind's `revision`"


@pytest.mark.parametrize(("data", "model", "pinned"), [row[1:] for row in COMPUTED], ids=[row[0] for row in COMPUTED])
def test_what_networks_compute_stands_for_ever(data: Data, model: Model, pinned: tuple[float, ...]) -> None:
    """Mean distortion, rate and auxiliary term of two images at a trial's initial parameters, nats."""
    keys = key(0)[None]
    noise = Noise(key(1), 0, torch.float64)
    x = (noise.uniform("x", (2, *data.shape)) * (data.levels + 1)).floor()
    images = (noise.uniform("images", (5, *data.shape)) * (data.levels + 1)).to(torch.uint8)
    network = build_network(model, data).double()
    parameters = {name: value[0] for name, value in initialise(network, keys, torch.float64, images).items()}
    batch = Labelled(x, torch.tensor([1, 7])) if network.supervised else x
    terms = torch.func.functional_call(network, parameters, ("terms", batch, noise))
    values = torch.stack([terms.distortion, *terms.rate, *terms.auxiliary.values()]).mean(1)
    assert values.tolist() == pytest.approx(pinned, rel=1e-8), ADVICE
