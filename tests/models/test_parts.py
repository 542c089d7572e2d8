"""Encoders and decoders: shapes, scaling and the layers that the specification asks for."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from torch import nn

from models import decoders, encoders
from models.families import Data
from models.kinds import (
    Binomial,
    ConvolutionalDecoder,
    ConvolutionalEncoder,
    DenseDecoder,
    DenseEncoder,
    Digits,
    FlatModel,
    HierarchicalModel,
)
from models.noise import Noise, key


class Colour(Data):
    """16×8 images of three channels."""

    shape: ClassVar[tuple[int, int, int]] = (3, 16, 8)
    levels: ClassVar[int] = 255
    classes: ClassVar[int] = 2


DATA = (Digits(), Colour())


@pytest.mark.parametrize("data", DATA, ids=lambda data: type(data).__name__)
@pytest.mark.parametrize("activation", ["relu", "tanh", "elu"])
def test_dense_encoder_has_the_promised_features(data: Data, activation: str) -> None:
    encoder = encoders.Dense(DenseEncoder.model_validate({"widths": (12, 7), "activation": activation}), data)
    assert encoder(torch.ones(5, *data.shape)).shape == (5, 7)
    assert encoder.features == 7
    assert len([layer for layer in encoder.layers if isinstance(layer, nn.Linear)]) == 2


@pytest.mark.parametrize("data", DATA, ids=lambda data: type(data).__name__)
@pytest.mark.parametrize("channels", [(4,), (4, 6), (4, 6, 5)])
def test_convolutional_encoder_halves_the_image_at_each_layer(data: Data, channels: tuple[int, ...]) -> None:
    encoder = encoders.Convolutional(ConvolutionalEncoder(channels=channels), data)
    _, height, width = data.shape
    factor = 2 ** len(channels)
    assert encoder.features == channels[-1] * (height // factor) * (width // factor)
    assert encoder(torch.ones(5, *data.shape)).shape == (5, encoder.features)


@pytest.mark.parametrize("data", DATA, ids=lambda data: type(data).__name__)
@pytest.mark.parametrize("multiplier", [1, 3])
@pytest.mark.parametrize(
    "spec", [DenseDecoder(widths=(9, 11)), ConvolutionalDecoder(channels=(4, 6))], ids=lambda spec: spec.kind
)
def test_decoders_give_the_likelihoods_channels(
    data: Data, multiplier: int, spec: DenseDecoder | ConvolutionalDecoder
) -> None:
    build = decoders.Dense if isinstance(spec, DenseDecoder) else decoders.Convolutional
    decoder = build(spec, data, 5, multiplier)  # type: ignore[arg-type]
    channels, height, width = data.shape
    assert decoder(torch.ones(2, 5)).shape == (2, multiplier * channels, height, width)


def test_convolutional_decoder_mirrors_the_encoder() -> None:
    decoder = decoders.Convolutional(ConvolutionalDecoder(channels=(4, 6)), Digits(), 5, 1)
    assert decoder.input.weight.shape == (6 * 2 * 2, 5)
    sizes = [tuple(layer.weight.shape) for layer in decoder.layers if isinstance(layer, nn.ConvTranspose2d)]
    assert sizes == [(6, 4, 4, 4), (4, 1, 4, 4)]


def test_pixels_enter_scaled_to_the_unit_interval() -> None:
    x = Noise(key(0), 0).uniform("x", (4, 1, 8, 8)).mul(16).round()
    encoder = encoders.Dense(DenseEncoder(widths=(3,)), Digits())
    linear = encoder.layers[0]
    torch.testing.assert_close(encoder(x), linear(x.flatten(1) / 16).relu())


def test_convolutions_that_do_not_fit_the_image_are_refused() -> None:
    encoder = ConvolutionalEncoder(channels=(4, 4, 4, 4))
    for model in (
        FlatModel(latent=2, encoder=encoder, likelihood=Binomial(total=16)),
        HierarchicalModel(latents=(2, 2), encoder=encoder, likelihood=Binomial(total=16)),
    ):
        with pytest.raises(ValueError, match="8×8"):
            model.check(Digits())
