"""The files of a store: whole or absent, never half-written, addressed by names such as "metrics/<commit>.parquet".

What a store asks of storage is `Files`: to list a folder, to read, to write a file as a whole, and to delete. Here it
is done on a local or network-mounted file system; `results/object_files.py` does it on object storage.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

import pyarrow as pa

from results.backoff import Backoff
from results.faults import NoStore, StorageFull, StoreError, Unsteady, Vanished, fault

__all__ = ["Files", "LocalFiles", "NoStore", "StorageFull", "StoreError", "Unsteady", "Vanished", "fault"]

TEMPORARY = ".tmp"
_LISTINGS = 5

T = TypeVar("T")


class Files(Protocol):
    """The files below one place. Names are "folder/file" with a slash; hidden files are not listed. May be pickled.

    Every method but `create` waits, by `backoff`, for faults that pass; so must whoever reads from an open file or
    writes by `create`: `files.backoff.again(call)`. Other faults are `StoreError`, a full disk `StorageFull`.

    location: an absolute path or an address, by which another process, on another node, opens the same. readers: how
    many threads it pays to read with. mark_seconds: how often, at most, a running pack says how far it is.
    """

    backoff: Backoff
    mark_seconds: float

    @property
    def location(self) -> str: ...

    @property
    def readers(self) -> int: ...

    def names(self, folder: str) -> list[str]:
        """The files of a folder, sorted; none where the folder does not exist."""

    def sizes(self, folder: str) -> dict[str, int]:
        """Bytes of each file of a folder, without those that vanish meanwhile."""

    def open(self, name: str) -> pa.NativeFile:
        """A file for random reads; raises `Vanished` where it is not there."""

    def read(self, name: str) -> bytes:
        """A file as a whole; raises `Vanished` where it is not there."""

    def exists(self, name: str) -> bool: ...

    def size(self, name: str) -> int:
        """Bytes of a file; raises `Vanished` where it is not there."""

    def age(self, name: str) -> float:
        """Seconds since a file was written; raises `Vanished` where it is not there."""

    def reading(self, name: str) -> AbstractContextManager[None]:
        """Turns the storage's errors in the block into `Vanished`, `Unsteady` or `StoreError`."""

    def create(self, name: str, *, durable: bool = True) -> AbstractContextManager[BinaryIO]:
        """Writes a file that appears, whole, when the block ends, and replaces one of that name; see `LocalFiles`."""

    def write(self, name: str, content: bytes, *, durable: bool = True) -> None:
        """`create` for content that is at hand."""

    def overwrite(self, name: str, content: bytes) -> None:
        """Replaces a small file where it is, for records that are written often and outlive no machine."""

    def delete(self, name: str) -> bool:
        """Removes a file; False where it was gone already."""

    def delete_temporary(self, older_than: float) -> int:
        """Removes the temporary files, this many seconds old, that killed writers left; how many they were."""


class LocalFiles:
    """The files below one folder of a local or network-mounted file system."""

    mark_seconds = 0.0

    def __init__(self, root: Path, backoff: Backoff | None = None) -> None:
        self.root = root
        self.backoff = backoff or Backoff()

    def __str__(self) -> str:
        return str(self.root)

    @property
    def location(self) -> str:
        return str(self.root.resolve())

    @property
    def readers(self) -> int:
        return min(8, 2 + (os.cpu_count() or 1))

    def names(self, folder: str) -> list[str]:
        """The files of a folder, sorted; none where the folder does not exist.

        Reading a folder is not atomic: a listing under way while a compaction runs can miss the merged file (made too
        late to be seen) and its sources (deleted before they were reached). A second listing that has all that the
        first had rules this out.
        """
        seen = self.backoff.again(lambda: self._list(folder))
        for _ in range(_LISTINGS):
            again = self.backoff.again(lambda: self._list(folder))
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
            raise fault(f"cannot list {self.root / folder}", error) from error
        return {f"{folder}/{entry}" for entry in entries if not entry.startswith(".")}

    def sizes(self, folder: str) -> dict[str, int]:
        found = {}
        for name in self.names(folder):
            with contextlib.suppress(Vanished):
                found[name] = self.size(name)
        return found

    def open(self, name: str) -> pa.NativeFile:
        return self._again(name, lambda: pa.OSFile(str(self.root / name), "rb"))

    def read(self, name: str) -> bytes:
        return self._again(name, (self.root / name).read_bytes)

    def exists(self, name: str) -> bool:
        try:
            self._again(name, (self.root / name).stat)
        except Vanished:
            return False
        return True

    def size(self, name: str) -> int:
        return self._again(name, lambda: (self.root / name).stat().st_size)

    def age(self, name: str) -> float:
        return time.time() - self._again(name, lambda: (self.root / name).stat().st_mtime)

    def _again(self, name: str, call: Callable[[], T]) -> T:
        def tried() -> T:
            with self.reading(name):
                return call()

        return self.backoff.again(tried)

    @contextlib.contextmanager
    def reading(self, name: str) -> Iterator[None]:
        """Turns the operating system's errors in the block into `Vanished`, `Unsteady` or `StoreError`."""
        try:
            yield
        except OSError as error:
            # A network file system reports a file deleted by another host as a stale handle.
            if error.errno in (errno.ENOENT, errno.ESTALE):
                raise Vanished(f"{name} is no longer in {self.root}") from None
            raise fault(f"cannot read {self.root / name}", error) from error

    @contextlib.contextmanager
    def create(self, name: str, *, durable: bool = True) -> Iterator[BinaryIO]:
        """Writes a file that appears, whole, when the block ends, and replaces one of that name.

        It is written under a temporary name, flushed to the disk, renamed, and the folder flushed; `durable=False`
        leaves out the flushes, for files that only live processes read. Whatever is raised removes the temporary file;
        an OSError (disk full, read-only, too large) becomes a `StoreError` that names the file, or one of its kinds.
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
                raise fault(f"cannot write {path}", error) from error
            raise

    def write(self, name: str, content: bytes, *, durable: bool = True) -> None:
        def tried() -> None:
            with self.create(name, durable=durable) as file:
                file.write(content)

        self.backoff.again(tried)

    def overwrite(self, name: str, content: bytes) -> None:
        """Replaces a small file by one write into it, for records that are written often and outlive no machine.

        A rename over a file makes some file systems write its data out first, which takes as long as a no-op trial. A
        reader at the same instant may see both; whoever reads after a writer has died sees one.
        """
        path = self.root / name

        def tried() -> None:
            try:
                self._make(path.parent)
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
                try:
                    os.pwrite(descriptor, content, 0)
                    os.ftruncate(descriptor, len(content))
                finally:
                    os.close(descriptor)
            except OSError as error:
                raise fault(f"cannot write {path}", error) from error

        self.backoff.again(tried)

    def _make(self, folder: Path) -> None:
        if folder.is_dir():
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise NotADirectoryError(errno.ENOTDIR, f"{folder} is a file, not a folder") from None
        _flush(folder.parent)

    def delete(self, name: str) -> bool:
        return self.backoff.again(lambda: self._unlink(name))

    def _unlink(self, name: str) -> bool:
        try:
            (self.root / name).unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise fault(f"cannot delete {self.root / name}", error) from error
        return True

    def delete_temporary(self, older_than: float) -> int:
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
