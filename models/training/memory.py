"""Memory of the device that this process trains on: how much there is, how much was held, whether it ran out."""

from __future__ import annotations

import psutil
import torch

# How allocators that are not torch's own say it: of the host, of the driver, of CUDA's libraries.
_EXHAUSTED = ("DefaultCPUAllocator", "CUDA error: out of memory", "STATUS_ALLOC_FAILED")


def out_of_memory(error: BaseException) -> bool:
    """Whether there was too little memory, on the device or on the host; frees what the device's allocator keeps."""
    told = isinstance(error, RuntimeError) and any(words in str(error) for words in _EXHAUSTED)
    exhausted = told or isinstance(error, torch.OutOfMemoryError | MemoryError)
    if exhausted and torch.cuda.is_available():
        torch.cuda.empty_cache()
    return exhausted


def device_is_lost(error: BaseException) -> bool:
    """Whether a GPU is of no more use to this process: after a failed assertion in a kernel, say, everything fails."""
    return isinstance(error, RuntimeError) and "CUDA error" in str(error) and not out_of_memory(error)


def available_memory(device: str, share: float) -> int:
    """Bytes that a pack may use of its device: of a GPU its share, on the CPU those of the host."""
    if device == "cuda":
        return int(torch.cuda.get_device_properties(0).total_memory * min(1.0, share))
    return int(psutil.virtual_memory().total)


def peak_memory(device: str) -> int:
    """The most bytes that this process held at once on its GPU since the last call; 0 on a CPU, where nobody counts."""
    if device != "cuda":
        return 0
    peak = torch.cuda.max_memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    return peak


def has_gpu() -> bool:
    """Whether there is a CUDA device for this process."""
    return torch.cuda.is_available()
