"""Models that are not whole folders of a known kind: adapters from another machine, code of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from broken_trainings import plain_rows
from own_code import own_code_model
from peft import LoraConfig, get_peft_model
from user_rows import write_lines

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.diagnosis.asking.steps import Asking, imported
from ilp_bench.diagnosis.question import Machine, Question
from ilp_bench.models.loading import load_model
from ilp_bench.models.resolve import locate

CPU = Machine(device="cpu")


def test_an_adapter_is_asked_on_the_base_that_is_given(tmp_path: Path) -> None:
    """Its own path of the base is one of another machine."""
    adapted = get_peft_model(
        load_model(locate("nano"))[0], LoraConfig(target_modules=["q_proj"], task_type="CAUSAL_LM")
    )
    adapted.peft_config["default"].base_model_name_or_path = "/other/machine/base"
    adapted.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    question = Question(str(tmp_path / "adapter"), "nano", str(write_lines(tmp_path, plain_rows("box"))))
    with pytest.raises(UsageError, match="say which model is its base"):
        imported(question, CPU, tmp_path)
    question = question._replace(adapter_base="nano")
    data = imported(question, CPU, tmp_path)
    assert data.items.num_rows == 16
    asking = Asking(question, CPU, data, tmp_path, None)
    assert asking.tokenizer().vocab_size
    assert asking.run(question.model, "tuned", probe_base=False).samples.num_rows == 16


@pytest.mark.parametrize("tokenizer", [True, False])
def test_code_of_a_model_runs_in_a_diagnosis_only_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: bool
) -> None:
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("a question on the terminal"))
    model = str(own_code_model(tmp_path / "own", tmp_path / "ran", tokenizer=tokenizer))
    question = Question(model, model, str(write_lines(tmp_path, plain_rows("box"))))
    with pytest.raises(ProblemError, match="cannot be loaded: it comes with Python code of its own"):
        imported(question, CPU, tmp_path)
    assert not (tmp_path / "ran").exists()
    trusting = CPU._replace(remote_code=True)
    asking = Asking(question, trusting, imported(question, trusting, tmp_path), tmp_path, None)
    assert (tmp_path / "ran").exists()
    assert asking.tokenizer().vocab_size
    assert asking.run(question.base, "base", probe_base=True).samples.num_rows == 16
