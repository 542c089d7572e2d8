"""The documents: every relative link and image leads to a file of the repository, and their commands are understood."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from results.store import ResultStore
from sweep.cli.main import main, parser
from sweep.cli.options import entries

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ("README.md", "BENCHMARKS.md", "docs/*.md")
_CODE = re.compile(r"^ {0,3}(`{3,}|~{3,}).*?^ {0,3}\1[`~]*\s*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"\]\(\s*<?([^\s)>]+)>?(?:\s+(?:\"[^\"]*\"|'[^']*'))?\s*\)")  # [text](target "title")
_REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)", re.MULTILINE)  # [name]: target
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_TAG = re.compile(r"<(?:img|a)\b[^>]*?\b(?:src|href)\s*=\s*[\"']([^\"']+)", re.IGNORECASE)


def links(text: str) -> Iterator[str]:
    """The targets of a Markdown text's links and images, code left out."""
    prose = _CODE.sub("", text)
    for pattern in (_INLINE, _REFERENCE, _TAG):
        yield from pattern.findall(prose)


def commands(text: str) -> list[list[str]]:
    """The words of each line of a Markdown text's shell code that calls sweep, without the word itself."""
    lines = [line for block in _SHELL.findall(text) for line in block.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("sweep ")]


def broken(document: Path) -> list[str]:
    """The relative links of a document that lead to no file."""
    found = []
    for link in links(document.read_text(encoding="utf-8")):
        path = unquote(link.partition("#")[0])
        elsewhere = re.match(r"[a-z][a-z0-9+.-]*:|//", link, re.IGNORECASE)  # another site's
        if path and not elsewhere and (path.startswith("/") or not (document.parent / path).exists()):
            found.append(link)
    return found


def documents() -> list[Path]:
    return sorted(path for pattern in DOCUMENTS for path in ROOT.glob(pattern))


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_every_link_leads_to_a_file(document: Path) -> None:
    assert broken(document) == []


def test_no_document_links_to_what_git_ignores() -> None:
    """A file that is here by chance, such as a result, is not in a clone."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git repository")
    for document in documents():
        targets = [link.partition("#")[0] for link in links(document.read_text(encoding="utf-8"))]
        paths = [str(document.parent / unquote(path)) for path in targets if path and ":" not in path]
        if paths:
            told = subprocess.run(
                ["git", "check-ignore", *paths], cwd=ROOT, capture_output=True, text=True, check=False
            )
            assert told.stdout == ""


def test_broken_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A title\n")
    (tmp_path / "a b.png").write_text("")
    document = tmp_path / "document.md"
    document.write_text(
        "# Here\n"
        "[good](there.md) ![good](a%20b.png 'title') [site](https://example.org/x.md) <a href='mailto:a@b.c'>\n"
        "[anchor](there.md#a-title) [own](#here) `[code](lost0.md)`\n"
        "```\n[code](lost1.md)\n```\n"
        "[![bad](lost2.png)](lost3.md) [bad](gone.md#there) [bad](/etc/hosts)\n"
        "[reference]\n\n[reference]: lost4.md\n<img width='3' src=\"lost5.png\">\n"
    )
    assert broken(document) == ["lost2.png", "lost3.md", "gone.md#there", "/etc/hosts", "lost4.md", "lost5.png"]


@pytest.mark.parametrize("words", commands((ROOT / "README.md").read_text(encoding="utf-8")), ids=" ".join)
def test_every_command_of_the_readme_is_understood(words: list[str]) -> None:
    namespace = parser().parse_args(words)
    if {"names", "where"} <= vars(namespace).keys() and namespace.verb != "show":  # of `show`, names may be trials
        assert all(entry.study.trials() for entry in entries(namespace))


def test_every_cell_that_the_readme_shows_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = [words for words in commands((ROOT / "README.md").read_text(encoding="utf-8")) if "--cell" in words]
    assert len(shown) == 2
    ResultStore.open(tmp_path / "runs", create=True)
    for words in shown:
        assert main([*words, "--store", str(tmp_path / "runs")]) == 0, capsys.readouterr().err
        assert "no trial stands behind it yet" in capsys.readouterr().out


def missing_tests(text: str) -> list[str]:
    """The tests that a text names as `path::name` and that are not there."""
    found = []
    for path, name in _TEST.findall(text):
        file = ROOT / path
        tree = ast.parse(file.read_text(encoding="utf-8")) if file.is_file() else ast.Module(body=[], type_ignores=[])
        if name not in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}:
            found.append(f"{path}::{name}")
    return found


def test_every_fault_is_proved_by_a_test_that_is_there() -> None:
    text = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|") and not line.startswith(("| fault", "|---"))]
    assert len(rows) > 20
    assert [row for row in rows if not _TEST.search(row)] == []
    assert missing_tests(text) == []
    here = Path(__file__).relative_to(ROOT)
    assert missing_tests(f"`{here}::test_that_is_not`, `tests/no.py::test_it`") == [
        f"{here}::test_that_is_not",
        "tests/no.py::test_it",
    ]


def test_commands_are_found_in_shell_code_alone() -> None:
    text = "sweep no\n```sh\nsweep show --cell 'a:b c:d' x  # why\nmake demo\n```\n```python\nsweep no\n```\n"
    assert commands(text) == [["show", "--cell", "a:b c:d", "x"]]
