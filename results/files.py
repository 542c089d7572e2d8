"""The files of a store: whole or absent, never half-written, addressed by names such as "metrics/<commit>.parquet".

All access to the disk stands here, so that object storage can take its place: the store asks only to list a folder, to
read, to write a file as a whole, and to delete.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

TEMPORARY = ".tmp"
_LISTINGS = 5


class StoreError(Exception):
    """A fault of a store or of what is asked of it, told in one line: the root of this package's errors."""


class Vanished(StoreError):
    """A file is no longer there: another process has merged or removed it since it was listed."""


class LocalFiles:
    """The files below one folder of a local or network-mounted file system.

    Names are "folder/file" with a slash, on every system. Hidden files, the temporary ones among them, are not listed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def names(self, folder: str) -> list[str]:
        """The files of a folder, sorted; none where the folder does not exist.

        Reading a folder is not atomic: a listing under way while a compaction runs can miss the merged file (made too
        late to be seen) and its sources (deleted before they were reached). A second listing that has all that the
        first had rules this out.
        """
        seen = self._list(folder)
        for _ in range(_LISTINGS):
            again = self._list(folder)
            if again >= seen:
                return sorted(again)
            seen = again
        return sorted(seen)

    def _list(self, folder: str) -> set[str]:
        try:
            entries = os.listdir(self.root / folder)
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise StoreError(f"cannot list {self.root / folder}: {reason(error)}") from error
        return {f"{folder}/{entry}" for entry in entries if not entry.startswith(".")}

    def open(self, name: str) -> pa.NativeFile:
        """A file for random reads; raises `Vanished` where it is not there."""
        with self.reading(name):
            return pa.OSFile(str(self.root / name), "rb")

    def read(self, name: str) -> bytes:
        """A file as a whole; raises `Vanished` where it is not there."""
        with self.reading(name):
            return (self.root / name).read_bytes()

    def exists(self, name: str) -> bool:
        return (self.root / name).exists()

    def size(self, name: str) -> int:
        """Bytes of a file; raises `Vanished` where it is not there."""
        with self.reading(name):
            return (self.root / name).stat().st_size

    def age(self, name: str) -> float:
        """Seconds since a file was written; raises `Vanished` where it is not there."""
        with self.reading(name):
            return time.time() - (self.root / name).stat().st_mtime

    @contextlib.contextmanager
    def reading(self, name: str) -> Iterator[None]:
        """Turns the operating system's errors in the block into `Vanished` or `StoreError`."""
        try:
            yield
        except OSError as error:
            # A network file system reports a file deleted by another host as a stale handle.
            if error.errno in (errno.ENOENT, errno.ESTALE):
                raise Vanished(f"{name} is no longer in {self.root}") from None
            raise StoreError(f"cannot read {self.root / name}: {reason(error)}") from error

    @contextlib.contextmanager
    def create(self, name: str, *, durable: bool = True) -> Iterator[BinaryIO]:
        """Writes a file that appears, whole, when the block ends, and replaces one of that name.

        It is written under a temporary name, flushed to the disk, renamed, and the folder flushed; `durable=False`
        leaves out the flushes, for files that only live processes read. Whatever is raised removes the temporary file;
        an OSError (disk full, read-only, too large) becomes a `StoreError` that names the file.
        """
        path = self.root / name
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
        try:
            self._make(path.parent)
            with open(temporary, "xb") as file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            os.replace(temporary, path)
            if durable:
                _flush(path.parent)
        except BaseException as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise StoreError(f"cannot write {path}: {reason(error)}") from error
            raise

    def write(self, name: str, content: bytes, *, durable: bool = True) -> None:
        """`create` for content that is at hand."""
        with self.create(name, durable=durable) as file:
            file.write(content)

    def _make(self, folder: Path) -> None:
        if folder.is_dir():
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise NotADirectoryError(errno.ENOTDIR, f"{folder} is a file, not a folder") from None
        _flush(folder.parent)

    def delete(self, name: str) -> bool:
        """Removes a file; False where it was gone already."""
        try:
            (self.root / name).unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreError(f"cannot delete {self.root / name}: {reason(error)}") from error
        return True

    def delete_temporary(self, older_than: float) -> int:
        """Removes the temporary files, this many seconds old, that killed writers left; how many they were."""
        removed = 0
        for path in (*self.root.glob(f".*{TEMPORARY}"), *self.root.glob(f"*/.*{TEMPORARY}")):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > older_than:
                    path.unlink()
                    removed += 1
        return removed


def _flush(folder: Path) -> None:
    """Makes renames in a folder outlive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def reason(error: OSError) -> str:
    """What the operating system says, as the end of a sentence."""
    said = error.strerror or str(error)
    return said[:1].lower() + said[1:]
