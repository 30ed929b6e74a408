"""Device, dtype and processor threads: what ``auto`` means, and what this machine can use."""

from __future__ import annotations

import os

import torch

from ilp_bench.core.distributed import uses_deepspeed
from ilp_bench.core.errors import UsageError

# What ``accelerate launch`` told this process; ``no`` is its default, and decides nothing. Read before transformers,
# which in some versions sets the variable itself.
LAUNCHED_PRECISION = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")


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
    """The dtype of weights that are measured; ``auto`` is bfloat16 on a GPU that computes in it, else float32.

    Raises UsageError for an unknown dtype.
    """
    if dtype == "auto":
        return "bfloat16" if device == "mps" or computes_bfloat16(device) else "float32"
    if dtype not in ("float32", "bfloat16", "float16"):
        raise UsageError(f"unknown dtype {dtype!r}: use float32, bfloat16 or float16")
    return dtype


def pick_training_dtype(dtype: str, device: str) -> str:
    """The dtype that a training computes in: float32, or bfloat16 by autocast over weights of float32.

    ``auto`` is what the launcher was told, else bfloat16 on a CUDA GPU that computes in it, else float32. Raises
    UsageError for a dtype that cannot be trained in, and where the launcher was told another one.

    DeepSpeed has float32 alone: in bfloat16 it rounds the weights themselves, and gives out the rounded ones.
    """
    if uses_deepspeed():
        if dtype not in ("auto", "float32") or LAUNCHED_PRECISION != "no":
            raise UsageError("DeepSpeed rounds the weights to bfloat16: start it with mixed precision no, or use FSDP")
        return "float32"
    if LAUNCHED_PRECISION not in ("no", "bf16"):
        raise UsageError("training takes no mixed precision but bf16: start accelerate with bf16 or none")
    if dtype == "auto":
        return "bfloat16" if LAUNCHED_PRECISION == "bf16" or computes_bfloat16(device) else "float32"
    if dtype not in ("float32", "bfloat16"):
        raise UsageError(f"training takes no dtype {dtype!r}: use auto, float32 or bfloat16")
    if LAUNCHED_PRECISION == "bf16" and dtype != "bfloat16":
        raise UsageError(f"accelerate was told mixed precision bf16, and the dtype is {dtype}: leave one of them out")
    return dtype


def computes_bfloat16(device: str) -> bool:
    """Whether the device is a CUDA GPU with bfloat16 units, as those of the Ampere generation and later have."""
    return device.startswith("cuda") and torch.cuda.is_bf16_supported(including_emulation=False)
