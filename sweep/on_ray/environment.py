"""What surrounds Ray in the driver: environment variables, signals, the look at an address, the words of a death.

Nothing here imports Ray.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from sweep.blame import DIED, Death
from sweep.executor import ExecutorError
from sweep.failures import normalise
from sweep.task import PackTask

ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths in a user's own file stay what they are
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # else `uv run` has Ray send the working tree about
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_MAX_PENDING_TRIALS_PG": "16",  # the queue says how many there may be: this many wait for their worker
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",  # snapshots grow with the trials, and nobody reads them
}
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
CONNECT_SECONDS = 5.0
DEATHS = {  # words in what Ray says of a dead worker -> what a row says, and what is to blame
    "low on memory": Death(why="its node ran short of memory", starved=True),
    "its node has died": Death(why="its node was lost", lost=True),
    "ActorUnavailableError": Death(why="its node could not be reached", lost=True),
    "is temporarily unavailable": Death(why="its node could not be reached", lost=True),
    "exit code": Death(why="it exited"),
    "connection error code 2": Death(why="by a signal, a fault in native code or an exit"),
}
HTTP2_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)


def death_of(error_file: str | None) -> Death:
    """A death from Ray's words, which blame the same three causes whatever happened, cut to one line."""
    text = ""
    if error_file is not None:
        with contextlib.suppress(OSError):
            text = Path(error_file).read_text(errors="replace")
    for words, death in DEATHS.items():
        if words in text:
            return replace(death, why=f"{DIED}: {death.why}")
    last = text.strip().rpartition("\n")[2]
    return Death(why=normalise(f"{DIED}: {last}")) if last else Death()


def check_listening(address: str) -> None:
    """Raises ExecutorError within seconds where no Ray can be at 'host:port'; Ray itself tries for minutes."""
    host, colon, port = address.rpartition(":")
    if "://" in address or not colon or not host or not port.isdecimal():
        raise ExecutorError(
            f"--address is host:port of a Ray cluster's head (6379 by default) or auto, not {address!r}"
        )
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS) as connection:
            if os.environ.get("RAY_USE_TLS", "0") == "1":
                return
            connection.settimeout(CONNECT_SECONDS)
            connection.sendall(HTTP2_HELLO)
            answer = connection.recv(9)
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else None
        raise ExecutorError(f"no Ray listens at {address}: {why or one_line(error)}") from None
    if len(answer) < 4 or answer[3:4] != b"\x04":  # a gRPC server, as Ray's is, answers with its HTTP/2 settings
        raise ExecutorError(f"what listens at {address} is not a Ray head; its port is 6379 by default")


@functools.cache
def embedded_variables() -> dict[str, str]:
    """A Ray of our own listens on the loopback interface alone, and to those alone who know the token."""
    if "RAY_AUTH_MODE" in os.environ:
        return {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    return {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # by this, Ray takes the loopback address for the node's
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }


@contextlib.contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """These environment variables, and afterwards what was there before: Ray leaves some of its own."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def prepare_environment(task: PackTask) -> None:
    """The threads of native libraries, which read them when they are loaded: before torch is imported."""
    os.environ.update(dict.fromkeys(THREADS, str(task.decision.threads)))


@contextlib.contextmanager
def own_signals() -> Iterator[None]:
    """Keeps our handler of SIGTERM, in whose place Ray puts its own when it starts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit:  # what Ray's own handler makes of a SIGTERM while it starts
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGTERM, before)


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
