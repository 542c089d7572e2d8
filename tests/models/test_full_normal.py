"""Normals of full covariance against torch.distributions, scipy and the diagonal normal."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence
from torch.func import functional_call, grad, grad_and_value, vmap

from models.full_normal import FLOOR, FullNormal, FullNormalHead
from models.noise import Noise, key
from models.normal import Normal

BATCH, SIZE = 7, 5


def _noise(seed: int = 0) -> Noise:
    return Noise(key(seed), 0, torch.float64)


def _random(shape: tuple[int, ...] = (BATCH, SIZE)) -> FullNormal:
    noise, size = _noise(), shape[-1]
    below = noise.normal("below", (*shape, size)).tril(-1)
    return FullNormal(noise.normal("mean", shape), below + torch.diag_embed(noise.uniform("diagonal", shape) + 0.1))


def _reference(normal: FullNormal) -> MultivariateNormal:
    return MultivariateNormal(normal.mean, scale_tril=normal.tril)


@pytest.mark.parametrize("size", [1, 2, 16, 64])
def test_log_densities_equal_torchs_and_scipys(size: int) -> None:
    q = _random((BATCH, size))
    z = _noise().normal("z", (3, BATCH, size))
    torch.testing.assert_close(q.log_prob(z), _reference(q).log_prob(z), rtol=1e-9, atol=0.0)
    if size <= 2:  # beyond, scipy's eigenvalues of LLᵀ are the less accurate
        for datum, (mean, tril) in enumerate(zip(*q, strict=True)):
            scipys = scipy.stats.multivariate_normal(mean.numpy(), (tril @ tril.mT).numpy()).logpdf(z[:, datum].numpy())
            np.testing.assert_allclose(q.log_prob(z)[:, datum].numpy(), scipys, rtol=1e-9)


@pytest.mark.parametrize("size", [1, 2, 16, 64])
def test_each_density_at_each_point(size: int) -> None:
    q = _random((BATCH, size))
    z = _noise().normal("z", (11, size))
    expected = torch.stack([q.log_prob(point.expand(BATCH, size)) for point in z])
    assert expected.shape == (11, BATCH)
    torch.testing.assert_close(q.log_prob_each(z), expected, rtol=1e-10, atol=0.0)


def test_kl_to_standard_equals_the_reference() -> None:
    q = _random()
    eye = torch.eye(SIZE, dtype=torch.float64)
    standard = MultivariateNormal(torch.zeros(SIZE, dtype=torch.float64), eye)
    torch.testing.assert_close(q.kl_to_standard(), kl_divergence(_reference(q), standard))
    same = FullNormal(torch.zeros(BATCH, SIZE, dtype=torch.float64), eye.expand(BATCH, SIZE, SIZE))
    torch.testing.assert_close(same.kl_to_standard(), torch.zeros(BATCH, dtype=torch.float64))


def test_std_and_scale_are_those_of_the_covariance() -> None:
    q = _random()
    torch.testing.assert_close(q.std.square(), _reference(q).variance)
    torch.testing.assert_close(q.scale() @ q.scale().mT, _reference(q).covariance_matrix)


def test_a_diagonal_factor_is_the_diagonal_normal() -> None:
    noise = _noise()
    mean, std = noise.normal("mean", (BATCH, SIZE)), noise.uniform("std", (BATCH, SIZE)) + 0.1
    full, diagonal = FullNormal(mean, torch.diag_embed(std)), Normal(mean, std)
    z = noise.normal("z", (BATCH, SIZE))
    torch.testing.assert_close(full.std, diagonal.std)
    torch.testing.assert_close(full.log_prob(z), diagonal.log_prob(z))
    torch.testing.assert_close(full.log_prob_each(z), diagonal.log_prob_each(z))
    torch.testing.assert_close(full.kl_to_standard(), diagonal.kl_to_standard())
    torch.testing.assert_close(full.sample(noise, "posterior/z1"), diagonal.sample(noise, "posterior/z1"))


def test_samples_have_the_mean_and_the_covariance() -> None:
    # 200,000 draws, 3 means and 6 covariances within 5 standard errors: passed by chance with probability > 1 - 1e-5.
    count, one = 200_000, _random((1, 3))
    draws = FullNormal(one.mean.expand(count, 3), one.tril.expand(count, 3, 3)).sample(_noise(3), "posterior/z1")
    covariance = _reference(one).covariance_matrix[0]
    variance = covariance.diagonal()
    error = ((variance[:, None] * variance + covariance**2) / count).sqrt()
    assert bool(((draws.mean(0) - one.mean[0]).abs() < 5 * (variance / count).sqrt()).all())
    assert bool(((draws.T.cov() - covariance).abs() < 5 * error).all())


def test_a_sample_is_reparametrised() -> None:
    q = _random()
    epsilon = _noise(3).normal("posterior/z1", (BATCH, SIZE))
    torch.testing.assert_close(
        q.sample(_noise(3), "posterior/z1"), q.mean + torch.einsum("bij,bj->bi", q.tril, epsilon)
    )
    gradient = grad(lambda mean: FullNormal(mean, q.tril).sample(_noise(3), "posterior/z1").sum())(q.mean)
    torch.testing.assert_close(gradient, torch.ones(BATCH, SIZE, dtype=torch.float64))


@pytest.mark.parametrize(("size", "numbers"), [(1, 2), (2, 5), (3, 9), (16, 152), (64, 2144)])
def test_the_head_fills_a_lower_triangle_with_each_of_its_numbers(size: int, numbers: int) -> None:
    head = FullNormalHead(1, size).double()
    assert head.linear.out_features == numbers
    with torch.no_grad():
        head.linear.weight.zero_()
        head.linear.bias.copy_(torch.arange(numbers) + 1.0)
        mean, tril = head(torch.zeros(1, 1, dtype=torch.float64))
    below = torch.ones(size, size).tril(-1).bool()
    softplus = tril[0].diagonal() - FLOOR
    diagonal = softplus + torch.log(-torch.expm1(-softplus))  # the inverse of softplus
    found = torch.cat((mean[0], tril[0][below], diagonal)).sort().values
    torch.testing.assert_close(found, torch.arange(numbers, dtype=torch.float64) + 1.0)
    assert not bool(tril[0].triu(1).any())


@pytest.mark.parametrize("raw", [-200.0, 0.0, 200.0])
def test_whatever_the_head_is_given_densities_and_gradients_are_finite(raw: float) -> None:
    """In single precision, the diagonal at its floor or far above 1; a head of one dimension has nothing else."""
    head, noise = FullNormalHead(1, 1), Noise(key(5), 0)
    z = noise.normal("z", (4, 1))

    def total(bias: Tensor) -> Tensor:
        parameters = {"linear.weight": torch.zeros(2, 1), "linear.bias": bias}
        q: FullNormal = functional_call(head, parameters, (torch.zeros(4, 1),))
        own = q.log_prob(q.sample(noise, "posterior/z1"))
        return (own - q.log_prob_each(z).logsumexp(1)).sum() + q.kl_to_standard().sum()

    gradient, value = grad_and_value(total)(torch.tensor([0.3, raw]))
    assert bool(value.isfinite())
    assert bool(gradient.isfinite().all())


def test_densities_in_a_pack_equal_those_alone() -> None:
    """Under vmap, with gradients to every argument."""
    packed = _random((3, BATCH, SIZE))
    z = _noise().normal("z", (3, 4, SIZE))

    def total(mean: Tensor, tril: Tensor, z: Tensor) -> Tensor:
        q = FullNormal(mean, tril)
        return q.log_prob_each(z).logsumexp(1).sum() + q.log_prob(z[:1].expand(BATCH, SIZE)).sum()

    gradient = grad(total, argnums=(0, 1, 2))
    together = vmap(gradient)(packed.mean, packed.tril, z)
    for slot in range(3):
        for several, one in zip(together, gradient(packed.mean[slot], packed.tril[slot], z[slot]), strict=True):
            torch.testing.assert_close(several[slot], one, rtol=1e-11, atol=1e-11)


def test_gradients_of_the_densities_are_right() -> None:
    q = _random((3, 4))
    z = _noise().normal("z", (3, 4))

    def densities(mean: Tensor, tril: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        normal = FullNormal(mean, tril.tril())
        return normal.log_prob(z), normal.log_prob_each(z)

    arguments = [value.clone().requires_grad_() for value in (q.mean, q.tril, z)]
    assert torch.autograd.gradcheck(densities, arguments)
