from __future__ import annotations

import hashlib
import importlib
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from models.families import Objective
from models.kinds import BetaObjective
from models.spec import SpecificationError, kinds, parse
from studies.paths import StudyError
from studies.user_file import UserModule, load_file, load_source

KIND = dedent(
    """
    from __future__ import annotations
    from dataclasses import dataclass
    from models.families import Objective
    from models.spec import NonNegative

    class {name}(Objective):
        kind = "{tag}"
        weight: NonNegative = {default}

    @dataclass(frozen=True)
    class Record:
        value: int

    mine = {name}(weight=3.0)
    """
)


def write(path: Path, *, name: str = "Mine", tag: str, default: float = 1.0) -> Path:
    path.write_text(KIND.format(name=name, tag=tag, default=default))
    return path


def test_a_file_is_a_module_under_a_name_from_its_source(tmp_path: Path) -> None:
    loaded = load_file(write(tmp_path / "my-study.v2.py", tag="user-a"))
    source = (tmp_path / "my-study.v2.py").read_text()
    assert loaded.source == source
    assert loaded.sha256 == hashlib.sha256(source.encode()).hexdigest()
    assert loaded.name == f"study_file_my_study_v2_{loaded.sha256[:16]}"
    assert type(loaded.get("mine")).__module__ == loaded.name
    assert importlib.import_module(loaded.name) is loaded.module is sys.modules[loaded.name]
    assert str(tmp_path) not in sys.path
    assert parse(Objective, {"kind": "user-a", "weight": 3.0}) == loaded.get("mine")


def test_loading_twice_executes_once(tmp_path: Path) -> None:
    path = write(tmp_path / "twice.py", tag="user-b")
    first, second = load_file(path), load_file(path)
    assert first == second
    assert first.get("Mine") is second.get("Mine") is kinds(Objective)["user-b"]


def test_a_file_that_hides_a_module_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("mine = 1\n")
    assert load_file(tmp_path / "json.py").get("mine") == 1
    assert importlib.import_module("json").dumps(1) == "1"


def test_an_edited_file_replaces_its_own_kinds_and_only_those(tmp_path: Path) -> None:
    path = write(tmp_path / "edited.py", tag="user-c")
    first = load_file(path)
    second = load_file(write(path, tag="user-c", default=2.0))
    assert first.name != second.name
    assert kinds(Objective)["user-c"] is second.get("Mine")
    third = load_file(write(path, tag="user-c"))
    assert third.name == first.name
    assert kinds(Objective)["user-c"] is third.get("Mine")
    assert load_file(path).get("Mine") is third.get("Mine")
    with pytest.raises(StudyError, match=r"other\.py, line 7: objective kind 'user-c' is taken"):
        load_file(write(tmp_path / "other.py", tag="user-c"))
    with pytest.raises(StudyError, match=r"objective kind 'beta' is taken by models\.specification\.objectives"):
        load_file(write(tmp_path / "ours.py", tag="beta"))
    assert kinds(Objective)["beta"] is BetaObjective


def test_the_source_text_makes_the_module_in_another_process(tmp_path: Path) -> None:
    loaded = load_file(write(tmp_path / "shipped.py", tag="user-d"))
    program = (
        "import sys; from studies.user_file import load_source;"
        "loaded = load_source(sys.stdin.read(), sys.argv[1]);"
        "again = load_source(loaded.source, loaded.name);"
        "assert again.get('Mine') is loaded.get('Mine');"
        "print(loaded.get('mine').canonical_json, loaded.sha256, type(loaded.get('mine')).__module__)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, loaded.name], input=loaded.source, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == [loaded.get("mine").canonical_json, loaded.sha256, loaded.name]


def test_source_and_name_belong_together(tmp_path: Path) -> None:
    loaded = load_file(write(tmp_path / "hash.py", tag="user-e"))
    again = load_source(loaded.source, loaded.name)
    assert again.get("Mine") is loaded.get("Mine")
    for source, name in ((loaded.source + "\n", loaded.name), (loaded.source, "json")):
        with pytest.raises(StudyError, match="has another hash"):
            load_source(source, name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = (\n", r"bad\.py, line 1: '\(' was never closed"),
        ("x = 1\ny = x + z\n", r"bad\.py, line 2: NameError: name 'z' is not defined"),
        ("def f():\n    return 1 / 0\n\nf()\n", r"bad\.py, line 2: ZeroDivisionError"),
        ("import no_such_neighbour\n", r"bad\.py, line 1: ModuleNotFoundError: No module named 'no_such_neighbour'"),
        ("from models.kinds import Gaussian\nGaussian(sigma=-1)\n", r"bad\.py, line 2: sigma: Input should be greater"),
        ("raise ValueError('one\\ntwo')\n", r"bad\.py, line 1: ValueError: one two"),
    ],
)
def test_a_file_that_fails_says_where_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(text)
    before = set(sys.modules)
    with pytest.raises(StudyError, match=message) as failed:
        load_file(path)
    assert "\n" not in str(failed.value)
    assert {name for name in set(sys.modules) - before if name.startswith("study_file")} == set()


def test_missing_files_and_names_are_refused_with_the_nearest(tmp_path: Path) -> None:
    loaded = load_file(write(tmp_path / "study.py", tag="user-f"))
    with pytest.raises(StudyError, match="defines no miné; did you mean mine"):
        loaded.get("miné")
    with pytest.raises(StudyError, match=r"there is no file .*studi\.py; did you mean study\.py"):
        load_file(tmp_path / "studi.py")
    with pytest.raises(StudyError, match="there is no folder"):
        load_file(tmp_path / "nowhere" / "study.py")
    with pytest.raises(StudyError, match="cannot be read"):
        load_file(tmp_path)
    (tmp_path / "latin.py").write_bytes(b"x = '\xe9'\n")
    with pytest.raises(StudyError, match="cannot be read"):
        load_file(tmp_path / "latin.py")


def test_errors_are_specification_errors() -> None:
    assert issubclass(StudyError, SpecificationError)
    assert UserModule.__dataclass_params__.frozen  # type: ignore[attr-defined]
