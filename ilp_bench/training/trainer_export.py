"""Export a dataset for another trainer: rows by stage, a configuration for each, a script that runs them in order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ilp_bench.core.errors import UsageError, near
from ilp_bench.core.files import HUB_ID, new_folder
from ilp_bench.data.dataset import Dataset
from ilp_bench.models.loading import load_tokenizer
from ilp_bench.models.resolve import Located, locate, weights_sha256
from ilp_bench.models.tokenization import chat_end
from ilp_bench.recipes.phase import Phase, stages
from ilp_bench.records.training_record import TrainingRecord
from ilp_bench.training.budget import committed_reference, reference_training
from ilp_bench.training.collators import encode_pairs
from ilp_bench.training.learning_rate import LARGE_RATE, default_rate, rate_of_size, size_on_the_hub
from ilp_bench.training.trainer_configs import (
    MS_SWIFT,
    TRAINERS,
    UNSLOTH,
    Stage,
    Trainer,
    chat_pair,
    conversation,
    dataset_info,
    plain_row,
)

EPOCHS = 3.0  # where no reference says what vanilla needed
LAST_FOLDER = "out"


class Exported(NamedTuple):
    """What was exported.

    rows       their number
    chat       whether the model is to be evaluated with its chat template
    model      its folder, below the exported one
    epochs     passes over each stage
    reference  the committed reference that says how many, where there is one
    rate       learning rate, and whence it is
    """

    rows: int
    chat: bool
    model: str
    epochs: tuple[float, ...]
    reference: str | None
    rate: str


def export_for(
    name: str,
    data: Dataset,
    out: Path,
    base: str,
    *,
    chat: bool | None = None,
    epochs: float | None = None,
    learning_rate: float | None = None,
    batch_size: int = 16,
) -> Exported:
    """Write the folder ``out`` for the trainer ``name``: ``bash run.sh`` in it trains ``base`` stage by stage.

    base           base model: a built-in one, a folder or a Hub id
    chat           whether to train under the chat template; by default only where the trainer knows nothing else
    epochs         passes over each stage; by default what vanilla needed by the committed reference of ``base``, else 3
    learning_rate  by default the reference's, else by the size of ``base`` as in :func:`ilp_bench.training.run.train`

    Raises UsageError for user data, an unknown trainer, a format that it does not train, an adapter as base, or where
    ``out`` is in use.
    """
    if name not in TRAINERS:
        raise UsageError(f"unknown trainer {name!r}.{near(name, TRAINERS)}")
    trainer, phases = TRAINERS[name], stages(data.controlled("export"))
    if chat is False and trainer.chat_only:
        raise UsageError(f"{name} trains conversations alone: export with the chat template, or for trl or unsloth")
    is_chat = trainer.chat_only if chat is None else chat
    located = _local(base)
    reference, training = _reference(located, data, is_chat)
    passes = [epochs or EPOCHS] * len(phases)
    if epochs is None and located and training:
        passes = _budget_epochs(located, phases, training, chat=is_chat)
    rate, origin = _rate(learning_rate, base, located, training)
    end = chat_end(load_tokenizer(located)) if located and is_chat else None
    model, _, revision = (str(located.folder.resolve()), "", "") if located else base.partition("@")
    plan = _stages(trainer, passes, Stage(0, "", model, "", 0, rate, batch_size, revision or None, end))
    with new_folder(out) as folder:
        _write_rows(folder, name, data, plan, chat=is_chat)
        _write_configs(folder, name, plan, origin)
        record = _training_record(name, located, base, data, rate, batch_size, chat=is_chat)
        (folder / "training.json").write_text(json.dumps(record, indent=1) + "\n")
    last = str(Path(plan[-1].out, trainer.last))
    return Exported(data.train.num_rows, is_chat, last, tuple(passes), reference, f"{rate:g}, {origin}")


def _local(base: str) -> Located | None:
    """The base model where it lies on this machine: a built-in one or a folder; None for a Hub id, left to trainers.

    Raises UsageError for an adapter, which trainers would take for a whole model.
    """
    if (Path(base) / "adapter_config.json").is_file():
        raise UsageError(
            f"{base} is an adapter, not a whole model: merge it first (in PEFT, save_pretrained of what "
            "merge_and_unload() returns, with the tokenizer beside it), and give that folder"
        )
    return None if HUB_ID.fullmatch(base) and not Path(base).is_dir() else locate(base)


def _reference(located: Located | None, data: Dataset, chat: bool) -> tuple[str | None, TrainingRecord | None]:
    """Name of the committed reference of a base model, and how its vanilla was trained; None where there is none."""
    folder = committed_reference(data, weights_sha256(located), "chat" if chat else "plain") if located else None
    return (folder.name, reference_training(folder, data)) if folder else (None, None)


def _rate(
    asked: float | None, base: str, located: Located | None, training: TrainingRecord | None
) -> tuple[float, str]:
    """The learning rate and whence it is: asked for, the reference's, or the one that ``train`` takes for the size."""
    if asked:
        return asked, "as asked for"
    if training and training.learning_rate:
        return training.learning_rate, "as the reference was trained"
    if located:
        return default_rate(located), "as vanilla is trained at this model's size"
    if parameters := size_on_the_hub(base):
        return rate_of_size(parameters), "as vanilla is trained at this model's size"
    return LARGE_RATE, "as for a billion parameters or more: the Hub does not say how many this model has"


def _budget_epochs(located: Located, phases: Sequence[Phase], training: TrainingRecord, *, chat: bool) -> list[float]:
    """Passes over each stage that spend the budget of its reference: its supervised tokens over those of one pass."""
    assert training.budget
    tokenizer = load_tokenizer(located)
    passes = []
    for phase in phases:
        (stage,) = phase.stages
        tokens = sum(len(answer) for _, answer in encode_pairs(tokenizer, phase.examples, chat=chat))
        passes.append(round(training.budget.tokens[str(stage)] / tokens, 4))
    return passes


def _stages(trainer: Trainer, passes: Sequence[float], common: Stage) -> list[Stage]:
    """Stages of so many passes, with what they have in common; the first starts from the model that this names."""
    plan: list[Stage] = []
    model, revision = common.model, common.revision
    for number, epochs in enumerate(passes, 1):
        out = f"{LAST_FOLDER}/stage-{number}"
        rows = f"stage-{number}.jsonl"
        plan.append(replace(common, number=number, rows=rows, model=model, revision=revision, out=out, epochs=epochs))
        model, revision = str(Path(out, trainer.last)), None
    return plan


def _write_rows(folder: Path, name: str, data: Dataset, plan: Sequence[Stage], *, chat: bool) -> None:
    write = conversation if TRAINERS[name].chat_only else chat_pair if chat else plain_row
    rows, numbers = data.train_rows(), sorted(set(data.train["stage"].to_pylist()))
    for number, stage in zip(numbers, plan, strict=True):
        lines = [json.dumps(write(row), ensure_ascii=False) + "\n" for row in rows if row["stage"] == number]
        (folder / stage.rows).write_text("".join(lines), encoding="utf-8")


def _write_configs(folder: Path, name: str, plan: list[Stage], origin: str) -> None:
    import yaml

    trainer = TRAINERS[name]
    for stage in plan:
        (folder / f"stage-{stage.number}.yaml").write_text(
            yaml.safe_dump(trainer.settings(stage), sort_keys=False), encoding="utf-8"
        )
    if name == "llama-factory":
        (folder / "dataset_info.json").write_text(json.dumps(dataset_info(plan), indent=1) + "\n")
    if name == "unsloth":
        (folder / "train.py").write_text(UNSLOTH)
    if name == "ms-swift":
        (folder / "template.py").write_text(MS_SWIFT)
    calls = "".join(f'{trainer.command} stage-{stage.number}.yaml "$@"\n' for stage in plan)
    last = Path(plan[-1].out, trainer.last)
    (folder / "run.sh").write_text(
        "#!/usr/bin/env bash\n# Train the stages one after the other, each from where the last one ended. Arguments go "
        f"to the trainer.\n# Learning rate {plan[0].learning_rate:g}, {origin}.\n"
        'set -euo pipefail\ncd "$(dirname "$0")"\n'
        f"{calls}cp training.json {last}/  # what 'ilp-bench evaluate' reads of this training\n"
    )


def _training_record(
    name: str, located: Located | None, base: str, data: Dataset, rate: float, batch_size: int, *, chat: bool
) -> dict[str, Any]:
    """What is known of the training before it ran: see :class:`ilp_bench.records.training_record.TrainingRecord`."""
    weights = {"weights_sha256": weights_sha256(located)} if located else {}
    return {
        "recipe": name,
        "base": {"name": located.name if located else base} | weights,
        "data": data.manifest.identity,
        "learning_rate": rate,
        "batch_size": batch_size,
        "prompt_format": "chat" if chat else "plain",
    }
