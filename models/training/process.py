"""The process that trains: its threads, its matrix products and its memory, set before it computes anything."""

from __future__ import annotations

import ctypes
import os
import platform

import torch
from threadpoolctl import threadpool_limits

from models.training.precision import exact_products

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8  # of mallopt(3)


def prepare(threads: int) -> None:
    """Threads, reproducible and exact products, and tuned memory; call it before the first matrix product."""
    fix_products()
    exact_products()
    keep_freed_memory()
    torch.set_num_threads(threads)
    # NumPy's and scikit-learn's own, now and where they are loaded later: sums in other parts have other last bits.
    threadpool_limits(threads)
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads)))


def fix_products() -> None:
    """Makes MKL's products independent of where their operands lie, and so of a trial's slot.

    Without this, the product of small odd shapes takes another path, with another last bit, where an operand does not
    start at a multiple of 64 bytes. What it costs is in BENCHMARKS.md. MKL reads the setting at its first product.
    """
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")


def keep_freed_memory() -> bool:
    """Keeps freed activations instead of returning them to the kernel; False where the allocator is not glibc's.

    glibc's malloc maps every block above 128 kB afresh and unmaps it when it is freed, so each step of training pays
    for the page faults of all its activations again. The price is that resident memory stays at its high-water mark:
    of one arena, not of one a thread, since Ray runs each pack in a new thread, which would begin another.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL("libc.so.6")
    settings = ((_M_ARENA_MAX, 1), (_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 64 * 2**20))
    applied = [libc.mallopt(name, value) for name, value in settings]  # each of them, not only up to a failure
    return all(applied)
