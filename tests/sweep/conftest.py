"""Tiny studies in a user's own file, one of which fails in half of its trials, and a store of its first launch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # modules that stand beside the tests are imported by their names
MENDED = "RATESWEEP_TEST_MENDED"  # set: the faulty kinds of the file work
STUDIES = '''
import dataclasses
import os
from models.kinds import Adam, BetaObjective, Binomial, DenseDecoder, DenseEncoder, Digits, FlatModel, Training
from results.quantity import Quantity
from studies.axes import axis, product
from studies.quantities import information
from studies.study import Reduction, Study
from studies.trial import Trial


class Faulty(BetaObjective):
    """The β-VAE's objective, which cannot be built unless it has been mended."""

    kind = "test-faulty"
    implementation = ":build_faulty"


def build_faulty(spec):
    from models.objectives import Beta

    if "RATESWEEP_TEST_MENDED" in os.environ:
        return Beta(spec)
    raise RuntimeError("no answer from /data/volume7 after 17 tries")


def twice(view, names):
    from evaluation.information import information
    from results.quantity import Estimate

    if "RATESWEEP_TEST_BROKEN" in os.environ:
        raise RuntimeError("half of the reference is missing")
    return {name: Estimate(2 * information(view, ("rate",))["rate"].value) for name in names}


BASE = Trial(
    data=Digits(),
    model=FlatModel(
        latent=2, encoder=DenseEncoder(widths=(4,)), decoder=DenseDecoder(widths=(4,)), likelihood=Binomial(total=16)
    ),
    objective=BetaObjective(),
    training=Training(steps=6, batch_size=8),
)
RATES = axis("training.optimiser.learning_rate", (1e-3, 1e-2))
small = Reduction(note="one learning rate", axes=axis("training.optimiser.learning_rate", (1e-3,)))
sound = Study(
    name="own/sound",
    question="Does it run?",
    base=BASE,
    axes=RATES,
    seeds=2,
    quantities=information(("z1",)),
    reduction=small,
)
extended = dataclasses.replace(
    sound,
    name="own/extended",
    quantities=(*sound.quantities, Quantity(name="twice_rate", unit="nats", goal="none", family=":twice")),
)
half = dataclasses.replace(
    sound,
    name="own/half",
    axes=product(axis("objective", (BetaObjective(), Faulty()), labels=("sound", "faulty")), RATES),
)
exploding = dataclasses.replace(
    sound, name="own/exploding", axes=axis("training.optimiser.learning_rate", (1e-3, 1e30)), seeds=1
)
medium = dataclasses.replace(
    sound, name="own/medium", base=BASE.model_copy(update={"training": Training(steps=300, batch_size=8)})
)
long = dataclasses.replace(
    sound, name="own/long", base=BASE.model_copy(update={"training": Training(steps=200_000, batch_size=8)})
)
'''


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Sweep = Callable[..., Ended]


@pytest.fixture
def sweep(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Sweep:
    """Runs the command in this process: sweep("plan", "digits", …)."""
    from sweep.cli.main import main

    monkeypatch.delenv("RATESWEEP_STORE", raising=False)

    def run(*arguments: object) -> Ended:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return Ended(code=code, out=told.out, err=told.err)

    return run


@pytest.fixture
def ended_process() -> int:
    """The number of a process of this host that has ended."""
    child = subprocess.Popen([sys.executable, "-S", "-c", ""])
    child.wait()
    return child.pid


@pytest.fixture(scope="session")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The user's file with the studies sound, extended (of the same trials), half (half of it fails), exploding and,
    of ever more steps, medium and long.

    One file for all tests: a kind belongs to the file that first defined it.
    """
    path = tmp_path_factory.mktemp("own") / "own.py"
    path.write_text(dedent(STUDIES))
    return path


@pytest.fixture(scope="session")
def half_done(studies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store after `sweep launch own.py:half`: 4 trials completed, 4 failed. Not to be written to."""
    from sweep.cli.main import main

    os.environ.pop(MENDED, None)
    store = tmp_path_factory.mktemp("half") / "runs"
    assert main(["launch", f"{studies}:half", "--store", str(store), "--executor", "local"]) == 3
    return store


@pytest.fixture
def store(half_done: Path, tmp_path: Path) -> Path:
    """A copy of that store, to be written to."""
    return Path(shutil.copytree(half_done, tmp_path / "runs"))


@pytest.fixture(scope="session")
def digits_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of real results: digits/objectives@small whole, 4 of 16 trials of digits/hvae@small. Only to be read."""
    from sweep.cli.main import main

    store = tmp_path_factory.mktemp("digits") / "runs"
    where = ("--store", str(store), "--executor", "local")
    assert main(["launch", "digits/objectives@small", *where]) == 0
    assert main(["launch", "digits/hvae@small", *where, "--where", "objective.beta[1]=1.0"]) == 0
    return store
