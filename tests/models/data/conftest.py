"""What tests of data sets share: official files that few have."""

from __future__ import annotations

import lzma
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

BESIDE = Path(__file__).resolve().parents[4] / "shared" / "data"
COMPRESSED = {"test_batch.bin": "test_batch_first1000.bin.xz"}  # others are there by their names with .xz


@pytest.fixture
def real_set(tmp_path: Path) -> Callable[..., Path]:
    """The folder of the official files of a set: real_set("svhn", …); skips where they are not here.

    It is the one that RATESWEEP_TEST_DATA names, or one that is laid out now from shared/data beside the checkout.
    """

    def folder(name: str, *files: str) -> Path:
        named = os.environ.get("RATESWEEP_TEST_DATA")
        if named:
            absent = [file for file in files if not (Path(named) / name / file).is_file()]
            if absent:
                pytest.skip(f"no official files of {name}: {Path(named) / name / absent[0]} is not there")
            return Path(named)
        for file in files:
            last = Path(file).name
            source = BESIDE / name / COMPRESSED.get(last, f"{last}.xz")
            if not source.is_file():
                pytest.skip(
                    f"no official files of {name}: {source} is not there; RATESWEEP_TEST_DATA names their folder"
                )
            target = tmp_path / name / file
            target.parent.mkdir(parents=True, exist_ok=True)
            with lzma.open(source) as packed, target.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
        return tmp_path

    return folder
