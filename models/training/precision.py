"""Precision: in what numbers a trial is trained; `Training.precision` says what each means.

Only training is concerned. What is measured of a trial is computed in float32, or float64 for a trial of float64.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

DTYPES = {
    "float32": torch.float32,
    "float64": torch.float64,
    "tf32": torch.float32,
    "bfloat16": torch.float32,
}  # of parameters, noise, rates and log densities
AMPERE = (8, 0)  # the first compute capability with TF32


class PrecisionError(ValueError):
    """A precision that the device at hand has not."""


def check_precision(precision: str, device: torch.device) -> None:
    """Raises PrecisionError where a trial of this precision cannot be trained on the device."""
    if precision != "tf32":
        return
    if device.type != "cuda":
        raise PrecisionError(f"training.precision = 'tf32' needs a CUDA device, not {device.type}; take 'float32'")
    found = torch.cuda.get_device_capability(device)
    if found < AMPERE:
        needed, has = (".".join(map(str, version)) for version in (AMPERE, found))
        raise PrecisionError(
            f"training.precision = 'tf32' needs compute capability {needed}, and {torch.cuda.get_device_name(device)} "
            f"has {has}; take 'float32'"
        )


def layers(precision: str, device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Where a network's forward pass belongs: the products of its layers in bfloat16, if that is the precision."""
    if precision != "bfloat16":
        return contextlib.nullcontext()
    # No cache of cast weights: it would outlive the functional transforms of a fused step.
    return torch.autocast(device.type, torch.bfloat16, cache_enabled=False)


def exact_products() -> None:
    """No product of float32 is rounded to TF32, which cuDNN's convolutions otherwise are."""
    _set_products("ieee")


@contextlib.contextmanager
def products(precision: str, device: torch.device) -> Iterator[None]:
    """Where training belongs, forwards and backwards: products in TF32, if that is the precision, and exact ones after.

    Raises PrecisionError where the device has no such precision.
    """
    check_precision(precision, device)
    if precision != "tf32":
        yield
        return
    _set_products("tf32")
    try:
        yield
    finally:
        exact_products()


def _set_products(rounding: str) -> None:
    torch.backends.cuda.matmul.fp32_precision = rounding
    torch.backends.cudnn.conv.fp32_precision = rounding  # type: ignore[attr-defined]
