"""The idx format, read strictly."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from models.data import idx
from models.data.download import DataError

VALUES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def encoded(values: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


@pytest.mark.parametrize("values", [VALUES, np.array([3, 1, 255], np.uint8)], ids=["images", "labels"])
def test_what_was_written_is_read(tmp_path: Path, values: np.ndarray) -> None:
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(encoded(values)))
    found = idx.read(path, values.shape)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, values)


def test_dimensions_are_big_endian_and_the_last_is_fastest(tmp_path: Path) -> None:
    # Byte for byte as the format's page has it, of an array of 1 × 300.
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(b"\x00\x00\x08\x02\x00\x00\x00\x01\x00\x00\x01\x2c" + bytes([7]) * 299 + b"\x09"))
    found = idx.read(path, (1, 300))
    assert (int(found[0, 298]), int(found[0, 299])) == (7, 9)


WHOLE = encoded(VALUES)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(b"\x00\x00\x0d\x03" + WHOLE[4:]), ["no idx file of unsigned bytes", "00 00 0d 03"]),
        (gzip.compress(b"\x00\x00\x08\x01" + WHOLE[4:]), ["in 3 dimensions", "00 00 08 01, not 00 00 08 03"]),
        (gzip.compress(WHOLE[:6]), ["holds an array of shape", "not (2, 3, 4)"]),
        (gzip.compress(b""), ["no idx file", "begins with , not"]),
        (gzip.compress(encoded(VALUES.transpose(2, 1, 0))), ["shape (4, 3, 2), not (2, 3, 4)"]),
        (gzip.compress(WHOLE[:-1]), ["23 of the 24 bytes"]),
        (gzip.compress(WHOLE + b"x"), ["more than the 24 bytes"]),
        (gzip.compress(WHOLE)[:-12], ["no whole gzip file", "ended before"]),
        (gzip.compress(WHOLE)[:-8] + bytes(8), ["no whole gzip file", "CRC"]),
        (WHOLE, ["no whole gzip file", "Not a gzipped file"]),
    ],
    ids=["type", "dimensions", "header", "empty", "shape", "short", "long", "cut", "sum", "plain"],
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes, words: list[str]) -> None:
    path = tmp_path / "file.gz"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        idx.read(path, VALUES.shape)
    for word in (str(path), *words):
        assert word in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        idx.read(tmp_path / "file.gz", (3,))
