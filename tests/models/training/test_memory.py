"""What is taken for a lack of memory, and what for the end of a device."""

from __future__ import annotations

import pytest
import torch

from models.training.memory import available_memory, device_is_lost, has_gpu, out_of_memory, peak_memory


@pytest.mark.parametrize(
    ("error", "memory", "lost"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True, False),
        (MemoryError(), True, False),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True, False),
        (RuntimeError("CUDA error: out of memory"), True, False),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"), True, False),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True, False),
        (RuntimeError("CUDA error: device-side assert triggered"), False, True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False, True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False, False),
        (ValueError("CUDA error: said by something else"), False, False),
    ],
)
def test_errors_are_told_apart_by_what_helps(error: Exception, memory: bool, lost: bool) -> None:
    assert (out_of_memory(error), device_is_lost(error)) == (memory, lost)


def test_a_cpu_has_the_memory_of_its_host_and_counts_no_peak() -> None:
    assert available_memory("cpu", 0.5) == available_memory("cpu", 1.0) > 2**28
    assert peak_memory("cpu") == 0
    assert has_gpu() == torch.cuda.is_available()
