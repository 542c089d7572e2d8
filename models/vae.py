"""The flat variational autoencoder: one layer of latents (Kingma & Welling 2014).

Its parts are what differs: the covariance of the posterior; a prior that may be made of posteriors; a decoder of
independent pixels, or one that also sees the pixels before each; and a second, auxiliary decoder that only shapes the
latents while training (Seybold et al. 2019, Eq. 8).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from models.build import implementation
from models.families import Data
from models.kinds import FlatModel
from models.likelihoods import Likelihood
from models.network import Code, Network, Terms
from models.noise import Draws
from models.posteriors import POSTERIORS, Distribution, FullNormalPosterior, NormalPosterior
from models.priors import Prior
from models.spec import SpecificationError


class VariationalAutoencoder(Network):
    """q(z1|x) normal, p(z1), p(x|z1) from the decoder.

    encoder: x -> (B, features); posterior: features -> the normal; decoder: z, or z and x where `autoregressive`, ->
    the likelihood's parameters, and then with `sample(z, likelihood, uniforms)`. auxiliary: a module with
    `distortion(z, x)`, (B,) nats, or None. data: gives the images' shape and levels.
    """

    groups = ("z1",)

    def __init__(
        self,
        *,
        data: Data,
        encoder: nn.Module,
        posterior: NormalPosterior | FullNormalPosterior,
        prior: Prior,
        decoder: Any,
        likelihood: Likelihood,
        autoregressive: bool = False,
        auxiliary: Any = None,
    ) -> None:
        super().__init__()
        self.shape = data.shape
        self.levels = data.levels
        self.encoder = encoder
        self.posterior = posterior
        self.prior = prior
        self.decoder: Any = decoder
        self.likelihood = likelihood
        self.autoregressive = autoregressive
        self.auxiliary: Any = auxiliary

    def terms(self, x: Tensor, noise: Draws) -> Terms:
        """Rate (1, B), analytic where the prior allows it, and the distortions (B,), at one sample of z1, nats."""
        inputs = self.prior.inputs()
        if inputs is None:
            q, components = self._posterior(x), None
        else:  # one pass of the encoder for both
            features = self.encoder(torch.cat((x, inputs)))
            q, components = self.posterior(features[: len(x)]), self.posterior(features[len(x) :])
        z = q.sample(noise, "posterior/z1")
        output = self.decoder(z, x) if self.autoregressive else self.decoder(z)
        output = output.to(z.dtype)  # of layers in bfloat16: back to float32
        auxiliary = {} if self.auxiliary is None else {"auxiliary": self.auxiliary.distortion(z, x)}
        return Terms(self.prior.rate(q, z, components)[None], -self.likelihood.log_prob(x, output), auxiliary)

    def codes(self, x: Tensor, noise: Draws) -> dict[str, Code]:
        q = self._posterior(x)
        return {"z1": Code(q.mean, q.std, q.sample(noise, "posterior/z1"))}

    def scales(self, x: Tensor, noise: Draws) -> dict[str, Tensor]:
        return {"z1": self._posterior(x).scale()}

    def reconstruct(self, x: Tensor) -> Tensor:
        """Raises SpecificationError for an autoregressive decoder, under which p(x|z) has no mean in closed form."""
        if self.autoregressive:
            raise SpecificationError(
                "an autoregressive decoder gives no mean of p(x|z) to reconstruct with; take sampled reconstructions"
            )
        return self.likelihood.mean(self.decoder(self._posterior(x).mean))

    def resample(self, x: Tensor, noise: Draws) -> Tensor:
        return self._draw(self._posterior(x).sample(noise, "posterior/z1"), noise)

    def generate(self, count: int, noise: Draws) -> Tensor:
        inputs = self.prior.inputs()
        components = None if inputs is None else self._posterior(inputs)
        z = self.prior.sample(count, noise, "prior/z1", components)
        return self._draw(z, noise) / self.levels if self.autoregressive else self.likelihood.mean(self.decoder(z))

    def _posterior(self, x: Tensor) -> Distribution:
        q: Distribution = self.posterior(self.encoder(x))
        return q

    def _draw(self, z: Tensor, noise: Draws) -> Tensor:
        """x ~ p(x|z): (B, C, H, W), integers 0..levels."""
        uniforms = noise.uniform("pixels", (len(z), self.likelihood.uniforms, *self.shape[1:]))
        if self.autoregressive:
            images: Tensor = self.decoder.sample(z, self.likelihood, uniforms)
        else:
            images = self.likelihood.draw(self.decoder(z), uniforms)
        return images


def build(spec: FlatModel, data: Data) -> Network:
    """The network of a flat model for `data`; its parameters are set by models/initialise.py."""
    encoder = implementation(spec.encoder)(spec.encoder, data)
    likelihood = implementation(spec.likelihood)(spec.likelihood, data)
    auxiliary = None
    if spec.auxiliary is not None:
        auxiliary = implementation(spec.auxiliary)(spec.auxiliary, data, spec.latent, likelihood)
    return VariationalAutoencoder(
        data=data,
        encoder=encoder,
        posterior=POSTERIORS[spec.posterior](encoder.features, spec.latent),
        prior=implementation(spec.prior)(spec.prior, data, spec.latent),
        decoder=implementation(spec.decoder)(spec.decoder, data, spec.latent, likelihood.channels),
        likelihood=likelihood,
        autoregressive=spec.decoder.autoregressive,
        auxiliary=auxiliary,
    )
