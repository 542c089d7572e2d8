"""Networks and objectives under vmap, as the fused engine runs them: K trials at once equal K trials one by one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value, vmap

from models import kinds
from models.build import build_network, build_objective
from models.families import Data, Model
from models.initialise import initialise
from models.network import Terms
from models.noise import Noise, key

DENSE: dict[str, object] = {"likelihood": kinds.Binomial(total=16)}
CONVOLUTIONAL: dict[str, object] = {
    "likelihood": kinds.Gaussian(),
    "encoder": {"kind": "convolutional", "channels": (4, 4), "activation": "elu"},
    "decoder": {"kind": "convolutional", "channels": (4, 4), "activation": "tanh"},
}
IMAGES = Noise(key(3), 0).uniform("images", (20, 1, 8, 8)).mul(16).round().to(torch.uint8)
MODELS: dict[str, Model] = {
    "flat": kinds.FlatModel.model_validate(DENSE | {"latent": 3}),
    "full covariance": kinds.FlatModel.model_validate(DENSE | {"latent": 5, "posterior": "full"}),
    "VampPrior": kinds.FlatModel.model_validate(
        DENSE | {"latent": 3, "posterior": "full", "prior": kinds.VampPrior(components=7)}
    ),
    "VampPrior of diagonal normals": kinds.FlatModel.model_validate(
        DENSE | {"latent": 3, "prior": kinds.VampPrior(components=7, start="noise")}
    ),
    "hierarchical": kinds.HierarchicalModel.model_validate(DENSE | {"latents": (4, 3, 2)}),
    "convolutional flat": kinds.FlatModel.model_validate(CONVOLUTIONAL | {"latent": 3}),
    "convolutional hierarchical": kinds.HierarchicalModel.model_validate(CONVOLUTIONAL | {"latents": (4, 2)}),
}


SMALL: dict[str, object] = {"filters": 4, "halvings": 1}  # of the networks of Seybold et al. (2019), on 14×14 images
DUELING = {
    auxiliary: kinds.FlatModel.model_validate(
        {
            "latent": 3,
            "posterior": "full",
            "prior": {"kind": "vamp", "components": 5},
            "encoder": {"kind": "pyramid"} | SMALL,
            "decoder": {"kind": "pixelcnn"} | SMALL,
            "auxiliary": {"kind": auxiliary} | (SMALL if auxiliary in ("convolutional", "gradient") else {}),
            "likelihood": {"kind": "bernoulli"},
        }
    )
    for auxiliary in ("convolutional", "gradient", "marginals", "histogram")
}


def _data(model: Model) -> Data:
    return kinds.ThresholdedMnist(downsample=2) if model in DUELING.values() else kinds.Digits()


@pytest.mark.parametrize("name", MODELS | DUELING)
def test_a_packs_losses_terms_and_gradients_equal_a_loops(name: str) -> None:
    model = (MODELS | DUELING)[name]
    data = _data(model)
    network = build_network(model, data).double()
    objective = build_objective(kinds.BetaObjective(beta=(1.0,) * len(model.groups)))
    keys = torch.stack([key(seed) for seed in (0, 1, 1)])
    steps = torch.tensor([0, 5, 6])
    # (3, 6, *shape), and as many to begin at
    x = Noise(keys, steps, torch.float64).uniform("x", (6, *data.shape)).mul(data.levels).round()
    parameters = initialise(network, keys, torch.float64, x.flatten(0, 1).to(torch.uint8))
    beta = torch.linspace(0.1, 2.0, 3 * len(model.groups), dtype=torch.float64).reshape(3, -1)

    def loss(parameters: dict[str, Tensor], x: Tensor, key: Tensor, step: Tensor, beta: Tensor) -> tuple[Tensor, Terms]:
        terms: Terms = functional_call(network, parameters, ("terms", x, Noise(key, step, torch.float64)))
        return objective.loss(terms, {}, step, {"beta": beta})[0], terms

    step_of_one = grad_and_value(loss, has_aux=True)
    gradients, (losses, terms) = vmap(step_of_one)(parameters, x, keys, steps, beta)
    assert terms.rate.shape == (3, len(model.groups), 6)
    for slot in range(3):
        own = {name: value[slot] for name, value in parameters.items()}
        gradient, (alone, alone_terms) = step_of_one(own, x[slot], keys[slot], steps[slot], beta[slot])
        torch.testing.assert_close(losses[slot], alone, rtol=1e-12, atol=0.0)
        torch.testing.assert_close(terms.rate[slot], alone_terms.rate, rtol=1e-11, atol=1e-12)
        torch.testing.assert_close(terms.distortion[slot], alone_terms.distortion, rtol=1e-12, atol=0.0)
        for name, value in gradient.items():
            torch.testing.assert_close(gradients[name][slot], value, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", MODELS)
def test_codes_reconstructions_and_samples_of_a_pack_equal_a_loops(name: str) -> None:
    network = build_network(MODELS[name], kinds.Digits()).double()
    keys = torch.stack([key(seed) for seed in (0, 1, 2)])
    parameters = initialise(network, keys, torch.float64, IMAGES)
    x = Noise(key(9), 0, torch.float64).uniform("x", (4, 1, 8, 8)).mul(16).round()

    def images(parameters: dict[str, Tensor], key: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        noise = Noise(key, 0, torch.float64)
        codes = functional_call(network, parameters, ("codes", x, noise))
        reconstructions: Tensor = functional_call(network, parameters, ("reconstruct", x))
        samples: Tensor = functional_call(network, parameters, ("generate", 3, noise))
        return codes["z1"].sample, reconstructions, samples

    packed = vmap(images)(parameters, keys)
    for slot in range(3):
        alone = images({name: value[slot] for name, value in parameters.items()}, keys[slot])
        for several, one in zip(packed, alone, strict=True):
            torch.testing.assert_close(several[slot], one, rtol=1e-10, atol=1e-12)
