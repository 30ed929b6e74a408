"""How long supervised training lasts: the budget B in supervised tokens, per stage, and where it comes from.

Vanilla at 1x without a given budget finds it: a stage ends at the first check at which the mean p of the recall probes
of its calibration items reaches ``THRESHOLD``. Every other training spends exactly the tokens that this took, or three
times as many.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ilp_bench.core.errors import UsageError
from ilp_bench.core.files import read_json
from ilp_bench.data.dataset import Dataset
from ilp_bench.recipes.phase import Example, Phase, recall_probes, stages_of
from ilp_bench.records.reference_record import FILE, read_reference_record, reference_folder, reference_folders
from ilp_bench.records.training_record import CALIBRATED, DIVISIONS, PhaseRecord, TrainingBudget, TrainingRecord

THRESHOLD = CALIBRATED  # mean p of the calibration items at which a stage ends
CHECKS = 8  # an epoch
MOST_EPOCHS = 12  # within which the threshold must be reached
NAMES = {times: name for name, times in DIVISIONS.items()}
AGAIN = "train vanilla in the division 1x on this base model and dataset, and take the budget from its checkpoint"

Tokens = Mapping[int, int]  # stage -> supervised tokens


@dataclass(frozen=True)
class Goal:
    """When a phase of supervised training ends: after ``tokens`` supervised tokens, or, where that is None, by checks.

    ``calibration`` are the recall probes whose mean p is measured: they decide where ``tokens`` is None.
    """

    tokens: int | None = None
    calibration: Sequence[Example] = ()


def budget_of(
    data: Dataset,
    base_sha256: str,
    recipe_name: str,
    division: int,
    reference: Path | None,
    prompt_format: str = "plain",
) -> dict[int, int] | None:
    """Supervised tokens of each stage in that division; None where this training is to find them, or has no budget.

    reference   checkpoint or run of vanilla at 1x on the same base model and dataset, or a reference that has one; by
                default the committed reference of that base model, dataset and prompt format, where there is one

    Raises UsageError where a budget is needed and there is none, or it is another base model's or dataset's.
    """
    if division not in NAMES:
        raise UsageError(f"a division is {', '.join(map(str, NAMES))} budgets, not {division}")
    if data.is_user_data:
        if division != 1 or reference:
            raise UsageError("user data have no budget: leave division and reference out")
        return None
    if reference is None and recipe_name == "vanilla" and division == 1:
        return None
    if reference is None and (reference := committed_reference(data, base_sha256, prompt_format)) is None:
        name = recipe_name if division == 1 else f"{recipe_name} in the division {NAMES[division]}"
        raise UsageError(f"{name} needs a budget: {AGAIN}")
    tokens = reference_tokens(reference, data, base_sha256, prompt_format)
    return {stage: division * count for stage, count in tokens.items()}


def reference_tokens(reference: Path, data: Dataset, base_sha256: str, prompt_format: str = "plain") -> dict[int, int]:
    """B of each stage, as the record of a calibrated vanilla says. Raises UsageError where it is of no use here."""
    record = reference_training(reference, data)
    budget = record.budget
    wrong = None
    if record.recipe != "vanilla":
        wrong = f"it was trained with the recipe {record.recipe!r}, not with vanilla"
    elif record.base_sha256 != base_sha256:
        wrong = "it was trained from another base model"
    elif record.data is None or record.data.content_sha256 != data.sha256:
        wrong = "it was trained on another dataset"
    elif (record.prompt_format or "plain") != prompt_format:
        wrong = f"it was trained in the prompt format {record.prompt_format or 'plain'}, and this is {prompt_format}"
    elif budget is None:
        wrong = "its record has no budget"
    elif budget.division != NAMES[1]:
        wrong = f"it was trained in the division {budget.division}"
    elif not record.calibrated:
        wrong = "it took its own budget from elsewhere, and its record has no calibration"
    elif set(budget.tokens) != set(map(str, stages_of(data))) or not all(budget.tokens.values()):
        wrong = "its budget is not one of the stages of this dataset"
    if wrong or budget is None:
        raise UsageError(f"{reference} gives no budget, {wrong}: {AGAIN}")
    return {int(stage): count for stage, count in budget.tokens.items()}


def committed_reference(data: Dataset, base_sha256: str, prompt_format: str = "plain") -> Path | None:
    """The committed reference that has the budget of a base model, dataset and prompt format; None without one."""
    for folder in reference_folders():
        record = read_reference_record(folder)
        fits = record.base_sha256 == base_sha256 and record.prompt_format == prompt_format
        if fits and record.calibrated(data.sha256):
            return folder
    return None


def reference_training(reference: Path, data: Dataset) -> TrainingRecord:
    """The training record of a checkpoint, of a run folder, or of a reference's vanilla on that dataset.

    Raises UsageError where there is none.
    """
    if ((folder := reference_folder(reference)) / FILE).is_file():
        calibrated = read_reference_record(folder).calibrated(data.sha256)
        if calibrated is None:
            raise UsageError(f"reference {reference} has no budget of this dataset: {AGAIN}")
        return calibrated
    if (reference / "training.json").is_file():
        return TrainingRecord.model_validate(read_json(reference / "training.json"))
    training = read_json(reference / "run.json").get("training") if (reference / "run.json").is_file() else None
    if not isinstance(training, dict):
        raise UsageError(f"{reference} is neither a checkpoint with a training record nor a run of one: {AGAIN}")
    return TrainingRecord.model_validate(training)


def goals(phases: Sequence[Phase], data: Dataset, tokens: Tokens | None) -> list[Goal]:
    """The goal of each phase; ``tokens`` of each stage, or None where calibration decides.

    Raises UsageError where the phases do not spend the budget of each stage once, or nothing can decide.
    """
    supervised = [phase for phase in phases if phase.kind == "sft"]
    if data.is_user_data:
        return [Goal() for _ in phases]
    if (spent := sorted(stage for phase in supervised for stage in phase.stages)) != list(stages_of(data)):
        named = ", ".join(map(str, spent)) or "none"
        raise UsageError(f"a recipe spends the budget of each stage once; this one names the stages {named}")
    wanted = []
    for phase in phases:
        probes = recall_probes(data, "calibration", phase.stages) if phase.kind == "sft" else []
        if phase.kind == "sft" and tokens is None and not probes:
            raise UsageError(
                f"{phase.name} has no calibration items, which say when it is learned: build the dataset again"
            )
        wanted.append(Goal(sum(tokens[stage] for stage in phase.stages) if tokens else None, probes))
    return wanted


def spent_budget(
    phases: Sequence[Phase], done: Sequence[PhaseRecord], division: int, tokens: Tokens | None
) -> TrainingBudget:
    """What the training record says of its budget: the given one, or what the phases, one a stage, took."""
    by_stage = tokens or {
        phase.stages[0]: record.supervised or 0
        for phase, record in zip(phases, done, strict=True)
        if phase.kind == "sft"
    }
    return TrainingBudget(
        division=NAMES[division],
        tokens={str(stage): count for stage, count in by_stage.items()},
        total=sum(by_stage.values()),
        source="reference" if tokens else "calibration",
    )


def next_check(supervised: int, epoch: int) -> int:
    """The least number of supervised tokens above ``supervised`` at which a check is due; ``epoch`` is that of one."""
    due = math.floor(supervised * CHECKS / epoch) + 1
    return math.ceil(due * epoch / CHECKS)
