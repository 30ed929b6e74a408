"""A model that comes with Python code of its own, for tests."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ilp_bench.models.nano import nano_path

CODE = """
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
class Config(LlamaConfig):
    model_type = "own"
class Model(LlamaForCausalLM):
    config_class = Config
class Tokenizer(PreTrainedTokenizerFast):
    pass
"""
CLASSES = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}


def own_code_model(folder: Path, ran: Path, *, tokenizer: bool = True) -> Path:
    """Nano with its own classes, whose code writes the file ``ran``; with its own ``tokenizer`` class too."""
    shutil.copytree(nano_path(), folder)
    _change(folder / "config.json", {"model_type": "own", "auto_map": CLASSES})
    if tokenizer:
        own = {"tokenizer_class": "Tokenizer", "auto_map": {"AutoTokenizer": [None, "own.Tokenizer"]}}
        _change(folder / "tokenizer_config.json", own)
    (folder / "own.py").write_text(f"open({str(ran)!r}, 'w').close()\n{CODE}")
    return folder


def _change(file: Path, values: dict[str, object]) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))
