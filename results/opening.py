"""Opening a store: is this folder one, may it be written, and is it of a format that this code reads."""

from __future__ import annotations

import json
from pathlib import Path

from results.files import LocalFiles, StoreError, Vanished, reason
from results.schema import FORMAT

MARK = "store.json"


def open_files(path: str | Path, create: bool) -> LocalFiles:
    """The files of the store at `path`; with `create`, an absent or empty folder becomes one, and must be writable.

    Raises `StoreError`: no store there, a file in its place, a folder of other things, not writable, of a newer format.
    """
    root = Path(path).expanduser().absolute()
    files = LocalFiles(root)
    try:
        if root.exists() and not root.is_dir():
            raise StoreError(f"a store is a folder, and {root} is a file")
        entries = sorted(entry.name for entry in root.iterdir()) if root.exists() else []
    except OSError as error:
        raise StoreError(f"cannot open {root}: {reason(error)}") from error
    if MARK in entries:
        _check_format(files)
        if create:
            _check_writable(files)
        return files
    # A volume of its own has lost+found; a creation that was killed leaves a hidden temporary file.
    others = [entry for entry in entries if not entry.startswith(".") and entry != "lost+found"]
    if others:
        shown = ", ".join(others[:3])
        raise StoreError(f"{root} is not a store (no {MARK}) and holds other things ({shown}); name an empty folder")
    if not create:
        raise StoreError(f"no store at {root}; launch a study into it first, or name the folder of one")
    content = {"format": FORMAT, "about": "results of ratesweep: Parquet tables, safetensors weights, JSON records"}
    files.write(MARK, (json.dumps(content) + "\n").encode())
    return files


def _check_format(files: LocalFiles) -> None:
    try:
        content = json.loads(files.read(MARK))
    except Vanished:
        raise StoreError(f"no store at {files}") from None
    except ValueError:
        raise StoreError(f"{files}/{MARK} is not JSON; a whole one is {json.dumps({'format': FORMAT})}") from None
    written = content.get("format") if isinstance(content, dict) else None
    if not isinstance(written, int) or isinstance(written, bool) or written < 1:
        raise StoreError(f"{files}/{MARK} names no format; a whole one is {json.dumps({'format': FORMAT})}")
    if written > FORMAT:
        raise StoreError(
            f"{files} was written by a newer version (format {written}); this code reads up to {FORMAT}: update it"
        )


def _check_writable(files: LocalFiles) -> None:
    # Permission bits do not tell: a mount may be read-only, and root may do anything.
    probe = ".writable"
    files.write(probe, b"", durable=False)
    files.delete(probe)
