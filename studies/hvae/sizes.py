"""The models and trainings of Trading Information between Latents, at the paper's own size and reduced.

A reduced trial is the paper's own model on a part of the data, with smaller batches, fewer steps and a larger learning
rate: so few steps at the paper's rate of 3e-4 would leave every model of the grid where it began.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.families import AnyData
from models.kinds import (
    Adam,
    Bernoulli,
    BetaObjective,
    BinaryMnist,
    Cifar10,
    ConvolutionalHierarchy,
    Gaussian,
    Svhn,
    Training,
)
from studies.trial import Trial

EPOCHS, BATCH, LEARNING_RATE = 500, 256, 3e-4
WARMUP_EPOCHS = EPOCHS // 5  # of the ladder's rates, as long as in the authors' code; theirs rises once an epoch
SMALL_BATCH, SMALL_STEPS, SMALL_LEARNING_RATE = 64, 600, 3e-3
SAMPLES, SMALL_SAMPLES = 10_000, 1_000  # for the Inception Score

COLOUR = ConvolutionalHierarchy(likelihood=Gaussian())
LADDER = ConvolutionalHierarchy(likelihood=Gaussian(), inference="ladder")
BINARY = ConvolutionalHierarchy(channels=16, top=20, hidden=128, likelihood=Bernoulli())


@dataclass(frozen=True, kw_only=True)
class Size:
    """One data set with its model, at full size and reduced.

    part: what the reduced twin has of the data, in words.
    """

    data: BinaryMnist | Svhn | Cifar10
    model: ConvolutionalHierarchy
    small: AnyData
    part: str

    @property
    def epoch(self) -> int:
        """Steps of an epoch: whole batches."""
        return self.data.train_images // BATCH

    def trial(self) -> Trial:
        """The ordinary VAE, β2 = β1 = 1, as the paper trains it; a ladder with a warm-up."""
        warmup = WARMUP_EPOCHS * self.epoch if self.model.inference == "ladder" else 0
        return Trial(
            data=self.data,
            model=self.model,
            objective=BetaObjective(beta=(1.0, 1.0), warmup=warmup),
            training=Training(steps=EPOCHS * self.epoch, batch_size=BATCH, optimiser=Adam(learning_rate=LEARNING_RATE)),
        )

    def reduced(self) -> dict[str, object]:
        """What turns a trial into one of the reduced twin, by path."""
        assigned: dict[str, object] = {
            "data": self.small,
            "training": Training(
                steps=SMALL_STEPS, batch_size=SMALL_BATCH, optimiser=Adam(learning_rate=SMALL_LEARNING_RATE)
            ),
        }
        if self.model.inference == "ladder":
            assigned["objective.warmup"] = SMALL_STEPS // 5
        return assigned

    @property
    def note(self) -> str:
        """How the reduced twin differs from the full study."""
        return (
            f"{SMALL_STEPS:,} steps of {SMALL_BATCH} images at a learning rate of {SMALL_LEARNING_RATE:g}, not "
            f"{EPOCHS * self.epoch:,} of {BATCH} at {LEARNING_RATE:g}; {self.part}; {SMALL_SAMPLES:,} samples for the "
            f"Inception Score, not {SAMPLES:,}"
        )


MNIST = Size(
    data=BinaryMnist(),
    model=BINARY,
    small=BinaryMnist(test_images=2_000),
    part="2,000 of 10,000 test images",
)
SVHN = Size(data=Svhn(), model=COLOUR, small=Svhn(test_images=2_000), part="2,000 of 26,032 test images")
SVHN_LADDER = Size(data=Svhn(), model=LADDER, small=Svhn(test_images=2_000), part="2,000 of 26,032 test images")
CIFAR10 = Size(
    data=Cifar10(),
    model=COLOUR,
    small=Cifar10(batches=1, test_images=1_000),
    part="batch 1 of the 5 of CIFAR-10 and 1,000 of 10,000 test images",
)
