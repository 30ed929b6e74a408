"""What a failure for lack of memory looks like, on any device."""

from __future__ import annotations

# CUDA, MPS and NCCL; the allocators of a CPU; cuBLAS. An illegal memory access is another matter.
SIGNS = "out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory", "alloc_failed"


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether torch, or an allocator below it, failed for lack of memory; ``torch.OutOfMemoryError`` is one case."""
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in SIGNS)
