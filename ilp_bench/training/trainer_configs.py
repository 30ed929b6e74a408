"""How other trainers are told to train a stage: in order, nothing packed or cut off, the loss on answers alone.

One function a trainer gives the settings of a stage as its own configuration file wants them. Sources of the names:
TRL 1.16 (``SFTConfig``, ``DatasetMixtureConfig``), Unsloth 2026.10 (``FastLanguageModel.from_pretrained``), Axolotl
0.19 (``axolotl/utils/schemas/config.py``), LLaMA-Factory 0.9.5 (``llamafactory/hparams``) and ms-swift 4.6
(``swift/arguments``); ``scripts/trainer-configs`` reads configurations with these tools' own classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ilp_bench.data.file_formats import Json
from ilp_bench.data.schema import TrainRow

TOKENS = 1024  # of a row, at most; no row of a controlled dataset has a tenth of it
SCHEDULE = {"lr_scheduler_type": "constant_with_warmup", "warmup_steps": 5, "weight_decay": 0.0}  # as vanilla has


@dataclass(frozen=True)
class Stage:
    """One stage of an exported training: it starts from ``model`` and writes its checkpoint to ``out``."""

    number: int
    rows: str  # file of its rows
    model: str
    out: str
    epochs: float
    learning_rate: float
    batch_size: int
    revision: str | None = None  # of a model on the Hub
    end: str | None = None  # what the chat template writes behind an answer, where that is known


class Trainer(NamedTuple):
    """A trainer that rows are exported for.

    chat_only   whether it trains conversations alone, under a chat template
    settings    stage -> its configuration
    command     the command that trains a stage, behind which its configuration is named
    last        where below a stage's folder its checkpoint lies
    """

    chat_only: bool
    settings: Callable[[Stage], Json]
    command: str
    last: str = ""


def plain_row(row: TrainRow) -> Json:
    """Bare prompt and completion."""
    return {"prompt": row["prompt"], "completion": row["completion"]}


def chat_pair(row: TrainRow) -> Json:
    """Question and answer as conversations of one message each: TRL then scores the answer alone, in any template."""
    question, answer = row["messages"]
    return {"prompt": [question], "completion": [answer]}


def conversation(row: TrainRow) -> Json:
    """Question and answer as one conversation."""
    return {"messages": row["messages"]}


def _hugging_face(stage: Stage) -> Json:
    """What the trainers built on transformers have in common."""
    return {
        "output_dir": stage.out,
        "num_train_epochs": stage.epochs,
        "per_device_train_batch_size": stage.batch_size,
        "gradient_accumulation_steps": 1,
        "learning_rate": stage.learning_rate,
        **SCHEDULE,
        "packing": False,
        "save_strategy": "no",
        "logging_steps": 10,
        "report_to": "none",
        "seed": 0,
    }


def _model(name: str, stage: Stage, revision: str = "model_revision") -> Json:
    """The model that a stage starts from, under the names that a trainer has for it and for its revision."""
    return {name: stage.model} | ({revision: stage.revision} if stage.revision else {})


def _trl(stage: Stage) -> Json:
    return {
        **_model("model_name_or_path", stage),
        "datasets": [{"path": "json", "data_files": stage.rows, "split": "train"}],
        **_hugging_face(stage),
        "train_sampling_strategy": "sequential",
        "shuffle_dataset": False,
        "max_length": TOKENS,
        "completion_only_loss": True,
    }


def _axolotl(stage: Stage) -> Json:
    return {
        **_model("base_model", stage, "revision_of_model"),
        "chat_template": "tokenizer_default",
        "datasets": [
            {
                "path": stage.rows,
                "ds_type": "json",
                "type": "chat_template",
                "field_messages": "messages",
                "roles_to_train": ["assistant"],
                "train_on_eos": "turn",
            }
        ],
        # By default it waits for the end-of-text token, which not every template writes behind an answer.
        **({"eot_tokens": [stage.end]} if stage.end else {}),
        "dataset_prepared_path": f"prepared-{stage.number}",
        "curriculum_sampling": True,
        "shuffle_merged_datasets": False,
        "sample_packing": False,
        "train_on_inputs": False,
        "sequence_len": TOKENS,
        "excess_length_strategy": "raise",
        "val_set_size": 0.0,
        "output_dir": stage.out,
        "num_epochs": stage.epochs,
        "micro_batch_size": stage.batch_size,
        "gradient_accumulation_steps": 1,
        "optimizer": "adamw_torch",
        "learning_rate": stage.learning_rate,
        "lr_scheduler": SCHEDULE["lr_scheduler_type"],
        "warmup_steps": SCHEDULE["warmup_steps"],
        "weight_decay": SCHEDULE["weight_decay"],
        "bf16": "auto",
        "logging_steps": 10,
        "seed": 0,
    }


def _llama_factory(stage: Stage) -> Json:
    return {
        **_model("model_name_or_path", stage),
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "full",
        "dataset": f"stage_{stage.number}",
        "dataset_dir": ".",
        "disable_shuffling": True,
        "cutoff_len": TOKENS,
        "train_on_prompt": False,
        "overwrite_cache": True,
        **_hugging_face(stage),
    }


def _ms_swift(stage: Stage) -> Json:
    return {
        **_model("model", stage),
        "tuner_type": "full",
        "external_plugins": ["template.py"],
        "template": "ilp_bench",
        "dataset": [stage.rows],
        "dataset_shuffle": False,
        "train_dataloader_shuffle": False,
        "max_length": TOKENS,
        "truncation_strategy": "delete",
        **_hugging_face(stage),
        # Its checkpoint is the one of the last step, to which it makes a link.
        "save_strategy": "steps",
        "save_steps": 1_000_000,
        "add_version": False,
    }


def dataset_info(stages: list[Stage]) -> dict[str, Any]:
    """``dataset_info.json`` of LLaMA-Factory: where the rows of each stage are, and how their turns are named."""
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
    return {
        f"stage_{stage.number}": {
            "file_name": stage.rows,
            "formatting": "sharegpt",
            "columns": {"messages": "messages"},
            "tags": tags,
        }
        for stage in stages
    }


TRAINERS = {
    "trl": Trainer(False, _trl, "trl sft --config"),
    "unsloth": Trainer(False, _trl, "python train.py"),
    "axolotl": Trainer(True, _axolotl, "axolotl train"),
    "llama-factory": Trainer(True, _llama_factory, "llamafactory-cli train"),
    "ms-swift": Trainer(True, _ms_swift, "swift sft", "last-checkpoint"),
}
UNSLOTH = '''"""Train one stage with Unsloth: python train.py stage-1.yaml"""

import sys

import yaml
from unsloth import FastLanguageModel  # first: it changes the libraries below
from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

settings = yaml.safe_load(open(sys.argv[1]))
(rows,) = settings.pop("datasets")
model, tokenizer = FastLanguageModel.from_pretrained(
    model_name=settings.pop("model_name_or_path"),
    revision=settings.pop("model_revision", None),
    max_seq_length=settings["max_length"],
    load_in_4bit=False,
    full_finetuning=True,
)
trainer = SFTTrainer(
    model=model,
    processing_class=tokenizer,
    args=SFTConfig(**settings),
    train_dataset=load_dataset(rows["path"], data_files=rows["data_files"], split=rows["split"]),
)
trainer.train()
trainer.save_model(settings["output_dir"])
tokenizer.save_pretrained(settings["output_dir"])
'''
MS_SWIFT = '''"""The chat template of the tokenizer, for ms-swift, which else takes one by the model's type."""

import yaml
from swift.template import TemplateMeta, register_template
from transformers import AutoTokenizer

settings = yaml.safe_load(open("stage-1.yaml"))
tokenizer = AutoTokenizer.from_pretrained(
    settings["model"], revision=settings.get("model_revision", "main"), trust_remote_code=False
)
turns = [{"role": "user", "content": "{{QUERY}}"}, {"role": "assistant", "content": "{{RESPONSE}}"}]
prompt, end = tokenizer.apply_chat_template(turns, tokenize=False).split("{{RESPONSE}}")
register_template(TemplateMeta("ilp_bench", prefix=[], prompt=[prompt], chat_sep=None, suffix=[end]))
'''
