"""Sets that are published as one archive: the parts that are needed, where they lie unpacked, or unpacked from it once.

Parts that were put there by hand need no archive: a part of a set is enough for whoever asks for no more of it. What
lies there is never overwritten.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from models.data.download import (
    PARTIAL,
    DataError,
    Provided,
    Tell,
    cache_folder,
    ensure,
    locked,
    sync_folder,
    unwritable,
)
from models.data.sources import OfficialSet, Part

_TAKEN = "move that file away, and it is taken from {}"


def provide(official: OfficialSet, tell: Tell = lambda line: None) -> Provided:
    """The files of a set, each checked: by size and MD5, or, of the parts of an archive, by their whole records.

    tell: as for `ensure`. Raises DataError, which says what the parts that are there are enough for.
    """
    if not official.parts:
        return ensure(official, tell)
    folder = cache_folder() / official.name
    there = _records(official, folder)
    missing = [part for part in official.parts if part not in there]
    if any(there[part] < part.needed for part in there):
        raise DataError(_lacking(official, there, _TAKEN.format(official.files[0].name)))
    if not missing:
        return Provided(folder=folder)
    try:
        provided = ensure(official, tell)
    except DataError as error:
        raise DataError(_lacking(official, there, str(error).removeprefix(f"{official.name}: "))) from None
    with locked(official, folder, tell):
        there = _records(official, folder)  # again: another process may have been here first
        _unpack(official, folder, [part for part in missing if part not in there])
    return provided


def _records(official: OfficialSet, folder: Path) -> dict[Part, int]:
    """How many records there are of each part that is there; raises DataError where one is not whole records."""
    counts = {}
    for part in official.parts:
        path = folder / part.name
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            continue
        except OSError as error:
            raise DataError(f"{official.name}: {path} cannot be read: {error.strerror}") from None
        count, rest = divmod(size, part.size)
        if rest or count > part.records:
            raise DataError(
                f"{official.name}: {path} is not the official file: it has {size:,} bytes, not a multiple of "
                f"{part.size:,} up to {part.size * part.records:,}; {_TAKEN.format(official.files[0].name)}"
            )
        counts[part] = count
    return counts


def _lacking(official: OfficialSet, there: Mapping[Part, int], what_to_do: str) -> str:
    """What is missing, what to do, and what the parts that are there are enough for."""
    lacking = []
    for part in official.parts:
        if part not in there:
            lacking.append(Path(part.name).name)
        elif there[part] < part.needed:
            lacking.append(f"{part.needed - there[part]:,} of the {part.needed:,} images of {Path(part.name).name}")
    possible = _possible(official, there)
    enough = f"; what is there is enough for {' '.join(possible)}" if possible else ""
    folder = (cache_folder() / official.name / official.parts[0].name).parent
    return f"{official.name}: {folder} lacks {', '.join(lacking)}; {what_to_do}{enough}"


def _possible(official: OfficialSet, there: Mapping[Part, int]) -> list[str]:
    """Options by which a study asks for no more than is there; empty where nothing would do."""
    options = []
    for setting in dict.fromkeys(part.setting for part in official.parts):
        parts = [part for part in official.parts if part.setting == setting]
        if parts[0].whole:
            asked = len(parts)
            enough = next((n for n, part in enumerate(parts) if there.get(part, 0) < part.needed), asked)
        else:
            asked = parts[0].needed
            enough = min(there.get(parts[0], 0), asked)
        if not enough:
            return []
        if enough < asked:
            options.append(f"--set {setting}={enough}")
    return options


def _unpack(official: OfficialSet, folder: Path, parts: Sequence[Part]) -> None:
    """Takes parts out of the archive, which has its digest; each gets its name when it is whole and on the disk."""
    archive = folder / official.files[0].name
    wanted = {part.name: part for part in parts}
    try:
        with tarfile.open(archive, "r:gz") as opened:
            for member in opened:
                part = wanted.get(member.name)
                source = opened.extractfile(member) if part is not None and member.isfile() else None
                if part is None or source is None or member.size != part.size * part.records:
                    continue
                _place(official, source, folder / part.name)
                del wanted[part.name]
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(f"{official.name}: {archive} is no whole archive: {error}") from None
    except OSError as error:
        raise DataError(f"{official.name}: {archive} cannot be read: {error.strerror or error}") from None
    if wanted:
        raise DataError(f"{official.name}: {archive} does not hold {', '.join(wanted)} at the official size")


def _place(official: OfficialSet, source: IO[bytes], path: Path) -> None:
    """Copies a part to where it belongs: the path is the part's own name, whatever the archive says."""
    partial = path.with_name(path.name + PARTIAL)
    try:
        path.parent.mkdir(exist_ok=True)
        try:
            with partial.open("wb") as target:
                shutil.copyfileobj(source, target)
                target.flush()
                os.fsync(target.fileno())
            partial.replace(path)
            sync_folder(path.parent)
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(official, path, error) from None
