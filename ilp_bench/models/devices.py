"""Device, dtype and processor threads: what ``auto`` means, and what this machine can use."""

from __future__ import annotations

import os

import torch

from ilp_bench.core.errors import UsageError


def idle_threads() -> int:
    """Processor cores that nobody uses just now, at least one: a busy core slows all threads that wait for it.

    Never more than the environment variable ``OMP_NUM_THREADS`` allows.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores - round(busy), int(allowed) if allowed.isdigit() else cores))


def pick_device(device: str) -> str:
    """``auto`` becomes cuda, mps or cpu, whichever is there first. Raises UsageError for a device that is not."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UsageError(
            f"device {device!r} cannot be used here ({reason}): use auto, cpu, cuda, cuda:N or mps"
        ) from None
    return device


def pick_dtype(dtype: str, device: str) -> str:
    """``auto`` becomes bfloat16 on a GPU and float32 on a CPU. Raises UsageError for an unknown dtype."""
    if dtype == "auto":
        return "float32" if device == "cpu" else "bfloat16"
    if dtype not in ("float32", "bfloat16", "float16"):
        raise UsageError(f"unknown dtype {dtype!r}: use float32, bfloat16 or float16")
    return dtype
