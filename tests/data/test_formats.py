import json
from pathlib import Path

import pytest

import ilp_bench
from ilp_bench.core.errors import UsageError
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.formats import FORMATS, export


@pytest.mark.parametrize("name", FORMATS)
def test_every_row_is_exported_in_order_and_loads(name: str, mini: Dataset, tmp_path: Path) -> None:
    from datasets import load_dataset

    file = tmp_path / "train.jsonl"
    assert export(mini, name, file) == mini.train.num_rows
    rows = load_dataset("json", data_files=str(file), split="train", cache_dir=str(tmp_path / "cache"))
    answers = [text.strip() for text in mini.train["completion"].to_pylist()]
    read = {
        "messages": lambda row: row["messages"][1]["content"],
        "prompt-completion": lambda row: row["completion"].strip(),
        "alpaca": lambda row: row["output"],
        "sharegpt": lambda row: row["conversations"][1]["value"],
    }[name]
    assert [read(row) for row in rows] == answers
    before = file.read_bytes()
    with pytest.raises(UsageError, match="already exists"):
        export(mini, name, file)
    assert file.read_bytes() == before


@pytest.mark.parametrize("name", ["messages", "prompt-completion"])
def test_trl_trains_a_step_on_it(name: str, mini: Dataset, tmp_path: Path) -> None:
    from datasets import load_dataset
    from trl import SFTConfig, SFTTrainer

    from ilp_bench.models.loading import load_model
    from ilp_bench.models.resolve import locate

    export(mini, name, tmp_path / "train.jsonl")
    rows = load_dataset("json", data_files=str(tmp_path / "train.jsonl"), split="train[:16]", cache_dir=str(tmp_path))
    model, tokenizer = load_model(locate("nano"))
    config = SFTConfig(
        output_dir=str(tmp_path / "out"), max_steps=1, use_cpu=True, bf16=False, report_to="none", save_strategy="no"
    )
    result = SFTTrainer(model=model, args=config, train_dataset=rows, processing_class=tokenizer).train()
    assert 0 < result.training_loss < 20


def test_an_unknown_format_suggests_the_near_one(mini: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'alpaca'"):
        export(mini, "alpacca", tmp_path / "x")
    assert json.dumps([path.name for path in tmp_path.iterdir()]) == "[]"


def test_load_gives_one_cause_from_python() -> None:
    tables = ilp_bench.load("rare_patterns", size="mini", seed=3)
    assert set(tables["items"]["cause"]) == {"rare_patterns"}
    assert tables["knowledge"].num_rows == 0
    assert ilp_bench.load(size="mini")["train"].num_rows > tables["train"].num_rows
    with pytest.raises(UsageError, match="Did you mean 'rare_patterns'"):
        ilp_bench.load("rare_pattern", size="mini")
