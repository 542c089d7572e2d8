from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from results.backoff import Backoff
from results.files import StoreError
from results.store import ResultStore
from sweep.cli import main as cli
from sweep.provenance import version

ROOT = Path(__file__).parents[2]
VERBS = (
    "list",
    "plan",
    "rehearse",
    "launch",
    "evaluate",
    "fetch",
    "submit",
    "status",
    "logs",
    "cancel",
    "recipe",
    "show",
    "tables",
    "figures",
    "report",
    "compact",
    "handoff",
    "prune",
    "export",
)
HEAVY = ("torch", "ray", "plotly", "sklearn", "pandas", "scipy")


def run(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, **more)


def test_alone_it_prints_its_help_with_every_verb(sweep: Callable[..., Any]) -> None:
    told = sweep()
    assert told.code == 0
    for verb in VERBS:
        assert f"\n    {verb} " in told.out
    assert told.out == sweep("--help").out


def test_the_verbs_are_those_that_the_help_lists() -> None:
    whole = cli.parser()
    (verbs,) = [action.choices for action in whole._actions if isinstance(action.choices, dict)]
    assert set(verbs) == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_with_an_example(sweep: Callable[..., Any], verb: str) -> None:
    told = sweep(verb, "--help")
    assert (told.code, told.err) == (0, "")
    assert f"example:\n  sweep {verb}" in told.out
    description = told.out.split("\n\n")[1]
    assert len(description.split()) > 10
    assert all(len(line) <= 100 for line in description.splitlines())


def test_version(sweep: Callable[..., Any]) -> None:
    assert sweep("--version").out == f"sweep (ratesweep) {version()}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lsit"], ["no verb 'lsit'", "did you mean list"]),
        (["zzz"], ["no verb 'zzz'", "known: ", "launch"]),
        (["--stor"], ["no option --stor", "--version"]),
        (["plan"], ["NAME", "sweep plan --help"]),
        (["plan", "digits", "--stores", "x"], ["sweep plan has no option --stores", "did you mean --store"]),
        (["plan", "digits", "--json", "digits/hvae"], ["unexpected 'digits/hvae'", "names stand together"]),
        (["plan", "digits", "--seeds", "0"], ["--seeds", "a whole number from 1, not '0'"]),
        (["plan", "digits", "--seeds", "two"], ["a whole number from 1, not 'two'"]),
        (["plan", "digits", "--store"], ["--store", "expected one argument"]),
    ],
)
def test_a_wrong_command_line_is_one_line(sweep: Callable[..., Any], arguments: list[str], words: list[str]) -> None:
    told = sweep(*arguments)
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith("sweep: error: ")
    assert told.err.count("\n") == 1
    for word in words:
        assert word in told.err


def test_a_users_error_is_told_in_one_line_whatever_its_message(
    sweep: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studies.catalogue.papers", _raising(StoreError("two\n  lines")))
    told = sweep("list")
    assert (told.code, told.out, told.err) == (2, "", "sweep: error: two lines\n")


def test_storage_that_stays_unsteady_is_no_bad_input(
    sweep: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A batch system takes 2 for a final answer; after 75 the same command may do."""
    store = tmp_path / "runs"
    ResultStore.open(store, create=True)

    def failing(*arguments: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("results.files.Backoff", lambda: Backoff(seconds=0.0))
    monkeypatch.setattr("pathlib.Path.read_bytes", failing)
    told = sweep("launch", "digits/hvae@small", "--store", store, "--executor", "local")
    assert told.code == 75
    assert told.err.startswith("sweep: error: ")
    assert "tried 1 times" in told.err
    assert told.err.count("\n") == 1


def test_a_bug_shows_its_traceback_and_says_whose_it_is(
    sweep: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studies.catalogue.papers", _raising(ZeroDivisionError("oh")))
    told = sweep("list")
    assert told.code == 1
    assert "Traceback" in told.err
    assert "ZeroDivisionError: oh" in told.err
    assert "bug in ratesweep" in told.err.splitlines()[-1]


def test_an_interrupt_is_no_error(sweep: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studies.catalogue.papers", _raising(KeyboardInterrupt()))
    told = sweep("list")
    assert (told.code, told.err) == (75, "sweep: interrupted\n")


def test_a_reader_that_has_seen_enough_hears_nothing() -> None:
    program = f"{sys.executable} -m sweep list --json | head -c 1; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "{", "")


def test_a_terminal_without_greek_still_gets_its_list() -> None:
    environment = {"PYTHONIOENCODING": "ascii", "PATH": "/usr/bin:/bin"}
    ended = run("-m", "sweep", "list", env=environment)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "5 values: ? = 1" in ended.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["--version"],
        *([verb, "--help"] for verb in ("plan", "launch", "submit", "status", "logs", "recipe", "tables", "report")),
        ["plan", "digits", "--store", "/nowhere/at/all"],
        ["plan", "digits", "--where", "objective.beta=1"],
    ],
    ids=" ".join,
)
def test_what_is_looked_up_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from sweep.cli.main import main\n"
        f"main({arguments!r})\n"
        f"print('heavy:', *(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)"
    )
    assert run("-c", program).stderr.splitlines()[-1] == "heavy:"


def _raising(error: BaseException) -> Callable[..., Any]:
    def function(*arguments: object) -> None:
        raise error

    return function
