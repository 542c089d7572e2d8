"""Models: latent-variable models put together from parts, and classifiers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from models.families import AnyAuxiliary, AnyDecoder, AnyEncoder, AnyLikelihood, AnyPrior, Data, Model
from models.spec import Count, Widths
from models.specification.parts import DenseDecoder, DenseEncoder, StandardNormalPrior


class FlatModel(Model):
    """One layer of latents (Kingma & Welling 2014).

    posterior: a normal with a 'diagonal' covariance, or a 'full' one by its lower-triangular factor. auxiliary: a
    second decoder that only shapes the latents while training (Seybold et al. 2019, Eq. 8), weighed by the objective.
    """

    kind = "flat"
    implementation = "models.vae:build"
    latent: Count
    encoder: AnyEncoder = DenseEncoder()
    decoder: AnyDecoder = DenseDecoder()
    likelihood: AnyLikelihood
    posterior: Literal["diagonal", "full"] = "diagonal"
    prior: AnyPrior = StandardNormalPrior()
    auxiliary: AnyAuxiliary | None = None

    @property
    def convolutional(self) -> bool:
        parts = (self.encoder, self.decoder, self.auxiliary)
        return any(part is not None and part.convolutional for part in parts)

    @property
    def autoregressive(self) -> bool:
        return self.decoder.autoregressive

    @property
    def weighed(self) -> tuple[str, ...]:
        return () if self.auxiliary is None else ("auxiliary",)

    def check(self, data: Data) -> None:
        for part in (self.encoder, self.decoder, self.likelihood, self.prior, self.auxiliary):
            if part is not None:
                part.check(data)


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
        return self.encoder.convolutional or self.decoder.convolutional

    def check(self, data: Data) -> None:
        for part in (self.encoder, self.decoder, self.likelihood):
            part.check(data)
        if self.decoder.autoregressive:
            raise ValueError(f"a hierarchical model needs a decoder of independent pixels, not {self.decoder.kind}")


class ConvolutionalHierarchy(Model):
    """The two-layer models of Xiao & Bamler (2023), Tables 2 and 3, for images of 32×32 or 28×28.

    z2, of `top` numbers, is read from 4×4 maps of `channels`; z1 is itself `channels` maps of 4×4, from which three
    transposed convolutions make the image. hidden: the width of p(z1|z2).
    inference: 'generalised' has a network of its own for q(z1|z2, x) (GHVAE); 'ladder' merges an estimate from the
    image, weighted by precision, with p(z1|z2) (LVAE, after Sønderby et al. 2016).
    Colour images take the defaults (GHVAE 475,811 parameters, LVAE 408,131), MNIST channels=16, top=20, hidden=128
    (GHVAE 122,713).
    """

    kind = "convolutional-hierarchy"
    implementation = "models.convolutional_hierarchy:build"
    channels: Count = 32
    top: Count = 32
    hidden: Count = 256
    inference: Literal["generalised", "ladder"] = "generalised"
    likelihood: AnyLikelihood

    @property
    def groups(self) -> tuple[str, ...]:
        return ("z1", "z2")

    @property
    def convolutional(self) -> bool:
        return True

    def check(self, data: Data) -> None:
        self.likelihood.check(data)
        _, height, width = data.shape
        if height != width or height not in (28, 32):
            raise ValueError(f"a convolutional hierarchy is for images of 28×28 or 32×32, not {height}×{width}")


class ClassifierModel(Model):
    """p(y|x): an encoder with a linear layer to the classes; no latents. Its distortion is −log p(y|x).

    target: what of the image it sees: the target of an auxiliary decoder, or the image itself where it is null.
    augmentation: of training images, anew in every step: 'crop-flip' moves each by up to four pixels either way and
    mirrors half of them.
    """

    kind = "classifier"
    implementation = "models.classifier:build"
    encoder: AnyEncoder = DenseEncoder()
    target: AnyAuxiliary | None = None
    augmentation: Literal["none", "crop-flip"] = "none"

    @property
    def groups(self) -> tuple[str, ...]:
        return ()

    @property
    def convolutional(self) -> bool:
        return self.encoder.convolutional

    def check(self, data: Data) -> None:
        if self.target is None:
            self.encoder.check(data)
        else:
            self.target.check(data)
