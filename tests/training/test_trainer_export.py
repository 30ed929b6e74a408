"""What is exported for other trainers: read by TRL's own parser and trained by it; others by the fields that they have.

``trainer_fields.json`` lists the fields of the configuration classes of Axolotl 0.19.0, LLaMA-Factory 0.9.5 and
ms-swift 4.6.0 (with those of transformers' ``Seq2SeqTrainingArguments``). Their own classes read the files in
``scripts/trainer-configs``, in environments of their own: no two of them take the same libraries.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import HfApi, ModelInfo

from ilp_bench.core.errors import UsageError
from ilp_bench.data.dataset import Dataset
from ilp_bench.models.loading import load_model
from ilp_bench.models.nano import nano_path
from ilp_bench.models.resolve import locate
from ilp_bench.training.learning_rate import default_rate, rate_of_size
from ilp_bench.training.trainer_configs import TRAINERS
from ilp_bench.training.trainer_export import Exported, export_for

FIELDS: dict[str, Any] = json.loads((Path(__file__).parent / "trainer_fields.json").read_text())
# What keeps the order, packs nothing, cuts nothing off and scores answers alone, by the names of each trainer.
IN_ORDER = {
    "trl": {"train_sampling_strategy": "sequential", "shuffle_dataset": False, "packing": False}
    | {"completion_only_loss": True, "max_length": 1024},
    "axolotl": {"curriculum_sampling": True, "shuffle_merged_datasets": False, "sample_packing": False}
    | {"train_on_inputs": False, "excess_length_strategy": "raise", "chat_template": "tokenizer_default"},
    "llama-factory": {"disable_shuffling": True, "packing": False, "train_on_prompt": False, "cutoff_len": 1024},
    "ms-swift": {"dataset_shuffle": False, "train_dataloader_shuffle": False, "packing": False, "max_length": 1024},
}
IN_ORDER["unsloth"] = IN_ORDER["trl"]


@pytest.fixture(scope="module")
def exports(mini: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Exported]]:
    root = tmp_path_factory.mktemp("exports")
    return {name: (root / name, export_for(name, mini, root / name, "nano")) for name in TRAINERS}


def settings(folder: Path, stage: int) -> dict[str, Any]:
    return yaml.safe_load((folder / f"stage-{stage}.yaml").read_text())


@pytest.mark.parametrize("name", TRAINERS)
def test_rows_stand_by_stage_in_order_and_each_stage_starts_where_the_last_ended(
    name: str, exports: dict[str, tuple[Path, Exported]], mini: Dataset
) -> None:
    folder, done = exports[name]
    answers = []
    for stage in range(1, mini.manifest.stages + 1):
        for line in (folder / f"stage-{stage}.jsonl").read_text().splitlines():
            row = json.loads(line)
            answers.append(row["completion"].strip() if "completion" in row else row["messages"][1]["content"])
        read = settings(folder, stage)
        assert IN_ORDER[name].items() <= read.items()
        model = read.get("model") or read.get("base_model") or read["model_name_or_path"]
        last = f"out/stage-{stage - 1}" + ("/last-checkpoint" if name == "ms-swift" else "")
        assert model == (str(locate("nano").folder.resolve()) if stage == 1 else last)
    assert answers == [text.strip() for text in mini.train["completion"].to_pylist()]
    script = (folder / "run.sh").read_text()
    assert [script.index(f"{TRAINERS[name].command} stage-{n}.yaml") for n in range(1, 5)] == sorted(
        script.index(f"stage-{n}.yaml") - len(TRAINERS[name].command) - 1 for n in range(1, 5)
    )
    record = json.loads((folder / "training.json").read_text())
    assert record["prompt_format"] == ("chat" if done.chat else "plain")
    assert record["data"]["content_sha256"] == mini.sha256


@pytest.mark.parametrize("name", FIELDS)
def test_the_trainer_has_every_field_that_is_set(name: str, exports: dict[str, tuple[Path, Exported]]) -> None:
    assert set(settings(exports[name][0], 1)) <= set(FIELDS[name]["fields"])


def test_axolotl_trains_the_end_that_the_template_writes(exports: dict[str, tuple[Path, Exported]]) -> None:
    assert settings(exports["axolotl"][0], 2)["eot_tokens"] == ["<|end|>"]


def test_llama_factory_finds_the_rows_of_every_stage(exports: dict[str, tuple[Path, Exported]]) -> None:
    folder, _ = exports["llama-factory"]
    registered = json.loads((folder / "dataset_info.json").read_text())
    for stage in range(1, 5):
        entry = registered[settings(folder, stage)["dataset"]]
        first = json.loads((folder / entry["file_name"]).read_text().splitlines()[0])
        turns = first[entry["columns"]["messages"]]
        assert [turn[entry["tags"]["role_tag"]] for turn in turns] == ["user", "assistant"]


@pytest.mark.parametrize(("trainer", "name"), [("trl", "nano-mini-1x"), ("axolotl", "nano-mini-chat-1x")])
def test_epochs_spend_the_budget_of_the_reference_in_that_format(
    trainer: str, name: str, exports: dict[str, tuple[Path, Exported]]
) -> None:
    _, done = exports[trainer]
    assert done.reference == name
    assert done.rate == "0.0002, as the reference was trained"
    record = json.loads((Path(__file__).parents[2] / "references" / name / "reference.json").read_text())
    phases = next(d for d in record["datasets"] if d["base"]["data"]["seed"] == 0)["vanilla"][0]["training"]["phases"]
    # The record counts passes that were begun.
    assert [math.ceil(passes) for passes in done.epochs] == [phase["epochs"] for phase in phases]


@pytest.mark.parametrize(("size", "rate"), [(9_999_999, 2e-4), (10_000_000, 5e-5), (1_000_000_000, 2e-5)])
def test_a_smaller_model_takes_a_larger_rate_and_an_adapter_ten_times_that(size: int, rate: float) -> None:
    assert rate_of_size(size) == rate
    assert rate_of_size(size, lora=True) == pytest.approx(10 * rate)


def test_without_a_reference_the_rate_is_the_one_that_train_takes(
    mini: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ilp_bench.training.trainer_export.committed_reference", lambda *_: None)
    done = export_for("llama-factory", mini, tmp_path / "nano", "nano")
    assert done.rate == "0.0002, as vanilla is trained at this model's size"
    assert settings(tmp_path / "nano", 1)["learning_rate"] == default_rate(locate("nano")) == 2e-4
    assert f"# Learning rate {done.rate}." in (tmp_path / "nano" / "run.sh").read_text()
    asked = export_for("llama-factory", mini, tmp_path / "asked", "nano", learning_rate=1e-3)
    assert (asked.rate, settings(tmp_path / "asked", 4)["learning_rate"]) == ("0.001, as asked for", 1e-3)


def test_the_rate_for_a_model_on_the_hub_is_by_the_size_that_the_hub_says(
    mini: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = export_for("llama-factory", mini, tmp_path / "silent", "org/model")
    assert silent.rate.startswith("2e-05, as for a billion parameters or more: the Hub does not say")
    page = {"id": "org/model", "safetensors": {"parameters": {"BF16": 134_515_008}, "total": 134_515_008}}
    monkeypatch.setattr(HfApi, "model_info", lambda *_, **__: ModelInfo(**page))
    said = export_for("llama-factory", mini, tmp_path / "said", "org/model@main")
    assert said.rate == "5e-05, as vanilla is trained at this model's size"


@pytest.mark.parametrize("chat", [False, True])
def test_trl_reads_its_configuration_and_trains_on_answers_alone(chat: bool, mini: Dataset, tmp_path: Path) -> None:
    """TRL's own command, for two steps; docs/trainers.md has the scores of all stages."""
    from datasets import load_dataset
    from trl import SFTTrainer
    from trl.scripts.sft import make_parser

    export_for("trl", mini, tmp_path / "trl", "nano", chat=chat)
    config = ["--config", str(tmp_path / "trl" / "stage-1.yaml"), "--output_dir", str(tmp_path / "out")]
    _, arguments, model, mixture = make_parser().parse_args_and_config(
        [*config, "--use_cpu", "true", "--bf16", "false", "--max_steps", "2"], fail_with_unknown_args=True
    )
    assert (arguments.train_sampling_strategy, arguments.packing, arguments.num_train_epochs) == (
        ("sequential", False, pytest.approx(7.4392 if chat else 2.6344))
    )
    assert model.model_name_or_path == str(locate("nano").folder.resolve())
    (rows,) = mixture.datasets
    table = load_dataset(rows.path, data_files=str(tmp_path / "trl" / rows.data_files), split=rows.split)
    loaded, tokenizer = load_model(locate("nano"))
    trainer = SFTTrainer(model=loaded, args=arguments, train_dataset=table, processing_class=tokenizer)
    batch = next(iter(trainer.get_train_dataloader()))
    supervised = [tokenizer.decode(row[row != -100]) for row in batch["labels"]]
    ends = ["<|end|>\n" if chat else "\n" for _ in supervised]
    answers = [text.strip() for text in mini.train["completion"].to_pylist()[: len(supervised)]]
    for text, answer, end in zip(supervised, answers, ends, strict=True):
        assert text.strip("\n").startswith((answer, f" {answer}"))
        assert end in text
    assert trainer.train().global_step == 2


def test_unsloth_gets_a_script_that_takes_the_settings_apart(exports: dict[str, tuple[Path, Exported]]) -> None:
    from trl import SFTConfig

    folder, _ = exports["unsloth"]
    compile((folder / "train.py").read_text(), "train.py", "exec")
    read = settings(folder, 1)
    assert set(read) - {"datasets", "model_name_or_path"} <= set(SFTConfig.__dataclass_fields__)


def test_a_folder_is_named_so_that_it_is_found_from_anywhere(
    mini: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``run.sh`` goes to its own folder first."""
    shutil.copytree(nano_path(), tmp_path / "models" / "mine")
    monkeypatch.chdir(tmp_path)
    for base, out in (("models/mine", "one"), ("./models/../models/mine", "two")):
        export_for("trl", mini, Path(out), base)
        assert settings(tmp_path / out, 1)["model_name_or_path"] == str((tmp_path / "models" / "mine").resolve())
    with pytest.raises(UsageError, match=r"no model '\./models/other'"):
        export_for("trl", mini, Path("three"), "./models/other")


@pytest.mark.parametrize("name", TRAINERS)
def test_a_revision_stands_under_the_trainers_own_name_for_it(name: str, mini: Dataset, tmp_path: Path) -> None:
    export_for(name, mini, tmp_path / "out", "org/model@v1", epochs=1)
    first, second = settings(tmp_path / "out", 1), settings(tmp_path / "out", 2)
    revision = "revision_of_model" if name == "axolotl" else "model_revision"
    assert first[revision] == "v1"
    assert "org/model" in (first.get("model"), first.get("base_model"), first.get("model_name_or_path"))
    assert revision not in second, "the next stage starts from a folder"
    if name in FIELDS:
        assert revision in FIELDS[name]["fields"]
    export_for(name, mini, tmp_path / "newest", "org/model", epochs=1)
    assert revision not in settings(tmp_path / "newest", 1)


def test_an_adapter_is_to_be_merged_first(mini: Dataset, tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text('{"base_model_name_or_path": "/other/machine/base"}')
    with pytest.raises(UsageError, match="is an adapter, not a whole model: merge it first"):
        export_for("trl", mini, tmp_path / "out", str(tmp_path / "adapter"))
    assert not (tmp_path / "out").exists()


def test_what_a_trainer_cannot_do_is_one_clear_line(mini: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'axolotl'"):
        export_for("axolotle", mini, tmp_path / "x", "nano")
    with pytest.raises(UsageError, match="conversations alone"):
        export_for("ms-swift", mini, tmp_path / "x", "nano", chat=False)
    assert not (tmp_path / "x").exists()
