"""The monkey: brings the faults of a forecast upon launches of the stormy study, which it launches until it is done."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil
from launches import HANG_SECONDS, PATIENCE, log_of, wait_until
from watch import COMMITTED, Broken, Watch
from weather import Fault

SIGNALS = {
    "driver killed": signal.SIGKILL,
    "driver terminated": signal.SIGTERM,
    "driver interrupted": signal.SIGINT,
}
DOORS = {"out of memory": "memory", "storage flaky": "flaky", "disk full": "full"}


@dataclass(kw_only=True)
class Monkey(Watch):
    """hit: faults by kind and phase.

    overlaps: what may have let two launches, or a launch and a worker of one that was killed, do the same work.
    """

    hit: Counter[tuple[str, str]] = field(default_factory=Counter)
    overlaps: int = 0
    _there: dict[str, Any] = field(default_factory=dict)

    def run(self, faults: Sequence[Fault]) -> list[Fault]:
        """One life of the study; gives back the faults that it was done too early for."""
        for _ in range(2 if self.nodes else 0):
            self._add_node()
        left = list(faults)
        missed: list[Fault] = []
        self.study.hold(True)
        while left and self._at_work():
            time.sleep(left[0].delay)
            fault = left.pop(0)
            phase = self._strike(fault) if self._at_work() else ""
            if phase:
                self.hit[fault.kind, phase] += 1
            else:
                missed.append(fault)
        self.study.hold(False)
        if not wait_until(lambda: not self._at_work(), 2 * PATIENCE):
            raise Broken(f"not done in {2 * PATIENCE:.0f} s: {[log_of(driver) for driver in self.drivers]}")
        for node in list(self._there.values()):
            self.nodes.lose(node)
        return missed + left

    # Faults

    def _strike(self, fault: Fault) -> str:
        """Does it, and says in which phase it struck; empty where the study was done before, or there was no way."""
        if fault.kind in ("worker killed", "worker stopped"):
            return self._strike_worker(fault)
        if fault.kind in SIGNALS:
            return self._strike_driver(fault)
        if fault.kind in DOORS:
            return self._through_the_door(fault)
        return {
            "compaction killed": self._kill_compaction,
            "report killed": self._kill_report,
            "second launch": self._launch_beside,
            "node lost": self._lose_node,
            "preemption": self._give_notice,
        }[fault.kind](fault)

    def _strike_worker(self, fault: Fault) -> str:
        found = self._in_phase(fault.phase)
        if not found:
            return ""
        mark = found[int(fault.chance * len(found))]
        phase = self._phase([mark["process"]])
        try:
            process = psutil.Process(mark["process"])
            process.send_signal(signal.SIGKILL if fault.kind == "worker killed" else signal.SIGSTOP)
        except psutil.NoSuchProcess:
            return ""
        if fault.kind == "worker stopped":
            if mark["process"] not in {other["process"] for other in self.study.marks().values()}:
                process.resume()  # it had just done with the pack: nothing says that it hangs
                return ""
            wait_until(lambda: not psutil.pid_exists(process.pid), HANG_SECONDS * 20)
        if len(mark["pack"]) == 1:
            self._blows[mark["launch"], mark["pack"][0]] += 1
        return phase

    def _strike_driver(self, fault: Fault) -> str:
        found = self._in_phase(fault.phase)
        begun = self._await(self._begun) if found else None
        if not begun:
            return ""
        driver = begun[int(fault.chance * len(begun))]
        number = SIGNALS[fault.kind]
        phase = self._phase(mark["process"] for mark in found)
        driver.send_signal(number)
        if number == signal.SIGKILL:
            self._expect(driver, -number)
            self.overlaps += 1
        else:
            self._expect(driver, 75)
        driver.wait(PATIENCE)
        return phase

    def _through_the_door(self, fault: Fault) -> str:
        if not self._await(self._training):
            return ""
        kind, before = DOORS[fault.kind], len(self.study.taken())
        if kind == "full":
            for driver in self.drivers:
                self._expect(driver, 75, 2)
        token = self.study.folder / "faults" / f"{kind}-{fault.chance}"
        token.touch()
        self._await(lambda: not token.exists())
        if token.exists():
            token.unlink()
            return ""
        taken = wait_until(lambda: len(self.study.taken()) > before, 5.0)
        _, process, path = self.study.taken()[-1] if taken else ("", "0", "")
        folder = path.removeprefix(str(self.study.folder / "store")).strip("/").partition("/")[0]
        if folder in ("", "checkpoints"):
            return "train"
        own = int(process) in {driver.pid for driver in self.drivers}
        return "bookkeeping" if folder not in COMMITTED else "compaction" if own else "commit"

    def _kill_compaction(self, fault: Fault) -> str:
        store = self.study.folder / "store"
        tables = ("trials", "metrics", "launches")
        if not self._await_end(lambda: any(len(list((store / table).glob("*.parquet"))) > 1 for table in tables)):
            return ""
        process = self.study.slowed("compact", "--store", str(store))
        wait_until(lambda: process.pid in self.study.flushing() or process.poll() is not None)
        time.sleep(fault.chance * 0.1)
        return self._killed(process, "compaction")

    def _kill_report(self, fault: Fault) -> str:
        if not self._await(self._training):
            return ""
        out = self.study.folder / "out"
        words = ("report", "--out", str(out / "report.html")) if fault.chance < 0.5 else ("tables", "--out", str(out))
        process = self.study.sweep(words[0], self.study.name, "--store", str(self.study.folder / "store"), *words[1:])
        time.sleep(0.5 + fault.chance)
        return self._killed(process, "report")

    @staticmethod
    def _killed(process: psutil.Popen, phase: str) -> str:
        """The phase, where the process was there to be killed."""
        if process.poll() is not None:
            return ""
        process.kill()
        process.wait()
        return phase

    def _launch_beside(self, fault: Fault) -> str:
        """Until both are at work; then one of them is terminated."""
        if not self._await(self._training):
            return ""
        other = self._launch("--force")
        self.overlaps += 1

        def both() -> bool:
            return len({mark["launch"] for mark in self.study.marks().values() if self._alive(mark)}) > 1

        if not self._await(lambda: both() or other.poll() is not None) or other.poll() is not None:
            return "train"
        begun = self._await(self._begun)
        if begun:
            driver = begun[int(fault.chance * len(begun))]
            self._expect(driver, 75)
            driver.terminate()
        return "train"

    # Nodes

    def _add_node(self) -> None:
        node = self.nodes.add(cpus=1.0)
        self._there[node.node_id] = node

    def _choose_node(self, fault: Fault) -> Any:
        """One on which a pack is at a step, taken from those that are there; None where the study is done before."""
        found = self._await(lambda: [mark for mark in self._training() if mark["node"] in self._there])
        return self._there.pop(found[int(fault.chance * len(found))]["node"]) if found else None

    def _lose_node(self, fault: Fault) -> str:
        node = self._choose_node(fault)
        if node is None:
            return ""
        self.nodes.lose(node)
        self._add_node()
        return "train"

    def _give_notice(self, fault: Fault) -> str:
        node = self._choose_node(fault)
        if node is None:
            return ""
        self.nodes.give_notice(node, PATIENCE)
        self._add_node()

        def empty() -> bool:
            return not any(one["node"] == node.node_id and self._alive(one) for one in self.study.marks().values())

        if not wait_until(lambda: empty() or not self._at_work(), PATIENCE):
            raise Broken("packs stay on a node that has had notice")
        self.nodes.lose(node)
        return "train"
