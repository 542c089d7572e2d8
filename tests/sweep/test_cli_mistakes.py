"""Every mistake of a user is one line on stderr that names the rule, the value and the nearest choice."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Sweep = Callable[..., Any]
BASE = """
from models.kinds import *
from studies.axes import axis, product
from studies.study import Study
from studies.trial import Trial, from_json

def base(**objective):
    return Trial(
        data=Digits(),
        model=FlatModel(latent=2, likelihood=Binomial(total=16)),
        objective=BetaObjective(**objective),
        training=Training(steps=6, batch_size=8),
    )

def study(**more):
    return Study(**{"name": "own/wrong", "question": "?", "base": base()} | more)

"""


def refused(told: Any, *words: str, code: int = 2) -> None:
    assert (told.code, told.out) == (code, "")
    assert told.err.startswith("sweep: error: ")
    assert told.err.count("\n") == 1
    assert "at least 1 item" not in told.err  # what pydantic says of a tuple whose only item it refused
    for word in words:
        assert word in told.err


@pytest.mark.parametrize("verb", ["plan", "launch", "status", "evaluate"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("digits/hvea", ["no study or paper 'digits/hvea'", "did you mean digits/hvae"]),
        ("digit", ["no study or paper 'digit'", "did you mean digits"]),
        ("zzz", ["known: digits", "path/to/file.py:study"]),
        ("digits@tiny", ["@small"]),
        ("nowhere.py:study", ["there is no file nowhere.py"]),
    ],
)
def test_unknown_studies(sweep: Sweep, tmp_path: Path, verb: str, name: str, words: list[str]) -> None:
    refused(sweep(verb, name, "--store", tmp_path / "runs"), *words)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("wrong = study(base=base(beta=(-1.0,)))", ["line 11", "beta", "greater than or equal to 0", "-1.0"]),
        ("wrong = study(base=base(beta=(float('nan'),)))", ["line 11", "beta", "finite number", "nan"]),
        ("wrong = study(axes=axis('objective.beta[0]', (1.0, -1.0)))", ["own/wrong", "-1.0"]),
        ("wrong = study(axes=axis('objective.beta[0]', (1.0, float('nan'))))", ["nan"]),
        (
            "wrong = study(axes=product(axis('objective.beta[0]', (1.0,)), axis('objective.beta[0]', (2.0,))))",
            ["line 18", "objective.beta[0]"],
        ),
        ("wrong = study(axes=axis('objective.beta[0]', (1.0, 1.0)))", ["line 18", "objective.beta[0]", "1.0"]),
        ("wrong = study(axes=axis('objective.betta[0]', (1.0,)))", ["objective.betta", "objective.beta"]),
        ("wrong = study(seeds=0)", ["line", "seeds", "0"]),
        ("wrong = from_json('{\"model\": ')", ["line 18", "a specification is JSON"]),
        ("wrong = from_json('[1, 2]')", ["line 18", "a JSON object"]),
        ("wrong = from_json('{}')", ["line 18", "data", "model"]),
        ("wrong = 1 / 0", ["line 18", "ZeroDivisionError"]),
        ("wrong = study(", ["line 18", "never closed"]),
        ("wrong = 3", ["int, not a Study or Paper"]),
        ("wrnog = study()", ["defines no wrong", "did you mean wrnog"]),
    ],
)
def test_mistakes_in_a_users_file(sweep: Sweep, tmp_path: Path, line: str, words: list[str]) -> None:
    file = tmp_path / "own.py"
    file.write_text(BASE + line + "\n")
    for verb in ("plan", "launch"):
        refused(sweep(verb, f"{file}:wrong", "--store", tmp_path / "runs"), *words)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("objective.betta[0]=1", ["no trial has objective.betta[0]", "did you mean"]),
        ("objective.beta[0]", ["a condition reads like"]),
        ("objective.beta[0]==1", ["one ="]),
        ("objective.beta[0]=0.3", ["no trial is left", "0.251188643, 0.316227766, 0.398107171"]),
        ("objective.beta[0]=big", ["is a number, and 'big' is none"]),
        ("data.kind<3", ["compares numbers"]),
        ("data.kind=mnist", ["no trial is left", "known: digits"]),
    ],
)
def test_wrong_conditions(sweep: Sweep, tmp_path: Path, condition: str, words: list[str]) -> None:
    refused(sweep("launch", "digits/hvae", "--where", condition, "--store", tmp_path / "runs"), *words)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["launch", "digits", "--pack", "0"], ["--pack", "auto or a whole number from 1, not '0'"]),
        (["launch", "digits", "--pack", "wide"], ["--pack", "not 'wide'"]),
        (["plan", "digits", "--pack", "-3"], ["--pack", "not '-3'"]),
        (["launch", "digits", "--seeds", "0"], ["--seeds", "from 1, not '0'"]),
        (["launch", "digits", "--pack", "3", "--calibrate"], ["--pack W sets the width", "give one of them"]),
        (["launch", "digits", "--executor", "slurm"], ["--executor", "'slurm'", "local"]),
        (["launch", "digits", "--executor", "local", "--address", "h:1"], ["--address", "--executor local"]),
        (["launch", "digits", "--checkpoint-seconds", "0"], ["above 0, not '0'"]),
        (["launch", "digits", "--checkpoint-seconds", "nan"], ["above 0, not 'nan'"]),
        (
            ["launch", "--retry-failed", "digits"],
            ["--retry-failed: took 'digits' for its REASON; write names before the option"],
        ),
        (["launch", "digits@small", "--reason", "volume"], ["--reason", "give that, too"]),
        (["launch", "digits@small", "--retry-failed", "volume"], ["no failure with 'volume'", "no trial has failed"]),
        (["launch", "digits", "--wher", "seed=0"], ["no option --wher", "did you mean --where"]),
        (["evaluate", "digits", "--quantity", "psrn"], ["no quantity 'psrn' in digits/hvae", "did you mean psnr"]),
    ],
)
def test_wrong_options(sweep: Sweep, tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    refused(sweep(*arguments, "--store", tmp_path / "runs"), *words)


def test_a_retry_for_a_reason_that_nothing_failed_for_names_the_reasons(
    sweep: Sweep, studies: Path, half_done: Path
) -> None:
    told = sweep("launch", f"{studies}:half", "--store", half_done, "--retry-failed", "memory")
    refused(told, "no failure with 'memory'", "RuntimeError: no answer from PATH after N tries")


@pytest.mark.parametrize("verb", ["plan", "launch", "status", "evaluate"])
def test_a_store_that_is_a_file(sweep: Sweep, tmp_path: Path, verb: str) -> None:
    (tmp_path / "runs").write_text("here")
    refused(sweep(verb, "digits", "--store", tmp_path / "runs"), "a store is a folder", f"{tmp_path}/runs is a file")


@pytest.mark.parametrize("verb", ["plan", "launch", "status", "evaluate"])
def test_a_folder_of_other_things(sweep: Sweep, tmp_path: Path, verb: str) -> None:
    (tmp_path / "thesis.tex").write_text("dear")
    refused(sweep(verb, "digits", "--store", tmp_path), "is not a store", "thesis.tex")


@pytest.mark.parametrize("verb", ["status", "evaluate"])
def test_no_store_to_read(sweep: Sweep, tmp_path: Path, verb: str) -> None:
    refused(sweep(verb, "digits", "--store", tmp_path / "runs"), "no store at", "launch a study")
    assert not (tmp_path / "runs").exists()


def test_a_store_of_a_newer_format(sweep: Sweep, studies: Path, store: Path) -> None:
    (store / "store.json").write_text('{"format": 99}')
    refused(sweep("status", f"{studies}:half", "--store", store), "99")


def test_a_place_where_no_store_can_be_made(sweep: Sweep) -> None:
    refused(sweep("launch", "digits", "--store", "/proc/runs"), "/proc/runs")


@pytest.mark.parametrize("verb", ["launch", "evaluate"])
def test_a_store_that_cannot_be_written(
    sweep: Sweep, studies: Path, store: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """The tests may run as root, whom no permission stops: the refusal comes from in front of the system call."""

    def refuse(file: object, mode: str = "r") -> Any:
        raise OSError(errno.EROFS, "Read-only file system", str(file))

    monkeypatch.setattr("results.files.open", refuse, raising=False)
    refused(sweep(verb, f"{studies}:extended", "--store", store, "--executor", "local"), "read-only file system")
    told = sweep("status", f"{studies}:extended", "--store", store)
    assert (told.code, told.err) == (0, "")


def test_an_address_where_no_ray_listens(sweep: Sweep, studies: Path, store: Path) -> None:
    told = sweep("launch", f"{studies}:extended", "--store", store, "--address", "127.0.0.1:9")
    assert told.code == 2
    assert told.err.count("\n") == 1
    assert "no Ray listens at 127.0.0.1:9" in told.err


def test_a_gpu_that_is_not_here(sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweep.cli.work._has_gpu", lambda: False)
    refused(sweep("launch", "digits", "--device", "cuda", "--store", tmp_path / "runs"), "no NVIDIA GPU")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert sweep("plan", "digits", "--store", tmp_path / "runs").code == 0
