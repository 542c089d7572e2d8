"""Opening a store: is this place one, may it be written, and is it of a format that this code reads."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from results.faults import NoStore, StoreError, Vanished, fault
from results.files import Files, LocalFiles
from results.object_files import SCHEMES, ObjectFiles
from results.schema import FORMAT

MARK = "store.json"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def locate(place: str | Path) -> Path | str:
    """A folder, as an absolute path, or an address on object storage; raises `StoreError` for any other address."""
    found = _SCHEME.match(str(place))
    if found is None:
        return Path(place).expanduser().absolute()
    scheme = found[1].lower()
    if scheme == "file":
        parts = urlsplit(str(place))
        if parts.netloc not in ("", "localhost"):
            raise StoreError(f"{place} is on another host ({parts.netloc}); a folder is file:///PATH, or a plain path")
        return Path(unquote(parts.path)).absolute()
    if scheme not in SCHEMES:
        known = ", ".join(f"{one}://" for one in ("file", *SCHEMES))
        raise StoreError(f"no store can be at {scheme}:// ({place}); known: {known}, or the path of a mounted folder")
    return str(place)


def open_files(place: str | Path, create: bool) -> Files:
    """The files of the store at `place`; with `create`, what is absent or empty becomes one, and must be writable.

    Raises `NoStore` where there is nothing, and `StoreError`: a file in its place, a folder of other things, not
    writable, of a newer format, an address that nobody can open.
    """
    found = locate(place)
    return _open_folder(found, create) if isinstance(found, Path) else _open_objects(found, create)


def _open_folder(root: Path, create: bool) -> LocalFiles:
    files = LocalFiles(root)
    try:
        if root.exists() and not root.is_dir():
            raise StoreError(f"a store is a folder, and {root} is a file")
        entries = sorted(os.listdir(root)) if root.exists() else []
    except OSError as error:
        raise fault(f"cannot open {root}", error) from error
    if MARK in entries:
        _check_format(files, files.read(MARK))
        if create:
            # Permission bits do not tell: a mount may be read-only, and root may do anything.
            files.write(".writable", b"", durable=False)
            files.delete(".writable")
        return files
    _found_instead(files, entries, create)
    return files


def _open_objects(address: str, create: bool) -> ObjectFiles:
    files = ObjectFiles(address)
    try:
        content = files.read(MARK)
    except Vanished:
        _found_instead(files, files.entries(), create)
        return files
    _check_format(files, content)
    if create:
        files.write(MARK, content)  # may it be written? no other file has to come and go for that
    return files


def _found_instead(files: Files, entries: list[str], create: bool) -> None:
    """Makes a store where there is none, or says why not."""
    # A volume of its own has lost+found; a creation that was killed leaves a hidden temporary file.
    others = [entry for entry in entries if not entry.startswith(".") and entry != "lost+found"]
    if others:
        shown = ", ".join(others[:3])
        raise StoreError(f"{files} is not a store (no {MARK}) and holds other things ({shown}); name an empty folder")
    if not create:
        raise NoStore(f"no store at {files}; launch a study into it first, or name the folder of one")
    content = {"format": FORMAT, "about": "results of ratesweep: Parquet tables, safetensors weights, JSON records"}
    files.write(MARK, (json.dumps(content) + "\n").encode())


def _check_format(files: Files, mark: bytes) -> None:
    try:
        content = json.loads(mark)
    except ValueError:
        raise StoreError(f"{files}/{MARK} is not JSON; a whole one is {json.dumps({'format': FORMAT})}") from None
    written = content.get("format") if isinstance(content, dict) else None
    if not isinstance(written, int) or isinstance(written, bool) or written < 1:
        raise StoreError(f"{files}/{MARK} names no format; a whole one is {json.dumps({'format': FORMAT})}")
    if written > FORMAT:
        raise StoreError(
            f"{files} was written by a newer version (format {written}); this code reads up to {FORMAT}: update it"
        )
