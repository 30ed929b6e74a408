"""An entry is one method: what its runs must have in common, and which seeds they may have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ilp_bench.records.run_record import RunRecord
from ilp_bench.submission.archive import DatasetKey, dataset_items
from ilp_bench.submission.format import Submission

MIN_SEEDS = 3  # of datasets, and of trainings, in the divisions with a budget
SEEDS = range(20)  # training seeds of these divisions: fixed, so that nobody looks for a lucky one among thousands
TOKENS_PER_PROBE = (1, 1000)  # between these lies an honest budget 1x; 17 on nano


def replicate_problems(submission: Submission) -> Iterator[str]:
    """Where the runs of an entry are not one method on one kind of model; in every division."""
    first = _method(submission.first)
    for number, record in enumerate(submission.runs):
        method = _method(record)
        for what in {**first, **method}:
            if method.get(what) != first.get(what):
                yield (
                    f"runs.{number} has {what} {method.get(what)}, and runs.0 has {first.get(what)}: an entry is one "
                    "method; submit them one by one"
                )
    for (role, number), record in submission.run_records.items():
        for what in ("architecture", "dtype"):
            if _method(record)[what] != first[what]:
                yield f"{role} {number} has {what} {_method(record)[what]}, the entry has {first[what]}: evaluate alike"


def _method(record: RunRecord) -> dict[str, object]:
    training = record.training
    about: dict[str, object] = {"architecture": record.model.architecture, "dtype": record.dtype}
    if training is not None:
        about |= {"recipe": training.recipe, "learning rate": training.learning_rate, "LoRA rank": training.lora or 0}
        about |= {"batch size": training.batch_size, "training dtype": training.dtype}
        about |= {"parameters": record.model.parameters}
    return about


def seed_problems(submission: Submission, division: str) -> Iterator[str]:
    """Where the datasets or the trainings are not of fixed and different seeds; in a division with a budget."""
    seeds = sorted({data.seed for data in submission.datasets})
    if len(seeds) < MIN_SEEDS:
        yield (
            f"{division} needs runs on datasets of {MIN_SEEDS} seeds, this has {len(seeds)} "
            f"({', '.join(map(str, seeds))}): train on others too, or submit as open"
        )
    elif seeds != list(range(len(seeds))):
        yield (
            f"its datasets have seeds {', '.join(map(str, seeds))}, and {division} takes 0, 1, 2 and so on without a "
            "gap: train on those too, or submit as open"
        )
    trainings = [record.training.seed for record in submission.runs if record.training]
    recorded = [seed for seed in trainings if seed is not None]
    if outside := [seed for seed in recorded if seed not in SEEDS]:
        yield f"training seed {outside[0]} is none of 0 to {SEEDS[-1]}: train with those, or submit as open"
    if len(recorded) == len(trainings) and len(set(recorded)) < MIN_SEEDS:
        yield (
            f"the number of seeds that its trainings have is {len(set(recorded))}, and {division} needs {MIN_SEEDS}: "
            "train with another seed on each dataset, or submit as open"
        )


def size_problems(records: Sequence[RunRecord]) -> Iterator[str]:
    """Where a budget is too small or too large for any training on its dataset."""
    for number, record in enumerate(records):
        budget = record.training.budget if record.training else None
        if budget is None:
            continue
        data = record.data
        items = dataset_items(DatasetKey(data.version, data.size, data.seed), data.content_sha256).items
        low, high = (times * items.num_rows for times in TOKENS_PER_PROBE)
        if not low <= budget.total <= 3 * high:
            yield f"vanillas.{number} has a budget of {budget.total} tokens: {low} to {3 * high} are possible here"
