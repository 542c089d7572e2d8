"""ObjectFiles: the files of a store on object storage, s3:// and gs://.

A file is one object, made by one PUT (above 10 MB by an upload in parts that appears when it is completed); there is no
rename and no temporary name. Arrow, asked to delete an object, leaves an empty one that stands for its folder; it is
never listed. Its writing streams complete what they have when they are closed, also after an exception: so a file is
built apart, in memory or in this machine's temporary folder, before the first byte is sent.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeVar, cast
from urllib.parse import SplitResult, parse_qsl, urlsplit, urlunsplit

import pyarrow as pa
import pyarrow.fs as arrow

from results.backoff import Backoff
from results.faults import StoreError, Vanished, fault

SCHEMES = ("s3", "gs")
_OPTIONS = ("region", "scheme", "endpoint_override", "tls_ca_file_path")
_READERS = 32  # threads: a request mostly waits
_PAGE = 1_000  # objects that one request lists
_LISTINGS = 5
_IN_MEMORY = 64 * 2**20  # bytes of a file that is being built
_AT_ONCE = 8 * 2**20  # bytes of a file that is read as a whole
_GOOGLE_LIMIT = "retry_limit_seconds"  # for which Arrow tries a request to gs:// again; by itself for 15 minutes

# Of an object that is deleted between the request for its size and that for its bytes.
_GONE = re.compile(r"\b(NO_SUCH_KEY|RESOURCE_NOT_FOUND|NOT_FOUND|HTTP status 404)\b")

T = TypeVar("T")


class ObjectFiles:
    """The objects below one prefix of a bucket.

    address: "s3://bucket/prefix", with options after a question mark where they are needed ("region", "scheme",
    "endpoint_override"); credentials come from the environment, as for any tool. Raises `StoreError`.
    """

    mark_seconds = 10.0  # each is a request that is paid for

    def __init__(self, address: str, backoff: Backoff | None = None) -> None:
        self.backoff = backoff or Backoff()
        parts = urlsplit(address)
        if not parts.netloc:
            raise StoreError(f"{address} names no bucket; an address is {parts.scheme}://BUCKET/PREFIX")
        if "@" in parts.netloc:
            raise StoreError(
                f"an address of a store holds no key; leave out what precedes @{parts.hostname}, and set "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        self.location = urlunsplit(parts._replace(path=parts.path.rstrip("/")))
        self.bucket = parts.netloc
        self._plain = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        self._system = self.backoff.again(lambda: _opened(parts, self._plain))
        self._root = f"{parts.netloc}{parts.path}".rstrip("/")

    def __reduce__(self) -> tuple[type[ObjectFiles], tuple[str, Backoff]]:
        return ObjectFiles, (self.location, self.backoff)

    def __str__(self) -> str:
        return self._plain

    @property
    def readers(self) -> int:
        return _READERS

    def names(self, folder: str) -> list[str]:
        """The files of a folder, sorted; none where there are none.

        What one request lists is a moment's state. Of a folder that takes several, two are compared, as locally.
        """
        seen = self.sizes(folder)
        for _ in range(_LISTINGS):
            if len(seen) < _PAGE:
                break
            again = self.sizes(folder)
            if again.keys() >= seen.keys():
                return sorted(again)
            seen = again
        return sorted(seen)

    def sizes(self, folder: str) -> dict[str, int]:
        found = self._reading(f"{folder}/", lambda: self._list(folder))
        names = {info.base_name: info.size for info in found if info.is_file and not info.base_name.startswith(".")}
        return {f"{folder}/{name}": size for name, size in names.items()}

    def _list(self, folder: str) -> list[arrow.FileInfo]:
        chosen = arrow.FileSelector(f"{self._root}/{folder}".rstrip("/"), recursive=False, allow_not_found=True)
        listed: list[arrow.FileInfo] = self._system.get_file_info(chosen)
        return listed

    def entries(self) -> list[str]:
        """What stands at the top, sorted. Raises `StoreError` where there is no such bucket."""
        found = self._reading("", lambda: self._list(""))
        if not found:
            bucket = self._reading("", lambda: self._system.get_file_info(self.bucket))
            if bucket.type == arrow.FileType.NotFound:
                raise StoreError(f"there is no bucket {self.bucket}; make it first, or name another ({self})")
        return sorted(info.base_name for info in found)

    def open(self, name: str) -> pa.NativeFile:
        """A file for random reads, a small one in memory: one request costs more than the bytes that it saves."""

        def opened() -> pa.NativeFile:
            file = self._system.open_input_file(self._path(name))
            if file.size() > _AT_ONCE:
                return file
            with file:
                return pa.BufferReader(file.read_buffer())

        return self._reading(name, opened)

    def read(self, name: str) -> bytes:
        def whole() -> bytes:
            with self._system.open_input_file(self._path(name)) as file:
                content: bytes = file.readall()
            return content

        return self._reading(name, whole)

    def exists(self, name: str) -> bool:
        try:
            self.size(name)
        except Vanished:
            return False
        return True

    def size(self, name: str) -> int:
        def told() -> int:  # one request; asked for what it is, Arrow would look for a folder where there is no object
            with self._system.open_input_file(self._path(name)) as file:
                return int(file.size())

        return self._reading(name, told)

    def age(self, name: str) -> float:
        info = self._reading(name, lambda: self._system.get_file_info(self._path(name)))
        if not info.is_file:
            raise Vanished(f"{name} is no longer in {self}")
        return time.time() - float(info.mtime.timestamp())

    @contextlib.contextmanager
    def reading(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if isinstance(error, FileNotFoundError) or _GONE.search(str(error)):
                raise Vanished(f"{name} is no longer in {self}") from None
            raise fault(f"cannot read {self}/{name}", error) from error

    def _reading(self, name: str, call: Callable[[], T]) -> T:
        def tried() -> T:
            with self.reading(name):
                return call()

        return self.backoff.again(tried)

    @contextlib.contextmanager
    def create(self, name: str, *, durable: bool = True) -> Iterator[BinaryIO]:
        """Writes a file that appears, whole, when the block ends, and replaces one of that name."""
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
            try:
                yield cast(BinaryIO, file)
                file.flush()
            except OSError as error:
                raise fault(f"cannot build {name} in {tempfile.gettempdir()}", error) from error
            if file._rolled:  # type: ignore[attr-defined]
                # Not closed here: while an error of the upload is under way, its frames still hold the bytes.
                self._put(name, pa.py_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
            else:
                file.seek(0)
                self._put(name, pa.py_buffer(file.read()))

    def write(self, name: str, content: bytes, *, durable: bool = True) -> None:
        self._put(name, pa.py_buffer(content))

    def overwrite(self, name: str, content: bytes) -> None:
        self._put(name, pa.py_buffer(content))

    def _put(self, name: str, content: pa.Buffer) -> None:
        """Sends a file by one call, so that no exception of Python's can fall between two pieces of it."""

        def sent() -> None:
            try:
                stream = self._system.open_output_stream(self._path(name))
                stream.write(content)
                stream.close()
            except OSError as error:
                raise fault(f"cannot write {self}/{name}", error) from error

        self.backoff.again(sent)

    def delete(self, name: str) -> bool:
        return self.backoff.again(lambda: self._delete(name))

    def _delete(self, name: str) -> bool:
        try:
            self._system.delete_file(self._path(name))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise fault(f"cannot delete {self}/{name}", error) from error
        return True

    def delete_temporary(self, older_than: float) -> int:
        """There are none; uploads in parts that were never completed are the bucket's to expire."""
        return 0

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"


def _opened(parts: SplitResult, shown: str) -> arrow.FileSystem:
    """Arrow's file system; that of a bucket whose region nobody names asks for it."""
    if parts.scheme != "s3":
        # As below: it is ours to try again. A second is the least that Arrow takes.
        query = parts.query if _GOOGLE_LIMIT in parts.query else f"{parts.query}&{_GOOGLE_LIMIT}=1".lstrip("&")
        system, _ = arrow.FileSystem.from_uri(urlunsplit(parts._replace(query=query)))
        return system
    options = dict(parse_qsl(parts.query))
    for option in options:
        if option not in _OPTIONS:
            raise StoreError(f"{shown} takes no option {option!r}; known: {', '.join(_OPTIONS)}")
    elsewhere = ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")
    try:
        if not {"region", "endpoint_override"} & options.keys() and not any(map(os.environ.get, elsewhere)):
            options["region"] = arrow.resolve_s3_region(parts.netloc)
        # One PUT for a small file, not an upload in parts; and it is ours to try again, for a bounded time.
        once = arrow.AwsStandardS3RetryStrategy(max_attempts=1)
        return arrow.S3FileSystem(**options, allow_delayed_open=True, retry_strategy=once)
    except OSError as error:
        raise fault(f"cannot open {shown}", error) from error
