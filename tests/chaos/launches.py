"""Launches of the stormy study as processes, and what can be seen of them from outside."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from results.files import StoreError
from results.store import ResultStore

TESTS = Path(__file__).resolve().parent.parent
TOY = TESTS / "sweep" / "execution" / "files" / "toy.py"
STORM = Path(__file__).with_name("files") / "storm.py"
HANG_SECONDS = 15  # more than a worker needs for its first steps, on a busy machine, too
PATIENCE = 180.0


def wait_until(condition: Callable[[], bool], patience: float = PATIENCE) -> bool:
    """Whether the condition came to hold in time."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


@dataclass(kw_only=True)
class Study:
    """The stormy study in a folder of its own, with its store.

    faults: whether faults may come through its door, and its disk is slow; else all is done without pauses.
    """

    folder: Path
    faults: bool = True
    known: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("faults", "flushing", "starts", "logs"):
            (self.folder / name).mkdir(parents=True)
        text = f"{TOY.read_text()}\n\n{STORM.read_text()}"
        changes = {'STARTS = ""': f"STARTS = {str(self.folder / 'starts')!r}"}
        if self.faults:
            changes['FAULTS = ""'] = f"FAULTS = {str(self.folder / 'faults')!r}"
        for old, new in changes.items():
            assert text.count(old) == 1
            text = text.replace(old, new)
        (self.folder / "study.py").write_text(text)

    @property
    def name(self) -> str:
        return f"{self.folder / 'study.py'}:stormy"

    @property
    def store(self) -> ResultStore | None:
        """None where no launch has made it yet."""
        try:
            return ResultStore.open(self.folder / "store")
        except StoreError:
            return None

    # What is at work

    def marks(self) -> dict[str, dict[str, Any]]:
        store = self.store
        return {} if store is None else store.inflight()

    def flushing(self) -> dict[int, str]:
        """The folder of the store that each process now flushes a file of, by its number."""
        found = {}
        for path in (self.folder / "flushing").iterdir():
            with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
                found[int(path.name.partition("-")[0])] = (
                    Path(path.read_text()).relative_to(self.folder / "store").parts[0]
                )
        return {process: folder for process, folder in found.items() if psutil.pid_exists(process)}

    def taken(self) -> list[list[str]]:
        """The faults that were taken through the door so far: kind, number of the process, path."""
        with contextlib.suppress(FileNotFoundError):
            return [line.split(" ", 2) for line in (self.folder / "taken.txt").read_text().splitlines()]
        return []

    def hold(self, held: bool) -> None:
        """Has the study's steps take long, as long as faults are to come, or no longer."""
        path = self.folder / "held"
        path.touch() if held else path.unlink(missing_ok=True)

    def executions(self) -> int:
        """How many times a trial was taken up."""
        return sum(1 for _ in (self.folder / "starts").iterdir())

    def remember(self, process: psutil.Popen) -> None:
        """Notes what a process has started, to be ended at last."""
        with contextlib.suppress(psutil.Error):
            for one in (process, *process.children(recursive=True)):
                self.known[one.pid] = one.create_time()

    def end_all(self) -> None:
        """Ends what was started and still runs."""
        for number, created in self.known.items():
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(number)
                if process.create_time() == created:
                    process.kill()

    # Commands

    def sweep(self, *words: str, **how: Any) -> psutil.Popen:
        """A command of sweep, into a log of its own."""
        return self._start([sys.executable, "-m", "sweep", *words], **how)

    def slowed(self, *words: str) -> psutil.Popen:
        """The same with this study's slow disk, and none of its faults: so that it can be killed in the middle."""
        program = f"from studies.user_file import load_file; load_file({str(self.folder / 'study.py')!r}); "
        program += "from sweep.cli.main import run; run()"
        return self._start([sys.executable, "-c", program, *words], environment={"RATESWEEP_STORM_CALM": "1"})

    def _start(self, command: list[str], environment: Mapping[str, str] | None = None) -> psutil.Popen:
        number = sum(1 for _ in (self.folder / "logs").iterdir())
        log = self.folder / "logs" / f"{number:03d}.txt"
        with open(log, "w") as file:
            file.write(f"$ {' '.join(command)}\n")
            file.flush()
            process = psutil.Popen(
                command,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        process.log = log
        return process

    def launch(self, *options: str) -> psutil.Popen:
        where = ("--store", str(self.folder / "store"), "--device", "cpu")
        how = ("--checkpoint-seconds", "0.3", "--hang-limit", f"{HANG_SECONDS if self.faults else 0}s")
        hurry = {} if self.faults else {"RATESWEEP_TEST_HURRY": "1"}
        return self.sweep("launch", self.name, *where, *how, *options, environment=hurry)

    def tables(self, form: str) -> dict[str, bytes]:
        """The study's tables as files, by name."""
        folder = self.folder / f"tables-{form}"
        made = self.sweep(
            "tables", self.name, "--store", str(self.folder / "store"), "--format", form, "--out", str(folder)
        )
        code = made.wait(PATIENCE)
        assert code == 0, made.log.read_text()
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def log_of(process: psutil.Popen) -> str:
    text: str = process.log.read_text(errors="replace")
    return text[-4000:]
