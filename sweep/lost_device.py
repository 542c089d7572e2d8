"""A lost device: after a failed assertion in a kernel, say, all that its process runs fails for what one trial did."""

from __future__ import annotations

import os
import sys

from models.training.memory import device_is_lost
from sweep.failures import Fault, traceback_of

UNUSABLE = 70  # EX_SOFTWARE of sysexits.h: how a process ends whose GPU has failed under it


def end_if_device_is_lost(error: BaseException) -> None:
    """Ends this process, with its last words, where its GPU is lost: whoever waits for it begins another.

    The trial that it was at is then known from its mark, and no other has a failure that is not its own.
    """
    if device_is_lost(error):
        print(traceback_of(error), file=sys.stderr, flush=True)
        os._exit(UNUSABLE)


def fault_of(error: BaseException) -> Fault:
    """What kept something from being measured; ends this process where that is a lost GPU."""
    end_if_device_is_lost(error)
    return Fault.of(error)
