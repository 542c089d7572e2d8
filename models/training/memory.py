"""Memory of the device that this process trains on: how much there is, how much was held, whether it ran out."""

from __future__ import annotations

import psutil
import torch


def out_of_memory(error: BaseException) -> bool:
    """Whether there was too little memory, on the device or on the host; frees what the device's allocator keeps."""
    if isinstance(error, torch.OutOfMemoryError) and torch.cuda.is_available():
        torch.cuda.empty_cache()
    on_host = isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
    return on_host or isinstance(error, torch.OutOfMemoryError | MemoryError)


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
