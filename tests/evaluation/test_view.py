"""A trial's numbers depend on the trial alone: not on its slot, its company, the chunks or the engine."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from evaluation.errors import EvaluationError
from evaluation.view import PackView, View
from models import noise
from models.build import build_network, load_data
from models.initialise import initialise
from models.kinds import Binomial, DenseDecoder, DenseEncoder, Digits, HierarchicalModel

F64 = torch.float64


def keys(*seeds: int) -> torch.Tensor:
    return torch.stack([noise.key(seed) for seed in seeds])


def everything(view: View) -> dict[str, np.ndarray]:
    found = {"distortion": view.distortion, "reconstructions": view.reconstructions(), "samples": view.samples(10)}
    for group in view.groups:
        found[f"rate {group}"] = view.rates[group]
        found |= {f"{name} {group}": array for name, array in view.codes(group)._asdict().items()}
    return found


@pytest.fixture(scope="module")
def digits() -> Any:
    """A hierarchical model of the digits at an odd width: (network, parameters of five trials, data)."""
    data = load_data(Digits())
    model = HierarchicalModel(
        latents=(5, 3),
        encoder=DenseEncoder(widths=(33,)),
        conditional=(17,),
        decoder=DenseDecoder(widths=(33,)),
        likelihood=Binomial(total=16),
    )
    network = build_network(model, data.spec)
    return network, initialise(network, keys(0, 1, 2, 3, 4), torch.float32, data.train.images), data


def test_same_bits_in_another_slot_and_company(digits):
    network, parameters, data = digits
    first = PackView(network, parameters, data, keys(0, 1, 2, 3, 4)).trial(1)
    moved = {name: tensor[[4, 0, 2, 1, 1]] * torch.tensor([1.5, 2, 3, 1, 0.5]).reshape(-1, *[1] * (tensor.dim() - 1))
             for name, tensor in parameters.items()}  # fmt: skip
    second = PackView(network, moved, data, keys(7, 8, 9, 1, 1)).trial(3)
    others = everything(second)
    for name, array in everything(first).items():
        np.testing.assert_array_equal(array, others[name], err_msg=name)


def test_a_diverged_neighbour_is_not_noticed(digits):
    network, parameters, data = digits
    spoilt = {name: tensor.clone() for name, tensor in parameters.items()}
    for tensor in spoilt.values():
        tensor[0] = torch.nan
    whole = everything(PackView(network, parameters, data, keys(0, 1, 2, 3, 4)).trial(2))
    beside = everything(PackView(network, spoilt, data, keys(0, 1, 2, 3, 4)).trial(2))
    for name, array in whole.items():
        np.testing.assert_array_equal(array, beside[name], err_msg=name)


@pytest.mark.parametrize("other", [{"fused": False}, {"chunk": 64}, {"chunk": 1024}])
def test_engine_and_chunks_change_nothing(linear, other):
    data, weights, three = linear.data(150), linear.weights(3), keys(0, 1, 2)
    one = PackView(linear.network(), weights, data, three, F64, chunk=128)
    two = PackView(linear.network(), weights, data, three, F64, **{"chunk": 128} | other)
    for slot in range(3):
        second = everything(two.trial(slot))
        for name, array in everything(one.trial(slot)).items():
            assert array.dtype == np.float64
            np.testing.assert_allclose(array, second[name], rtol=0, atol=1e-12, err_msg=name)


def test_fused_and_sequential_agree_on_a_hierarchy(digits):
    network, parameters, data = digits
    double = {name: tensor.double() for name, tensor in parameters.items()}
    fused = PackView(network, double, data, keys(0, 1, 2, 3, 4), F64)
    sequential = PackView(network, double, data, keys(0, 1, 2, 3, 4), F64, fused=False)
    second = everything(sequential.trial(4))
    for name, array in everything(fused.trial(4)).items():
        np.testing.assert_allclose(array, second[name], rtol=0, atol=1e-10, err_msg=name)


def test_shapes_and_alignment_with_the_test_split(linear):
    data = linear.data(150)
    view = PackView(linear.network(), linear.weights(2), data, keys(0, 1), F64).trial(1)
    assert view.distortion.shape == view.labels.shape == (150,)
    assert view.reconstructions().shape == view.images.shape == (150, 1, 2, 3)
    assert view.samples(70).shape == (70, 1, 2, 3)
    np.testing.assert_array_equal(view.samples(70)[:10], view.samples(10))
    weight = linear.weights(2)["weight"][1].numpy()
    variance = 1 / (1 + (weight**2).sum(0) / 0.25)
    expected = view.images.reshape(150, 6) / 4 @ weight / 0.25 * variance
    np.testing.assert_allclose(view.codes("z2").mean, expected, atol=1e-12)


def test_noise_is_the_trials_own_by_blocks_of_64_rows(linear):
    view = PackView(linear.network(), linear.weights(2), linear.data(150), keys(4, 5), F64).trial(1)
    code = view.codes("z2")
    own = noise.Noise(noise.key(5), 0, F64)
    drawn = torch.cat([own.normal(f"evaluation/posterior/z2/{block}", (64, 2)) for block in range(3)])[:150]
    np.testing.assert_allclose(code.sample, code.mean + code.std * drawn.numpy(), atol=1e-12)


def test_each_pass_is_made_once_for_the_pack(linear):
    calls: Counter[str] = Counter()

    class Counting(linear.network):
        def forward(self, method, *args):
            calls[method] += 1
            return super().forward(method, *args)

    pack = PackView(Counting(), linear.weights(3), linear.data(150), keys(0, 1, 2), F64)
    assert not calls
    for slot in range(3):
        everything(pack.trial(slot))
    assert calls == {"terms": 1, "codes": 1, "reconstruct": 1, "generate": 1}


def test_torchs_own_generator_is_left_alone(linear):
    before = torch.get_rng_state()
    everything(PackView(linear.network(), linear.weights(1), linear.data(70), keys(0), F64).trial(0))
    assert torch.equal(before, torch.get_rng_state())


def test_refusals(linear):
    network, weights, data = linear.network(), linear.weights(2), linear.data(70)
    with pytest.raises(ValueError, match="multiple of 64, not 100"):
        PackView(network, weights, data, keys(0, 1), F64, chunk=100)
    with pytest.raises(ValueError, match="K = 3 keys"):
        PackView(network, weights, data, keys(0, 1, 2), F64)
    pack = PackView(network, weights, data, keys(0, 1), F64)
    with pytest.raises(IndexError, match=r"slots 0\.\.1, not 2"):
        pack.trial(2)
    with pytest.raises(EvaluationError, match="no latent group 'z3'"):
        pack.trial(0).codes("z3")


def test_noise_without_a_row_a_datum_is_refused(linear):
    class Shared(linear.network):
        def generate(self, count, noise):
            return noise.normal("prior/z2", (1, 6)).expand(count, 6)

    pack = PackView(Shared(), linear.weights(1), linear.data(70), keys(0), F64)
    with pytest.raises(EvaluationError, match="one row a datum"):
        pack.trial(0).samples(10)
