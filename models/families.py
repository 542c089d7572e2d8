"""The families of kinds: what choices a trial is made of. Each choice that ships is in models/specification/."""

from __future__ import annotations

import functools
from typing import Annotated, ClassVar

from pydantic import BeforeValidator

from models.spec import Kind, parse_kind


class Data(Kind):
    """A data set with its splits. Images are integers 0..levels of shape (channels, height, width)."""

    shape: ClassVar[tuple[int, int, int]]
    levels: ClassVar[int]
    classes: ClassVar[int]


class Encoder(Kind):
    """x -> features, for a posterior to read. convolutional: whether its time goes into convolutions."""

    convolutional: ClassVar[bool] = False

    def check(self, data: Data) -> None:
        """Raises ValueError when this part cannot be used on `data`; so for all parts of models."""


class Decoder(Kind):
    """z -> the natural parameters of a likelihood. autoregressive: whether it also sees the pixels before each."""

    convolutional: ClassVar[bool] = False
    autoregressive: ClassVar[bool] = False

    def check(self, data: Data) -> None:
        """As for an encoder."""


class Auxiliary(Kind):
    """z -> a distribution of some target, a function of x: a second decoder that shapes the latents in training."""

    convolutional: ClassVar[bool] = False

    def check(self, data: Data) -> None:
        """As for an encoder."""


class Likelihood(Kind):
    """p(x|z) given the decoder's output."""

    def check(self, data: Data) -> None:
        """As for an encoder."""


class Prior(Kind):
    """p(z), against which the rate of a posterior is measured."""

    def check(self, data: Data) -> None:
        """As for an encoder."""


class Model(Kind):
    """What is trained: a latent-variable model of posteriors, priors and a likelihood, or a classifier."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the latent groups, bottom-up: the order of `objective.beta`."""
        return ("z1",)

    @property
    def weighed(self) -> tuple[str, ...]:
        """Names of its auxiliary terms that an objective must weigh."""
        return ()

    @property
    def convolutional(self) -> bool:
        """Whether its time goes into convolutions, which a CPU runs faster one model after another."""
        return False

    @property
    def autoregressive(self) -> bool:
        """Whether its decoder sees pixels, so that an image is sampled pixel by pixel."""
        return False

    def check(self, data: Data) -> None:
        """Raises ValueError when this model cannot be trained on `data`."""


class Objective(Kind):
    """What is minimised, as a function of a model's rates, distortion and auxiliary terms."""

    def check(self, model: Model) -> None:
        """Raises ValueError when the objective does not fit the model, here where it would weigh an auxiliary term."""
        if model.weighed:
            raise ValueError(
                f"the model has an auxiliary decoder, and the objective {self.kind!r} no weight for it: take 'dueling'"
            )


class Schedule(Kind):
    """The learning rate as a function of the step."""


class Optimiser(Kind):
    """How gradients become steps."""


AnyData = Annotated[Data, BeforeValidator(functools.partial(parse_kind, Data))]
AnyEncoder = Annotated[Encoder, BeforeValidator(functools.partial(parse_kind, Encoder))]
AnyDecoder = Annotated[Decoder, BeforeValidator(functools.partial(parse_kind, Decoder))]
AnyAuxiliary = Annotated[Auxiliary, BeforeValidator(functools.partial(parse_kind, Auxiliary))]
AnyLikelihood = Annotated[Likelihood, BeforeValidator(functools.partial(parse_kind, Likelihood))]
AnyPrior = Annotated[Prior, BeforeValidator(functools.partial(parse_kind, Prior))]
AnyModel = Annotated[Model, BeforeValidator(functools.partial(parse_kind, Model))]
AnyObjective = Annotated[Objective, BeforeValidator(functools.partial(parse_kind, Objective))]
AnySchedule = Annotated[Schedule, BeforeValidator(functools.partial(parse_kind, Schedule))]
AnyOptimiser = Annotated[Optimiser, BeforeValidator(functools.partial(parse_kind, Optimiser))]
