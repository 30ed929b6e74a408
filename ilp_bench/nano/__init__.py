"""The embedded base model: a one-million-parameter transformer whose knowledge is known exactly."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

CONTEXT = 512


def nano_path() -> Path:
    """The folder with nano's config, tokenizer and safetensors weights."""
    return Path(str(files("ilp_bench.nano") / "weights"))
