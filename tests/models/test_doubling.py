"""The fast transposed convolution: torch's own is the oracle, for values and gradients, alone and in packs."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import grad, vmap

from models.doubling import Doubling


def pair(inputs: int, outputs: int, dtype: torch.dtype) -> tuple[Doubling, torch.nn.ConvTranspose2d]:
    """The layer and torch's own with the same parameters."""
    fast = Doubling(inputs, outputs).to(dtype)
    plain = torch.nn.ConvTranspose2d(inputs, outputs, 4, 2, 1).to(dtype)
    plain.load_state_dict(fast.state_dict())
    return fast, plain


@pytest.mark.parametrize(("inputs", "outputs", "side"), [(16, 1, 14), (5, 3, 7), (2, 4, 1)])
def test_it_is_torchs_own_transposed_convolution(inputs: int, outputs: int, side: int) -> None:
    fast, plain = pair(inputs, outputs, torch.float64)
    x = torch.randn(3, inputs, side, side + 1, dtype=torch.float64, requires_grad=True)
    weigh = torch.randn(3, outputs, 2 * side, 2 * side + 2, dtype=torch.float64)
    torch.testing.assert_close(fast(x), plain(x), rtol=1e-13, atol=1e-13)
    ours = torch.autograd.grad((fast(x) * weigh).sum(), (x, *fast.parameters()))
    theirs = torch.autograd.grad((plain(x) * weigh).sum(), (x, *plain.parameters()))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_its_gradients_are_those_of_finite_differences() -> None:
    layer = Doubling(2, 2).double()
    assert torch.autograd.gradcheck(layer, torch.randn(2, 2, 3, 2, dtype=torch.float64, requires_grad=True))
    x = torch.randn(1, 2, 2, 3, dtype=torch.float64)
    weight, bias = (value.detach().requires_grad_() for value in layer.parameters())
    named = ("weight", "bias")

    def output(*values: Tensor) -> Tensor:
        return torch.func.functional_call(layer, dict(zip(named, values, strict=True)), x)  # type: ignore[no-any-return]

    assert torch.autograd.gradcheck(output, (weight, bias))


def test_a_pack_of_them_is_each_of_them() -> None:
    """vmap over weights and data, values and gradients, beside torch's own one by one."""
    torch.manual_seed(0)
    x, weight = torch.randn(3, 4, 5, 6, 6), torch.randn(3, 5, 2, 4, 4)
    layer = Doubling(5, 2)

    def loss(weight: Tensor, x: Tensor) -> Tensor:
        zero = {"weight": weight, "bias": torch.zeros(2)}
        output: Tensor = torch.func.functional_call(layer, zero, x)
        return output.square().sum()

    packed = vmap(grad(loss, argnums=(0, 1)))(weight, x)
    for slot in range(3):
        alone = grad(lambda w, x: F.conv_transpose2d(x, w, None, 2, 1).square().sum(), argnums=(0, 1))
        for one, other in zip(packed, alone(weight[slot], x[slot]), strict=True):
            torch.testing.assert_close(one[slot], other, rtol=1e-4, atol=1e-3)


def test_in_float32_it_rounds_as_torchs_own_does() -> None:
    fast, plain = pair(16, 1, torch.float32)
    x = torch.randn(8, 16, 14, 14)
    torch.testing.assert_close(fast(x), plain(x), rtol=1e-5, atol=1e-5)
