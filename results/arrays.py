"""Arrow arrays from strings and integers and back without pandas, which pyarrow imports at its first conversion.

That import would be a fifth of what `sweep status` takes.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa


def strings(values: Iterable[str]) -> pa.StringArray:
    """Texts as an Arrow array."""
    encoded = [value.encode() for value in values]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int32)
    np.cumsum([len(one) for one in encoded], out=offsets[1:])
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded)))


def integers(values: np.ndarray) -> pa.Int64Array:
    """Whole numbers as an Arrow array."""
    plain = np.ascontiguousarray(values, dtype=np.int64)
    return pa.Array.from_buffers(pa.int64(), len(plain), [None, pa.py_buffer(plain)])


def numbers(array: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """An Arrow array of whole numbers without nulls as a NumPy array."""
    chunks = array.chunks if isinstance(array, pa.ChunkedArray) else [array]
    arrays = [np.from_dlpack(chunk) for chunk in chunks]
    return arrays[0] if len(arrays) == 1 else np.concatenate([np.zeros(0, dtype=np.int64), *arrays])
