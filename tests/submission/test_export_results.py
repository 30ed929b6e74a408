"""What others read of a submission: model card, Every Eval Ever, JSON Schema; and what a submitter is asked."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from unittest.mock import create_autospec

import huggingface_hub
import jsonschema
import pytest
import yaml
from huggingface_hub import ModelCard
from points_entries import write_entry

from ilp_bench.cli.prompts import QUESTIONS, ask_meta
from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.card import task_ids
from ilp_bench.data.dataset import make
from ilp_bench.submission import every_eval_ever as exporting
from ilp_bench.submission.decisions import Decision
from ilp_bench.submission.every_eval_ever import SCHEMA, every_eval_ever, write_every_eval_ever
from ilp_bench.submission.export_results import eval_results, model_card, open_pull_request, results
from ilp_bench.submission.format import Meta, Submission, read_submission
from ilp_bench.submission.json_schema import schemas
from ilp_bench.submission.validate import check

EVERY_EVAL_EVER = Path(__file__).parent / "every_eval_ever"
SCHEMAS = Path(__file__).parents[2] / "docs" / "schema"


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_entry(tmp_path_factory.mktemp("out"), model="model", seeds=(0,), division="open")


@pytest.fixture(scope="module")
def submission(entry: Path) -> Submission:
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


def test_an_every_eval_ever_record_and_its_instances_fit_the_schemas_of_0_3_0(
    entry: Path, submission: Submission, tmp_path: Path
) -> None:
    """``tests/submission/every_eval_ever`` holds the schema files of the package every-eval-ever 0.3.0, MIT."""
    aggregate, instance = (
        json.loads((EVERY_EVAL_EVER / name).read_text())
        for name in ("eval.schema.json", "instance_level_eval.schema.json")
    )
    assert aggregate["version"] == SCHEMA
    jsonschema.validate(json.loads(every_eval_ever(submission)), aggregate)
    file = write_every_eval_ever(submission, check(entry).runs, tmp_path)
    record = json.loads(file.read_text())
    jsonschema.validate(record, aggregate)
    for result in record["evaluation_results"]:
        metric = result["metric_config"]
        least, most = float(metric["min_score"]), float(metric["max_score"])
        assert least <= result["score_details"]["score"] <= most
        assert (math.isinf(most), metric["metric_unit"]) in ((True, "proportion"), (False, "points"))
        assert result["source_data"]["additional_details"]["seeds"] == "0"
    assert record["model_info"]["inference_engine"] == {"name": "transformers", "version": "unknown"}
    told = record["detailed_evaluation_results"]
    samples = (tmp_path / told["file_path"]).read_bytes()
    assert hashlib.sha256(samples).hexdigest() == told["checksum"]
    rows = [json.loads(line) for line in samples.splitlines()]
    assert len(rows) == told["total_rows"] > 400
    validator = jsonschema.Draft7Validator(instance)
    assert not [error.message for row in rows[:: len(rows) // 50] for error in validator.iter_errors(row)]
    assert {row["evaluation_id"] for row in rows} == {record["evaluation_id"]}
    assert {row["evaluation_result_id"] for row in rows} <= {
        result["evaluation_result_id"] for result in record["evaluation_results"]
    }


def test_a_record_names_every_dataset_and_the_engine_that_ran(tmp_path: Path) -> None:
    folder = write_entry(tmp_path, backend="vllm", versions={"vllm": "0.32.0", "transformers": "5.0"})
    submission = read_submission(folder)
    assert isinstance(submission, Submission)
    record = json.loads(every_eval_ever(submission))
    assert record["model_info"]["inference_engine"] == {"name": "vllm", "version": "0.32.0"}
    weights = record["model_info"]["additional_details"]["weights_sha256"].split()
    assert weights == [run.model.weights_sha256 for run in submission.runs]
    details = record["evaluation_results"][0]["source_data"]["additional_details"]
    assert details["seeds"] == "0 1 2"
    assert details["content_sha256"].split() == [data.content_sha256 for data in submission.datasets]


def test_prompts_of_a_dataset_that_is_not_built_any_more_are_not_written(
    entry: Path, submission: Submission, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "make", lambda size, seed: make(size, seed + 1))
    with pytest.raises(ProblemError, match="are not built by this version"):
        write_every_eval_ever(submission, check(entry).runs, tmp_path)


def test_eval_results_are_of_the_tasks_that_eval_yaml_has(submission: Submission) -> None:
    entries = yaml.safe_load(eval_results(submission, "lab/ilp-bench"))
    assert [entry["dataset"]["task_id"] for entry in entries] == [
        f"mini_{result.name}" for result in results(submission)
    ]
    assert {entry["dataset"]["task_id"] for entry in entries} <= set(task_ids("mini"))
    assert {entry["dataset"]["id"] for entry in entries} == {"lab/ilp-bench"}
    first, share = entries[0], results(submission)[0]
    assert first["value"] == round(share.value.value, 4)
    with pytest.raises(UsageError, match="'no name' is no dataset of the Hub"):
        eval_results(submission, "no name")
    assert f"95 % interval {share.value.low:.2f} to {share.value.high:.2f} over pairs only; 1 run;" in first["notes"]


def test_a_pull_request_is_one_call_of_the_hub_library(submission: Submission, monkeypatch: pytest.MonkeyPatch) -> None:
    api = create_autospec(huggingface_hub.HfApi, instance=True)
    opened = "https://huggingface.co/lab/model/discussions/1"
    commit = "https://huggingface.co/lab/model/commit/" + "a" * 40
    api.upload_file.return_value = huggingface_hub.CommitInfo(commit, "Add", "", "a" * 40, pr_url=opened)
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: api)
    assert open_pull_request(submission, "lab/model") == opened
    call = api.upload_file.call_args.kwargs  # the autospec refuses an argument that the library does not have
    assert (call["repo_id"], call["repo_type"], call["create_pr"]) == ("lab/model", "model", True)
    assert call["path_in_repo"] == ".eval_results/ilp-bench.yaml"
    assert yaml.safe_load(call["path_or_fileobj"]) == yaml.safe_load(eval_results(submission))
    with pytest.raises(UsageError, match="not a repository id"):
        open_pull_request(submission, "not a name")
    monkeypatch.undo()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ProblemError, match="the Hub is switched off here"):
        open_pull_request(submission, "lab/model")


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
