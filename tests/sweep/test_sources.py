"""Users' files as the makers of trials: what is recorded of them, and what is told when they have changed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from results.store import ResultStore
from studies.catalogue import find
from studies.user_file import load_file
from sweep.sources import sources_of
from sweep.task import Source

Sweep = Callable[..., Any]
# Each file has tags of its own: within one process, a kind belongs to the file that first defined it.
FILE = '''
from evaluation.information import information
from models.kinds import BetaObjective, Binomial, DenseDecoder, DenseEncoder, Digits, FlatModel, Training
from results.quantity import Quantity
from studies.axes import axis
from studies.study import Study
from studies.trial import Trial


class {name}Encoder(DenseEncoder):
    kind = "test-sources-encoder-{name}"


class {name}Objective(BetaObjective):
    """A β-VAE's objective of another name."""

    kind = "test-sources-objective-{name}"


def measured(view, names):
    return {{name: information(view, ("rate",))["rate"] for name in names}}


BASE = Trial(
    data=Digits(),
    model=FlatModel(
        latent=2, encoder=DenseEncoder(widths=(4,)), decoder=DenseDecoder(widths=(4,)), likelihood=Binomial(total=16)
    ),
    objective=BetaObjective(),
    training=Training(steps=3, batch_size=8),
)
OWN = Quantity(name="own_rate", unit="nats", goal="none", family=":measured")
mixed = Study(
    name="own/mixed",
    question="Is ours theirs?",
    base=BASE,
    axes=axis("objective", (BetaObjective(), {name}Objective()), labels=("ours", "own")),
    seeds=2,
)
part = Study(name="own/part", question="?", base=BASE, axes=axis("model.encoder", ({name}Encoder(widths=(4,)),)))
plain = Study(name="own/plain", question="Only our kinds?", base=BASE)
asking = Study(name="own/asking", question="And a quantity?", base=BASE, quantities=(OWN,))
'''


def write(path: Path, name: str) -> Path:
    path.write_text(FILE.format(name=name))
    return path


def test_a_trial_has_the_files_of_its_parts_and_quantities(tmp_path: Path) -> None:
    first, second = write(tmp_path / "first.py", "First"), write(tmp_path / "second.py", "Second")
    sources = [Source.of(load_file(path)) for path in (first, second)]

    def files(name: str) -> list[list[int]]:
        (entry,) = find([name])
        found = [sources_of(trial, entry.study.quantities, sources) for trial in entry.study.trials()]
        return [[sources.index(source) for source in one] for one in found]

    assert files(f"{first}:mixed") == [[], [0], [], [0]]
    assert files(f"{second}:mixed") == [[], [1], [], [1]]
    assert files(f"{first}:part") == [[0]]
    assert files(f"{first}:plain") == [[]]
    assert files(f"{second}:asking") == [[1]]
    trial = find([f"{first}:part"])[0].study.trials()[0]
    names = ["Digits", "FlatModel", "FirstEncoder", "DenseDecoder", "Binomial", "StandardNormalPrior", "BetaObjective"]
    assert [type(kind).__name__ for kind in trial.kinds] == [*names, "Adam", "ConstantSchedule"]


def test_finished_trials_of_another_version_are_told_and_kept(sweep: Sweep, tmp_path: Path) -> None:
    path, store = write(tmp_path / "mine.py", "Mine"), tmp_path / "runs"
    name, where = f"{path}:mixed", ("--store", store)
    launched = sweep("launch", name, *where, "--executor", "local")
    assert (launched.code, launched.err.count("another version")) == (0, 0)
    before = load_file(path).sha256
    opened = ResultStore.open(store)
    assert Counter(opened.trials(["source"])["source"].to_pylist()) == {before: 2, None: 2}
    for verb in ("plan", "status"):
        record = json.loads(sweep(verb, name, *where, "--json").out)
        assert record["other_source"] is None
        assert "another version" not in sweep(verb, name, *where).out
    path.write_text(path.read_text() + "# edited\n")
    told = "2 finished trials were made by another version of mine.py; raise `revision` of MineObjective"
    for verb in ("plan", "status"):
        ended = sweep(verb, name, *where, "--json")
        assert ended.code == 0
        record = json.loads(ended.out)
        assert record["other_source"] == {"trials": 2, "file": "mine.py", "kinds": ["MineObjective"]}
        assert told in sweep(verb, name, *where).out
    again = sweep("launch", name, *where, "--executor", "local")
    assert (again.code, again.err) == (0, f"sweep: note: own/mixed: {told} to keep them apart\n")
    assert "all trials are finished" in again.out
    more = sweep("launch", name, *where, "--executor", "local", "--seeds", 3)
    assert more.code == 0
    sources = Counter(opened.trials(["source"])["source"].to_pylist())
    assert sources == {before: 2, load_file(path).sha256: 1, None: 3}


def test_a_raised_revision_keeps_them_apart(sweep: Sweep, tmp_path: Path) -> None:
    path, store = write(tmp_path / "raised.py", "Raised"), tmp_path / "runs"
    name, where = f"{path}:mixed", ("--store", store)
    assert sweep("launch", name, *where, "--executor", "local").code == 0
    tag = 'kind = "test-sources-objective-Raised"'
    path.write_text(path.read_text().replace(tag, f"{tag}\n    revision = 2"))
    record = json.loads(sweep("plan", name, *where, "--json").out)
    assert (record["finished"], record["pending"], record["other_source"]) == (2, 2, None)
