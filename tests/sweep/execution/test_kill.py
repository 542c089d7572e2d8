"""Launches from the command line that are killed, again and again: nothing is done twice, lost or changed by it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from results.files import StoreError
from results.store import ResultStore

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PATIENCE = 120.0


@dataclass(kw_only=True)
class Driver:
    """`sweep launch` of one study into one store, each launch a process in a session of its own."""

    name: str
    store: Path
    options: tuple[str, ...]
    known: dict[int, float] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sweep", "launch", self.name, "--store", str(self.store), *self.options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def children(self) -> list[psutil.Process]:
        """Everything that the driver has started; remembered, to be ended at last."""
        assert self.process is not None
        try:
            found = psutil.Process(self.process.pid).children(recursive=True)
            self.known |= {process.pid: process.create_time() for process in found}
        except psutil.NoSuchProcess:
            return []
        return found

    def until(self, condition: Callable[[], bool]) -> None:
        assert self.process is not None
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, f"ended before it: {self.end()}"
            assert time.monotonic() < deadline, "nothing happened"
            time.sleep(0.03)
        self.children()

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """How the launch ended, and what it said."""
        assert self.process is not None
        out, _ = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out

    def complete(self) -> None:
        self.start()
        code, out = self.end()
        assert code == 0, out

    def left_alive(self) -> list[psutil.Process]:
        alive = []
        for pid, created in self.known.items():
            try:
                process = psutil.Process(pid)
                if process.create_time() == created and process.status() != psutil.STATUS_ZOMBIE:
                    alive.append(process)
            except psutil.NoSuchProcess:
                continue
        return alive

    # What the store says, at any moment

    def opened(self) -> ResultStore | None:
        try:
            return ResultStore.open(self.store)
        except StoreError:
            return None

    def finished(self) -> dict[str, str]:
        store = self.opened()
        return {} if store is None else dict(zip(*store.trials(["trial", "attempt"]).to_pydict().values(), strict=True))

    def checkpoints(self) -> set[str]:
        store = self.opened()
        return set() if store is None else set(store.checkpoints())

    def kill_worker(self) -> bool:
        """SIGKILL for a worker of the running launch, found by its in-flight mark; False where there is none yet."""
        store = self.opened()
        marks = {} if store is None else store.inflight()
        own = {process.pid for process in self.children()}
        for mark in marks.values():
            if mark["process"] in own:
                os.kill(mark["process"], signal.SIGKILL)
                return True
        return False

    def tables(self, folder: Path) -> dict[str, bytes]:
        sweep = [sys.executable, "-m", "sweep", "tables", self.name, "--store", str(self.store)]
        subprocess.run([*sweep, "--format", "csv", "--out", str(folder)], check=True, capture_output=True)
        return {path.name: path.read_bytes() for path in folder.glob("*.csv")}


@pytest.fixture
def drivers() -> Iterator[Callable[..., Driver]]:
    """Makes drivers, and ends what they leave behind."""
    made: list[Driver] = []

    def make(name: str | Path, store: Path, *options: str) -> Driver:
        made.append(Driver(name=str(name), store=store, options=options))
        return made[-1]

    yield make
    for driver in made:
        if driver.process is not None and driver.process.poll() is None:
            driver.children()
            driver.process.kill()
            driver.process.communicate()
        for process in driver.left_alive():
            process.kill()


@pytest.fixture(params=["toy", "digits"])
def case(request: pytest.FixtureRequest, tmp_path: Path, write_toy: Callable[..., Path]) -> dict[str, Any]:
    """Two studies: one of our own, and a toy in a user's file that notes which trials are taken up, where."""
    options = ("--pack", "4", "--checkpoint-seconds", "0.3")
    if request.param == "digits":
        narrow = ("--pack", "2", *options[2:])
        return {"name": "digits/hvae@small", "undisturbed": "digits/hvae@small", "options": narrow, "starts": None}
    named = {}
    for kind in ("starts", "other-starts"):
        (tmp_path / kind / "file").mkdir(parents=True)
        named[kind] = f"{write_toy(tmp_path / kind / 'file' / 'toy.py', tmp_path / kind / 'seen', trials=24)}:calm"
    starts = tmp_path / "starts" / "seen"
    return {"name": named["starts"], "undisturbed": named["other-starts"], "options": options, "starts": starts}


def test_a_launch_that_is_killed_thrice_ends_as_if_it_had_not_been(
    case: dict[str, Any],
    drivers: Callable[..., Driver],
    tmp_path: Path,
    outcome_of: Callable[..., Any],
    started: Callable[[Path], list[tuple[float, int]]],
) -> None:
    driver = drivers(case["name"], tmp_path / "killed", *case["options"])
    undisturbed = drivers(case["undisturbed"], tmp_path / "calm", *case["options"])
    undisturbed.complete()
    seen: list[tuple[dict[str, str], Counter[float]]] = []

    def kill() -> None:
        driver.signal(signal.SIGKILL)
        assert driver.end()[0] == -signal.SIGKILL
        time.sleep(1.5)  # workers notice, and finish what they were writing
        starts = [] if case["starts"] is None else started(case["starts"])
        seen.append((driver.finished(), Counter(number for number, _ in starts)))

    driver.start()  # killed in the middle of its first packs
    driver.until(lambda: bool(driver.checkpoints()))
    kill()

    driver.start()  # killed after its first commit
    before = len(driver.finished())
    driver.until(lambda: len(driver.finished()) > before)
    kill()

    driver.start()  # a worker is killed, then the driver
    driver.until(driver.kill_worker)
    before = len(driver.finished())
    driver.until(lambda: len(driver.finished()) > before)
    kill()

    driver.complete()
    store = driver.opened()
    assert store is not None
    planned = len(undisturbed.finished())
    rows = store.scan("trials", ["trial", "attempt", "status"]).to_pylist()
    assert len(rows) == len({row["trial"] for row in rows}) == planned
    assert {row["status"] for row in rows} == {"completed"}
    final = driver.finished()
    for finished, _ in seen:
        assert finished.items() <= final.items()  # what was finished stands as it was
    assert len(seen[0][0]) < len(seen[1][0]) < planned
    calm = undisturbed.opened()
    assert outcome_of(store) == outcome_of(calm)
    tables = driver.tables(tmp_path / "tables")
    assert tables
    assert tables == undisturbed.tables(tmp_path / "calm-tables")
    assert (store.checkpoints(), store.inflight()) == ([], {})
    assert driver.left_alive() == []
    if case["starts"] is not None:
        check_starts(store, started(case["starts"]), seen)


def check_starts(store: ResultStore, starts: list[tuple[float, int]], seen: list[Any]) -> None:
    """Nobody who was finished at a kill was taken up after it; some trials went on from a checkpoint."""
    rows = store.trials(["trial", "specification"]).to_pylist()
    numbers = {row["trial"]: json.loads(row["specification"])["objective"]["number"] for row in rows}
    final = Counter(number for number, _ in starts)
    assert final.keys() == set(numbers.values())
    assert any(step > 0 for _, step in starts)
    for finished, before in seen:
        assert not {numbers[trial] for trial in finished} & (final - before).keys()


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT to all"])
def test_a_signal_ends_a_launch_with_75_and_it_goes_on(
    how: str, drivers: Callable[..., Driver], tmp_path: Path, write_toy: Callable[..., Path], outcome_of: Any
) -> None:
    """Ctrl-C in a terminal reaches every process of the driver's group, Ray's too."""
    name = f"{write_toy(tmp_path / 'toy.py', tmp_path / 'starts')}:calm"
    driver = drivers(name, tmp_path / "store", "--pack", "4", "--checkpoint-seconds", "0.3")
    driver.start()
    driver.until(lambda: bool(driver.finished()))
    assert driver.process is not None
    if how == "SIGTERM":
        driver.signal(signal.SIGTERM)
    else:
        os.killpg(driver.process.pid, signal.SIGINT)
    begun = time.monotonic()
    code, out = driver.end()
    assert code == 75, out
    assert time.monotonic() - begun < 20
    assert "Traceback" not in out
    store = driver.opened()
    assert store is not None
    assert (store.inflight(), store.beating()) == ({}, {})
    assert driver.left_alive() == []
    done = driver.finished()
    assert 0 < len(done) < 16
    if how != "SIGTERM":
        return
    driver.complete()
    assert store.scan("trials").num_rows == 16
    assert done.items() <= driver.finished().items()


def test_a_signal_while_ray_starts_is_an_interruption_too(
    drivers: Callable[..., Driver], tmp_path: Path, write_toy: Callable[..., Path]
) -> None:
    name = f"{write_toy(tmp_path / 'toy.py', tmp_path / 'starts')}:calm"
    driver = drivers(name, tmp_path / "store", "--pack", "4")
    driver.start()
    driver.until(lambda: any(process.name() == "gcs_server" for process in driver.children()))
    driver.signal(signal.SIGTERM)
    code, out = driver.end()
    assert code == 75, out
    assert "Traceback" not in out
    time.sleep(1.0)
    assert driver.left_alive() == []
    assert driver.finished() == {}
