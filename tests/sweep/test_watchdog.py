"""The watchdog, with real processes that hang, stop, work and end."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

PROGRAM = """
import os, signal, sys, threading, time
from sweep.watchdog import watchdog
dog = watchdog()
assert watchdog() is dog
print(dog._process.pid, flush=True)
{}
"""


def run(body: str) -> tuple[int, int]:
    """How a program ended that has a watchdog, and the watchdog's process number."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body)], stdout=subprocess.PIPE, text=True, timeout=60, check=False
    )
    return done.returncode, int(done.stdout)


def wait_for(process: int) -> None:
    """Waits until a process has ended; fails where it does not."""
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(process).wait(30)


@pytest.mark.parametrize(
    "hang",
    [
        "time.sleep(60)",
        "os.kill(os.getpid(), signal.SIGSTOP)",
        "threading.Lock().acquire(); lock = threading.Lock(); lock.acquire(); lock.acquire()",
        "import ctypes; ctypes.PyDLL(None).sleep(60)",  # native code that holds the interpreter
    ],
)
def test_a_process_without_a_sign_of_life_is_ended(hang: str) -> None:
    code, dog = run(f"dog.alive(0.2)\n{hang}")
    assert code == -signal.SIGKILL
    wait_for(dog)


WORK = (
    "for _ in range(8):\n    dog.alive(2)\n    time.sleep(0.3)",
    "dog.alive(2)\ndog.alive(0)\ntime.sleep(2.4)",  # done with the pack: the next may be long in coming
    "dog.alive(2)\ndog.close()\ntime.sleep(2.4)",
    "dog.alive(60)",
)


@pytest.mark.slow
def test_a_process_that_gives_signs_of_life_ends_by_itself_and_its_watchdog_goes_with_it() -> None:
    """Side by side: limits that a busy machine keeps take their time."""
    with ThreadPoolExecutor(len(WORK)) as pool:
        for work, (code, dog) in zip(WORK, pool.map(run, WORK), strict=True):
            assert code == 0, work
            wait_for(dog)


def test_the_end_of_the_watchdog_is_no_reason_to_stop() -> None:
    code, _ = run("dog._process.kill()\ndog._process.wait()\ndog.alive(2)\nassert watchdog() is not dog")
    assert code == 0


def test_a_fork_of_a_process_has_a_watchdog_of_its_own() -> None:
    code, _ = run("if os.fork() == 0:\n    os._exit(int(watchdog() is dog))\nassert os.wait()[1] == 0")
    assert code == 0
