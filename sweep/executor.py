"""What every executor offers: it takes packs from the queue until none will come, and yields what became of each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from sweep.pack import Decision
from sweep.resources import Resources
from sweep.task import PackRecord, PackTask

if TYPE_CHECKING:
    from sweep.pack_queue import PackQueue


class ExecutorError(Exception):
    """An executor that cannot start: Ray is not installed, or nobody listens at the address."""


class Executor(Protocol):
    """Runs packs on workers. A context manager: what it started is gone when it is left."""

    name: str

    def __enter__(self) -> Executor: ...

    def __exit__(self, *exception: object) -> None: ...

    def room(self, resources: Resources, devices: Collection[str]) -> Mapping[str, int]:
        """How many packs run at once on each kind of device, now; a device that is not there is left out.

        devices: those that packs are for; raises ExecutorError where there will never be room for one.
        """

    def run(self, queue: PackQueue) -> Iterator[PackRecord]:
        """Takes tasks until the queue is exhausted, reports records and deaths to it, and yields the records."""

    def calibrate(self, task: PackTask) -> Decision:
        """Measures, on a worker, how the trials of a task are best packed."""
