"""The kinds that ship: data sets, model parts, objectives, optimisers and the training of a trial.

Only descriptions; the code behind each stands in the module that `implementation` names.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from models.spec import (
    AnyDecoder,
    AnyEncoder,
    AnyLikelihood,
    AnyOptimiser,
    Count,
    Data,
    Decoder,
    Encoder,
    Fraction,
    Likelihood,
    Model,
    NonNegative,
    Objective,
    Optimiser,
    Positive,
    Spec,
    Widths,
)

Activation = Literal["relu", "tanh", "elu"]


class Digits(Data):
    """scikit-learn's 1,797 handwritten digits, 8×8 pixels of 0..16: 897 to train on, 900 to test on."""

    kind = "digits"
    implementation = "models.data.digits:load"
    shape = (1, 8, 8)
    levels = 16
    classes = 10


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
    channels: Widths = (16, 16)
    activation: Activation = "relu"


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
    channels: Widths = (16, 16)
    activation: Activation = "relu"


class Binomial(Likelihood):
    """Each pixel a count of `total` Bernoulli draws: masses over 0..total."""

    kind = "binomial"
    implementation = "models.likelihoods:Binomial"
    total: Count


class Bernoulli(Likelihood):
    """Each pixel 0 or 1: masses."""

    kind = "bernoulli"
    implementation = "models.likelihoods:Bernoulli"


class Gaussian(Likelihood):
    """Each pixel, scaled to [0, 1], normal with a fixed standard deviation: a density, not a mass."""

    kind = "gaussian"
    implementation = "models.likelihoods:Gaussian"
    sigma: Positive = 0.71


def _is_convolutional(encoder: Encoder, decoder: Decoder) -> bool:
    return isinstance(encoder, ConvolutionalEncoder) or isinstance(decoder, ConvolutionalDecoder)


def _check_parts(encoder: Encoder, decoder: Decoder, likelihood: Likelihood, data: Data) -> None:
    if isinstance(likelihood, Binomial) and likelihood.total != data.levels:
        raise ValueError(f"likelihood.total must be {data.levels}, the levels of {data.kind}, not {likelihood.total}")
    if isinstance(likelihood, Bernoulli) and data.levels != 1:
        raise ValueError(f"a Bernoulli likelihood needs binary data; {data.kind} has levels 0..{data.levels}")
    _, height, width = data.shape
    for part in (encoder, decoder):
        if isinstance(part, ConvolutionalEncoder | ConvolutionalDecoder):
            factor = 2 ** len(part.channels)
            if height % factor or width % factor:
                raise ValueError(f"each of {len(part.channels)} layers halves the image; {height}×{width} allows fewer")


class FlatModel(Model):
    """One layer of latents: diagonal-Gaussian posterior, standard normal prior (Kingma & Welling 2014)."""

    kind = "flat"
    implementation = "models.vae:build"
    latent: Count
    encoder: AnyEncoder = DenseEncoder()
    decoder: AnyDecoder = DenseDecoder()
    likelihood: AnyLikelihood

    @property
    def convolutional(self) -> bool:
        return _is_convolutional(self.encoder, self.decoder)

    def check(self, data: Data) -> None:
        _check_parts(self.encoder, self.decoder, self.likelihood, data)


class HierarchicalModel(Model):
    """Layers of latents with the generalised top-down structure of Xiao & Bamler (2023), Eqs. 3-6.

    q(z_L|x), q(z_l|z_{l+1}, x), p(z_L) = N(0, I), p(z_l|z_{l+1}), p(x|z_1), all normals diagonal. `latents` are the
    sizes bottom-up, (z1, z2, …); `conditional` are the widths of the networks of p(z_l|z_{l+1}), and of those of
    q(z_l|z_{l+1}, x) after each layer's own encoder of x.
    """

    kind = "hierarchical"
    implementation = "models.hierarchical:build"
    latents: Annotated[tuple[Count, ...], Field(min_length=2)]
    encoder: AnyEncoder = DenseEncoder()
    conditional: Widths = (64,)
    decoder: AnyDecoder = DenseDecoder()
    likelihood: AnyLikelihood

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(f"z{layer + 1}" for layer in range(len(self.latents)))

    @property
    def convolutional(self) -> bool:
        return _is_convolutional(self.encoder, self.decoder)

    def check(self, data: Data) -> None:
        _check_parts(self.encoder, self.decoder, self.likelihood, data)


class BetaObjective(Objective):
    """D + Σ_g β_g R_g: the ELBO at β = 1 (Higgins et al. 2017; per layer, Xiao & Bamler 2023, Eq. 8)."""

    kind = "beta"
    implementation = "models.objectives:Beta"
    numbers = frozenset({"beta"})
    beta: Annotated[tuple[NonNegative, ...], Field(min_length=1)] = (1.0,)

    def check(self, model: Model) -> None:
        if len(self.beta) != len(model.groups):
            raise ValueError(f"objective.beta needs one weight for each of {', '.join(model.groups)}, got {self.beta}")


class AnnealedObjective(Objective):
    """D + β_t R with β_t rising linearly from `start` to `beta` over `steps` steps (Bowman et al. 2016)."""

    kind = "annealed"
    implementation = "models.objectives:Annealed"
    numbers = frozenset({"beta", "start", "steps"})
    beta: NonNegative = 1.0
    start: NonNegative = 0.0
    steps: Count


class FreeBitsObjective(Objective):
    """D + Σ_g max(floor, mean_batch R_g), floor in nats a group (Kingma et al. 2016, Eq. 15)."""

    kind = "free-bits"
    implementation = "models.objectives:FreeBits"
    numbers = frozenset({"floor"})
    floor: NonNegative


class TargetRateObjective(Objective):
    """D + weight · |R − target|, target in nats (Burgess et al. 2018; Alemi et al. 2018 with weight 1)."""

    kind = "target-rate"
    implementation = "models.objectives:TargetRate"
    numbers = frozenset({"target", "weight"})
    target: NonNegative
    weight: Positive = 1.0


class Adam(Optimiser):
    """Adam with bias correction (Kingma & Ba 2015)."""

    kind = "adam"
    implementation = "models.training.optimisers:Adam"
    numbers = frozenset({"learning_rate"})
    learning_rate: Positive = 1e-3
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    epsilon: Positive = 1e-8


class Adamax(Optimiser):
    """Adamax (Kingma & Ba 2015, Algorithm 2), with or without the bias correction."""

    kind = "adamax"
    implementation = "models.training.optimisers:Adamax"
    numbers = frozenset({"learning_rate"})
    learning_rate: Positive = 2e-3
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    epsilon: Positive = 1e-8
    bias_correction: bool = True


class Training(Spec):
    """How long and with what a trial is trained; one step is one batch.

    ema: decay of the exponential moving average of the weights, evaluated in their place; None keeps the last weights.
    """

    steps: Count
    batch_size: Count
    optimiser: AnyOptimiser = Adam()
    ema: Fraction | None = None
    precision: Literal["float32", "float64"] = "float32"
