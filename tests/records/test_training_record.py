import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ilp_bench.records.training_record import PhaseRecord, TrainingRecord
from ilp_bench.submission.format import read_submission

SUBMISSIONS = Path(__file__).parents[2] / "submissions"


def test_every_committed_training_record_is_typed_and_dumped_as_it_was_written() -> None:
    """One entry of each model, and of each all records: every field of ours is read with its type."""
    files = sorted({file.parent.parent.name: file for file in SUBMISSIONS.glob("*/*/submission.json")}.values())
    assert files
    for file in files:
        text = file.read_text()
        submission = read_submission(file.parent)
        assert submission.model_dump_json(indent=1) + "\n" == text
        for (role, _), run in submission.run_records.items():
            if role != "base":
                training = run.training
                assert training
                assert training.base_sha256
                assert training.data
                assert training.data.content_sha256 == run.data.content_sha256
                assert training.tokens
                assert training.total_tokens == sum(training.tokens.values())
                assert training.phases
                assert training.steps == sum(phase.steps for phase in training.phases)
                assert training.seed is not None
                assert training.learning_rate


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recipe", 5),
        ("recipe", ["vanilla"]),
        ("base", "nano"),
        ("data", ["mini"]),
        ("seed", True),
        ("seed", "0"),
        ("seed", 0.0),
        ("learning_rate", "1e-4"),
        ("tokens", {}),
        ("tokens", {"sft": 100, "cpt": -1}),
        ("tokens", {"sft": 1.5}),
        ("tokens", 100),
        ("phases", [{"name": "warm-up"}]),
        ("seconds", None),
    ],
)
def test_a_foreign_field_is_none_and_kept(field: str, value: Any) -> None:
    written = {"trainer": "another", field: value, "recipe": "dpo"} | {field: value}
    record = TrainingRecord.model_validate(written)
    assert getattr(record, field) is None
    assert record.model_dump() == written
    assert list(record.model_dump()) == list(written)
    assert json.loads(record.model_dump_json()) == written


def test_a_base_without_weights_is_no_recorded_base() -> None:
    assert TrainingRecord.model_validate({"base": {"name": "x"}}).base_sha256 is None
    assert TrainingRecord().base_sha256 is None
    assert TrainingRecord().total_tokens is None


def test_a_record_is_any_object_and_nothing_else() -> None:
    assert TrainingRecord.model_validate({}).model_dump() == {}
    with pytest.raises(ValidationError):
        TrainingRecord.model_validate(["vanilla"])


def test_a_record_does_not_change() -> None:
    record = TrainingRecord(seed=1)
    with pytest.raises(ValidationError, match="frozen"):
        record.seed = 2
    assert TrainingRecord.model_validate(record.model_dump() | {"seed": 2}).model_dump() == {"seed": 2}


def test_what_was_built_of_parts_is_dumped_whole() -> None:
    phase = PhaseRecord(name="x", kind="sft", examples=1, epochs=1, steps=3, tokens=9, loss=1.0, seconds=1.0)
    dumped = TrainingRecord(phases=[phase]).model_dump()
    again = TrainingRecord.model_validate(json.loads(json.dumps(dumped)))
    assert again.phases == [phase]


def test_a_budget_and_its_checks_are_read_and_those_of_another_form_are_none() -> None:
    budget = {"division": "1x", "tokens": {"1": 70, "2": 210}, "total": 280, "source": "calibration"}
    checks = [{"supervised": 35, "p": None, "loss": 1.5}, {"supervised": 70, "p": 0.75, "loss": 0.5}]
    written = {"budget": budget, "calibration": {"1": checks}}
    record = TrainingRecord.model_validate(written)
    assert record.budget is not None
    assert record.calibration is not None
    assert (record.budget.tokens["2"], record.calibration["1"][1].p) == (210, 0.75)
    assert record.model_dump() == written
    for wrong in ({"budget": 3}, {"budget": budget | {"tokens": {"1": -1}}}, {"calibration": [1]}):
        damaged = TrainingRecord.model_validate(wrong)
        assert (damaged.budget, damaged.calibration) == (None, None)
        assert damaged.model_dump() == wrong
