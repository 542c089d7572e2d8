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


class ClassifierModel(Model):
    """p(y|x): an encoder with a linear layer to the classes; no latents. Its distortion is −log p(y|x).

    target: what of the image it sees: the target of an auxiliary decoder, or the image itself where it is null.
    """

    kind = "classifier"
    implementation = "models.classifier:build"
    encoder: AnyEncoder = DenseEncoder()
    target: AnyAuxiliary | None = None

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
