"""The hierarchical variational autoencoder with the generalised top-down structure of Xiao & Bamler (2023).

p(z_1..z_L, x) = p(z_L) p(z_{L-1}|z_L) … p(z_1|z_2) p(x|z_1) and q(z_1..z_L|x) = q(z_L|x) q(z_{L-1}|z_L, x) … q(z_1|z_2, x)
(their Eqs. 1 and 4, with each factor conditional on the layer next above alone, as in their experiments), so that the rate
splits into R(z_L) + R(z_{L-1}|z_L) + … + R(z_1|z_2) (Eqs. 6-7). Layers are held bottom-up: index 0 is z1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.build import implementation
from models.kinds import HierarchicalModel
from models.likelihoods import Likelihood
from models.network import Code, Network, Terms
from models.noise import Draws
from models.normal import Normal
from models.posteriors import ConditionalPosterior, NormalPosterior
from models.priors import ConditionalNormal, StandardNormal
from models.spec import Data

ACTIVATION = "relu"  # of the conditional networks: Xiao & Bamler (2023), Tables 2-3


class HierarchicalAutoencoder(Network):
    """L ≥ 2 layers of latents, each with an encoder of x of its own.

    encoders, posteriors, priors: one a layer, bottom-up; the last posterior is q(z_L|x) and the last prior p(z_L).
    """

    def __init__(
        self,
        *,
        groups: tuple[str, ...],
        encoders: Sequence[nn.Module],
        posteriors: Sequence[nn.Module],
        priors: Sequence[nn.Module],
        decoder: nn.Module,
        likelihood: Likelihood,
    ) -> None:
        super().__init__()
        self.groups = groups
        self.encoders = nn.ModuleList(encoders)
        self.posteriors = nn.ModuleList(posteriors)
        self.priors = nn.ModuleList(priors)
        self.decoder = decoder
        self.likelihood = likelihood

    def _posterior(self, layer: int, x: Tensor, upper: Tensor | None) -> Normal:
        """q(z_L|x) where `upper` is None, else q(z_l|z_{l+1}, x)."""
        features = self.encoders[layer](x)
        normal: Normal = self.posteriors[layer](features) if upper is None else self.posteriors[layer](features, upper)
        return normal

    def _rate(self, layer: int, q: Normal, upper: Tensor | None) -> Tensor:
        prior = self.priors[layer]
        rate: Tensor = prior.rate(q) if upper is None else prior.rate(q, upper)
        return rate

    def terms(self, x: Tensor, noise: Draws) -> Terms:
        """Rates (L, B), each an analytic KL at one sample of the layer above, and the distortion (B,), nats."""
        rates: list[Tensor] = []
        z: Tensor | None = None
        for layer in self._downwards():
            q = self._posterior(layer, x, z)
            rates.insert(0, self._rate(layer, q, z))
            z = q.sample(noise, f"posterior/{self.groups[layer]}")
        return Terms(torch.stack(rates), -self.likelihood.log_prob(x, self.decoder(z)), {})

    def codes(self, x: Tensor, noise: Draws) -> dict[str, Code]:
        codes: dict[str, Code] = {}
        z: Tensor | None = None
        for layer in self._downwards():
            q = self._posterior(layer, x, z)
            z = q.sample(noise, f"posterior/{self.groups[layer]}")
            codes[self.groups[layer]] = Code(q.mean, q.std, z)
        return {group: codes[group] for group in self.groups}

    def reconstruct(self, x: Tensor) -> Tensor:
        """The likelihood's mean at the modes all the way down (Xiao & Bamler 2023, Eq. 5)."""
        z: Tensor | None = None
        for layer in self._downwards():
            z = self._posterior(layer, x, z).mean
        return self.likelihood.mean(self.decoder(z))

    def generate(self, count: int, noise: Draws) -> Tensor:
        top = len(self.groups) - 1
        z: Tensor = self.priors[top].sample(count, noise, f"prior/{self.groups[top]}")
        for layer in range(top - 1, -1, -1):
            z = self.priors[layer].sample(z, noise, f"prior/{self.groups[layer]}")
        return self.likelihood.mean(self.decoder(z))

    def _downwards(self) -> range:
        return range(len(self.groups) - 1, -1, -1)


def build(spec: HierarchicalModel, data: Data) -> Network:
    """The network of a hierarchical model for `data`; its parameters are set by models/initialise.py."""
    encoders = [implementation(spec.encoder)(spec.encoder, data) for _ in spec.latents]
    posteriors: list[nn.Module] = []
    priors: list[nn.Module] = []
    for encoder, size, upper in zip(encoders, spec.latents, spec.latents[1:], strict=False):
        posteriors.append(ConditionalPosterior(encoder.features, upper, spec.conditional, ACTIVATION, size))
        priors.append(ConditionalNormal(upper, spec.conditional, ACTIVATION, size))
    posteriors.append(NormalPosterior(encoders[-1].features, spec.latents[-1]))
    priors.append(StandardNormal(spec.latents[-1]))
    likelihood = implementation(spec.likelihood)(spec.likelihood, data)
    return HierarchicalAutoencoder(
        groups=spec.groups,
        encoders=encoders,
        posteriors=posteriors,
        priors=priors,
        decoder=implementation(spec.decoder)(spec.decoder, data, spec.latents[0], likelihood.channels),
        likelihood=likelihood,
    )
