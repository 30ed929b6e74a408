"""What a trainer left beside a model about its settings, read without running anything: pickles are only parsed."""

from __future__ import annotations

import json
import pickletools
import zipfile
from pathlib import Path
from typing import Any

import yaml

from ilp_bench.diagnosis.probes import TrainerNotes

MOST_BYTES = 4 * 2**20
# The field of TrainerNotes -> what transformers and TRL, Axolotl and LLaMA-Factory call it.
NAMES = {
    "max_length": ("max_length", "max_seq_length", "sequence_len", "cutoff_len"),
    "packing": ("packing", "sample_packing"),
    "learning_rate": ("learning_rate",),
    "epochs": ("num_train_epochs", "num_epochs"),
    "max_steps": ("max_steps",),
    "assistant_only": ("assistant_only_loss",),
    "completion_only": ("completion_only_loss",),
    "last_turn_only": ("mask_history",),
}


def trainer_notes(folder: Path) -> TrainerNotes:
    """The settings that files of trainers in a model folder state; damaged files are passed over."""
    values: dict[str, Any] = {}
    files = []
    for name, read in (
        ("training_args.bin", _pickled_values),
        ("axolotl_config.yaml", _yaml_values),
        ("training_args.yaml", _yaml_values),
        ("trainer_state.json", _state_values),
    ):
        file = folder / name
        if file.is_file() and file.stat().st_size <= MOST_BYTES:
            try:
                read_values = read(file)
            except Exception:  # a file of another program may be anything
                continue
            values |= read_values
            files.append(name)
    notes = {field: next((values[name] for name in names if name in values), None) for field, names in NAMES.items()}
    notes |= {name: values.get(name) for name in ("steps", "all_steps", "last_loss")}
    return TrainerNotes(**{name: value for name, value in notes.items() if _is_number(value)}, files=files)


def _is_number(value: Any) -> bool:
    return isinstance(value, bool | int | float)


def _pickled_values(file: Path) -> dict[str, Any]:
    """Names of settings and the plain values after them in the pickle of a trainer's arguments; nothing is executed."""
    with zipfile.ZipFile(file) as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        content = archive.read(name)
    values: dict[str, Any] = {}
    wanted = {name for names in NAMES.values() for name in names}
    constants = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
    last = ""
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            continue
        if last:
            values[last] = constants.get(opcode.name, argument)
        last = argument if isinstance(argument, str) and argument in wanted and argument not in values else ""
    return values


def _yaml_values(file: Path) -> dict[str, Any]:
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {}


def _state_values(file: Path) -> dict[str, Any]:
    state = json.loads(file.read_text(encoding="utf-8"))
    losses = [entry["loss"] for entry in state.get("log_history", []) if "loss" in entry]
    return {
        "steps": state.get("global_step"),
        "all_steps": state.get("max_steps"),
        "last_loss": losses[-1] if losses else None,
    }
