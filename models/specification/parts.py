"""Parts of models: encoders, decoders, auxiliary decoders, likelihoods and priors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from models.families import Auxiliary, Data, Decoder, Encoder, Likelihood, Prior
from models.spec import Count, Fraction, Positive, Widths

Activation = Literal["relu", "tanh", "elu"]
Even = Annotated[int, Field(strict=True, ge=2, multiple_of=2)]
Eights = Annotated[int, Field(strict=True, ge=8, multiple_of=8)]  # groups of channels are normalised together
CORE = 7  # the height and width at which the networks of Seybold et al. (2019) stop halving an image


def _check_halvings(halvings: int, data: Data) -> None:
    _, height, width = data.shape
    if height % 2**halvings or width % 2**halvings:
        raise ValueError(f"each of {halvings} layers halves the image; {height}×{width} allows fewer")


def _check_core(halvings: int, data: Data) -> None:
    _, height, width = data.shape
    side = CORE * 2**halvings
    if (height, width) != (side, side):
        raise ValueError(
            f"halvings={halvings} is for {side}×{side} images, which end at {CORE}×{CORE}, not {height}×{width}"
        )


class DenseEncoder(Encoder):
    """Fully connected layers on the flattened image."""

    kind = "dense"
    implementation = "models.encoders:Dense"
    widths: Widths = (64,)
    activation: Activation = "relu"


class ConvolutionalEncoder(Encoder):
    """Convolutions of stride 2, then flattened: each layer halves the image (kernel 4, padding 1)."""

    kind = "convolutional"
    implementation = "models.encoders:Convolutional"
    convolutional = True
    channels: Widths = (16, 16)
    activation: Activation = "relu"

    def check(self, data: Data) -> None:
        _check_halvings(len(self.channels), data)


class PyramidEncoder(Encoder):
    """The encoder of Seybold et al. (2019), Table 5, in units of `filters`: convolutions of kernel 5, each followed by
    a ReLU, with filters/2 channels at full size, then twice `filters` at each half size (the first of them with stride
    2), and a last one of kernel 7 over all that is left, with 2·filters.

    halvings: 2 for 28×28 images, as in the table; 1 for 14×14.
    """

    kind = "pyramid"
    implementation = "models.pyramid:Encoder"
    convolutional = True
    filters: Even = 64
    halvings: Literal[1, 2] = 2

    def check(self, data: Data) -> None:
        _check_core(self.halvings, data)


class WideResNetEncoder(Encoder):
    """A wide residual network without its last layer (Zagoruyko & Komodakis 2016): WRN-depth-width.

    Networks here are pure functions of their parameters, so group normalisation stands where theirs has batch
    normalisation.
    """

    kind = "wide-resnet"
    implementation = "models.wide_resnet:WideResNet"
    convolutional = True
    depth: Literal[10, 16, 22, 28, 40] = 16
    width: Count = 4

    def check(self, data: Data) -> None:
        _check_halvings(2, data)


class ResNet18Encoder(Encoder):
    """ResNet-18 for small images without its last layer (He et al. 2016): stages of 1, 2, 4 and 8 times `width`, with
    group for batch normalisation, as in the wide ones."""

    kind = "resnet-18"
    implementation = "models.resnet:ResNet18"
    convolutional = True
    width: Eights = 64

    def check(self, data: Data) -> None:
        _check_halvings(3, data)


class DenseNet121Encoder(Encoder):
    """DenseNet-121 for small images without its last layer (Huang et al. 2017), likewise."""

    kind = "densenet-121"
    implementation = "models.densenet:DenseNet121"
    convolutional = True
    growth: Eights = 32

    def check(self, data: Data) -> None:
        _check_halvings(3, data)


class DropoutCnnEncoder(Encoder):
    """The small classifier by which Xiao & Bamler (2023) judge samples of MNIST, without its last layer (their code):
    convolutions of kernel 3 to `channels`, the maximum of 2×2, a dense layer of `width`, dropout before and after it.
    """

    kind = "dropout-cnn"
    implementation = "models.dropout_cnn:DropoutCnn"
    convolutional = True
    channels: Widths = (32, 64)
    width: Count = 128
    dropout: tuple[Fraction, Fraction] = (0.25, 0.5)

    def check(self, data: Data) -> None:
        _check_halvings(1, data)


class DenseDecoder(Decoder):
    """Fully connected layers to the flattened image."""

    kind = "dense"
    implementation = "models.decoders:Dense"
    widths: Widths = (64,)
    activation: Activation = "relu"


class ConvolutionalDecoder(Decoder):
    """The mirror of the convolutional encoder: each transposed convolution doubles the image."""

    kind = "convolutional"
    implementation = "models.decoders:Convolutional"
    convolutional = True
    channels: Widths = (16, 16)
    activation: Activation = "relu"

    def check(self, data: Data) -> None:
        _check_halvings(len(self.channels), data)


class PyramidDecoder(Decoder):
    """The pixel-independent decoder of Seybold et al. (2019), Table 6, in units of `filters`; see PyramidEncoder."""

    kind = "pyramid"
    implementation = "models.pyramid:Decoder"
    convolutional = True
    filters: Even = 64
    halvings: Literal[1, 2] = 2

    def check(self, data: Data) -> None:
        _check_core(self.halvings, data)


class PixelCnnDecoder(Decoder):
    """The autoregressive decoder of Seybold et al. (2019), Table 7, after PixelCNN++ (Salimans et al. 2017).

    filters: of every block (64, enlarged 128). blocks: gated blocks at each resolution after the one that reaches it
    (1, enlarged 3). halvings: how often the image is halved on the way down (2 in the table).
    """

    kind = "pixelcnn"
    implementation = "models.pixelcnn:PixelCnn"
    convolutional = True
    autoregressive = True
    filters: Count = 64
    blocks: Count = 1
    halvings: Literal[1, 2] = 2
    weight_norm: bool = True

    def check(self, data: Data) -> None:
        _check_halvings(self.halvings, data)


class ConvolutionalAuxiliary(Auxiliary):
    """The auxiliary decoder that reconstructs each pixel by itself: Table 6 of Seybold et al. (2019) under the model's
    own likelihood."""

    kind = "convolutional"
    implementation = "models.auxiliaries:Convolutional"
    convolutional = True
    filters: Even = 64
    halvings: Literal[1, 2] = 2

    def check(self, data: Data) -> None:
        _check_core(self.halvings, data)


class GradientAuxiliary(Auxiliary):
    """Reconstructs the local changes of intensity, right and down, each by itself (Seybold et al. 2019, Sec. 4.4)."""

    kind = "gradient"
    implementation = "models.auxiliaries:Gradient"
    convolutional = True
    filters: Even = 64
    halvings: Literal[1, 2] = 2

    def check(self, data: Data) -> None:
        _check_core(self.halvings, data)


class MarginalsAuxiliary(Auxiliary):
    """Reconstructs the distribution of intensities in each row and in each column (Seybold et al. 2019, Sec. 4.4)."""

    kind = "marginals"
    implementation = "models.auxiliaries:Marginals"
    widths: Widths = (256, 256)


class HistogramAuxiliary(Auxiliary):
    """Reconstructs the distribution of intensities over the whole image (Seybold et al. 2019, Sec. 4.4)."""

    kind = "histogram"
    implementation = "models.auxiliaries:Histogram"
    widths: Widths = (256, 256)


class Binomial(Likelihood):
    """Each pixel a count of `total` Bernoulli draws: masses over 0..total."""

    kind = "binomial"
    implementation = "models.likelihoods:Binomial"
    total: Count

    def check(self, data: Data) -> None:
        if self.total != data.levels:
            raise ValueError(f"likelihood.total must be {data.levels}, the levels of {data.kind}, not {self.total}")


class Bernoulli(Likelihood):
    """Each pixel 0 or 1: masses."""

    kind = "bernoulli"
    implementation = "models.likelihoods:Bernoulli"

    def check(self, data: Data) -> None:
        if data.levels != 1:
            raise ValueError(f"a Bernoulli likelihood needs binary data; {data.kind} has levels 0..{data.levels}")


class Gaussian(Likelihood):
    """Each pixel, scaled to [0, 1], normal with a fixed standard deviation: a density, not a mass."""

    kind = "gaussian"
    implementation = "models.likelihoods:Gaussian"
    sigma: Positive = 0.71


class LogisticMixture(Likelihood):
    """Each grey pixel from a mixture of logistics quantised to 0..255: masses (Salimans et al. 2017, Eq. 2)."""

    kind = "logistic-mixture"
    implementation = "models.logistic_mixture:LogisticMixture"
    components: Count = 5

    def check(self, data: Data) -> None:
        if data.levels != 255 or data.shape[0] != 1:
            raise ValueError(
                f"a logistic mixture needs grey images of 0..255; {data.kind} has {data.shape[0]} channels of "
                f"0..{data.levels}"
            )


class StandardNormalPrior(Prior):
    """p(z) = N(0, I)."""

    kind = "standard-normal"
    implementation = "models.priors:standard_normal"


class VampPrior(Prior):
    """p(z) = (1/C) Σ_c q(z|u_c) with learned pseudo-inputs u_c (Tomczak & Welling 2018), C = `components`.

    start: pseudo-inputs begin near random training images ('data') or near a constant ('noise').
    """

    kind = "vamp"
    implementation = "models.vamp:vamp"
    components: Count = 280
    start: Literal["data", "noise"] = "data"
