"""Launches of a tiny study in a user's own file, and what they left in their stores, to be compared bit for bit."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from results.quantity import Quantity
from results.store import ResultStore
from studies.axes import axis
from studies.catalogue import Entry
from studies.study import Study
from studies.trial import Trial
from studies.user_file import UserModule, load_file
from sweep.executor import Executor
from sweep.launch import Launch, Options, Outcome
from sweep.local_executor import LocalExecutor
from sweep.pack import Decision, Pack
from sweep.task import PackTask, Settings, Source

TOY = Path(__file__).parent / "files" / "toy.py"
_TAGS = itertools.count()


def _write_toy(path: Path, starts: Path, tag: str = "toy", trials: int = 16) -> Path:
    """A copy of the file that notes what is started in `starts`; kinds of two files in one process need two tags."""
    starts.mkdir(exist_ok=True)
    text = TOY.read_text()
    for old, new in (
        ('TAG = "toy"', f"TAG = {tag!r}"),
        ('STARTS = ""', f"STARTS = {str(starts)!r}"),
        ("TRIALS = 16", f"TRIALS = {trials}"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    path.write_text(text)
    return path


def _started(folder: Path) -> list[tuple[float, int]]:
    """(number, first step) of each trial that an execution took up."""
    names = (path.name.split("-") for path in folder.iterdir())
    return sorted((float(number), int(step)) for number, step, _ in names)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Toy:
    """A loaded copy of files/toy.py, and the folder of its starts."""

    module: UserModule
    folder: Path

    def __getattr__(self, name: str) -> Any:
        return self.module.get(name)

    @property
    def quantity(self) -> Quantity:
        return self.named(self.module.get("RATE"))

    def named(self, quantity: Quantity, **changes: Any) -> Quantity:
        """A quantity of the file with the module of its functions filled in, as the catalogue does."""
        needs = f"{self.module.name}{quantity.prerequisites}" if quantity.prerequisites else ""
        family = f"{self.module.name}{quantity.family}"
        return dataclasses.replace(quantity, family=family, prerequisites=needs, **changes)

    def trials(self, *numbers: float, **common: Any) -> list[Trial]:
        return [self.module.get("trial")(float(number), **common) for number in numbers]

    def study(self, trials: Sequence[Trial], *quantities: Quantity, name: str = "toy/some") -> Entry:
        """A study of exactly these trials, which differ in their objective alone."""
        objectives = [trial.objective for trial in trials]
        axes = axis("objective", objectives, labels=[str(number) for number in range(len(trials))])
        quantities = quantities or (self.quantity,)
        study = Study(name=name, question="?", base=trials[0], axes=axes, quantities=quantities)
        return Entry(study=study, source=self.module)

    def starts(self) -> Counter[float]:
        """How often each trial was taken up, by its number."""
        return Counter(number for number, _ in _started(self.folder))

    def forget(self) -> None:
        """Forgets what was taken up so far."""
        for path in self.folder.iterdir():
            path.unlink()

    def first_steps(self) -> list[tuple[float, int]]:
        """(number, first step) of each trial that an execution took up."""
        return _started(self.folder)

    def task(self, store: ResultStore, trials: Sequence[Trial], *, width: int = 8, **more: Any) -> PackTask:
        """A task for `run_pack`, by the path that the trials' model prefers."""
        path = "sequential" if trials[0].model.convolutional else "fused"
        decision = Decision(shape=trials[0].shape, device=more.pop("device", "cpu"), width=width, path=path)
        pack = Pack(trials=tuple(trials), decision=decision, task=more.pop("task", "train"))
        settings = Settings(store=store.location, launch=more.pop("launch", "test"), **more.pop("settings", {}))
        quantities = more.pop("quantities", (self.quantity,))
        return PackTask.of(pack, quantities, settings, (Source.of(self.module),), more.pop("tries", 0))


@pytest.fixture(scope="session")
def write_toy() -> Callable[..., Path]:
    """write_toy(path, folder of starts, tag, trials): a copy of files/toy.py."""
    return _write_toy


@pytest.fixture(scope="session")
def started() -> Callable[[Path], list[tuple[float, int]]]:
    """(number, first step) of each trial that an execution took up, from a folder of starts."""
    return _started


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    """A fresh copy of the file, with kinds of its own."""
    starts = tmp_path / "starts"
    path = _write_toy(tmp_path / "toy.py", starts, f"toy{next(_TAGS)}")
    return Toy(module=load_file(path), folder=starts)


@pytest.fixture(scope="module")
def ray_executor() -> Iterator[Executor]:
    """A Ray that the tests of a module share: an executor in a process that has one uses it."""
    from sweep.on_ray.executor import RayExecutor

    with RayExecutor(cpus=2) as executor:
        yield executor


@pytest.fixture(scope="session")
def make_nodes() -> Callable[[], Any]:
    """make_nodes(): a Ray cluster of several nodes, see nodes.py beside this file."""
    spec = importlib.util.spec_from_file_location("execution_nodes", Path(__file__).with_name("nodes.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Nodes


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.slow)])
def executor(request: pytest.FixtureRequest) -> Executor:
    """Every executor in turn."""
    if request.param == "local":
        return LocalExecutor()
    request.getfixturevalue("ray_executor")
    from sweep.on_ray.executor import RayExecutor

    return RayExecutor()


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore.open(tmp_path / "store", create=True)


@pytest.fixture
def another_store(tmp_path: Path) -> ResultStore:
    return ResultStore.open(tmp_path / "another", create=True)


Launching = Callable[..., Outcome]


@pytest.fixture
def launch() -> Launching:
    """Launches entries into a store: launch(store, entry, …, executor=…, width=…)."""

    def run(store: ResultStore, *entries: Entry, executor: Executor | None = None, **options: Any) -> Outcome:
        launched = Launch(entries, store, Options(**options))
        return launched.run(executor or LocalExecutor(), lambda queue: contextlib.nullcontext())

    return run


@pytest.fixture
def launch_calmly(launch: Launching, monkeypatch: pytest.MonkeyPatch) -> Launching:
    """The same in this process, without the pauses: for what would have come of it without any fault."""

    def run(store: ResultStore, *entries: Entry, **options: Any) -> Outcome:
        with monkeypatch.context() as hurry:
            hurry.setenv("RATESWEEP_TEST_HURRY", "1")
            return launch(store, *entries, **options)

    return run


@pytest.fixture(scope="session")
def outcome_of() -> Callable[[ResultStore], dict[str, tuple[Any, ...]]]:
    """All that each trial has but when and where it ran, exact to the bit: by trial id."""
    return _outcome_of


def _outcome_of(store: ResultStore) -> dict[str, tuple[Any, ...]]:
    rows = {row["trial"]: row for row in store.trials().to_pylist()}
    metrics: dict[str, dict[str, Any]] = {trial: {} for trial in rows}
    for row in store.winning("metrics").to_pylist():
        metrics[row["trial"]][row["quantity"]] = (
            row["error"] or row["value"].hex(),
            row["version"],
            row["weights"],
        )
    found = {}
    for trial, row in rows.items():
        weights = store.weights(trial) if row["status"] == "completed" else {}
        found[trial] = (
            row["status"],
            row["step"],
            metrics[trial],
            {name: (step.tolist(), value.tobytes()) for name, (step, value) in store.curves(trial).items()},
            {name: value.tobytes() for name, value in weights.items()},
        )
    return found


@pytest.fixture(scope="session")
def statuses() -> Callable[[ResultStore], dict[float, str]]:
    """The status of each trial by its objective's number."""
    return _statuses


def _statuses(store: ResultStore) -> dict[float, str]:
    rows = store.trials(["specification", "status"]).to_pylist()
    return {json.loads(row["specification"])["objective"]["number"]: row["status"] for row in rows}
