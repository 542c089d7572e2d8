"""The models and data of Dueling Decoders, at the paper's own size and reduced.

A reduced trial asks the same question of 14×14 images (each pixel the mean of 2×2, then the set's own binarisation) and
networks with one halving of the image in place of two, with fewer filters, pseudo-inputs, images and steps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from models.families import AnyData, AnyDecoder, AnyLikelihood
from models.kinds import (
    Adam,
    Bernoulli,
    BetaObjective,
    ConvolutionalAuxiliary,
    DuelingObjective,
    FashionMnist,
    FlatModel,
    GradientAuxiliary,
    HistogramAuxiliary,
    IdxImages,
    LogisticMixture,
    MarginalsAuxiliary,
    Mnist,
    PixelCnnDecoder,
    PyramidDecoder,
    PyramidEncoder,
    StochasticMnist,
    ThresholdedMnist,
    Training,
    VampPrior,
    WarmupDecaySchedule,
)
from studies.axes import Axes, axis
from studies.trial import Trial

FULL_STEPS = 20_000
PIXELCNN, CNN, DUELING = "PixelCNN", "CNN", "Dueling Decoder"
FAMILIES = ("model.decoder", "model.auxiliary", "objective")
BETA, BATCH, LATENT, WEIGHT = (
    "objective.beta[0]",
    "training.batch_size",
    "model.latent",
    "objective.auxiliary_weight",
)


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large the networks, the images and the training are.

    filters: of the encoder, the decoders and the auxiliary decoders, in the units of their specifications. halvings: 2
    for 28×28 images, 1 for 14×14. components: pseudo-inputs of the VampPrior. steps: of training; the schedule of the
    learning rate is stretched with them, so that every training sees the whole of its shape. learning_rate: its scale.
    """

    filters: int = 64
    blocks: int = 1
    halvings: int = 2
    components: int = 280
    downsample: int = 1
    train_images: int = 50_000
    test_images: int = 10_000
    steps: int = FULL_STEPS
    learning_rate: float = 1e-3

    def data(self, kind: type[IdxImages]) -> AnyData:
        fields = {"downsample": self.downsample, "train_images": self.train_images, "test_images": self.test_images}
        return kind.model_validate(fields)

    def data_sets(self, *kinds: type[IdxImages]) -> Axes:
        """The data sets with the likelihoods that they need: all four, or those given."""
        chosen = kinds or (StochasticMnist, ThresholdedMnist, Mnist, FashionMnist)
        pairs = [(self.data(one), _likelihood(one)) for one in chosen]
        return axis(("data", "model.likelihood"), pairs, labels=[one.kind for one in chosen])

    @property
    def _widths(self) -> dict[str, int]:
        """What every pyramid and every PixelCNN of this size has in common."""
        return {"filters": self.filters, "halvings": self.halvings}

    @property
    def pixelcnn(self) -> AnyDecoder:
        return PixelCnnDecoder.model_validate(self._widths | {"blocks": self.blocks})

    @property
    def pyramid(self) -> AnyDecoder:
        return PyramidDecoder.model_validate(self._widths)

    @property
    def convolutional_auxiliary(self) -> ConvolutionalAuxiliary:
        return ConvolutionalAuxiliary.model_validate(self._widths)

    def auxiliaries(self) -> Axes:
        """The four auxiliary decoders of Table 3, in the order of what they must know of the image's space."""
        gradient = GradientAuxiliary.model_validate(self._widths)
        kinds = (self.convolutional_auxiliary, gradient, MarginalsAuxiliary(), HistogramAuxiliary())
        return axis("model.auxiliary", kinds, labels=("Conv", "Gradient", "Marginals", "Histogram"))

    def baselines(self) -> Axes:
        """The autoregressive and the pixel-independent decoder, without an auxiliary one."""
        return axis(
            FAMILIES,
            [(self.pixelcnn, None, BetaObjective()), (self.pyramid, None, BetaObjective())],
            labels=(PIXELCNN, CNN),
        )

    def pixelcnn_alone(self, label: str = PIXELCNN) -> Axes:
        return axis(FAMILIES, [(self.pixelcnn, None, BetaObjective())], labels=(label,))

    def dueling(self, label: str = DUELING) -> Axes:
        """The autoregressive decoder with the auxiliary one of Table 6."""
        choice = (self.pixelcnn, self.convolutional_auxiliary, DuelingObjective(auxiliary_weight=0.1))
        return axis(FAMILIES, [choice], labels=(label,))

    @property
    def optimiser(self) -> Adam:
        stretch = self.steps / FULL_STEPS
        schedule = WarmupDecaySchedule()
        if stretch != 1:
            schedule = WarmupDecaySchedule(decay=schedule.decay * stretch, warmup=schedule.warmup * stretch)
        return Adam(learning_rate=self.learning_rate, schedule=schedule)

    def trial(self, data: type[IdxImages] = ThresholdedMnist, *, dueling: bool = False) -> Trial:
        """A PixelCNN, or with it a Dueling Decoder, at the settings of the best Dueling Decoder of Table 8 on MNIST."""
        return Trial(
            data=self.data(data),
            model=FlatModel(
                latent=16,
                encoder=PyramidEncoder.model_validate(self._widths),
                decoder=self.pixelcnn,
                likelihood=_likelihood(data),
                posterior="full",
                prior=VampPrior(components=self.components),
                auxiliary=self.convolutional_auxiliary if dueling else None,
            ),
            objective=DuelingObjective(auxiliary_weight=0.1) if dueling else BetaObjective(),
            training=Training(steps=self.steps, batch_size=32, optimiser=self.optimiser),
        )


def _likelihood(kind: type[IdxImages]) -> AnyLikelihood:
    """Bernoulli for binary images, a mixture of quantised logistics for those of 8 bits."""
    return Bernoulli() if kind.levels == 1 else LogisticMixture()


def parts(trial: Trial) -> dict[str, object]:
    """What turns the base trial of a study into this one, by path."""
    return {"data": trial.data, "model": trial.model, "objective": trial.objective, "training": trial.training}


FULL = Size()
ENLARGED = Size(filters=128, blocks=3)
SMALL = Size(
    filters=8,
    halvings=1,
    components=32,
    downsample=2,
    train_images=10_000,
    test_images=2_000,
    steps=1_000,
    learning_rate=5e-3,
)
SMALL_ENLARGED = replace(SMALL, filters=16, blocks=3)
JUDGED = replace(SMALL, filters=16, steps=3_000, learning_rate=3e-3)


def note(size: Size, more: str = "", *, steps: int = 0, full_steps: int = 0) -> str:
    """How a reduced study differs from the paper's, in words; steps, full_steps: of a training that is longer."""
    text = (
        f"14×14 images, {size.filters} filters and one halving, {size.components} of {FULL.components} pseudo-inputs, "
        f"{size.train_images:,} training and {size.test_images:,} test images, "
        f"{steps or size.steps:,} of {full_steps or FULL.steps:,} steps, learning rate {size.learning_rate:g} in "
        f"place of {FULL.learning_rate:g}, its schedule scaled with the steps"
    )
    return f"{text}, {more}" if more else text
