"""Named arrays as safetensors bytes: weights and checkpoints, read by any tool that knows the format."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Protocol

import numpy as np
import safetensors
import safetensors.numpy

_HEADER = 8  # bytes: the length of the JSON header that follows, little-endian
_LONGEST = 100 * 2**20  # bytes of a header, by the format's own rule


class Readable(Protocol):
    """What is read of a file."""

    def read(self, size: int, /) -> bytes: ...


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
    return tensors, metadata_of(io.BytesIO(content))


def metadata_of(file: Readable) -> dict[str, str]:
    """The metadata alone, from the head of a file; raises `Torn`."""
    length = int.from_bytes(file.read(_HEADER), "little")
    try:
        header = json.loads(file.read(min(length, _LONGEST)))
        metadata: dict[str, str] = header.get("__metadata__", {})
    except (ValueError, AttributeError):
        raise Torn("not a safetensors file: its head is not whole") from None
    return metadata
