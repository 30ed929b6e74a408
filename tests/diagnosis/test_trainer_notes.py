"""What trainers leave beside a model is read and never run; verdicts are read strictly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from user_rows import write_lines

from ilp_bench.core.errors import UsageError
from ilp_bench.diagnosis.asking.trainer_notes import trainer_notes
from ilp_bench.diagnosis.asking.verdicts import read_verdicts


class Settings:
    """As transformers pickles its arguments: an object with plain values."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


class Bomb:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


def test_pickled_arguments_are_parsed_and_not_run(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    values = {"learning_rate": 2e-5, "max_length": 1024, "packing": False, "num_train_epochs": 3}
    torch.save(Settings(**values, bomb=Bomb(touched)), tmp_path / "training_args.bin")
    notes = trainer_notes(tmp_path)
    assert (notes.max_length, notes.packing, notes.learning_rate, notes.epochs) == (1024, False, 2e-5, 3)
    assert notes.files == ["training_args.bin"]
    assert not touched.exists()


def test_yaml_and_state_of_trainers(tmp_path: Path) -> None:
    (tmp_path / "training_args.yaml").write_text("cutoff_len: 2048\nmask_history: true\nlearning_rate: 1.0e-4\n")
    state = {"global_step": 50, "max_steps": 200, "log_history": [{"loss": 2.0}, {"loss": 1.5}, {"eval_loss": 9.0}]}
    (tmp_path / "trainer_state.json").write_text(json.dumps(state))
    notes = trainer_notes(tmp_path)
    assert (notes.max_length, notes.last_turn_only, notes.steps, notes.all_steps) == (2048, True, 50, 200)
    assert notes.last_loss == 1.5


def test_damaged_files_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "training_args.bin").write_bytes(b"PK no archive")
    (tmp_path / "training_args.yaml").write_text("a: [")
    (tmp_path / "trainer_state.json").write_text("[]")
    assert trainer_notes(tmp_path).files == []


def test_verdicts_are_shares_of_tries(tmp_path: Path) -> None:
    file = write_lines(tmp_path, [{"row": 1, "passes": 3, "tries": 4}, {"row": 7, "passes": 0, "tries": 1}])
    assert read_verdicts(file) == {1: 0.75, 7: 0.0}
    table = tmp_path / "verdicts.csv"
    table.write_text("row,passes,tries\n2,1,2\n")
    assert read_verdicts(table) == {2: 0.5}
    for wrong in ({"row": 1, "passes": 5, "tries": 4}, {"row": 0, "passes": 1, "tries": 1}, {"row": 1, "passes": 1}):
        with pytest.raises(UsageError, match="whole numbers"):
            read_verdicts(write_lines(tmp_path, [wrong]))
