"""What a failure for lack of memory looks like, on any device."""

from __future__ import annotations


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether torch, or an allocator below it, failed for lack of memory; ``torch.OutOfMemoryError`` is one case."""
    return isinstance(error, RuntimeError) and "memory" in str(error).lower()
