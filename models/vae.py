"""The flat variational autoencoder: one layer of latents under a standard normal prior (Kingma & Welling 2014)."""

from __future__ import annotations

from torch import Tensor, nn

from models.build import implementation
from models.families import Data
from models.kinds import FlatModel
from models.likelihoods import Likelihood
from models.network import Code, Network, Terms
from models.noise import Draws
from models.normal import Normal
from models.posteriors import NormalPosterior
from models.priors import StandardNormal


class VariationalAutoencoder(Network):
    """q(z1|x) diagonal normal, p(z1) = N(0, I), p(x|z1) from the decoder.

    encoder: x -> (B, features); posterior: features -> Normal; decoder: z -> the likelihood's parameters.
    """

    groups = ("z1",)

    def __init__(
        self,
        *,
        encoder: nn.Module,
        posterior: NormalPosterior,
        prior: StandardNormal,
        decoder: nn.Module,
        likelihood: Likelihood,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.posterior = posterior
        self.prior = prior
        self.decoder = decoder
        self.likelihood = likelihood

    def _posterior(self, x: Tensor) -> Normal:
        normal: Normal = self.posterior(self.encoder(x))
        return normal

    def terms(self, x: Tensor, noise: Draws) -> Terms:
        """Analytic rate (1, B) and the distortion (B,) at one sample of z1, nats."""
        q = self._posterior(x)
        z = q.sample(noise, "posterior/z1")
        distortion = -self.likelihood.log_prob(x, self.decoder(z))
        return Terms(self.prior.rate(q)[None], distortion, {})

    def codes(self, x: Tensor, noise: Draws) -> dict[str, Code]:
        q = self._posterior(x)
        return {"z1": Code(q.mean, q.std, q.sample(noise, "posterior/z1"))}

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.likelihood.mean(self.decoder(self._posterior(x).mean))

    def generate(self, count: int, noise: Draws) -> Tensor:
        return self.likelihood.mean(self.decoder(self.prior.sample(count, noise, "prior/z1")))


def build(spec: FlatModel, data: Data) -> Network:
    """The network of a flat model for `data`; its parameters are set by models/initialise.py."""
    encoder = implementation(spec.encoder)(spec.encoder, data)
    likelihood = implementation(spec.likelihood)(spec.likelihood, data)
    return VariationalAutoencoder(
        encoder=encoder,
        posterior=NormalPosterior(encoder.features, spec.latent),
        prior=StandardNormal(spec.latent),
        decoder=implementation(spec.decoder)(spec.decoder, data, spec.latent, likelihood.channels),
        likelihood=likelihood,
    )
