"""The cache of official files, downloaded by real processes from a real server."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from models.data.download import PARTIAL, DataError, cache_folder, ensure, megabytes
from models.data.sources import OfficialFile, OfficialSet

ROOT = Path(__file__).parents[3]
BODIES = {"images.gz": bytes(range(256)) * 3_000, "labels.gz": b"0123456789" * 50}
PROGRAM = """
import json, sys
from models.data.download import ensure
from models.data.sources import OfficialFile, OfficialSet

given = json.loads(sys.argv[1])
files = tuple(OfficialFile(**file) for file in given.pop("files"))
official = OfficialSet(name=given["name"], bases=tuple(given["bases"]), files=files)
print(len(ensure(official, lambda line: print(line, file=sys.stderr, flush=True)).downloaded))
"""


def published(*bases: str) -> OfficialSet:
    files = [
        OfficialFile(name=name, bytes=len(body), md5=hashlib.md5(body).hexdigest()) for name, body in BODIES.items()
    ]
    return OfficialSet(name="toy", bases=bases, files=tuple(files))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The set's folder in an empty cache; no download is forbidden."""
    monkeypatch.setenv("RATESWEEP_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("RATESWEEP_OFFLINE", raising=False)
    return tmp_path / "data" / "toy"


@pytest.fixture
def server(folder: Path, file_server: Any) -> Any:
    """Both files under /a."""
    for name, body in BODIES.items():
        file_server.serve(f"/a/{name}", body)
    return file_server


def in_place(folder: Path) -> dict[str, bytes]:
    """What lies in the folder."""
    return {path.name: path.read_bytes() for path in folder.glob("*")} if folder.exists() else {}


def another(official: OfficialSet, said: Path) -> subprocess.Popen[str]:
    """Another process that wants the same, what it says in a file."""
    command = [sys.executable, "-c", PROGRAM, json.dumps(asdict(official))]
    with said.open("w") as stderr:
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True)


def refused(official: OfficialSet, *words: object) -> None:
    with pytest.raises(DataError) as caught:
        ensure(official)
    for word in words:
        assert str(word) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_are_downloaded_once_and_then_used(server: Any, folder: Path) -> None:
    official = published(f"{server.address}/a")
    told: list[str] = []
    provided = ensure(official, told.append)
    assert (provided.folder, provided.downloaded) == (folder, official.files)
    assert in_place(folder) == BODIES | {".lock": b""}
    assert told[0] == f"downloading toy/images.gz (0.8 MB) from {server.address}/a"
    assert ensure(official, told.append).downloaded == ()
    assert (len(told), server.asked) == (2, ["/a/images.gz", "/a/labels.gz"])


def test_only_what_is_missing_is_downloaded(server: Any, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "images.gz").write_bytes(BODIES["images.gz"])
    assert [file.name for file in ensure(published(f"{server.address}/a")).downloaded] == ["labels.gz"]
    assert server.asked == ["/a/labels.gz"]


def test_files_in_place_need_no_network_and_nothing_to_be_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir(parents=True)
    for name, body in BODIES.items():
        (folder / name).write_bytes(body)
    monkeypatch.setenv("RATESWEEP_OFFLINE", "1")
    assert ensure(published("http://nowhere.invalid")).downloaded == ()
    assert {path.name for path in folder.iterdir()} == set(BODIES)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (BODIES["images.gz"][:1_000], ["it has 1,000 bytes, not 768,000"]),
        (BODIES["images.gz"] + b"x", ["it has 768,001 bytes"]),
        (bytes(768_000), [f"not {hashlib.md5(BODIES['images.gz']).hexdigest()}"]),
        (b"", ["it has 0 bytes"]),
    ],
    ids=["cut", "longer", "changed", "empty"],
)
@pytest.mark.parametrize("offline", ["0", "1"])
def test_a_wrong_file_in_place_is_neither_used_nor_overwritten(
    server: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, wrong: bytes, words: list[str], offline: str
) -> None:
    monkeypatch.setenv("RATESWEEP_OFFLINE", offline)
    folder.mkdir(parents=True)
    (folder / "images.gz").write_bytes(wrong)
    address = f"{server.address}/a"
    refused(published(address), folder / "images.gz", "not the official images.gz", "move it away", address, *words)
    assert in_place(folder) == {"images.gz": wrong}
    assert server.asked == []


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"body": b"", "status": 404}, ["404 Not Found"]),
        ({"body": b"", "status": 503}, ["503 Service Unavailable"]),
        ({"body": BODIES["images.gz"][:5_000], "length": 768_000}, ["5,000 of 768,000 bytes"]),
        ({"body": b"<html>log in here</html>"}, ["24 of 768,000 bytes"]),
        ({"body": BODIES["images.gz"] * 3}, ["more than 768,000 bytes"]),
        ({"body": bytes(768_000)}, ["MD5", f"not {hashlib.md5(BODIES['images.gz']).hexdigest()}"]),
    ],
    ids=["missing", "failing", "truncated", "a page", "longer", "changed"],
)
def test_what_is_not_the_file_does_not_become_it(
    server: Any, folder: Path, how: dict[str, Any], words: list[str]
) -> None:
    server.serve("/a/images.gz", **how)
    address = f"{server.address}/a"
    md5 = published().files[0].md5
    by_hand = f"put it at {folder / 'images.gz'} by hand (768,000 bytes, MD5 {md5})"
    refused(published(address), "images.gz could not be downloaded", f"{address}/images.gz: ", by_hand, *words)
    assert in_place(folder).keys() <= {".lock"}
    server.serve("/a/images.gz", BODIES["images.gz"])
    assert len(ensure(published(address)).downloaded) == 2


def test_the_next_address_is_tried_where_one_fails(server: Any, folder: Path) -> None:
    server.serve("/b/images.gz", b"no")
    bases = [f"{server.address}/b", f"{server.address}/gone", f"{server.address}/a"]
    ensure(published(*bases))
    assert server.asked[:3] == ["/b/images.gz", "/gone/images.gz", "/a/images.gz"]
    assert in_place(folder)["images.gz"] == BODIES["images.gz"]
    (folder / "images.gz").unlink()
    refused(published(*bases[:2]), f"{bases[0]}/images.gz: 2 of 768,000 bytes; ", f"{bases[1]}/images.gz: 404")


def test_without_a_network_it_says_so(folder: Path) -> None:
    refused(published("http://127.0.0.1:9"), "http://127.0.0.1:9/images.gz: Connection refused", "by hand")
    refused(published("http://nowhere.invalid"), "http://nowhere.invalid/images.gz: ", "RATESWEEP_MIRROR")


def test_offline_names_what_is_missing(folder: Path, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATESWEEP_OFFLINE", "1")
    address = f"{server.address}/a"
    refused(published(address), f"images.gz, labels.gz not in {folder}", "--offline", address, "sweep fetch toy")
    assert (server.asked, folder.exists()) == ([], False)


def test_a_mirror_stands_in_for_every_address(folder: Path, file_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, body in BODIES.items():
        file_server.serve(f"/copy/toy/{name}", body)
    monkeypatch.setenv("RATESWEEP_MIRROR", f"{file_server.address}/copy/")
    assert len(ensure(published("http://nowhere.invalid")).downloaded) == 2
    (folder / "labels.gz").unlink()
    monkeypatch.setenv("RATESWEEP_MIRROR", "ftp://example.org")
    refused(published("http://nowhere.invalid"), "RATESWEEP_MIRROR", "http://", "'ftp://example.org'")


def test_a_folder_that_cannot_be_is_refused(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RATESWEEP_DATA", str(tmp_path / "file"))
    refused(published(f"{server.address}/a"), tmp_path / "file", "Not a directory", "--data")
    monkeypatch.setenv("RATESWEEP_DATA", "/proc/data")
    refused(published(f"{server.address}/a"), "/proc/data/toy cannot be written", "--data")
    assert server.asked == []


def test_processes_at_once_download_once(server: Any, folder: Path, tmp_path: Path) -> None:
    held = threading.Event()
    server.serve("/a/images.gz", BODIES["images.gz"], held=held)
    said = [tmp_path / f"{number}.txt" for number in range(3)]
    processes = [another(published(f"{server.address}/a"), path) for path in said]
    _until(lambda: all(path.stat().st_size for path in said))  # one downloads, and the others wait for it
    assert sorted(path.read_text().split()[0] for path in said) == ["downloading", "waiting", "waiting"]
    held.set()
    counts = sorted(process.communicate(timeout=30)[0] for process in processes)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert counts == ["0\n", "0\n", "2\n"]
    assert server.asked == ["/a/images.gz", "/a/labels.gz"]
    assert in_place(folder) == BODIES | {".lock": b""}


def test_a_download_that_is_killed_leaves_no_file_and_no_lock(server: Any, folder: Path, tmp_path: Path) -> None:
    server.serve("/a/images.gz", BODIES["images.gz"], held=threading.Event())
    process = another(published(f"{server.address}/a"), tmp_path / "said.txt")
    _until(lambda: bool(server.asked) and (folder / f"images.gz{PARTIAL}").exists())
    process.kill()
    process.communicate()
    assert in_place(folder).keys() == {".lock", f"images.gz{PARTIAL}"}
    server.serve("/a/images.gz", BODIES["images.gz"])
    assert len(ensure(published(f"{server.address}/a")).downloaded) == 2
    assert in_place(folder) == BODIES | {".lock": b""}


def test_the_default_folder_is_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("RATESWEEP_DATA", raising=False)
    assert cache_folder() == tmp_path / ".cache" / "ratesweep" / "data"
    monkeypatch.setenv("RATESWEEP_DATA", "~/mine")
    assert cache_folder() == tmp_path / "mine"


def test_sizes_read_well() -> None:
    assert [megabytes(count) for count in (4_542, 300, 9_912_422)] == ["5 kB", "1 kB", "9.9 MB"]


def _until(true: Any) -> None:
    limit = time.monotonic() + 20
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.01)
