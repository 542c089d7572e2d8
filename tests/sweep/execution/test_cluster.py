"""A cluster of several nodes: nodes that are lost, join and are given notice, GPUs that are shared or differ.

The GPUs are not there, so here a pack that a GPU was found for computes on the CPU beside it; where each pack goes, how
wide, and what follows from a loss is decided by the code under test.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from results.commit import now
from results.store import ResultStore
from studies.catalogue import Entry
from sweep.counts import Counts
from sweep.launch import Launch, Options, Outcome
from sweep.leftovers import stops
from sweep.on_ray.executor import RayExecutor
from sweep.resources import Resources

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
PATIENCE = 180.0
MIB = 2**20
Outcomes = Callable[[ResultStore], dict[str, Any]]


@pytest.fixture(scope="module")
def nodes(make_nodes: Callable[[], Any]) -> Iterator[Any]:
    """A head; each test brings its own nodes."""
    made = make_nodes()
    yield made
    made.close()


@pytest.fixture
def add(nodes: Any) -> Iterator[Callable[..., Any]]:
    """add(…): a node for this test alone."""
    added: list[Any] = []

    def add_node(**how: Any) -> Any:
        added.append(nodes.add(**how))
        return added[-1]

    yield add_node
    for node in added:
        with contextlib.suppress(KeyError):  # lost meanwhile
            nodes.remove(node)


def compute_on_the_cpu(config: Mapping[str, Any]) -> None:
    """What a worker does with a pack that was given a GPU that is not there; notes the node and the width."""
    import dataclasses
    import os
    from pathlib import Path
    from uuid import uuid4

    import ray
    from ray import tune

    from sweep.on_ray.environment import prepare_environment
    from sweep.pulse import NODE_VARIABLE

    task = config["task"]
    prepare_environment(task)
    node = os.environ[NODE_VARIABLE] = ray.get_runtime_context().get_node_id()
    (gpu,) = ray.get_runtime_context().get_accelerator_ids()["GPU"]
    from sweep.run import run_pack

    record = run_pack(dataclasses.replace(task, decision=dataclasses.replace(task.decision, device="cpu")))
    ran = Path(task.settings.store).parent / "ran"
    (ran / f"{node}-{gpu}-{task.decision.width}-{uuid4().hex}").touch()
    tune.report({"record": record.to_json()})


@pytest.fixture
def fake_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[tuple[str, int]]]:
    """Has workers compute on CPUs instead; gives the node and the width of each pack that came to its end."""
    from ray import cloudpickle

    (tmp_path / "ran").mkdir()
    here = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(here)  # workers cannot import a test
    monkeypatch.setattr("sweep.on_ray.executor.run_task", compute_on_the_cpu)

    def ran() -> list[tuple[str, int]]:
        parts = (path.name.split("-") for path in (tmp_path / "ran").iterdir())
        return [(node, int(width)) for node, _, width, _ in parts]

    return ran


class Watch(threading.Thread):
    """Looks at the marks of a store all the time. most: packs at once by node; node: of each pack, the last.

    happenings: called one after another with marks of packs that have a checkpoint, each until it says that it is done.
    """

    def __init__(self, store: ResultStore, *happenings: Callable[[dict[str, Any]], bool]) -> None:
        super().__init__()
        self.store, self.happenings = store, list(happenings)
        self.most: Counter[str] = Counter()
        self.node: dict[str, list[str]] = {}
        self.error: BaseException | None = None
        self._ended = threading.Event()

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self.join()
        if self.error is not None:
            raise self.error

    def run(self) -> None:
        try:
            while not self._ended.wait(0.01):
                self.look()
        except BaseException as error:  # noqa: BLE001 - raised again by whoever watches
            self.error = error

    def look(self) -> None:
        marks, saved = self.store.inflight(), set(self.store.checkpoints())
        for node, count in Counter(mark["node"] for mark in marks.values()).items():
            self.most[node] = max(self.most[node], count)
        for pack, mark in marks.items():
            seen = self.node.setdefault(pack, [])
            if seen[-1:] != [mark["node"]]:
                seen.append(mark["node"])
            ready = self.happenings and pack in saved and mark.get("step", 0) > 0
            if ready and self.happenings[0](mark | {"id": pack}):
                self.happenings.pop(0)


def run(nodes: Any, store: ResultStore, entry: Entry, executor: RayExecutor, **options: Any) -> tuple[Outcome, Counts]:
    launched = Launch([entry], store, Options(**options))
    outcome = launched.run(executor, lambda queue: contextlib.nullcontext())
    return outcome, launched.queue.counts


def test_each_type_of_gpu_gets_packs_as_wide_as_its_memory_has_room_for(
    toy: Any, store: ResultStore, nodes: Any, add: Callable[..., Any], fake_gpus: Callable[[], list[tuple[str, int]]]
) -> None:
    """A pack of 6 was seen to take 6 MiB: of 10 MiB it may have 9, and of 4 MiB only what a pack of 3 takes."""
    big, small = add(gpus=1, kind="BIG"), add(gpus=1, kind="SMALL")
    trials = toy.trials(*(number / 4 for number in range(1, 25)), steps=64, pause=0.02)
    seen = {"shape": trials[0].shape, "device": "cuda", "width": 6, "memory": 10 * MIB, "fits": True, "used": 6 * MIB}
    store.append("footprints", [seen | {"seen": now()}])
    executor = RayExecutor(nodes.address, gpu_memory={"BIG": 10 * MIB, "SMALL": 4 * MIB})
    outcome, _ = run(nodes, store, toy.study(trials), executor, device="cuda", evaluate="within", width=6)
    assert (outcome.exit_code, outcome.statuses, outcome.fault) == (0, {"completed": 24}, "")
    ran = set(fake_gpus())
    assert {width for node, width in ran if node == small.node_id} == {3}
    assert (big.node_id, 6) in ran
    rows = store.scan("trials").to_pylist()
    assert len(rows) == len({row["trial"] for row in rows}) == 24
    assert {row["width"] for row in rows} == {6, 3}


def test_packs_leave_a_node_that_has_had_notice_and_go_on_elsewhere_from_their_step(
    toy: Any,
    store: ResultStore,
    another_store: ResultStore,
    launch_calmly: Callable[..., Any],
    outcome_of: Outcomes,
    nodes: Any,
    add: Callable[..., Any],
) -> None:
    there = {node.node_id: node for node in (add(), add())}
    entry = toy.study(toy.trials(1, 2, 3, 4, steps=160, pause=0.03))
    left: list[dict[str, Any]] = []

    def give_notice(mark: dict[str, Any]) -> bool:
        nodes.give_notice(there[mark["node"]])
        left.append(mark)
        return True

    with Watch(store, give_notice) as watch:
        outcome, counts = run(nodes, store, entry, RayExecutor(nodes.address), width=2, checkpoint_seconds=0.5)
    assert (outcome.exit_code, outcome.statuses) == (0, {"completed": 4})
    (mark,) = left
    assert counts.deaths == 0
    assert 1 <= counts.left <= 2  # one more where its successor was there already, with its worker
    (other,) = there.keys() - {mark["node"]}
    assert watch.node[mark["id"]] == [mark["node"], other]
    rows = store.scan("trials").to_pylist()
    assert len(rows) == len({row["trial"] for row in rows}) == 4
    assert stops(store) == []
    again = sorted(step for _, step in toy.first_steps() if step > 0)
    assert len(again) in (2, 4)
    assert again[0] >= mark["step"]
    assert launch_calmly(another_store, entry, width=2).exit_code == 0
    assert outcome_of(store) == outcome_of(another_store)


# These come last: of a node that goes without a word, the cluster believes for a while that it is there.
def test_packs_share_gpus_as_asked_while_a_node_is_lost_and_another_joins(
    toy: Any,
    store: ResultStore,
    another_store: ResultStore,
    launch_calmly: Callable[..., Any],
    outcome_of: Outcomes,
    nodes: Any,
    add: Callable[..., Any],
    fake_gpus: Callable[[], list[tuple[str, int]]],
) -> None:
    """Three nodes with a GPU each, two packs a GPU; a fourth joins, and one goes while a pack on it is half trained."""
    there = {node.node_id: node for node in (add(gpus=1) for _ in range(3))}
    numbers = [number / 8 for number in range(4, 24)]
    entry = toy.study(toy.trials(*numbers, steps=320, pause=0.03))
    joined: list[str] = []
    lost: list[dict[str, Any]] = []

    def join(mark: dict[str, Any]) -> bool:
        joined.append(add(gpus=1).node_id)
        return True

    def lose(mark: dict[str, Any]) -> bool:
        if joined[0] not in watch.most or mark["node"] in joined:
            return False
        lost.append(mark)
        nodes.lose(there[mark["node"]])
        return True

    executor = RayExecutor(nodes.address, gpu_memory={"": 1024 * MIB})
    with Watch(store, join, lose) as watch:
        outcome, counts = run(
            nodes, store, entry, executor, device="cuda", evaluate="within", width=2, checkpoint_seconds=0.3,
            resources=Resources(cpus=0.5, gpus=0.5),
        )  # fmt: skip
    assert (outcome.exit_code, outcome.statuses, outcome.fault) == (0, {"completed": 20}, "")
    assert lost
    assert counts.deaths == counts.lost >= 1
    rows = store.scan("trials").to_pylist()
    assert len(rows) == len({row["trial"] for row in rows}) == 20
    assert watch.most.keys() == there.keys() | set(joined)
    assert {watch.most[node] for node in there} == {2}  # two a GPU, never three
    assert watch.most[joined[0]] <= 2
    assert lost[0]["node"] not in watch.node[lost[0]["id"]][1:]  # it went on elsewhere
    moved = {step for number, step in toy.first_steps() if step > 0}
    assert moved  # from its checkpoint
    assert {width for _, width in fake_gpus()} == {2}
    assert launch_calmly(another_store, entry, width=2).exit_code == 0
    assert outcome_of(store) == outcome_of(another_store)


def test_packs_for_a_type_of_gpu_of_which_none_is_left_go_to_another(
    toy: Any, store: ResultStore, nodes: Any, add: Callable[..., Any], fake_gpus: Callable[[], list[tuple[str, int]]]
) -> None:
    """They had been handed out for that type, and would wait for it for ever."""
    here, there = add(gpus=1, kind="HERE"), add(gpus=1, kind="GONE")
    entry = toy.study(toy.trials(*(number / 4 for number in range(1, 9)), steps=160, pause=0.03))

    lost: list[str] = []

    def lose(mark: dict[str, Any]) -> bool:
        if mark["node"] == there.node_id:
            lost.append(mark["id"])
            nodes.lose(there)
        return bool(lost)

    executor = RayExecutor(nodes.address, gpu_memory={"GONE": 20 * MIB, "HERE": 10 * MIB})
    with Watch(store, lose) as watch:
        outcome, counts = run(
            nodes, store, entry, executor, device="cuda", evaluate="within", width=2, checkpoint_seconds=0.3
        )
    assert (outcome.exit_code, outcome.statuses, outcome.fault) == (0, {"completed": 8}, "")
    assert counts.lost == counts.deaths >= 1
    assert watch.node[lost[0]] == [there.node_id, here.node_id]


def test_a_launch_of_which_all_workers_are_gone_can_be_stopped(
    toy: Any, store: ResultStore, nodes: Any, add: Callable[..., Any]
) -> None:
    node = add()
    entry = toy.study(toy.trials(1, 2, 3, 4, 5, 6, steps=320, pause=0.03))
    launched = Launch([entry], store, Options(width=2, checkpoint_seconds=0.3))

    def lose(mark: dict[str, Any]) -> bool:
        nodes.lose(node)
        threading.Timer(5.0, launched.request_stop).start()  # the lost pack has been handed out again
        return True

    with Watch(store, lose):
        outcome = launched.run(RayExecutor(nodes.address), lambda queue: contextlib.nullcontext())
    assert (outcome.exit_code, outcome.interrupted, outcome.statuses) == (75, True, {})
    assert store.inflight() == {}
