"""The code that results are stamped with: a commit, and whether the tree is that commit's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from sweep.provenance import code_of, version


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository of one commit with the packages in it."""
    if shutil.which("git") is None:
        pytest.skip("no git on PATH")
    for name in ("models/training", "sweep", "docs"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "sweep" / "plan.py").write_text("one = 1\n")
    (tmp_path / ".gitignore").write_text("*_local.py\n")
    name = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    for arguments in (("init", "-q"), ("add", "."), (*name, "commit", "-qm", "Begin")):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    return tmp_path


def test_a_clean_tree_is_its_commit(clone: Path) -> None:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=clone, check=True, capture_output=True, text=True)
    assert code_of(clone) == commit.stdout[:12]


@pytest.mark.parametrize("file", ["sweep/plan.py", "sweep/new.py", "models/training/new.py"])
def test_changed_and_added_code_is_dirty(clone: Path, file: str) -> None:
    clean = code_of(clone)
    (clone / file).write_text("one = 2\n")
    assert code_of(clone) == f"{clean}+dirty"


@pytest.mark.parametrize("file", ["study.py", "docs/new.py", "sweep/notes.txt", "sweep/mine_local.py"])
def test_what_is_no_code_of_ours_is_not(clone: Path, file: str) -> None:
    clean = code_of(clone)
    (clone / file).write_text("one = 2\n")
    assert code_of(clone) == clean


def test_an_installed_copy_is_its_version(tmp_path: Path) -> None:
    assert code_of(tmp_path) == version()
