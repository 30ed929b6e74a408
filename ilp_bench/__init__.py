"""ILP-Bench: how much of what you fine-tuned on did your model learn, and why not the rest?"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    """Load the Python interface when it is asked for: the command line and the scorer do not need ``datasets``."""
    if name == "load":
        return import_module("ilp_bench.api").load
    raise AttributeError(f"module 'ilp_bench' has no attribute {name!r}")
