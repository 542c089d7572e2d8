"""How many packs of each kind of device may run at once on the nodes of a cluster."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sweep.executor import ExecutorError
from sweep.places import Node, Place, check_room, places, room
from sweep.resources import Resources

WHOLE = Resources()
GIB = 2**30


def node(cpus: float = 0, gpus: float = 0, kind: str = "", **more: float) -> Node:
    resources: dict[str, float] = {"CPU": cpus, "GPU": gpus, "memory": 8.0 * GIB} | more
    return Node(resources=resources | ({f"accelerator_type:{kind}": 1.0} if kind else {}))


def counts(found: list[Place]) -> dict[str, int]:
    return {place.name: place.count for place in found}


@pytest.mark.parametrize(
    ("devices", "cpus", "gpus", "expected"),
    [
        ({"cpu"}, 2, 0, {"cpu": 3}),
        ({"cpu"}, 16, 1, {"cpu": 20}),
        ({"cuda"}, 16, 1, {"cuda:": 2, "cpu": 15}),
        ({"cuda", "cpu"}, 64, 8, {"cuda:": 10, "cpu": 56}),
        ({"cuda", "cpu"}, 1, 1, {"cuda:": 2, "cpu": 1}),
        ({"cuda"}, 4, 0, {}),
    ],
)
def test_a_pack_on_a_gpu_finds_a_cpu(devices: set[str], cpus: int, gpus: int, expected: dict[str, int]) -> None:
    assert counts(places([node(cpus, gpus)], devices, WHOLE, {})) == expected


@pytest.mark.parametrize(
    ("resources", "on", "fit"),
    [
        (Resources(gpus=0.25), {"CPU": 8, "GPU": 2}, 8),
        (Resources(gpus=1 / 3), {"CPU": 8, "GPU": 1}, 3),  # thirds of it are a little less than one
        (Resources(gpus=0.6), {"CPU": 8, "GPU": 2}, 2),  # the rest of each is too little, and cannot be put together
        (Resources(gpus=2), {"CPU": 8, "GPU": 5}, 2),
        (Resources(gpus=0.25, cpus=3), {"CPU": 8, "GPU": 2}, 2),
        (Resources(gpus=0.5, memory=3 * GIB), {"CPU": 8, "GPU": 4, "memory": 7 * GIB}, 2),
        (Resources(gpus=1), {"CPU": 8}, 0),
    ],
)
def test_what_a_node_has_room_for(resources: Resources, on: Mapping[str, float], fit: int) -> None:
    assert resources.fitting("cuda", on) == fit


def test_what_is_left_over_on_two_nodes_is_no_place() -> None:
    found = places([node(3), node(3)], {"cpu"}, Resources(cpus=2), {})
    assert counts(found) == {"cpu": 3}  # one on each, and one that waits


def test_gpus_of_two_types_are_two_places_each_with_the_memory_of_its_own() -> None:
    nodes = [node(4, 1, "T4"), node(4, 2, "A100"), node(4, 1, "T4"), node(8)]
    found = places(nodes, {"cuda"}, Resources(gpus=0.5), {"A100": 40 * GIB, "T4": 16 * GIB})
    assert [(one.name, one.memory) for one in found] == [
        ("cuda:A100", 20 * GIB),
        ("cuda:T4", 8 * GIB),
        ("cpu", None),
    ]
    assert counts(found)["cuda:A100"] == counts(found)["cuda:T4"] == 4  # none that waits for a type that may go
    assert [dict(one.requires) for one in found] == [
        {"accelerator_type:A100": 0.001},
        {"accelerator_type:T4": 0.001},
        {},
    ]


def test_gpus_of_one_type_need_no_more_than_a_gpu() -> None:
    (cuda, _) = places([node(4, 1, "T4"), node(4, 1, "T4")], {"cuda"}, WHOLE, {"T4": 16 * GIB})
    assert (cuda.name, cuda.count, cuda.memory, dict(cuda.requires)) == ("cuda:T4", 3, 16 * GIB, {})


@pytest.mark.parametrize(
    ("nodes", "devices", "resources", "told"),
    [
        ([node(4)], {"cuda", "cpu"}, WHOLE, "launch with --device cpu"),
        ([node(4), node(2)], {"cpu"}, Resources(cpus=5), "asks for 5 CPU, and no node .*largest: 4 CPU"),
        ([node(4, 1)], {"cuda"}, Resources(gpus=2), "asks for 1 CPU, 2 GPU"),
        ([node(4)], {"cpu"}, Resources(memory=9 * GIB), "memory"),
    ],
)
def test_a_pack_that_no_node_has_room_for_is_refused(
    nodes: list[Node], devices: set[str], resources: Resources, told: str
) -> None:
    with pytest.raises(ExecutorError, match=told):
        check_room(nodes, devices, resources)


@pytest.mark.parametrize(
    ("nodes", "resources", "most", "expected"),
    [
        ([node(4), node(2)], WHOLE, None, {"cpu": 6}),
        ([node(8, 2)], WHOLE, None, {"cuda": 2, "cpu": 6}),
        ([node(2, 2)], Resources(gpus=0.5, cpus=0.5), None, {"cuda": 4, "cpu": 1}),
        ([node(8, 2)], WHOLE, 3, {"cuda": 2, "cpu": 3}),
        ([], WHOLE, None, {}),
    ],
)
def test_room_is_what_runs_at_once_without_what_waits(
    nodes: list[Node], resources: Resources, most: int | None, expected: dict[str, int]
) -> None:
    assert room(nodes, resources, most) == expected
