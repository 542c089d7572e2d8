"""What the tables of Trading Information between Latents share: names, the study they are of, how it was cut down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from studies.hvae.names import CIFAR10, LADDER, MNIST, SVHN

if TYPE_CHECKING:  # the outputs are listed by these names, without what reads results
    from results.frame import Frame

NAMES = {SVHN: "_svhn", CIFAR10: "_cifar10", MNIST: "_mnist", LADDER: "_lvae"}  # ends of the tables of one study


def only(frames: Mapping[str, Frame]) -> tuple[str, Frame]:
    """The study of a table of one, by its name without @small; raises ValueError for another number of studies."""
    if len(frames) != 1 or not set(frames) <= set(NAMES):
        raise ValueError(f"this table is of one of {', '.join(NAMES)}; given are {', '.join(frames) or 'none'}")
    return next(iter(frames.items()))


def reduced(frames: Mapping[str, Frame]) -> str:
    """How studies were cut down, each by name where they are several."""
    told = {study: frame.reduced for study, frame in frames.items() if frame.reduced}
    if len(frames) == 1:
        return next(iter(told.values()), "")
    return "; ".join(f"{study}: {text}" for study, text in told.items())
