"""Named arrays as safetensors bytes: weights and checkpoints, read by any tool that knows the format."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import safetensors
import safetensors.numpy

_HEADER = 8  # bytes: the length of the JSON header that follows, little-endian


class Torn(Exception):
    """Bytes that are not a whole safetensors file."""


def encode(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> bytes:
    """Arrays of any layout as one safetensors file."""
    # safetensors writes the memory as it lies, whatever the strides: a transposed array would come back wrong.
    plain = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    return bytes(safetensors.numpy.save(plain, dict(metadata or {})))


def decode(content: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and the metadata; raises `Torn`."""
    try:
        tensors = safetensors.numpy.load(content)
    except (safetensors.SafetensorError, ValueError) as error:
        raise Torn(f"not a whole safetensors file ({error})") from None
    length = int.from_bytes(content[:_HEADER], "little")
    metadata = json.loads(content[_HEADER : _HEADER + length]).get("__metadata__", {})
    return tensors, metadata
