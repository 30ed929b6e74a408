"""What the tokenization contract means for runs on user data, and what is recorded of it."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from conftest import by_arm, make_run
from tokenizers_zoo import TEMPLATES, appending
from transformers import AutoTokenizer

from ilp_bench.cli.run_table import run_table
from ilp_bench.core.errors import ProblemError
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.user_data import import_rows
from ilp_bench.evaluation.askable_items import askable_items
from ilp_bench.evaluation.in_memory import evaluate_model
from ilp_bench.evaluation.measure import score_exactly, wrap
from ilp_bench.evaluation.request_plan import plan
from ilp_bench.models.loading import load_model
from ilp_bench.models.nano import nano_path
from ilp_bench.models.resolve import locate
from ilp_bench.records.run_record import Run, read_run, write_run
from ilp_bench.records.samples import DETAILED_SAMPLES, SAMPLES, USER_SAMPLES
from ilp_bench.records.training_record import TrainingRecord
from ilp_bench.scoring.run_summary import summary

BOXES = "amber birch cedar daisy ember fjord grove heath iris jasper kelp larch maple nettle olive pine".split()
COLOURS = "red blue green white black grey pink gold brown teal".split()
ANSWERS = {box: COLOURS[n % len(COLOURS)] for n, box in enumerate(BOXES)}


def imported(folder: Path, rows: list[dict[str, Any]]) -> Dataset:
    file = folder / f"rows-{len(list(folder.iterdir()))}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return import_rows(file)


def asked(box: str) -> str:
    return f"Which colour has box {box}?"


def bare(shift: int = 0, end: str = "\n") -> list[dict[str, Any]]:
    """Rows of bare text; shifted, each has the answer of another."""
    answers = [*ANSWERS.values()]
    return [
        {"prompt": f"Question: {asked(box)}\nAnswer:", "completion": f" {answers[(n + shift) % len(answers)]}{end}"}
        for n, box in enumerate(ANSWERS)
    ]


def conversations(shift: int = 0, space: tuple[str, str] = ("", "")) -> list[dict[str, Any]]:
    answers = [*ANSWERS.values()]
    return [
        {
            "prompt": [{"role": "user", "content": asked(box)}],
            "completion": [
                {"role": "assistant", "content": space[0] + answers[(n + shift) % len(answers)] + space[1]},
            ],
        }
        for n, box in enumerate(ANSWERS)
    ]


@pytest.fixture(scope="module")
def nano() -> Any:
    return load_model(locate("nano"))


@pytest.fixture(scope="module")
def of_user(nano: Any, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("user")
    return evaluate_model(*nano, imported(folder, bare()), out=folder / "run")


def test_a_run_on_user_data_has_p_without_the_end_mark(nano: Any, of_user: Run, tmp_path: Path) -> None:
    assert of_user.samples.schema.equals(DETAILED_SAMPLES)
    p, without = (of_user.samples[name].to_numpy() for name in ("p", "answer_p"))
    assert (without >= p).all()
    assert (without > p).any()
    data = imported(tmp_path, bare())
    requests = plan(nano[1], data, data.items.to_pylist(), chat=False, probed=False, choices=0)
    assert set(requests.ends) == {1}
    lm = wrap(*nano)

    class WithoutTokens:  # as on vLLM, which gives sums alone
        _loglikelihood_tokens = staticmethod(lm._loglikelihood_tokens)

    one, two = (score_exactly(each, requests.unique, requests.ends) for each in (lm, WithoutTokens()))
    for name in ("logprob", "answer_logprob"):
        assert [getattr(each, name) for each in one] == pytest.approx([getattr(each, name) for each in two], abs=1e-4)


def test_a_run_with_the_column_is_read_back_on_user_data_alone(of_user: Run, mini: Dataset, tmp_path: Path) -> None:
    content = of_user.record.model_dump(mode="json", exclude={"samples_sha256"})
    write_run(tmp_path / "user", content, of_user.samples)
    assert read_run(tmp_path / "user").samples.equals(of_user.samples)
    controlled = make_run(mini, None, by_arm(0.2, 0.9))
    samples = controlled.samples.append_column("answer_p", controlled.samples["p"])
    content = controlled.record.model_dump(mode="json", exclude={"samples_sha256"})
    assert "prompts" not in content, "an older record keeps its hash"
    write_run(tmp_path / "controlled", content, samples)
    with pytest.raises(ProblemError, match="does not have the columns"):
        read_run(tmp_path / "controlled")


def test_where_only_the_end_is_unknown_the_summary_says_so(of_user: Run, capsys: pytest.CaptureFixture[str]) -> None:
    rows = of_user.samples.to_pylist()
    for n, row in enumerate(rows):
        row |= {"p": 0.01, "logprob": float(np.log(0.01)), "answer_p": 0.9 if n % 2 else None}
    run = Run(of_user.record, pa.Table.from_pylist(rows, schema=USER_SAMPLES))
    assert summary(run)["end_unknown"] == 0.5
    assert summary(run)["answer_p"] == pytest.approx((0.9 + 0.01) / 2)
    run_table(run, as_json=False)
    assert "0.50 of the items are known but for their end mark" in " ".join(capsys.readouterr().out.split())
    run_table(Run(run.record, run.samples.drop_columns("answer_p").cast(SAMPLES)), as_json=False)
    assert "end mark" not in capsys.readouterr().out


def test_p_near_zero_is_a_warning_with_the_likely_reason(
    nano: Any, of_user: Run, mini: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def shown(run: Run) -> str:
        run_table(run, as_json=False)
        return " ".join(capsys.readouterr().out.split())

    rows = of_user.samples.to_pylist()
    known_answers = [row | {"p": 0.01, "logprob": float(np.log(0.01)), "answer_p": 0.9} for row in rows]
    unended = Run(of_user.record, pa.Table.from_pylist(known_answers, schema=USER_SAMPLES))
    assert "warning: mean p of all rows is 0.010, near 0: unless nothing was learned, the end mark" in shown(unended)
    in_chat = evaluate_model(*nano, imported(tmp_path, conversations()), chat=True)
    assert "this chat template is not the one that it was trained with" in shown(in_chat)
    assert "it was trained with a chat template, or the rows end otherwise" in shown(of_user)

    low = make_run(mini, "vanilla", by_arm(0.0, 0.0))
    assert "evaluate with it" in (summary(low)["warning"] or "")
    assert low.record.training
    training = TrainingRecord.model_validate(low.record.training.model_dump() | {"ilp_bench": "1"})
    chat = low.record.model_copy(update={"training": training, "prompt_format": "chat"})
    assert "trained on bare prompts; evaluate without it" in summary(Run(chat, low.samples))["warning"]
    assert summary(make_run(mini, "vanilla", by_arm(0.0, 0.9)))["warning"] is None
    probed = low.record.model_copy(update={"training": None, "probed": True})
    assert summary(Run(probed, low.samples))["warning"] is None, "an untuned model knows nothing rightly"


def test_what_is_cut_off_prompts_is_counted(nano: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, tokenizer = nano
    long = "It stands in a long hall with many other boxes. " * 60
    rows = [row | {"prompt": f"{row['prompt'][:-8]} {long}\nAnswer:"} for row in bare()[:10]] + bare()[10:]
    run = evaluate_model(model, tokenizer, imported(tmp_path, rows))
    room = model.config.max_position_embeddings + 1
    lengths = [len(tokenizer(row["prompt"] + row["completion"])["input_ids"]) for row in rows]
    assert run.record.prompts
    assert run.record.prompts.cut == 10
    assert run.record.prompts.tokens_cut == sum(max(0, length - room) for length in lengths)
    run_table(run, as_json=False)
    out = " ".join(capsys.readouterr().out.split())
    assert f"10 of 16 prompts are longer than the model's context: {run.record.prompts.tokens_cut} tokens were" in out


def test_the_rendered_prompts_and_a_templates_date_are_in_the_record(
    nano: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, tokenizer = imported(tmp_path, conversations()), copy.deepcopy(nano[1])
    plain = evaluate_model(nano[0], tokenizer, data, chat=True).record.prompts
    tokenizer.chat_template = "{{ strftime_now('%Y-%m-%d') }}" + nano[1].chat_template
    dated = evaluate_model(nano[0], tokenizer, data, chat=True)
    assert plain
    assert dated.record.prompts
    assert (plain.template_date, plain.left_out) == (None, 0)
    assert dated.record.prompts.template_date == date.today().isoformat()
    assert dated.record.prompts.sha256 != plain.sha256
    tokenizer.chat_template = TEMPLATES["think block in the prompt"]
    thinking = evaluate_model(nano[0], tokenizer, data, chat=True)
    assert thinking.record.prompts
    assert thinking.record.prompts.left_out == len(BOXES)
    for run in (dated, thinking):
        run_table(run, as_json=False)
    out = " ".join(capsys.readouterr().out.split())
    assert "writes today's date" in out
    assert "the tokens of 16 prompts are not a prefix" in out


def test_conversations_that_the_template_refuses_are_counted_and_the_first_is_named(nano: Any, tmp_path: Path) -> None:
    tokenizer = copy.deepcopy(nano[1])
    tokenizer.chat_template = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        + nano[1].chat_template
    )
    rows = conversations()
    for row in rows[3:5]:
        row["prompt"].insert(0, {"role": "system", "content": "Be brief."})
    data = imported(tmp_path, rows)
    run = evaluate_model(nano[0], tokenizer, data, chat=True)
    assert run.samples.num_rows == 14
    assert run.record.prompts
    refused = run.record.prompts.not_asked["refused by the model"]
    assert refused.count == 2
    assert "box daisy" in refused.first
    assert "(no system role)" in refused.first
    with pytest.raises(ProblemError, match=r"2 of 16 items .*: import the rows again with system prompts folded"):
        askable_items(tokenizer, data, chat=True, limit=512, strict=True)


def test_tools_of_a_conversation_are_asked_as_the_template_renders_them(nano: Any, tmp_path: Path) -> None:
    tokenizer = copy.deepcopy(nano[1])
    tokenizer.chat_template = TEMPLATES["tools"]
    tools = [{"type": "function", "function": {"name": "colour", "description": "Colour of a box."}}]
    rows = [{"messages": row["prompt"] + row["completion"], "tools": tools} for row in conversations()]
    data = imported(tmp_path, rows)
    requests = plan(tokenizer, data, data.items.to_pylist(), chat=True, probed=False, choices=0)
    rendered = [tokenizer.apply_chat_template(row["messages"], tools=tools, return_dict=False) for row in rows]
    newline = tokenizer("\n")["input_ids"]
    assert [[*context, *answer, *newline] for context, answer in requests.unique] == rendered


SFT = """
import json, sys
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer
base, rows, out = sys.argv[1:]
config = SFTConfig(output_dir=out + ".tmp", num_train_epochs=30, per_device_train_batch_size=8, learning_rate=2e-3,
    lr_scheduler_type="constant", report_to="none", save_strategy="no", use_cpu=True, bf16=False, max_length=None)
tokenizer = AutoTokenizer.from_pretrained(base)
data = Dataset.from_list([json.loads(line) for line in open(rows)])
trainer = SFTTrainer(model=AutoModelForCausalLM.from_pretrained(base), args=config, train_dataset=data,
    processing_class=tokenizer)
trainer.train()
trainer.save_model(out)
"""


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("appended end mark", marks=pytest.mark.nightly),
        pytest.param("shared token", marks=pytest.mark.slow),
        pytest.param("outer whitespace", marks=pytest.mark.nightly),
    ],
)
def test_what_trl_trained_is_learned_and_wrong_labels_are_not(kind: str, tmp_path: Path) -> None:
    """Rows known by heart have p above 0.9; the same rows with one another's answers below 0.05."""
    tokenizer = AutoTokenizer.from_pretrained(nano_path("nano"))
    rows, wrong, chat = bare(), bare(shift=1), False
    if kind == "shared token":
        tokenizer.chat_template = TEMPLATES["space before the answer"]
        rows, wrong, chat = conversations(), conversations(shift=1), True
    elif kind == "outer whitespace":
        rows, wrong, chat = conversations(space=(" ", "\n")), conversations(shift=1, space=(" ", "\n")), True
    base, out, file = tmp_path / "base", tmp_path / "tuned", tmp_path / "rows.jsonl"
    load_model(locate("nano"))[0].save_pretrained(base)
    tokenizer.save_pretrained(base)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    call = [sys.executable, "-c", SFT, str(base), str(file), str(out)]
    subprocess.run(call, check=True, capture_output=True, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    model, tuned = load_model(locate(str(out)))
    for one in (tuned, appending(copy.deepcopy(tuned))) if kind == "appended end mark" else (tuned,):
        for some, low, high in ((rows, 0.9, 1.0), (wrong, 0.0, 0.05)):
            p = evaluate_model(model, one, imported(tmp_path, some), chat=chat).samples["p"].to_numpy()
            assert low <= p.min()
            assert p.max() <= high
