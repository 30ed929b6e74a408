"""What trainers leave beside a model is read and never run; verdicts are read strictly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from user_rows import write_lines

from ilp_bench.core.errors import UsageError
from ilp_bench.data.user_data import import_rows
from ilp_bench.diagnosis.asking.trainer_notes import trainer_notes
from ilp_bench.diagnosis.asking.verdicts import check_verdicts, read_verdicts
from ilp_bench.diagnosis.cause_zero.undertrained import _stated
from ilp_bench.diagnosis.question import Question
from ilp_bench.diagnosis.rows import RowResult
from ilp_bench.diagnosis.why.reasons import was_learned


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


def test_planned_steps_are_stated_in_place_of_the_epochs_that_they_override(tmp_path: Path) -> None:
    stated = []
    for steps in (-1, 160):
        torch.save(Settings(num_train_epochs=3, max_steps=steps), tmp_path / "training_args.bin")
        stated.append(_stated(trainer_notes(tmp_path)))
    assert stated == ["; the trainer says: epochs 3", "; the trainer says: planned steps 160"]


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


def test_verdicts_on_rows_that_there_are_not_are_refused(tmp_path: Path) -> None:
    rows: list[Any] = [{"prompt": f"Where is city {n}?", "completion": f" land {n}"} for n in range(12)]
    rows.append({"prompt": "Where?", "completion": 3})  # cannot be used, and is a row
    file = write_lines(tmp_path, rows)
    question, data = Question("TUNED", "BASE", str(file)), import_rows(file)
    check_verdicts({1: 1.0, 13: 0.0}, question, data)
    with pytest.raises(UsageError, match=r"on row 14, and .* has 13 rows"):
        check_verdicts({1: 1.0, 14: 0.0}, question, data)


def test_a_verdict_is_not_compared_with_what_was_measured_in_the_training() -> None:
    values: dict[str, Any] = {"item_id": "a", "rows": [1], "segment": 1, "question": "q", "answer": "a", "tokens": 2}
    values |= {"context": 5, "value": 0.0, "learned": False, "p": 0.9, "answer_p": None, "greedy_share": 1.0}
    values |= {"prefix": 2, "loss": 0.1, "best_in_training": 1.0, "best_step": 4, "end": 1, "answer_value": 0.1}
    assert [was_learned(RowResult(measure=measure, **values)) for measure in ("p", "verdict")] == [True, False]


def test_verdicts_are_shares_of_tries(tmp_path: Path) -> None:
    file = write_lines(tmp_path, [{"row": 1, "passes": 3, "tries": 4}, {"row": 7, "passes": 0, "tries": 1}])
    assert read_verdicts(file) == {1: 0.75, 7: 0.0}
    table = tmp_path / "verdicts.csv"
    table.write_text("row,passes,tries\n2,1,2\n")
    assert read_verdicts(table) == {2: 0.5}
    for wrong in ({"row": 1, "passes": 5, "tries": 4}, {"row": 0, "passes": 1, "tries": 1}, {"row": 1, "passes": 1}):
        with pytest.raises(UsageError, match="whole numbers"):
            read_verdicts(write_lines(tmp_path, [wrong]))
