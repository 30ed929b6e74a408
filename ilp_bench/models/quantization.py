"""Quantised checkpoints: recognised by their config.json, and run by transformers where this machine can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ilp_bench.core.errors import UsageError
from ilp_bench.core.files import read_json

UNQUANTISED = "save the weights unquantised, with model.dequantize()"
PACKAGES = {  # method, as config.json names it -> what transformers needs to run it
    "bitsandbytes": "bitsandbytes",
    "gptq": "gptqmodel",
    "awq": "gptqmodel",
    "compressed-tensors": "compressed-tensors",
    "torchao": "torchao",
    "hqq": "hqq",
    "aqlm": "aqlm",
    "quanto": "optimum-quanto",
    "auto-round": "auto-round",
}


def quantization_of(folder: Path) -> str | None:
    """How the weights of a model folder are quantised, such as ``bitsandbytes, 4 bits``; None where they are whole."""
    config = _config(folder)
    if config is None:
        return None
    method, bits = _method(config), config.get("bits")
    if method == "bitsandbytes":
        bits = 8 if config.get("load_in_8bit") or config.get("_load_in_8bit") else 4
    return f"{method}, {bits} bits" if isinstance(bits, int) else method


def check_known(folder: Path) -> None:
    """Raise UsageError for a quantisation that transformers would pass over in silence, as it does unknown ones."""
    config = _config(folder)
    if config is None:
        return
    from transformers.quantizers.auto import AutoHfQuantizer

    quantizers: Any = AutoHfQuantizer
    if not quantizers.supports_quant_method({"quant_method": _method(config), **config}):
        raise UsageError(f"{folder} is quantised ({_method(config)}), which is not supported: {UNQUANTISED}")


def refused(folder: Path, error: Exception) -> UsageError:
    """One line that says why a quantised model cannot be loaded here, and what to do."""
    config = _config(folder) or {}
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(". ")
    package = PACKAGES.get(_method(config))
    remedy = f"pip install {package}, " if package and isinstance(error, ImportError) else ""
    return UsageError(
        f"{folder} is quantised ({quantization_of(folder)}) and cannot be loaded here ({reason}): {remedy}"
        f"use a machine that runs it, or {UNQUANTISED}"
    )


def _method(config: dict[str, Any]) -> str:
    if "quant_method" in config:
        return str(config["quant_method"])
    return "bitsandbytes" if config.get("load_in_8bit") or config.get("load_in_4bit") else "unknown method"


def _config(folder: Path) -> dict[str, Any] | None:
    config = read_json(folder / "config.json").get("quantization_config")
    return config if isinstance(config, dict) and config else None
