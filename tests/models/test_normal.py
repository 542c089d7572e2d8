"""Diagonal normals against torch.distributions and closed forms."""

from __future__ import annotations

import torch
from torch.distributions import Independent, kl
from torch.distributions import Normal as Reference

from models.noise import Noise, key
from models.normal import Normal, NormalHead, kl_divergence


def _random(site: str, shape: tuple[int, ...] = (7, 5)) -> Normal:
    noise = Noise(key(0), 0, torch.float64)
    return Normal(noise.normal(f"{site}/mean", shape), noise.uniform(f"{site}/std", shape) + 0.1)


def _reference(normal: Normal) -> Independent:
    return Independent(Reference(normal.mean, normal.std), 1)


def test_kl_to_standard_equals_the_reference() -> None:
    q = _random("q")
    standard = Normal(torch.zeros_like(q.mean), torch.ones_like(q.std))
    torch.testing.assert_close(q.kl_to_standard(), kl.kl_divergence(_reference(q), _reference(standard)))
    torch.testing.assert_close(standard.kl_to_standard(), torch.zeros(7, dtype=torch.float64))


def test_kl_divergence_equals_the_reference_and_vanishes_at_equality() -> None:
    q, p = _random("q"), _random("p")
    torch.testing.assert_close(kl_divergence(q, p), kl.kl_divergence(_reference(q), _reference(p)))
    torch.testing.assert_close(kl_divergence(q, q), torch.zeros(7, dtype=torch.float64))
    assert bool((kl_divergence(q, p) > 0).all())


def test_kl_to_standard_is_the_general_divergence_from_n01() -> None:
    q = _random("q")
    standard = Normal(torch.zeros_like(q.mean), torch.ones_like(q.std))
    torch.testing.assert_close(kl_divergence(q, standard), q.kl_to_standard())


def test_log_densities_equal_the_reference() -> None:
    q = _random("q")
    z = Noise(key(2), 0, torch.float64).normal("z", (4, 7, 5))
    torch.testing.assert_close(q.log_prob(z), _reference(q).log_prob(z))
    each = torch.stack([_reference(Normal(mean, std)).log_prob(z[0]) for mean, std in zip(*q, strict=True)], 1)
    torch.testing.assert_close(q.log_prob_each(z[0]), each)


def test_scale_is_the_factor_of_the_covariance() -> None:
    q = _random("q")
    scale = q.scale()
    torch.testing.assert_close(scale @ scale.mT, torch.diag_embed(q.std**2))


def test_sample_has_the_mean_and_std_of_the_normal() -> None:
    # 200,000 draws: bounds of 5 standard errors, passed by chance with probability above 1 - 1e-5.
    count = 200_000
    normal = Normal(
        torch.tensor([1.0, -2.0], dtype=torch.float64).expand(count, 2),
        torch.tensor([0.5, 3.0], dtype=torch.float64).expand(count, 2),
    )
    draws = normal.sample(Noise(key(3), 0, torch.float64), "posterior/z1")
    assert draws.shape == (count, 2)
    std = normal.std[0]
    assert bool(((draws.mean(0) - normal.mean[0]).abs() < 5 * std / count**0.5).all())
    assert bool(((draws.std(0) - std).abs() < 5 * std / (2 * count) ** 0.5).all())


def test_sample_is_reparametrised() -> None:
    mean = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    std = torch.ones(2, 3, dtype=torch.float64, requires_grad=True)
    noise = Noise(key(0), 0, torch.float64)
    Normal(mean, std).sample(noise, "posterior/z1").sum().backward()  # type: ignore[no-untyped-call]
    assert mean.grad is not None
    assert std.grad is not None
    torch.testing.assert_close(mean.grad, torch.ones(2, 3, dtype=torch.float64))
    torch.testing.assert_close(std.grad, noise.normal("posterior/z1", (2, 3)))


def test_head_gives_mean_and_softplus_of_two_linear_maps() -> None:
    head = NormalHead(4, 3).double()
    x = Noise(key(1), 0, torch.float64).normal("x", (6, 4))
    mean, std = head(x)
    weight, bias = head.linear.weight, head.linear.bias
    torch.testing.assert_close(mean, x @ weight[:3].T + bias[:3])
    torch.testing.assert_close(std, torch.log1p(torch.exp(x @ weight[3:].T + bias[3:])))
