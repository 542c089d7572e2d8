"""Pulse: what a worker says while it is at a pack, and hears: its mark in the store, requests to stop, the watchdog."""

from __future__ import annotations

import contextlib
import math
import os
import socket
import time
from typing import Any

from results.commit import now
from results.files import StoreError
from results.store import ResultStore
from sweep.checkpoints import Stopped
from sweep.leftovers import leaving
from sweep.pack import Pack
from sweep.task import PackTask
from sweep.watchdog import Watchdog, watchdog

LOOK_SECONDS = 1.0  # how often a running pack looks for a request to stop and says how far it is
NODE_VARIABLE = "RATESWEEP_NODE"  # the name of the node that a worker is on, where its executor has one for it


class Pulse:
    """One worker at one pack."""

    def __init__(self, task: PackTask, pack: Pack, store: ResultStore) -> None:
        self.task = task
        self.pack = pack
        self.store = store
        self.step = 0  # that was told last
        self._looked = self._marked = self._asked = 0.0
        self._every = min(store.files.mark_seconds, task.settings.hang_seconds / 4 or math.inf)
        self._watchdog: Watchdog | None = watchdog() if task.settings.hang_seconds else None

    def mark(self, **how: Any) -> None:
        """Says in the store what the worker does now: a sign of life. Storage that fails is no reason to stop work."""
        record = {
            "launch": self.task.settings.launch,
            "host": socket.gethostname(),
            "process": os.getpid(),
            "node": os.environ.get(NODE_VARIABLE, ""),
            "pack": [trial.id for trial in self.pack.trials],
            "at": now().isoformat(),
            "hang_seconds": float(self.task.settings.hang_seconds),
        }
        with contextlib.suppress(StoreError):
            self.store.mark_inflight(self.pack.id, record | how)
        self._marked = time.perf_counter()
        self._alive()

    def trained(self, step: int) -> None:
        """Says, at most once a second, how many steps have been trained; raises Stopped where the pack is to stop.

        On storage where each mark is paid for it says so more rarely, and still often enough to be known alive.
        """
        self.step = step
        if self.look() and time.perf_counter() - self._marked >= self._every:
            self.mark(phase="train", step=step, steps=self.pack.trials[0].training.steps)

    def look(self) -> bool:
        """Raises Stopped where the launch, or this pack, was asked to stop; True once a second, to say more."""
        if time.perf_counter() - self._looked < LOOK_SECONDS:
            return False
        self._looked = time.perf_counter()
        self._alive()
        if self._looked - self._asked >= self.store.files.mark_seconds / 2:
            self._asked = self._looked
            launch = self.task.settings.launch
            with contextlib.suppress(StoreError):  # it is asked again; only what is stored for good must be stored
                if self.store.stop_requested(launch) or self.store.stop_requested(leaving(launch, self.pack.id)):
                    raise Stopped
        return True

    def end(self) -> None:
        """The worker has done with the pack, one way or another, and waits for another."""
        if self._watchdog is not None:
            self._watchdog.alive(0)
        with contextlib.suppress(StoreError):
            self.store.clear_inflight(self.pack.id)

    def _alive(self) -> None:
        if self._watchdog is not None:
            self._watchdog.alive(self.task.settings.hang_seconds)
