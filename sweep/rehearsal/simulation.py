"""The simulation: discrete events between the queue of a launch and the workers of a simulated cluster.

Workers take tasks from the real queue and report records and deaths to it; nodes are lost and come back. The clock
jumps from event to event, and events of one moment come in the order in which they were made, so a rehearsal is the
same every time.
"""

from __future__ import annotations

import functools
import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sweep.blame import Death
from sweep.executor import ExecutorError
from sweep.pack_queue import PackQueue
from sweep.places import Place
from sweep.rehearsal.books import RehearsedBooks
from sweep.rehearsal.cluster import Cluster, Faults, Slot
from sweep.rehearsal.worker import Execution, Worker
from sweep.task import PackRecord

LOST = "its node was lost"


@dataclass(kw_only=True)
class _Run:
    """An attempt under way."""

    execution: Execution
    slot: Slot
    begun: float
    over: bool = False


@dataclass(kw_only=True)
class Simulation:
    """A cluster at work on a queue.

    After `run`, the fields say how it went: seconds until the last pack came back, seconds that slots were at
    work and that they were away with their node, by kind of device, and attempts at packs by how they ended.
    """

    queue: PackQueue
    cluster: Cluster
    worker: Worker
    faults: Faults
    books: RehearsedBooks
    makespan: float = 0.0
    busy: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    away: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    attempts: Counter[str] = field(default_factory=Counter)
    _now: float = 0.0
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=itertools.count)
    _free: dict[str, list[Slot]] = field(default_factory=dict)  # by kind of place
    _running: dict[Slot, _Run] = field(default_factory=dict)
    _back: dict[int, float] = field(default_factory=dict)  # when the nodes that are away come back

    def run(self) -> None:
        """Until the queue has nothing more to hand out and nothing runs. Raises ExecutorError for a missing device."""
        slots = self.cluster.slots
        for device in sorted(self.queue.devices):
            if not slots.get(device):
                raise ExecutorError(f"some packs are for {device}, and the cluster has none")
        for slot in self.cluster.each():
            heapq.heappush(self._free.setdefault(self._kind(slot), []), slot)
        for node in range(len(self.cluster.nodes)):
            self._lose_in_time(node, self.faults.losses(node))
        self._hand_out()
        while not self._finished():
            self._now, _, happens = heapq.heappop(self._events)
            happens()
            self._hand_out()
        for node, back in self._back.items():
            self._count_away(node, min(0.0, self.makespan - back))

    def _finished(self) -> bool:
        return not self._running and (self.queue.exhausted or not self._events)

    def _kind(self, slot: Slot) -> str:
        return self.cluster.nodes[slot.node].kind(slot.device)

    def _at(self, time: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time, next(self._order), happens))

    def _hand_out(self) -> None:
        """Gives tasks to free slots while there are both."""
        if not any(self._free.values()):
            return
        places = self._places()
        while (task := self.queue.take(places)) is not None:
            (kind,) = task.requires
            slot = heapq.heappop(self._free[kind])
            memory = self.cluster.nodes[slot.node].memory
            execution = self.worker.begin(self.books.packs[task.pack], task.tries, memory)
            run = _Run(execution=execution, slot=slot, begun=self._now)
            self._running[slot] = run
            self.attempts["started"] += 1
            self._at(self._now + execution.seconds, functools.partial(self._ended, run))

    def _places(self) -> list[Place]:
        """Where packs may run now, as an executor tells the queue: devices of most memory first."""
        busy = Counter(self._kind(slot) for slot in self._running)
        found: dict[str, Place] = {}
        for node in self.cluster.nodes:
            for device in node.slots:
                kind = node.kind(device)
                count = busy[kind] + len(self._free.get(kind, ()))
                requires = {kind: 1.0}
                found[kind] = Place(name=kind, device=device, count=count, memory=node.memory, requires=requires)
        return sorted(found.values(), key=lambda place: -(place.memory or 0))

    def _ended(self, run: _Run) -> None:
        if run.over:  # its node was lost before
            return
        record = self._leave(run, run.execution.seconds)
        heapq.heappush(self._free[self._kind(run.slot)], run.slot)
        if record is not None:
            self.attempts["ended"] += 1
            self.queue.done(record)
            return
        self.attempts["died"] += 1
        self.books.marks[run.execution.pack.id] = run.execution.said()
        self.queue.died(run.execution.pack.id)
        self.books.marks.clear()

    def _leave(self, run: _Run, elapsed: float) -> PackRecord | None:
        run.over = True
        del self._running[run.slot]
        self.busy[run.slot.device] += elapsed
        self.makespan = self._now
        return self.worker.end(run.execution, run.begun, elapsed)

    def _lose_in_time(self, node: int, losses: Iterator[float]) -> None:
        up = next(losses, None)
        if up is not None:
            self._at(self._now + up, lambda: self._lose(node, losses))

    def _lose(self, node: int, losses: Iterator[float]) -> None:
        """A node goes, with all its workers, and comes back after some time."""
        self._back[node] = self._now + self.cluster.away
        self.attempts["nodes_lost"] += 1
        for kind, free in self._free.items():
            self._free[kind] = [slot for slot in free if slot.node != node]
            heapq.heapify(self._free[kind])
        for run in [run for slot, run in self._running.items() if slot.node == node]:
            self._leave(run, self._now - run.begun)
            self.attempts["lost_with_node"] += 1
            self.queue.died(run.execution.pack.id, Death(why=LOST, lost=True))
        self._count_away(node, self.cluster.away)
        self._at(self._now + self.cluster.away, lambda: self._return(node, losses))

    def _count_away(self, node: int, seconds: float) -> None:
        for device, count in self.cluster.nodes[node].slots.items():
            self.away[device] += count * seconds

    def _return(self, node: int, losses: Iterator[float]) -> None:
        del self._back[node]
        for slot in self.cluster.each():
            if slot.node == node:
                heapq.heappush(self._free[self._kind(slot)], slot)
        self._lose_in_time(node, losses)
