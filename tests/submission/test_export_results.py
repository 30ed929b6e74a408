"""What others read of a submission: model card, Every Eval Ever, JSON Schema; and what a submitter is asked."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from huggingface_hub import ModelCard
from points_entries import write_entry

from ilp_bench.cli.prompts import QUESTIONS, ask_meta
from ilp_bench.submission.decisions import Decision
from ilp_bench.submission.export_results import every_eval_ever, model_card, results
from ilp_bench.submission.format import Meta, Submission, read_submission
from ilp_bench.submission.json_schema import schemas

SCHEMAS = Path(__file__).parents[2] / "docs" / "schema"


@pytest.fixture(scope="module")
def submission(tmp_path_factory: pytest.TempPathFactory) -> Submission:
    entry = write_entry(tmp_path_factory.mktemp("out"), model="model", seeds=(0,), division="open")
    submission = read_submission(entry)
    assert isinstance(submission, Submission)
    return submission


def test_a_model_card_is_read_by_the_hub_library(submission: Submission) -> None:
    card = ModelCard(model_card(submission))
    found = {result.metric_type: result for result in card.data.eval_results}
    score = submission.scores.reproduction
    assert {f"reproduction_{cause.cause}" for cause in score.causes} | {"internalisation_share"} <= set(found)
    assert score.share
    assert found["reproduction_share"].metric_value == round(score.share.value, 4)
    assert found["reproduction_share"].metric_args["low"] == round(score.share.low, 4)
    assert score.causes[4].points
    assert found["reproduction_rare_patterns"].metric_value == round(100 * score.causes[4].points.value, 4)
    assert len(found) == len(results(submission)) == 12
    assert "## ILP-Bench" in card.text
    assert submission.run_id in card.text


def test_an_every_eval_ever_record_has_what_its_schema_requires(submission: Submission) -> None:
    """The required keys and types of eval.schema.json 0.2.1, as far as this export uses them."""
    text = {"type": "string"}
    details = {"type": "object", "additionalProperties": text}
    number = {"type": "number"}
    interval = {"type": "object", "required": ["lower", "upper"], "properties": {"lower": number, "upper": number}}
    result = {
        "type": "object",
        "required": ["evaluation_name", "source_data", "metric_config", "score_details"],
        "properties": {
            "source_data": {
                "required": ["dataset_name", "source_type"],
                "properties": {"source_type": {"const": "other"}, "additional_details": details},
            },
            "metric_config": {
                "required": ["lower_is_better", "min_score", "max_score"],
                "properties": {"score_type": {"enum": ["binary", "continuous", "levels"]}},
            },
            "score_details": {
                "required": ["score"],
                "properties": {"score": number, "uncertainty": {"properties": {"confidence_interval": interval}}},
            },
        },
    }
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": [
            *("schema_version", "evaluation_id", "retrieved_timestamp", "source_metadata", "model_info"),
            *("eval_library", "evaluation_results"),
        ],
        "properties": {
            "schema_version": text,
            "evaluation_id": text,
            "retrieved_timestamp": {"type": "string", "pattern": r"^\d+$"},
            "dedupe_identity": {"type": "object", "required": ["hash_algorithm"]},
            "source_metadata": {"required": ["source_type", "source_organization_name", "evaluator_relationship"]},
            "eval_library": {"required": ["name", "version"], "properties": {"additional_details": details}},
            "model_info": {"required": ["name", "id"], "properties": {"additional_details": details}},
            "evaluation_results": {"type": "array", "minItems": 6, "items": result},
        },
    }
    record = json.loads(every_eval_ever(submission))
    jsonschema.validate(record, schema)
    for one in record["evaluation_results"]:
        assert one["metric_config"]["min_score"] <= one["score_details"]["score"] <= one["metric_config"]["max_score"]


@pytest.mark.parametrize("name", schemas())
def test_the_committed_schema_is_current(name: str) -> None:
    assert (SCHEMAS / name).read_text() == schemas()[name], "write it with: python -m ilp_bench.submission.json_schema"


def test_the_schema_accepts_what_submit_writes_and_nothing_more(submission: Submission) -> None:
    schema = json.loads((SCHEMAS / "submission-3.schema.json").read_text())
    content = json.loads(submission.model_dump_json())
    jsonschema.validate(content, schema)
    for change in ({"schema_version": 2}, {"run_id": "../x"}, {"extra": 1}, {"runs": []}, {"reference": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(content | change, schema)
    with pytest.raises(ValueError, match="decision"):
        Decision.model_validate({"decision": "loved"})


def test_wrong_answers_are_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    answers = iter(
        ["../up", "lab", "", "model", "secret", "open", "done so", "", "", "http://x", "https://x.org/w", ""]
    )
    asked: list[str] = []

    def answer(question: str, default: str | None) -> str:
        asked.append(question)
        return next(answers) or default or ""

    assert ask_meta(answer) == Meta(
        org="lab", model="model", division="open", description="done so", weights="https://x.org/w"
    )
    assert len(asked) == len(QUESTIONS) + 4
    told = capsys.readouterr().err
    assert "only letters, digits" in told
    assert "an https link" in told
    assert "division" in told
