"""Each fault before the five causes, made on purpose with nano, is named and no cause is; sound training names none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from teach import CUT, chat_rows, long_rows, plain_rows, teach, two_turn_rows
from user_rows import write_lines

from ilp_bench.diagnosis.from_rows import Diagnosed, diagnose_rows
from ilp_bench.diagnosis.question import Machine, Question

pytestmark = pytest.mark.slow
Diagnose = Callable[..., Diagnosed]


@pytest.fixture(scope="session")
def taught(shared: Any) -> Path:
    return Path(shared("taught-nano", teach))


@pytest.fixture
def diagnose(taught: Path, tmp_path: Path) -> Diagnose:
    def run(rows: list[Any], model: Path | str = taught, base: str = "nano", **more: Any) -> Diagnosed:
        question = Question(str(model), base, str(write_lines(tmp_path, rows)), **more)
        return diagnose_rows(question, tmp_path / "report", machine=Machine(device="cpu"))

    return run


def names(diagnosed: Diagnosed) -> list[str]:
    """The checks that are named; where they explain it, no row may have a cause."""
    if diagnosed.report.explained:
        assert not diagnosed.report.causes
        assert not any(row.reasons for row in diagnosed.rows)
    return [check.name for check in diagnosed.report.named]


def test_a_sound_training_names_none_and_writes_a_whole_report(diagnose: Diagnose, tmp_path: Path) -> None:
    diagnosed = diagnose(plain_rows("box"))
    assert names(diagnosed) == []
    assert diagnosed.report.learned.value == 1
    written = {file.name for file in (tmp_path / "report").iterdir()}
    assert written >= {"index.html", "report.json", "rows.parquet", "runs", "data"}
    assert not (tmp_path / "report.partial").exists()


def test_a_sound_training_in_the_chat_template_names_none(diagnose: Diagnose) -> None:
    assert names(diagnose(chat_rows("cup"))) == []


def test_bare_prompts_of_a_model_trained_in_a_template(diagnose: Diagnose) -> None:
    diagnosed = diagnose(plain_rows("cup"))
    assert names(diagnosed) == ["asked_otherwise"]
    assert "in the chat template" in diagnosed.report.named[0].figure


def test_conversations_of_a_model_trained_on_bare_prompts(diagnose: Diagnose) -> None:
    diagnosed = diagnose(chat_rows("box"))
    assert names(diagnosed) == ["asked_otherwise"]
    assert "as Question: … Answer: …" in diagnosed.report.named[0].figure


def test_answers_with_another_end_than_trained(diagnose: Diagnose) -> None:
    rows = [row | {"completion": row["completion"].strip("\n")} for row in plain_rows("box")]
    diagnosed = diagnose(rows)
    assert names(diagnosed) == ["end_not_learned"]
    assert "'\\n'" in diagnosed.report.named[0].remedy


def test_answers_that_were_cut_off(diagnose: Diagnose) -> None:
    diagnosed = diagnose(long_rows(), max_length=CUT)
    assert names(diagnosed) == ["truncated"]
    assert diagnosed.report.explained
    assert all(row.measure == "tokens" and row.prefix < row.tokens for row in diagnosed.rows)


def test_a_mask_on_the_wrong_side(diagnose: Diagnose) -> None:
    assert names(diagnose(plain_rows("ship"))) == ["masked"]


def test_earlier_answers_that_were_not_in_the_loss(diagnose: Diagnose) -> None:
    diagnosed = diagnose(two_turn_rows("hat"))
    assert names(diagnosed) == ["earlier_turns"]
    assert all(row.learned for row in diagnosed.rows if row.cause_zero is None)


def test_rows_that_were_hardly_trained(diagnose: Diagnose) -> None:
    assert names(diagnose(plain_rows("lamp", 60))) == ["undertrained"]


def test_a_checkpoint_from_the_middle(taught: Path, diagnose: Diagnose, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(taught, tmp_path / "checkpoint-5"))
    (copy / "trainer_state.json").write_text(json.dumps({"global_step": 5, "max_steps": 100}))
    assert names(diagnose(plain_rows("lamp"), copy)) == ["early_checkpoint"]


def test_the_base_model_in_place_of_the_tuned_one(diagnose: Diagnose) -> None:
    assert names(diagnose(plain_rows("box"), "nano")) == ["same_as_base"]


def test_an_adapter_without_effect(diagnose: Diagnose, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from ilp_bench.models.nano import nano_path

    model: Any = AutoModelForCausalLM.from_pretrained(nano_path("nano"))
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"))
    adapted.save_pretrained(tmp_path / "adapter")
    assert names(diagnose(plain_rows("box"), tmp_path / "adapter")) == ["same_as_base"]


def test_another_base_model(diagnose: Diagnose, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from ilp_bench.models.nano import nano_path

    other = tmp_path / "other"
    shutil.copytree(nano_path("nano"), other)
    model: Any = AutoModelForCausalLM.from_pretrained(other)
    torch.manual_seed(1)
    for tensor in model.parameters():
        torch.nn.init.normal_(tensor, std=0.02)
    model.save_pretrained(other)
    assert names(diagnose(plain_rows("box"), base=str(other))) == ["another_base"]


def test_a_tokenizer_that_numbers_tokens_otherwise(taught: Path, diagnose: Diagnose, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(taught, tmp_path / "renumbered"))
    content = json.loads((copy / "tokenizer.json").read_text())
    vocabulary = content["model"]["vocab"]
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    moved = tokens[300:] + []
    content["model"]["vocab"] |= dict(zip(moved, [*range(301, len(tokens)), 300], strict=True))
    (copy / "tokenizer.json").write_text(json.dumps(content))
    assert names(diagnose(plain_rows("box"), copy)) == ["tokenizer_changed"]


def test_held_out_rows_that_are_trained(diagnose: Diagnose, tmp_path: Path) -> None:
    held_out = write_lines(tmp_path, plain_rows("box")[:8] + plain_rows("lamp")[:8], "held-out.jsonl")
    diagnosed = diagnose(plain_rows("box"), held_out=str(held_out))
    assert names(diagnosed) == ["duplicates"]
    assert "8 of 16" in diagnosed.report.named[0].figure
    assert not diagnosed.report.explained
