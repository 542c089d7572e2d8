"""What tests of data sets share: official files that few have."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def real_set() -> Callable[..., Path]:
    """The folder that RATESWEEP_TEST_DATA names, if it has files of a set; skips otherwise: real_set("svhn", …)."""

    def folder(name: str, *files: str) -> Path:
        named = os.environ.get("RATESWEEP_TEST_DATA")
        if not named:
            pytest.skip(f"no official files of {name}: RATESWEEP_TEST_DATA names no folder with them")
        for file in files:
            if not (Path(named) / name / file).is_file():
                pytest.skip(f"no official files of {name}: {Path(named) / name / file} is not there")
        return Path(named)

    return folder
