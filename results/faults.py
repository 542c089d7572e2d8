"""The faults of a store, and which of them pass by themselves.

A network file system that is restarted, or object storage that asks to slow down, answers again within seconds. A full
disk, a missing right or a missing bucket does not: that is told at once.
"""

from __future__ import annotations

import errno
import re


class StoreError(Exception):
    """A fault of a store or of what is asked of it, told in one line: the root of this package's errors."""


class NoStore(StoreError):
    """There is nothing where a store was to be read."""


class Vanished(StoreError):
    """A file is no longer there: another process has merged or removed it since it was listed."""


class StorageFull(StoreError):
    """The disk, or the user's share of it, is full."""


class Unsteady(StoreError):
    """A fault after which the same call may well succeed in a while; see `results.backoff`."""


_PASSING = frozenset(
    {
        errno.EAGAIN,
        errno.EINTR,
        errno.EIO,
        errno.ESTALE,
        errno.ETIMEDOUT,
        errno.ECONNABORTED,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EPIPE,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETRESET,
        errno.ENETUNREACH,
    }
)
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

# Of object storage Arrow tells in words alone: "AWS Error SLOW_DOWN during PutObject operation: …", or, of an answer
# that the client has no name for, "AWS Error UNKNOWN (HTTP status 503) during …". Google's names are gRPC's.
_NAMED = re.compile(
    r"\b(SLOW_DOWN|SlowDown|THROTTLING|NETWORK_CONNECTION|REQUEST_TIMEOUT|RequestTimeout|INTERNAL_FAILURE|InternalError"
    r"|SERVICE_UNAVAILABLE|ServiceUnavailable|UNAVAILABLE|DEADLINE_EXCEEDED|RESOURCE_EXHAUSTED)\b"
    r"|HTTP status (429|5\d\d)\b"
)


def passes(error: OSError) -> bool:
    """Whether the same call may well succeed in a while."""
    if error.errno is not None:
        return error.errno in _PASSING
    return _NAMED.search(str(error)) is not None


def of_storage(error: OSError) -> bool:
    """Whether an error is of the storage, and not of what it holds, for which Arrow raises the same kind."""
    return error.errno is not None or any(name in str(error) for name in ("AWS Error", "google::cloud"))


def fault(what: str, error: OSError) -> StoreError:
    """The error to raise, "<what>: <reason>": `StorageFull`, `Unsteady`, or a plain one."""
    if error.errno in _FULL:
        return StorageFull(f"{what}: {reason(error)}: the disk is full; free some space, then launch again to go on")
    kind = Unsteady if passes(error) else StoreError
    return kind(f"{what}: {reason(error)}")


def reason(error: OSError) -> str:
    """What the operating system, or object storage, says, as the end of a sentence, in one line."""
    said = error.strerror or " ".join(str(error).split())
    return said if said.startswith("AWS ") else said[:1].lower() + said[1:]
