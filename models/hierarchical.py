"""The hierarchical variational autoencoder with the generalised top-down structure of Xiao & Bamler (2023).

    p(z_1..z_L, x) = p(z_L) p(z_{L-1}|z_L) … p(z_1|z_2) p(x|z_1)
    q(z_1..z_L|x)  = q(z_L|x) q(z_{L-1}|z_L, x) … q(z_1|z_2, x)

(their Eqs. 1 and 4, each factor conditional on the layer next above alone, which at two layers is the same), so that
the rate splits into R(z_L) + R(z_{L-1}|z_L) + … + R(z_1|z_2) (Eqs. 6-7). Layers are held bottom-up: index 0 is z1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.build import implementation
from models.families import Data
from models.kinds import HierarchicalModel
from models.likelihoods import Likelihood
from models.network import Code, Network, Terms
from models.noise import Draws
from models.normal import Normal, kl_divergence
from models.posteriors import ConditionalPosterior, NormalPosterior
from models.priors import ConditionalNormal, StandardNormal

ACTIVATION = "relu"  # of the conditional networks: Xiao & Bamler (2023), Tables 2-3


class HierarchicalAutoencoder(Network):
    """L ≥ 2 layers of latents, each with an encoder of x of its own.

    encoders: one a layer. posterior, prior: q(z_L|x) and p(z_L) of the top layer. conditional_posteriors,
    conditional_priors: q(z_l|z_{l+1}, x) and p(z_l|z_{l+1}) of the layers below it.
    """

    def __init__(
        self,
        *,
        groups: tuple[str, ...],
        encoders: Sequence[nn.Module],
        posterior: NormalPosterior,
        conditional_posteriors: Sequence[nn.Module],
        prior: StandardNormal,
        conditional_priors: Sequence[ConditionalNormal],
        decoder: nn.Module,
        likelihood: Likelihood,
    ) -> None:
        super().__init__()
        self.groups = groups
        self.encoders = nn.ModuleList(encoders)
        self.posterior = posterior
        self.conditional_posteriors = nn.ModuleList(conditional_posteriors)
        self.prior = prior
        self.conditional_priors = nn.ModuleList(conditional_priors)
        self.decoder = decoder
        self.likelihood = likelihood

    def _features(self, x: Tensor) -> list[Tensor]:
        """What each layer's posterior reads of x, bottom-up."""
        return [encoder(x) for encoder in self.encoders]

    def _top(self, features: Tensor) -> Normal:
        """q(z_L|x)."""
        normal: Normal = self.posterior(features)
        return normal

    def _prior(self, layer: int, upper: Tensor) -> Normal:
        """p(z_l|z_{l+1})."""
        normal: Normal = self.conditional_priors[layer](upper)
        return normal

    def _below(self, layer: int, features: Tensor, upper: Tensor, prior: Normal) -> Normal:
        """q(z_l|z_{l+1}, x); prior: p(z_l|z_{l+1}), which plays no part here."""
        normal: Normal = self.conditional_posteriors[layer](features, upper)
        return normal

    def _layers_below(self) -> range:
        """Indices of the layers below the top one, downwards."""
        return range(len(self.groups) - 2, -1, -1)

    def terms(self, x: Tensor, noise: Draws) -> Terms:
        """Rates (L, B), each an analytic KL at one sample of the layer above, and the distortion (B,), nats."""
        features = self._features(x)
        q = self._top(features[-1])
        rates = [q.kl_to_standard()]  # before the draw: in the order of use, gradients add up, to the last bit
        z = q.sample(noise, f"posterior/{self.groups[-1]}")
        for layer in self._layers_below():
            p = self._prior(layer, z)
            q = self._below(layer, features[layer], z, p)
            rates.append(kl_divergence(q, p))
            z = q.sample(noise, f"posterior/{self.groups[layer]}")
        output = self.decoder(z).to(z.dtype)  # of layers in bfloat16: back to float32
        return Terms(torch.stack(rates[::-1]), -self.likelihood.log_prob(x, output), {})

    def codes(self, x: Tensor, noise: Draws) -> dict[str, Code]:
        features = self._features(x)
        q = self._top(features[-1])
        z = q.sample(noise, f"posterior/{self.groups[-1]}")
        codes = {self.groups[-1]: Code(q.mean, q.std, z)}
        for layer in self._layers_below():
            q = self._below(layer, features[layer], z, self._prior(layer, z))
            z = q.sample(noise, f"posterior/{self.groups[layer]}")
            codes[self.groups[layer]] = Code(q.mean, q.std, z)
        return {group: codes[group] for group in self.groups}

    def scales(self, x: Tensor, noise: Draws) -> dict[str, Tensor]:
        return {group: torch.diag_embed(code.std) for group, code in self.codes(x, noise).items()}

    def modes(self, x: Tensor) -> dict[str, Tensor]:
        features = self._features(x)
        z = self._top(features[-1]).mean
        modes = {self.groups[-1]: z}
        for layer in self._layers_below():
            z = self._below(layer, features[layer], z, self._prior(layer, z)).mean
            modes[self.groups[layer]] = z
        return {group: modes[group] for group in self.groups}

    def reconstruct(self, x: Tensor) -> Tensor:
        """The likelihood's mean at the modes all the way down (Xiao & Bamler 2023, Eq. 5)."""
        return self.likelihood.mean(self.decoder(self.modes(x)[self.groups[0]]))

    def resample(self, x: Tensor, noise: Draws) -> Tensor:
        uniforms = noise.uniform("pixels", (len(x), self.likelihood.uniforms, *x.shape[-2:]))
        return self.likelihood.draw(self.decoder(self.codes(x, noise)[self.groups[0]].sample), uniforms)

    def generate(self, count: int, noise: Draws) -> Tensor:
        z = self.prior.sample(count, noise, f"prior/{self.groups[-1]}", None)
        for layer in self._layers_below():
            z = self._prior(layer, z).sample(noise, f"prior/{self.groups[layer]}")
        return self.likelihood.mean(self.decoder(z))


class LadderAutoencoder(HierarchicalAutoencoder):
    """The inference of a ladder (Sønderby et al. 2016): one bottom-up pass, and posteriors that merge with the prior.

    encoders: a chain, each of what the one below it gives. conditional_posteriors: features -> the image's own
    estimate of a layer, which is merged with p(z_l|z_{l+1}), weighted by precision.
    """

    def _features(self, x: Tensor) -> list[Tensor]:
        features = []
        for encoder in self.encoders:
            x = encoder(x)
            features.append(x)
        return features

    def _below(self, layer: int, features: Tensor, upper: Tensor, prior: Normal) -> Normal:
        """q(z_l|z_{l+1}, x) ∝ N(z_l; estimate) p(z_l|z_{l+1})."""
        return merged(self.conditional_posteriors[layer](features), prior)


def merged(one: Normal, other: Normal) -> Normal:
    """The normal proportional to the product of two: precisions add, means weigh by them."""
    first, second = one.std.square(), other.std.square()
    total = first + second
    return Normal((one.mean * second + other.mean * first) / total, (first * second / total).sqrt())


def build(spec: HierarchicalModel, data: Data) -> Network:
    """The network of a hierarchical model for `data`; its parameters are set by models/initialise.py."""
    encoders = [implementation(spec.encoder)(spec.encoder, data) for _ in spec.latents]
    below = list(zip(encoders, spec.latents[:-1], spec.latents[1:], strict=False))  # (encoder, size, size above)
    likelihood = implementation(spec.likelihood)(spec.likelihood, data)
    return HierarchicalAutoencoder(
        groups=spec.groups,
        encoders=encoders,
        posterior=NormalPosterior(encoders[-1].features, spec.latents[-1]),
        conditional_posteriors=[
            ConditionalPosterior(encoder.features, upper, spec.conditional, ACTIVATION, size)
            for encoder, size, upper in below
        ],
        prior=StandardNormal(spec.latents[-1]),
        conditional_priors=[ConditionalNormal(upper, spec.conditional, ACTIVATION, size) for _, size, upper in below],
        decoder=implementation(spec.decoder)(spec.decoder, data, spec.latents[0], likelihood.channels),
        likelihood=likelihood,
    )
