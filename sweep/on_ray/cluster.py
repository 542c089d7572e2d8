"""A Ray to run packs on: one of our own, on this machine alone, or a cluster's; and what it says of its nodes."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import psutil

from sweep.executor import ExecutorError
from sweep.on_ray.environment import check_listening, one_line
from sweep.on_ray.scratch import Scratch
from sweep.places import ACCELERATOR, Node

PROBE_SECONDS = 120.0  # for a worker to start and import torch on an idle node


def start(scratch: Scratch, cpus: int) -> None:
    """Starts a Ray of our own with so many CPUs, whose folder is `scratch`. Raises ExecutorError."""
    import ray
    from ray._raylet import Config  # type: ignore[attr-defined]

    Config.initialize("")  # a Ray that was imported before us has read its environment already
    try:
        ray.init(
            address="local",
            num_cpus=cpus,
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
            _temp_dir=str(scratch.path),
        )
    except (RuntimeError, OSError, ValueError) as error:
        raise ExecutorError(f"Ray did not start: {one_line(error)}") from error
    scratch.owns(psutil.Process().children(recursive=True))


def connect(address: str) -> None:
    """Connects to the cluster at 'host:port', or 'auto' for that of this machine. Raises ExecutorError."""
    import ray
    from ray._private.services import canonicalize_bootstrap_address_or_die

    if address == "auto":  # found as Ray finds it, which would try for minutes to reach one that has ended
        try:
            address = canonicalize_bootstrap_address_or_die(address)
        except (ConnectionError, ValueError) as error:
            raise ExecutorError(f"no Ray is found on this machine for --address auto: {one_line(error)}") from error
    check_listening(address)
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            configure_logging=False,
            runtime_env={"env_vars": {"RAY_CHDIR_TO_TRIAL_DIR": "0"}},
        )
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise ExecutorError(f"cannot use the Ray at {address}: {one_line(error)}") from error


def nodes() -> list[Node]:
    """The nodes that take work now; one that is to be taken away takes none."""
    import ray

    leaving = draining()
    return [
        Node(resources=dict(node["Resources"]))
        for node in ray.nodes()  # type: ignore[no-untyped-call]
        if node["Alive"] and node["NodeID"] not in leaving
    ]


def draining() -> frozenset[str]:
    """The ids of nodes that will be taken away: a spot instance that has had its notice, say."""
    from ray._private.state import state  # there is no public way to be told of it

    return frozenset(state.get_draining_nodes())


def gpu_memory(types: Mapping[str, int] | None = None) -> dict[str, int]:
    """Bytes of one GPU by type ('' where nodes do not tell theirs), asked of a worker on each; types: as is known.

    A type whose worker does not answer, or has no GPU that torch can see, is left out.
    """
    import ray

    known = dict(types or {})
    asked = {node.accelerator for node in nodes() if node.resources.get("GPU", 0.0)} - known.keys()
    waiting: dict[Any, str] = {}
    for kind in asked:
        place = {f"{ACCELERATOR}{kind}": 0.001} if kind else {}
        probe = ray.remote(num_cpus=0, num_gpus=0.01, resources=place, max_retries=0)(_device_memory)
        waiting[probe.remote()] = kind
    done, late = ray.wait(list(waiting), num_returns=len(waiting), timeout=PROBE_SECONDS) if waiting else ([], [])
    for one in late:
        ray.cancel(one, force=True)
    for one in done:
        with contextlib.suppress(ray.exceptions.RayError):
            memory = ray.get(one)
            known |= {waiting[one]: memory} if memory else {}
    return known


def _device_memory() -> int:
    """A Ray task, on a worker: the bytes of its GPU, 0 where torch sees none."""
    from models.training.memory import available_memory, has_gpu

    return available_memory("cuda", 1.0) if has_gpu() else 0


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps Ray, which tells of every dead worker at length, from writing to the terminal: rows say what happened."""
    import ray._private.worker as connection

    logger = logging.getLogger("ray")
    level, listen = logger.level, connection.listen_error_messages
    logger.setLevel(logging.CRITICAL)
    # The thread that prints the raylet's messages to stdout; there is no setting that keeps it from that.
    connection.listen_error_messages = lambda worker, threads_stopped: None
    try:
        yield
    finally:
        logger.setLevel(level)
        connection.listen_error_messages = listen
