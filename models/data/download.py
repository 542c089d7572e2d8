"""The cache of official files: what is there is used, what is missing is downloaded once, whole and checked.

Three environment variables rule it, so that a worker on another machine can be told by its own:

* RATESWEEP_DATA: the folder (default: ~/.cache/ratesweep/data); a file lies at <folder>/<set>/<official name>.
* RATESWEEP_OFFLINE=1: download nothing.
* RATESWEEP_MIRROR: an http(s) address in place of the official ones, under which the files lie as in the folder.

A file gets its name only after its size and MD5 were found right and its bytes are on the disk, so that what lies there
half-written was not written here. A wrong file is the user's to judge: it is never overwritten, and never used.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO

from models.data.sources import OfficialFile, OfficialSet
from models.spec import SpecificationError

FOLDER_VARIABLE = "RATESWEEP_DATA"
OFFLINE_VARIABLE = "RATESWEEP_OFFLINE"
MIRROR_VARIABLE = "RATESWEEP_MIRROR"
DEFAULT_FOLDER = "~/.cache/ratesweep/data"
SILENCE_SECONDS = 30.0  # a server that says nothing for so long is given up
CHUNK = 1 << 18
LOCK = ".lock"
PARTIAL = ".part"

Tell = Callable[[str], object]


class DataError(SpecificationError):
    """Official files that are missing, damaged or not to be had: which, from where, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Provided:
    """Where the files of a set are, and which of them were downloaded just now."""

    folder: Path
    downloaded: tuple[OfficialFile, ...] = ()


def cache_folder() -> Path:
    """The folder of all sets, absolute."""
    return Path(os.environ.get(FOLDER_VARIABLE) or DEFAULT_FOLDER).expanduser().absolute()


def is_offline() -> bool:
    """Whether downloads are forbidden."""
    return os.environ.get(OFFLINE_VARIABLE, "") not in ("", "0")


def ensure(official: OfficialSet, tell: Tell = lambda line: None) -> Provided:
    """The files of a set, each checked by size and MD5; missing ones are downloaded, by one process at a time.

    tell: hears a line before every download and before a wait for another process. Raises DataError.
    """
    folder = cache_folder() / official.name
    missing = _missing(official, folder)
    if not missing:  # no lock: files in place need no right to write
        return Provided(folder=folder)
    bases = _bases(official)
    if is_offline():
        names = ", ".join(file.name for file in missing)
        raise DataError(
            f"{official.name}: {names} not in {folder}, and --offline ({OFFLINE_VARIABLE}) forbids to download from "
            f"{bases[0]}; run `sweep fetch {official.name}` where there is a network, put the files there by hand, or "
            f"name their folder by --data ({FOLDER_VARIABLE})"
        )
    with locked(official, folder, tell):
        missing = _missing(official, folder)  # again: another process may have been here first
        for file in missing:
            _download(official, file, bases, folder / file.name, tell)
    return Provided(folder=folder, downloaded=tuple(missing))


def _missing(official: OfficialSet, folder: Path) -> list[OfficialFile]:
    return [file for file in official.files if not _is_there(official, file, folder / file.name)]


def _is_there(official: OfficialSet, file: OfficialFile, path: Path) -> bool:
    """Whether the official file is in place; raises DataError where another one is."""
    try:
        size = path.stat().st_size
        found = f"it has {size:,} bytes, not {file.bytes:,}"
        if size == file.bytes:
            with path.open("rb") as opened:
                md5 = hashlib.file_digest(opened, _md5).hexdigest()
            found = f"its MD5 is {md5}, not {file.md5}"
            if md5 == file.md5:
                return True
    except FileNotFoundError:
        return False
    except OSError as error:
        raise DataError(
            f"{official.name}: {path} cannot be read: {error.strerror}; --data ({FOLDER_VARIABLE}) names another folder"
        ) from None
    raise DataError(
        f"{official.name}: {path} is not the official {file.name}: {found}; move it away, and it is downloaded from "
        f"{_bases(official)[0]}, or put the official file in its place"
    )


def _md5() -> hashlib._Hash:
    return hashlib.md5(usedforsecurity=False)


def _bases(official: OfficialSet) -> tuple[str, ...]:
    mirror = os.environ.get(MIRROR_VARIABLE)
    if not mirror:
        return official.bases
    if not mirror.startswith(("http://", "https://")):
        raise DataError(f"{MIRROR_VARIABLE} is an address that begins with http:// or https://, not {mirror!r}")
    return (f"{mirror.rstrip('/')}/{official.name}",)


@contextlib.contextmanager
def locked(official: OfficialSet, folder: Path, tell: Tell) -> Iterator[None]:
    """The right to write into a set's folder, which is made; the kernel takes it back from a process that dies."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("ab")
    except OSError as error:
        raise unwritable(official, folder, error) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(f"waiting for another process that downloads {official.name} to {folder}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:  # of a file system without locks: without them two processes may write one file
            raise unwritable(official, folder, error) from None
        yield


def unwritable(official: OfficialSet, path: Path, error: OSError) -> DataError:
    """What to say of a folder or file that cannot be written."""
    return DataError(
        f"{official.name}: {path} cannot be written: {error.strerror}; --data ({FOLDER_VARIABLE}) names another folder"
    )


def _download(official: OfficialSet, file: OfficialFile, bases: tuple[str, ...], path: Path, tell: Tell) -> None:
    """Tries one address after another, until the file is in place."""
    partial = path.with_name(path.name + PARTIAL)  # under the lock there is one writer, and a dead one's is overwritten
    failures = []
    try:
        for base in bases:
            address = f"{base}/{file.name}"
            tell(f"downloading {official.name}/{file.name} ({megabytes(file.bytes)}) from {base}")
            with partial.open("wb") as target:
                fault = _receive(address, file, target)
                if fault:
                    failures.append(f"{address}: {fault}")
                    continue
                target.flush()
                os.fsync(target.fileno())
            partial.replace(path)
            sync_folder(path.parent)
            return
    except OSError as error:
        raise unwritable(official, path, error) from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    raise DataError(
        f"{official.name}: {file.name} could not be downloaded ({'; '.join(failures)}); put it at {path} by hand "
        f"({file.bytes:,} bytes, MD5 {file.md5}), or name an address that has it by {MIRROR_VARIABLE}"
    )


def _receive(address: str, file: OfficialFile, target: BinaryIO) -> str:
    """Copies what an address gives; what is wrong with it, or an empty string. Raises OSError for the target alone."""
    digest, received = _md5(), 0
    request = urllib.request.Request(address, headers={"User-Agent": "ratesweep"})
    with contextlib.ExitStack() as stack:
        try:
            response = stack.enter_context(urllib.request.urlopen(request, timeout=SILENCE_SECONDS))
        except (OSError, HTTPException, UnicodeError) as error:
            return _fault(error)
        while received <= file.bytes:  # of an endless answer no more is read
            try:
                chunk = response.read(CHUNK)
            except (OSError, HTTPException) as error:
                return f"{_fault(error)}, after {received:,} of {file.bytes:,} bytes"
            if not chunk:
                break
            received += len(chunk)
            digest.update(chunk)
            target.write(chunk)
    if received != file.bytes:
        more = "more than" if received > file.bytes else f"{received:,} of"
        return f"{more} {file.bytes:,} bytes"
    if digest.hexdigest() != file.md5:
        return f"MD5 {digest.hexdigest()}, not {file.md5}"
    return ""


def _fault(error: BaseException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"{error.code} {error.reason}"
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, TimeoutError):
        return f"no answer within {SILENCE_SECONDS:g} s"
    return str(getattr(reason, "strerror", None) or reason or type(error).__name__)


def sync_folder(folder: Path) -> None:
    """Brings the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def megabytes(count: int) -> str:
    """'9.9 MB'; '29 kB' where there is not a tenth of one."""
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{max(1, round(count / 1e3))} kB"
