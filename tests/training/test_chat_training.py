"""Training under the chat template: the same ids as evaluation asks, a record that says so, and no mixed score."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import by_arm, make_run, retrained

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.dataset import Dataset, make
from ilp_bench.evaluation import request_plan
from ilp_bench.models.loading import load_model
from ilp_bench.models.resolve import locate, weights_sha256
from ilp_bench.recipes.phase import recall_probes
from ilp_bench.records.training_record import TrainingRecord
from ilp_bench.scoring.low_probability import low_probability
from ilp_bench.scoring.score_points import score_points
from ilp_bench.training.collators import encode
from ilp_bench.training.run import train


def test_rows_are_trained_as_they_are_asked(mini: Dataset) -> None:
    _, tokenizer = load_model(locate("nano"))
    items = [row for row in mini.items.to_pylist() if (row["arm"], row["probe"]) == ("control", "recall")][:40]
    requests = request_plan.plan(tokenizer, mini, items, chat=True, probed=False, choices=0)
    trained = encode(tokenizer, recall_probes(mini, "control")[:40], 1000, chat=True)
    for number, row in zip(requests.probe, trained, strict=True):
        context, answer = (list(part) for part in requests.unique[number])
        assert row == {"input_ids": context + answer, "labels": [-100] * len(context) + answer}
    assert "<|assistant|>" in tokenizer.decode(trained[0]["input_ids"])


def test_the_record_names_the_prompt_format_and_its_budget_is_of_that_format_alone(tmp_path: Path) -> None:
    data = make("mini", pairs=2, stages=2, causes=("knowledge_gap",))
    stages = sorted(set(data.train["stage"].to_pylist()))
    record = {
        "recipe": "vanilla",
        "base": {"weights_sha256": weights_sha256(locate("nano"))},
        "data": {"content_sha256": data.sha256},
        "prompt_format": "chat",
        "budget": {
            "division": "1x",
            "tokens": {str(stage): 60 for stage in stages},
            "total": 60,
            "source": "calibration",
        },
        "calibration": {"1": [{"supervised": 60, "p": 0.9, "loss": 0.1}]},
    }
    (tmp_path / "vanilla").mkdir()
    (tmp_path / "vanilla" / "training.json").write_text(json.dumps(record))
    trained = train("nano", "vanilla", data, tmp_path / "chat", chat=True, reference=tmp_path / "vanilla")
    written = TrainingRecord.model_validate_json((tmp_path / "chat" / "training.json").read_text())
    assert trained.prompt_format == written.prompt_format == "chat"
    with pytest.raises(UsageError, match="trained in the prompt format chat, and this is plain"):
        train("nano", "vanilla", data, tmp_path / "plain", reference=tmp_path / "vanilla")


def test_a_model_that_is_asked_otherwise_than_it_was_trained_is_named(mini: Dataset) -> None:
    vanilla = make_run(mini, "vanilla", by_arm(0.3, 0.9), prompt_format="chat")
    retrained(vanilla, prompt_format="chat")
    asked_bare = make_run(mini, "combined", by_arm(0.01, 0.02))
    retrained(asked_bare, prompt_format="chat")
    with pytest.raises(ProblemError, match=r"trained in chat format and asked in plain.*again with the chat template"):
        score_points([asked_bare], [vanilla], [])
    reason = low_probability(asked_bare)
    assert reason
    assert "the missing chat template is the reason" in reason
    plain = make_run(mini, "combined", by_arm(0.6, 0.9))
    with pytest.raises(ProblemError, match="vanilla run was asked in chat prompts and the submitted run in plain ones"):
        score_points([plain], [vanilla], [])
