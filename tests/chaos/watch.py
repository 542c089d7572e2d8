"""Watch: sees that a launch of the stormy study is at work until all is done, and what its packs are at."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil
from launches import PATIENCE, Study, log_of

COMMITTED = ("weights", "curves", "metrics", "images", "codes", "trials")  # folders of the store that a commit fills


class Broken(AssertionError):
    """Something went otherwise than it must."""


@dataclass(kw_only=True)
class Watch:
    """planned: trials of the study. nodes: the cluster to launch on, None for a Ray of each launch's own.

    ends: launches by exit code.
    """

    study: Study
    planned: int
    nodes: Any = None
    options: Sequence[str] = ()
    ends: Counter[int] = field(default_factory=Counter)
    launches: int = 0
    drivers: list[psutil.Popen] = field(default_factory=list)
    _expected: dict[int, set[int]] = field(default_factory=dict)  # exit codes by process, beside those of the end
    _blows: Counter[tuple[str, str]] = field(default_factory=Counter)

    def _at_work(self) -> bool:
        """Sees that a launch is at work while anything is to be done; False when all is done."""
        for driver in [one for one in self.drivers if one.poll() is not None]:
            self.drivers.remove(driver)
            self.ends[driver.returncode] += 1
            if driver.returncode not in {0, 3} | self._expected.get(driver.pid, set()):
                raise Broken(f"a launch ended with {driver.returncode}:\n{log_of(driver)}")
            if "Traceback" in log_of(driver):
                raise Broken(log_of(driver))
        if not self.drivers:
            if self._done():
                return False
            if self.launches > 100:
                raise Broken("launched a hundred times, and it is not done")
            self._launch()
        for driver in self.drivers:
            self.study.remember(driver)
        return True

    def _launch(self, *more: str) -> psutil.Popen:
        self.launches += 1
        where = ("--address", self.nodes.address) if self.nodes else ()
        self.drivers.append(self.study.launch(*where, *self.options, *more))
        return self.drivers[-1]

    def _begun(self) -> list[psutil.Popen]:
        """The launches that have begun: before, they are like any program that is starting."""
        store = self.study.store
        beating = {record["process"] for record in store.beating().values()} if store is not None else set()
        return [driver for driver in self.drivers if driver.pid in beating]

    def _done(self) -> bool:
        store = self.study.store
        return store is not None and store.trials(["trial"]).num_rows == self.planned

    def _expect(self, driver: psutil.Popen, *codes: int) -> None:
        self._expected.setdefault(driver.pid, set()).update(codes)

    def _await(self, found: Callable[[], Any]) -> Any:
        """What is found as soon as anything is, None where the study is done first."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if result := found():
                return result
            if not self._at_work():
                return None
            time.sleep(0.005)
        raise Broken(f"nothing happened: {[log_of(driver) for driver in self.drivers]}")

    def _await_end(self, found: Callable[[], Any]) -> Any:
        """The same, of what comes of packs that are done: they need not be slow until then."""
        self.study.hold(False)
        try:
            return self._await(found)
        finally:
            self.study.hold(True)

    def _training(self) -> list[dict[str, Any]]:
        """What is said of the packs that are at a step and may be struck.

        A trial that is by itself in its pack is struck but once a launch: it would rightly be suspected.
        """
        found = []
        for _, mark in sorted(self.study.marks().items()):
            alone = mark["pack"][0] if len(mark["pack"]) == 1 else ""
            struck = bool(alone) and self._blows[mark["launch"], alone] > 0
            if mark.get("phase") == "train" and mark.get("step", 0) > 0 and not struck and self._alive(mark):
                found.append(mark)
        return found

    @staticmethod
    def _alive(mark: dict[str, Any]) -> bool:
        """Whether a mark is of a worker that runs: others are left from before."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(mark["process"]).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_STOPPED)
        return False

    def _committing(self) -> list[dict[str, Any]]:
        """What is said of the packs that are being committed at this moment."""
        busy = {process for process, folder in self.study.flushing().items() if folder in COMMITTED}
        return [mark for _, mark in sorted(self.study.marks().items()) if mark["process"] in busy] if busy else []

    def _in_phase(self, phase: str) -> list[dict[str, Any]]:
        """What is said of the packs that are in this phase of their work, as soon as any is."""
        return (self._await_end(self._committing) if phase == "commit" else self._await(self._training)) or []

    def _phase(self, processes: Iterable[int]) -> str:
        """What any of these processes is at: a commit, or else training."""
        flushing = self.study.flushing()
        folders = {flushing.get(process, "") for process in processes}
        return "commit" if folders & set(COMMITTED) else "train"
