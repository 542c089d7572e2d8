"""Memory of a training process: keep freed activations instead of returning them to the kernel.

glibc's malloc maps every block above 128 kB afresh and unmaps it when it is freed, so each step of training pays for
the page faults of all its activations again. With these settings freed blocks stay with the process, whose resident
memory then stays at its high-water mark.
"""

from __future__ import annotations

import ctypes
import platform

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # names and values of mallopt(3)


def keep_freed_memory() -> bool:
    """Tunes the allocator of this process, before it allocates much; False where it is not glibc's."""
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL("libc.so.6")
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 64 * 2**20))
    applied = [libc.mallopt(name, value) for name, value in settings]  # each of them, not only up to a failure
    return all(applied)
