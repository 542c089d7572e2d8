"""The idx format of MNIST (LeCun, Cortes & Burges): an array of unsigned bytes, gzipped.

Two zero bytes, the type (8: unsigned bytes), the number of dimensions, each dimension as a big-endian 32-bit integer,
then the values, the last dimension fastest.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from models.data.download import DataError

UNSIGNED_BYTES = 8


def read(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The array in a file, uint8 and not to be written to.

    Raises DataError where the file is damaged, cut short, longer than it says or not of this shape.
    """
    header = 4 + 4 * len(shape)
    count = math.prod(shape)
    try:
        with gzip.open(path) as opened:
            raw = opened.read(header)
            values = opened.read(count + 1)  # one more than there should be, which also has gzip check its own sum
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is no whole gzip file: {getattr(error, 'strerror', None) or error}") from None
    magic = bytes((0, 0, UNSIGNED_BYTES, len(shape)))
    if raw[:4] != magic:
        raise DataError(
            f"{path} is no idx file of unsigned bytes in {len(shape)} dimensions: "
            f"it begins with {raw[:4].hex(' ')}, not {magic.hex(' ')}"
        )
    found = tuple(int.from_bytes(raw[at : at + 4], "big") for at in range(4, header, 4))
    if len(raw) < header or found != shape:
        raise DataError(f"{path} holds an array of shape {found}, not {shape}")
    if len(values) != count:
        amount = "more than" if len(values) > count else f"{len(values):,} of"
        raise DataError(f"{path} holds {amount} the {count:,} bytes of its shape {shape}")
    return np.frombuffer(values, np.uint8).reshape(shape)
