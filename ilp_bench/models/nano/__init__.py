"""The embedded base model in three architectures: a million parameters whose knowledge is known exactly."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

CONTEXT = 512
NANO = {"nano": "llama", "nano-qwen3": "qwen3", "nano-olmo2": "olmo2"}  # what users call it: its folder


def nano_path(name: str = "nano") -> Path:
    """The folder with config, tokenizer and safetensors weights; raises KeyError for a name not in ``NANO``."""
    return Path(str(files("ilp_bench.models.nano") / "weights" / NANO[name]))
