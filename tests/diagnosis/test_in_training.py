"""Rows are measured while a model is trained, by a callback that any trainer of transformers takes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from broken_trainings import plain_rows
from user_rows import write_lines

import ilp_bench
from ilp_bench.core.errors import UsageError


class Clocked(ilp_bench.LearnedRates):
    """As slow as it is told to be: a measurement takes one second, a step a hundredth."""

    now = 0.0
    measured: list[int]

    def _measure(self, args: Any, state: Any, **_: Any) -> float:
        Clocked.now += 1.0
        self.spent, self.last_cost = self.spent + 1.0, 1.0
        self.measured_at = state.global_step
        self.measured.append(state.global_step)
        return 0.1 * len(self.measured)


class State:
    is_world_process_zero, global_step = True, 0


class Control:
    should_training_stop = False


def clocked(folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Clocked:
    callback = Clocked(write_lines(folder, plain_rows("box")), **settings)
    callback.measured, Clocked.now = [], 0.0
    monkeypatch.setattr(time, "monotonic", lambda: Clocked.now)
    return callback


def steps(callback: Clocked, count: int) -> Control:
    state, control = State(), Control()
    for step in range(1, count + 1):
        Clocked.now += 0.01
        state.global_step = step
        callback.on_step_end(None, state, control)
    return control


def test_it_takes_no_more_of_the_time_than_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    callback = clocked(tmp_path, monkeypatch)
    callback.last_cost = 1.0  # as the measurement before the first step showed
    steps(callback, 10_000)  # a hundred seconds
    assert len(callback.measured) == 5
    assert callback.spent <= 0.05 * 100


def test_fixed_steps_and_a_stop_at_convergence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    callback = clocked(tmp_path, monkeypatch, every=10, stop_at=0.3)
    assert not steps(callback, 20).should_training_stop
    assert callback.measured == [10, 20]
    assert steps(callback, 10).should_training_stop
    with pytest.raises(UsageError, match="at least 1"):
        ilp_bench.LearnedRates(tmp_path / "rows.jsonl", every=0)


@pytest.mark.slow
def test_in_a_real_trainer(tmp_path: Path) -> None:
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    from ilp_bench.models.nano import nano_path

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
