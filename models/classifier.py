"""Classifiers p(y|x): an encoder and a linear layer to the classes, for images or for what a target keeps of them."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from models.augmentation import crop_and_flip
from models.auxiliaries import Target
from models.build import implementation
from models.families import Data
from models.kinds import ClassifierModel
from models.network import Labelled, Network, Terms
from models.noise import Draws
from models.spec import SpecificationError


class Classifier(Network):
    """p(y|x) = softmax of a linear layer on the features of t(x); t(x) = x where there is no target.

    augmented: whether training sees its images moved and mirrored.
    """

    groups = ()
    supervised = True

    def __init__(
        self, *, encoder: nn.Module, features: int, classes: int, target: Target | None, augmented: bool
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.output = nn.Linear(features, classes)
        self.target = target
        self.augmented = augmented

    def terms(self, x: Labelled, noise: Draws) -> Terms:
        """No rate, (0, B), and as distortion −log p(y|x), nats: (B,)."""
        images, labels = x
        if self.augmented:
            images = crop_and_flip(images, noise)
        surprise = F.cross_entropy(self._logits(images, noise), labels, reduction="none")
        return Terms(surprise.new_zeros((0, len(labels))), surprise, {})

    def logits(self, x: Tensor) -> Tensor:
        return self._logits(x, None)

    def _logits(self, x: Tensor, noise: Draws | None) -> Tensor:
        """noise: of training, for an encoder that is `stochastic` then."""
        seen = x if self.target is None else self.target.inputs(x)
        stochastic = getattr(self.encoder, "stochastic", False)
        logits: Tensor = self.output(self.encoder(seen, noise) if stochastic else self.encoder(seen))
        return logits.to(self.output.weight.dtype)  # of layers in bfloat16: back to float32


def build(spec: ClassifierModel, data: Data) -> Network:
    """The network of a classifier for `data`. Raises SpecificationError for an encoder that does not fit the target."""
    if spec.target is None:
        seen, target = data, None
    else:
        target = implementation(spec.target).target(data)  # type: ignore[attr-defined]  # of a class
        seen = target
        try:
            spec.encoder.check(seen)
        except ValueError as error:
            raise SpecificationError(f"model.encoder on the target {spec.target.kind!r}: {error}") from None
    encoder = implementation(spec.encoder)(spec.encoder, seen)
    return Classifier(
        encoder=encoder,
        features=encoder.features,
        classes=data.classes,
        target=target,
        augmented=spec.augmentation == "crop-flip",
    )
