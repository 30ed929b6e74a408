"""Rows are measured while a model is trained, by a callback that any trainer of transformers takes."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from broken_trainings import plain_rows
from transformers import AutoTokenizer
from user_rows import write_lines

import ilp_bench
from ilp_bench.core.errors import UsageError
from ilp_bench.data.user_data import import_rows
from ilp_bench.diagnosis.asking.whole_rows import token_counts
from ilp_bench.diagnosis.in_training import Score, _is_sharded
from ilp_bench.diagnosis.rows import row_results
from ilp_bench.evaluation.in_memory import evaluate_model
from ilp_bench.models.loading import load_model
from ilp_bench.models.nano import nano_path
from ilp_bench.models.resolve import locate

SAID = {"role": "assistant", "content": "red"}


class Clocked(ilp_bench.LearnedRates):
    """As slow as it is told to be: asking a row takes a sixteenth of a second."""

    now = 0.0
    value = 0.0
    tokens = 2

    def _ask(self, model: Any, tokenizer: Any, chosen: Sequence[int]) -> list[Any]:
        Clocked.now += len(chosen) / 16
        return [Score(self.value, 1.0, self.tokens)] * len(chosen)


def clocked(folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Clocked:
    callback = Clocked(write_lines(folder, plain_rows("box", 80)), sample=32, **settings)
    Clocked.now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: Clocked.now)
    return callback


def train(callback: Clocked, folder: Path, steps: int, step_seconds: float = 0.01) -> tuple[dict[int, int], bool]:
    """Step -> fixed rows that were measured at it; and whether the training was stopped."""
    arguments = SimpleNamespace(
        per_device_train_batch_size=4, gradient_accumulation_steps=1, output_dir=str(folder), world_size=1
    )
    state = SimpleNamespace(is_world_process_zero=True, global_step=0, log_history=[])
    control, more = SimpleNamespace(should_training_stop=False), {"model": torch.nn.Linear(1, 1), "processing_class": 0}
    callback.on_train_begin(arguments, state, control, **more)
    while state.global_step < steps and not control.should_training_stop:
        Clocked.now += step_seconds
        state.global_step += 1
        callback.on_step_end(arguments, state, control, **more)
        assert more["model"].training
    callback.on_train_end(arguments, state, control, **more)
    return {each["step"]: each["learned_rates/rows"] for each in state.log_history}, control.should_training_stop


@pytest.mark.parametrize(("steps", "measured"), [(1, []), (1300, [16]), (5300, [16, 26]), (50_000, [16] + 5 * [32])])
def test_it_takes_no_more_of_the_time_than_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int, measured: list[int]
) -> None:
    callback = clocked(tmp_path, monkeypatch)
    asked, _ = train(callback, tmp_path, steps)
    assert list(asked.values()) == measured, asked
    assert callback.spent <= 0.05 * 0.01 * steps or list(asked.values()) == [16]  # the first look at the clock


def test_fixed_steps_and_a_stop_at_convergence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    callback = clocked(tmp_path, monkeypatch, every=10, stop_at=0.4)
    assert train(callback, tmp_path, 25) == ({0: 32, 10: 32, 20: 32, 25: 32}, False)
    callback.value = 0.5
    assert train(callback, tmp_path, 25) == ({0: 32, 10: 32}, True)
    with pytest.raises(UsageError, match="at least 1"):
        ilp_bench.LearnedRates(tmp_path / "rows.jsonl", every=0)


def test_what_cannot_be_asked_is_said_before_the_first_step(tmp_path: Path) -> None:
    """A plain Trainer that was given a collator has no tokenizer; and a tokenizer may have no chat template."""
    conversations = [{"messages": [{"role": "user", "content": row["prompt"]}, SAID]} for row in plain_rows("box")]
    state = SimpleNamespace(is_world_process_zero=True, global_step=0)
    for rows, tokenizer, message in (
        (plain_rows("box"), None, "processing_class=tokenizer"),
        (conversations, AutoTokenizer.from_pretrained(nano_path("nano")), "chat template refuses"),
    ):
        if tokenizer is not None:
            tokenizer.chat_template = None
        callback = ilp_bench.LearnedRates(write_lines(tmp_path, rows))
        with pytest.raises(UsageError, match=message):
            callback.on_train_begin(None, state, None, model=None, processing_class=tokenizer)


@pytest.mark.parametrize(("value", "tokens", "learned"), [(0.6, 16, 1), (0.6, 17, 0), (0.9, 17, 1)])
def test_a_long_answer_counts_as_learned_from_its_own_share_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float, tokens: int, learned: int
) -> None:
    callback = clocked(tmp_path, monkeypatch)
    callback.value, callback.tokens = value, tokens
    values = callback._values(callback.fixed, callback._ask(None, None, callback.fixed))
    assert (values["learned_rates/learned"], values["learned_rates/reproduced"]) == (learned, pytest.approx(value))


def test_the_same_weights_have_the_same_values_in_a_training_and_in_a_diagnosis(tmp_path: Path) -> None:
    rows = [row | {"completion": row["completion"] * (9 if n % 2 else 1)} for n, row in enumerate(plain_rows("box"))]
    data = import_rows(write_lines(tmp_path, rows))
    model, tokenizer = load_model(locate("nano"))
    callback = ilp_bench.LearnedRates(data)
    measured = callback._ask(model, tokenizer, range(len(callback.items)))
    results = row_results(data, evaluate_model(model, tokenizer, data), token_counts(tokenizer, data))
    for score, result in zip(measured, results, strict=True):
        assert score.value == pytest.approx(result.answer_value, rel=0.01)
        assert score.tokens == result.tokens - result.end
    assert {result.is_long for result in results} == {True, False}
    assert any(result.answer_value > 1.01 * result.value for result in results), "the end counts in what is reported"


class Part(torch.nn.Linear):
    """A layer whose weights ZeRO-3 has divided among processes."""

    def __init__(self) -> None:
        super().__init__(1, 1)
        self.weight.ds_id = 0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        (torch.nn.Linear(1, 1), {"stop_at": 0.9}, "stop_at stops one process"),
        (Part(), {}, "no process holds the whole model"),
        (torch.nn.Linear(1, 1), {}, None),
    ],
)
def test_what_would_hang_several_processes_is_refused_in_each(
    tmp_path: Path, model: torch.nn.Module, settings: dict[str, Any], message: str | None
) -> None:
    callback = ilp_bench.LearnedRates(write_lines(tmp_path, plain_rows("box")), **settings)
    state = SimpleNamespace(is_world_process_zero=False, global_step=0)
    more = {"model": model, "processing_class": 0}
    callback.on_train_begin(SimpleNamespace(world_size=1), state, None, **more)
    with pytest.raises(UsageError, match=message) if message else nullcontext():
        callback.on_train_begin(SimpleNamespace(world_size=2), state, None, **more)


def test_a_model_that_fsdp_has_divided_is_known(tmp_path: Path) -> None:
    from torch.distributed.fsdp import fully_shard

    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/ranks", rank=0, world_size=1)
    try:
        mesh = torch.distributed.init_device_mesh("cpu", (1,))
        assert _is_sharded(fully_shard(torch.nn.Linear(2, 2), mesh=mesh))
        assert not _is_sharded(torch.nn.Linear(2, 2))
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_in_a_real_trainer(tmp_path: Path) -> None:
    from datasets import Dataset
    from transformers import AutoModelForCausalLM
    from trl import SFTConfig, SFTTrainer

    rows = plain_rows("box")
    callback = ilp_bench.LearnedRates(write_lines(tmp_path, rows), every=8, sample=8)
    settings = SFTConfig(
        output_dir=str(tmp_path / "out"),
        max_steps=16,
        per_device_train_batch_size=16,
        learning_rate=3e-3,
        lr_scheduler_type="constant",
        report_to="none",
        save_strategy="no",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        disable_tqdm=True,
    )
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(nano_path("nano")),
        args=settings,
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(nano_path("nano")),
        callbacks=[callback],
    )
    callback.trainer = trainer
    trainer.train()
    logged = [entry for entry in trainer.state.log_history if "learned_rates/reproduced" in entry]
    assert [entry["step"] for entry in logged] == [0, 8, 16]
    assert logged[-1]["learned_rates/reproduced"] > logged[0]["learned_rates/reproduced"]
    assert "learned_rates/part_1" in logged[0]
    assert trainer.model.training
    kept = [json.loads(line) for line in (tmp_path / "out" / "learned_rates.jsonl").read_text().splitlines()]
    assert len({row["item_id"] for row in kept}) == len(
        rows
    )  # every row has a loss, though half are measured each time
    first, last = ([row["loss"] for row in kept if row["step"] == step] for step in (0, 16))
    assert sum(last) / len(last) < sum(first) / len(first)
