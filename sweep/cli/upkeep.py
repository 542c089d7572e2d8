"""Verbs that are being written."""

from __future__ import annotations

from sweep.cli.options import Parser, Verbs


def add(verbs: Verbs[Parser]) -> None:
    """Declares none yet."""
