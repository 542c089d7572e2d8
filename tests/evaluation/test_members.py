"""What a view gives of one trial by itself: samples of posteriors, sampled reconstructions, classifiers' logits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from evaluation.errors import EvaluationError
from evaluation.rows import logits
from evaluation.view import PackView, View
from models import noise
from models.data.dataset import Dataset, Split

F64 = torch.float64


def keys(*seeds: int) -> torch.Tensor:
    return torch.stack([noise.key(seed) for seed in seeds])


@pytest.fixture
def pack(linear) -> Any:
    def make(count: int = 3, rows: int = 150, data: Dataset | None = None, **rest: Any) -> PackView:
        seeds = rest.pop("seeds", range(count))
        return PackView(linear.network(), linear.weights(count), data or linear.data(rows), keys(*seeds), F64, **rest)

    return make


def split(count: int, seed: int = 9) -> Split:
    rng = np.random.default_rng(seed)
    images = torch.from_numpy(rng.integers(0, 5, (count, 1, 2, 3), dtype=np.uint8))
    return Split(images=images, labels=torch.arange(count) % 3)


def alone(view: View) -> dict[str, np.ndarray]:
    return {
        "train": view.draws("train", "z2", 3),
        "test": view.draws("test", "z2", 3),
        "resampled": view.resampled(np.arange(0, 150, 2)),
        "scales": view.scales("z2", 70),
    }


def test_draws_are_of_the_posterior(pack):
    view = pack(rows=64).trial(1)
    code, draws = view.codes("z2"), view.draws("test", "z2", 4000)
    assert draws.shape == (4000, 64, 2)
    # 128 means and deviations of 4,000 samples: beyond 5 standard errors once in 15,000 such tests.
    np.testing.assert_array_less(np.abs(draws.mean(0) - code.mean), 5 * code.std / np.sqrt(4000))
    np.testing.assert_array_less(np.abs(draws.std(0) / code.std - 1), 5 / np.sqrt(2 * 4000))
    residual = ((draws - code.mean) / code.std).reshape(4000, -1)
    correlation = np.corrcoef(residual.T) - np.eye(128)
    assert np.abs(correlation).max() < 6 / np.sqrt(4000)  # between data and dimensions; 8,128 pairs


def test_draws_follow_a_full_covariance(linear):
    factor = torch.tensor([[0.5, 0.0], [-0.8, 0.3]], dtype=F64)

    class Full(linear.network):
        def scales(self, x, noise):
            return {"z1": factor.expand(len(x), 2, 2), "z2": factor.expand(len(x), 2, 2)}

    view = PackView(Full(), linear.weights(1), linear.data(64), keys(0), F64).trial(0)
    residual = (view.draws("test", "z2", 500) - view.codes("z2").mean).reshape(-1, 2)
    np.testing.assert_allclose(np.cov(residual.T), factor @ factor.T, atol=0.02)  # 32,000 samples: 3 standard errors


def test_splits_have_noise_and_images_of_their_own(pack, linear):
    data = linear.data(150)
    view = pack(data=Dataset(spec=data.spec, train=data.test, validation=split(70), test=data.test)).trial(0)
    train, test = view.draws("train", "z2", 1)[0], view.draws("test", "z2", 1)[0]
    mean = view.codes("z2").mean
    assert np.abs(np.corrcoef((train - mean).ravel(), (test - mean).ravel())[0, 1]) < 0.3
    assert view.draws("validation", "z2", 2).shape == (2, 70, 2)
    np.testing.assert_array_equal(view.draws("test", "z2", 1)[0], test)


def test_dynamic_images_are_binarised_for_training_codes(linear):
    seen: list[torch.Tensor] = []

    class Watching(linear.network):
        def codes(self, x, noise):
            seen.append(x)
            return super().codes(x, noise)

    grey = Split(images=torch.full((640, 1, 2, 3), 51, dtype=torch.uint8), labels=torch.arange(640) % 3)
    data = Dataset(spec=linear.spec(), train=grey, test=linear.data(64).test, dynamic=True)
    view = PackView(Watching(), linear.weights(1), data, keys(0), F64).trial(0)
    view.draws("train", "z2", 1)
    pixels = torch.cat(seen)
    assert set(pixels.unique().tolist()) == {0.0, 1.0}
    assert abs(float(pixels.mean()) - 0.2) < 4 * np.sqrt(0.16 / pixels.numel())
    seen.clear()
    view.draws("test", "z2", 1)
    assert float(torch.cat(seen).max()) == 4.0


def test_same_numbers_in_another_slot_company_and_chunk(pack, linear):
    weights = linear.weights(3)["weight"]
    first = alone(pack(3).trial(1))
    moved = PackView(
        linear.network(), {"weight": weights[[2, 2, 1]]}, linear.data(150), keys(8, 9, 1), F64, chunk=64, fused=False
    )
    for name, array in alone(moved.trial(2)).items():
        np.testing.assert_allclose(array, first[name], atol=1e-12, err_msg=name)


def test_other_seeds_give_other_numbers(pack):
    one, other = alone(pack(1, seeds=(0,)).trial(0)), alone(pack(1, seeds=(1,)).trial(0))
    assert all((one[name] != other[name]).any() for name in ("train", "test", "resampled"))


def test_resampled_are_images_about_the_reconstructions(pack):
    view = pack(rows=150).trial(2)
    chosen = np.array([149, 3, 3, 77])
    found = view.resampled(chosen)
    assert found.shape == (4, 1, 2, 3)
    assert found.dtype == np.uint8
    assert view.resampled(chosen) is found
    repeated = view.resampled(np.full(1000, 5))
    # Rounding up or down by chance keeps the mean, up to what the sampled z adds.
    np.testing.assert_allclose(repeated.mean(0), 4 * view.reconstructions()[5], atol=0.25)
    assert (repeated != repeated[0]).any()


def test_resampled_that_are_no_pixels_are_refused(pack, linear, monkeypatch):
    monkeypatch.setattr(linear.network, "resample", lambda self, x, noise: x / 4)
    with pytest.raises(EvaluationError, match=r"integers 0\.\.4"):
        pack().trial(0).resampled(np.arange(10))


def test_one_member_samples_without_vmap(linear):
    """As an autoregressive decoder does, which writes into what it has kept."""

    class InPlace(linear.network):
        autoregressive = True

        def resample(self, x, noise):
            drawn = torch.zeros_like(x)
            drawn[:, :, 0] = noise.uniform("pixels", tuple(x[:, :, 0].shape)).round()
            return drawn

        def generate(self, count, noise):
            return self.resample(torch.zeros(count, 1, 2, 3, dtype=F64), noise)

    view = PackView(InPlace(), linear.weights(2), linear.data(70), keys(0, 1), F64).trial(1)
    assert view.resampled(np.arange(5)).shape == (5, 1, 2, 3)
    assert view.samples(7).shape == (7, 1, 2, 3)


def test_scales_are_the_posteriors(pack):
    view = pack().trial(0)
    for group in ("z1", "z2"):
        np.testing.assert_array_equal(np.diagonal(view.scales(group, 70), axis1=1, axis2=2), view.codes(group).std[:70])
    assert view.scales("z2", 1000).shape == (150, 2, 2)


def test_logits_of_a_pack_of_classifiers_and_of_a_prerequisite(pack, linear):
    images = linear.data(150).test.images
    two = torch.full((150, 1), 2.0, dtype=F64)
    expected = torch.cat((images.flatten(1)[:, :2].double(), two), 1).numpy()
    weights = {"weight": torch.tensor([[1.0, 1, 1], [1, 2, 3]], dtype=F64)}
    view = PackView(linear.classifier(), weights, linear.data(150), keys(0, 1), F64).trial(1)
    assert view.supervised
    np.testing.assert_allclose(view.logits(), expected * [1, 2, 3])
    reference = linear.classifier()
    measured = pack(prerequisites={"reference": reference}).trial(0)
    assert measured.prerequisite("reference") is reference
    assert not measured.supervised
    np.testing.assert_allclose(measured.judged("reference"), expected)
    assert measured.judged("reference") is measured.judged("reference")
    np.testing.assert_allclose(measured.judged("reference", images[5:9].numpy()), expected[5:9])
    np.testing.assert_allclose(logits(linear.classifier(), images, 64), expected)


def test_refusals(pack):
    view = pack().trial(0)
    with pytest.raises(EvaluationError, match="of the top group, z2, not of z1"):
        view.draws("test", "z1", 2)
    with pytest.raises(EvaluationError, match="no latent group 'z3'"):
        view.draws("test", "z3", 2)
    with pytest.raises(EvaluationError, match="no validation split"):
        view.draws("validation", "z2", 1)
    with pytest.raises(EvaluationError, match="no prerequisite 'reference' of this quantity; known: none"):
        view.judged("reference")
