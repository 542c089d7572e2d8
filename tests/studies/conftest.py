"""What tests of several studies' figures share."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest


def _decoded(address: str) -> np.ndarray:
    """(H, W, 3) colours of a PNG without filters, each of its parts intact."""
    head, _, text = address.partition(",")
    assert head == "data:image/png;base64"
    content = base64.b64decode(text)
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    parts, place = {}, 8
    while place < len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        body = content[place + 4 : place + 8 + length]
        assert zlib.crc32(body) == struct.unpack(">I", content[place + 8 + length : place + 12 + length])[0]
        parts[body[:4]] = body[4:]
        place += 12 + length
    width, height, *kind = struct.unpack(">IIBBBBB", parts[b"IHDR"])
    assert kind == [8, 2, 0, 0, 0]
    lines = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(height, 1 + 3 * width)
    assert not lines[:, 0].any()
    return lines[:, 1:].reshape(height, width, 3)


@pytest.fixture(scope="session")
def decoded() -> Callable[[str], np.ndarray]:
    """The colours of a figure's embedded picture."""
    return _decoded
