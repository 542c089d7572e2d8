"""Places: where the packs of a launch may run at once, from the nodes that a cluster has at the moment.

Pure: the executor says what nodes there are. GPUs of several types are several places, so that each pack is made for
the memory of the one that it goes to.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sweep.executor import ExecutorError
from sweep.resources import Resources

ACCELERATOR = "accelerator_type:"  # the resource by which a Ray node tells the type of its GPUs
_A_BIT = 0.001  # of that resource: it names a node, and is not used up
RUNNING_PER_STAGED = 4  # one pack waits, its worker ready, for so many that run


@dataclass(frozen=True, kw_only=True)
class Place:
    """A kind of place where packs run.

    device: 'cpu' or 'cuda'; count: packs at once; memory: bytes of the device that one pack may use, None where that is
    not known; requires: what Ray must be asked for besides, so that a pack comes here and to no place of less memory.
    """

    name: str
    device: str
    count: int
    memory: int | None = None
    requires: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node that takes work: its resources by Ray's names."""

    resources: Mapping[str, float]

    @property
    def accelerator(self) -> str:
        """The type of its GPUs, empty where it does not say or has none."""
        names = (name.removeprefix(ACCELERATOR) for name in self.resources if name.startswith(ACCELERATOR))
        return next(names, "") if self.resources.get("GPU", 0.0) else ""


def places(
    nodes: Sequence[Node],
    devices: Collection[str],
    resources: Resources,
    memory: Mapping[str, int],
) -> list[Place]:
    """Where packs for these kinds of device may run; the GPUs of most memory first.

    memory: bytes of one GPU by type, as far as it is known. Beside packs on GPUs, which take CPUs too, those that take
    CPUs alone get the rest, and none of them waits with its worker: it would wait for the CPU that the next pack on a
    GPU needs. Empty where nothing has room for a pack now.
    """
    found = []
    on_gpus = 0
    if "cuda" in devices:
        by_type: dict[str, int] = {}
        for node in nodes:
            if node.resources.get("GPU", 0.0):
                kind = node.accelerator
                by_type[kind] = by_type.get(kind, 0) + resources.fitting("cuda", node.resources)
        on_gpus = sum(by_type.values())
        for kind in sorted(by_type, key=lambda kind: (-memory.get(kind, 0), kind)):
            share = int(memory[kind] * min(1.0, resources.gpus)) if kind in memory else None
            requires = {f"{ACCELERATOR}{kind}": _A_BIT} if kind and len(by_type) > 1 else {}
            # What waits for a type of GPU would wait for ever where the last of these goes: of several, none waits.
            count = by_type[kind] if requires else _staged(by_type[kind])
            found.append(Place(name=f"cuda:{kind}", device="cuda", count=count, memory=share, requires=requires))
        if on_gpus:
            cpus = sum(node.resources.get("CPU", 0.0) for node in nodes) - on_gpus * resources.cpus
            found.append(Place(name="cpu", device="cpu", count=max(1, math.floor(cpus / resources.cpus))))
    elif count := sum(resources.fitting("cpu", node.resources) for node in nodes):
        found.append(Place(name="cpu", device="cpu", count=_staged(count)))
    return [place for place in found if place.count]


def named_places(requires: Mapping[str, float]) -> set[str]:
    """The names of the places that what a task requires is bound to; none where it may run anywhere."""
    return {f"cuda:{name.removeprefix(ACCELERATOR)}" for name in requires if name.startswith(ACCELERATOR)}


def room(nodes: Sequence[Node], resources: Resources, most: int | None = None) -> dict[str, int]:
    """How many packs run at once on each kind of device; those on CPUs beside them have the CPUs that are left."""
    on = {device: sum(resources.fitting(device, node.resources) for node in nodes) for device in ("cuda", "cpu")}
    if on["cuda"]:
        on["cpu"] = max(1, on["cpu"] - on["cuda"])
    return {device: count if most is None else min(count, most) for device, count in on.items() if count}


def check_room(nodes: Sequence[Node], devices: Collection[str], resources: Resources) -> None:
    """Raises ExecutorError where no node of a cluster could ever take a pack."""
    if "cuda" in devices and not any(node.resources.get("GPU", 0.0) for node in nodes):
        raise ExecutorError("Ray has no GPU to offer; launch with --device cpu")
    for device in devices:
        if not any(resources.fitting(device, node.resources) for node in nodes):
            asked = ", ".join(f"{amount:g} {name}" for name, amount in resources.bundle(device).items())
            largest = max((node.resources for node in nodes), key=lambda one: one.get("CPU", 0.0), default={})
            offered = ", ".join(f"{largest.get(name, 0.0):g} {name}" for name in resources.bundle(device))
            raise ExecutorError(
                f"a pack asks for {asked}, and no node of the cluster has that (the largest: {offered})"
            )


def _staged(slots: int) -> int:
    return slots + max(1, slots // RUNNING_PER_STAGED) if slots else 0
