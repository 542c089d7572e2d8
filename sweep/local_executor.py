"""The local executor: the same packs, one after another in this process, without Ray."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from sweep.pack import Decision
from sweep.pack_queue import PackQueue
from sweep.resources import Resources
from sweep.task import PackRecord, PackTask


class LocalExecutor:
    """One slot. A pack that kills its process kills the launch; the next launch finds its trials pending."""

    name = "local"

    def __enter__(self) -> LocalExecutor:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def room(self, resources: Resources, devices: Collection[str]) -> Mapping[str, int]:
        return {"cpu": 1, "cuda": 1}

    def run(self, queue: PackQueue) -> Iterator[PackRecord]:
        from sweep.run import run_pack  # torch takes two seconds to import

        while (task := queue.take()) is not None:
            # A worker that hangs is ended, and here the worker is the launch itself.
            record = run_pack(replace(task, settings=replace(task.settings, hang_seconds=0.0)))
            queue.done(record)
            yield record

    def calibrate(self, task: PackTask) -> Decision:
        from sweep.calibrating import calibrate

        return calibrate(task)
