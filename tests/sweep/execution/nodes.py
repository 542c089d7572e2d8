"""A Ray cluster of several nodes on this machine, of which nodes are added, lost and given notice."""

from __future__ import annotations

import atexit
import contextlib
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any


class Nodes:
    """A head that takes no packs, and nodes that do. They share this machine's disk, and nothing else.

    Ray's own folder is short-lived and has a short name; the driver may be this process or another.
    """

    def __init__(self) -> None:
        from ray._private.utils import get_ray_address_file
        from ray.cluster_utils import Cluster

        # Where no Ray has run on this machine yet, Cluster does not make the folder of what it writes.
        Path(get_ray_address_file(None)).parent.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="rs-", dir="/tmp"))
        self._cluster = Cluster(shutdown_at_exit=False)  # else each node takes SIGTERM, in the main thread alone
        atexit.register(self.close)
        self._add(num_cpus=0, include_dashboard=False, temp_dir=str(self.folder))

    @property
    def address(self) -> str:
        address: str = self._cluster.address
        return address

    def add(self, cpus: float = 1.0, gpus: int = 0, kind: str = "") -> Any:
        """A node more; kind: the type of its GPUs, which are not there."""
        resources = {f"accelerator_type:{kind}": 1.0} if kind else {}
        return self._add(num_cpus=cpus, num_gpus=gpus, resources=resources)

    def _add(self, **how: Any) -> Any:
        return self._cluster.add_node(**how)

    def lose(self, node: Any) -> None:
        """Takes a node away without a word, with all that runs on it."""
        self._cluster.remove_node(node, allow_graceful=False)

    def remove(self, node: Any) -> None:
        """Takes a node away that takes its leave."""
        self._cluster.remove_node(node)

    def give_notice(self, node: Any, seconds: float = 60.0) -> None:
        """Says that a node will be taken away, as of a spot instance; it still runs."""
        from ray._raylet import GcsClient
        from ray.core.generated import autoscaler_pb2

        reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        deadline = int((time.time() + seconds) * 1000)
        accepted, why = GcsClient(address=self.address).drain_node(node.node_id, reason, "a test's notice", deadline)
        assert accepted, why

    def close(self) -> None:
        """Ends all of it."""
        atexit.unregister(self.close)
        with contextlib.suppress(Exception):  # a node that has ended by itself
            self._cluster.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)
