"""Backoff: how a store waits for faults that pass, `Unsteady`, before it tells of them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from results.faults import StoreError, Unsteady

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """Waits first, 2 × first, 4 × first, … seconds, at most `longest`, each cut by chance to as little as half.

    So, many processes that were turned away at once do not come back at once. No wait begins that would end later than
    `seconds` after the first try. clock, sleep, chance: for tests.
    """

    first: float = 0.5
    longest: float = 10.0
    seconds: float = 30.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random

    def waits(self) -> Iterator[float]:
        """The waits between tries, without end."""
        wait = self.first
        while True:
            yield min(wait, self.longest) * (1 - self.chance() / 2)
            wait *= 2

    def again(self, call: Callable[[], T]) -> T:
        """What `call` gives; while it raises `Unsteady` it is tried again, in the end a plain `StoreError` is raised.

        So of nested calls the innermost waits: what it gives up is not tried again outside.
        """
        begun = self.clock()
        for tries, wait in enumerate(self.waits(), 1):
            try:
                return call()
            except Unsteady as fault:
                spent = self.clock() - begun
                if spent + wait > self.seconds:
                    raise StoreError(f"{fault}; tried {tries} times in {spent:.0f} s") from fault.__cause__
            self.sleep(wait)
        raise AssertionError("the waits have no end")
