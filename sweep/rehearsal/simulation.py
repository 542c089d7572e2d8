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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from sweep.executor import ExecutorError
from sweep.pack import Pack
from sweep.pack_queue import DIED, PackQueue
from sweep.rehearsal.cluster import Cluster, Faults, Place
from sweep.rehearsal.worker import Execution, Worker
from sweep.task import PackRecord

LOST = "its node was lost"


@dataclass(kw_only=True)
class _Run:
    execution: Execution
    place: Place
    begun: float
    over: bool = False


@dataclass(kw_only=True)
class Simulation:
    """A cluster at work on a queue.

    packs: the packs that the queue has handed out, by id. blame: told, before a death is reported, which trial of which
    pack its worker was last seen to evaluate; None for nothing. After `run`, the fields say how it went: seconds until
    the last pack was done, seconds that slots were busy and present, by kind of device, and attempts at packs by how
    they ended.
    """

    queue: PackQueue
    cluster: Cluster
    worker: Worker
    faults: Faults
    packs: Mapping[str, Pack]
    blame: Callable[[Pack, str], None] = lambda pack, trial: None
    makespan: float = 0.0
    busy: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    away: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    attempts: Counter[str] = field(default_factory=Counter)
    _now: float = 0.0
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=itertools.count)
    _free: dict[str, list[Place]] = field(default_factory=dict)
    _running: dict[Place, _Run] = field(default_factory=dict)
    _back: dict[int, float] = field(default_factory=dict)  # when the nodes that are away come back

    def run(self) -> None:
        """Until the queue has nothing more to hand out and nothing runs. Raises ExecutorError for a missing device."""
        slots = self.cluster.slots
        for device in sorted(self.queue.devices):
            if not slots.get(device):
                raise ExecutorError(f"the cluster has no {device} for some packs; it has {slots}")
        for place in self.cluster.places():
            heapq.heappush(self._free.setdefault(place.device, []), place)
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

    def _at(self, time: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time, next(self._order), happens))

    def _hand_out(self) -> None:
        """Gives tasks to free slots, the first of each kind of device, while there are both."""
        busy = Counter(place.device for place in self._running)
        places = {device: busy[device] + len(free) for device, free in self._free.items()}
        while any(self._free.values()):
            task = self.queue.take(places)
            if task is None:
                return
            place = heapq.heappop(self._free[task.decision.device])
            memory = self.cluster.nodes[place.node].memory
            execution = self.worker.begin(self.packs[task.pack], task.retry, memory, self._now)
            run = _Run(execution=execution, place=place, begun=self._now)
            self._running[place] = run
            self.attempts["started"] += 1
            self._at(self._now + execution.seconds, functools.partial(self._ended, run))

    def _ended(self, run: _Run) -> None:
        if run.over:  # its node was lost before
            return
        record = self._leave(run, run.execution.seconds)
        heapq.heappush(self._free[run.place.device], run.place)
        if record is None:
            self.attempts["died"] += 1
            self.blame(run.execution.pack, run.execution.blamed)
            self.queue.died(run.execution.pack.id, DIED)
        else:
            self.attempts["ended"] += 1
            self.queue.done(record)

    def _leave(self, run: _Run, elapsed: float) -> PackRecord | None:
        run.over = True
        del self._running[run.place]
        self.busy[run.place.device] += elapsed
        self.makespan = self._now
        return self.worker.end(run.execution, run.begun, elapsed)

    def _lose_in_time(self, node: int, losses: Iterator[float]) -> None:
        up = next(losses, None)
        if up is not None:
            self._at(self._now + up, lambda: self._lose(node, losses))

    def _lose(self, node: int, losses: Iterator[float]) -> None:
        """A node goes, with all its workers, and comes back after some time."""
        if self.queue.exhausted and not self._running:
            return
        self._back[node] = self._now + self.cluster.away
        self.attempts["nodes_lost"] += 1
        for device, free in self._free.items():
            self._free[device] = [place for place in free if place.node != node]
            heapq.heapify(self._free[device])
        for run in [run for place, run in self._running.items() if place.node == node]:
            self._leave(run, self._now - run.begun)
            self.attempts["lost_with_node"] += 1
            self.queue.died(run.execution.pack.id, LOST)
        self._count_away(node, self.cluster.away)
        self._at(self._now + self.cluster.away, lambda: self._return(node, losses))

    def _count_away(self, node: int, seconds: float) -> None:
        for device, count in self.cluster.nodes[node].slots.items():
            self.away[device] += count * seconds

    def _return(self, node: int, losses: Iterator[float]) -> None:
        del self._back[node]
        for place in self.cluster.places():
            if place.node == node:
                heapq.heappush(self._free[place.device], place)
        self._lose_in_time(node, losses)
