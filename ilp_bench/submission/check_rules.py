"""The rules of schema 3 beyond arithmetic: who was trained how, with which budget, beside which vanilla."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ilp_bench.records.run_record import RunRecord
from ilp_bench.records.training_record import DIVISIONS
from ilp_bench.scoring.compatibility import base_sha256
from ilp_bench.scoring.references import Reference, committed_references, find_reference
from ilp_bench.scoring.training_budget import budget_of, division_of
from ilp_bench.scoring.training_settings import other_settings
from ilp_bench.submission.check_replicates import replicate_problems, seed_problems
from ilp_bench.submission.format import Submission

FIELDS = {"submission": "runs", "vanilla": "vanillas", "base": "bases"}  # role -> field of submission.json


def rule_problems(submission: Submission, reference: Reference | None, *, is_accepted: bool) -> Iterator[str]:
    """Everything that the records show to be against the rules, one line each with the remedy.

    is_accepted   whether the entry was accepted before; a reference that was committed later is not asked for
    """
    yield from _record_problems(submission)
    yield from replicate_problems(submission)
    if not is_accepted:
        yield from _own_run_problems(submission, reference)
    if submission.meta.division == "open":
        return
    yield from seed_problems(submission, _name(submission))
    if not submission.scores.activity_known:
        yield f"{_name(submission)} needs a base run on each dataset, which says where causes can act: add them"
    for number, record in enumerate(submission.runs):
        yield from (f"runs.{number}: {problem}" for problem in _training_problems(submission, record))
        yield from (f"runs.{number}: {problem}" for problem in _budget_problems(submission, record, reference))
        yield from (f"runs.{number}: {problem}" for problem in _token_problems(record))
    yield from _setting_problems(submission, reference)
    yield from _vanilla_problems(submission)


def _name(submission: Submission) -> str:
    return f"division {submission.meta.division}"


def _record_problems(submission: Submission) -> Iterator[str]:
    """In every division: each run has samples of its own, and was trained on the data it was asked about."""
    by_samples: dict[str, RunRecord] = {}
    for (role, number), record in submission.run_records.items():
        where = f"{FIELDS[role]}.{number}"
        if by_samples.setdefault(record.samples_sha256, record) != record:
            yield f"{where} names the samples file of another run: evaluate each model by itself"
        if role == "base":
            if record.training is not None:
                yield f"{where} was fine-tuned: the base run is of the model that was fine-tuned from"
        elif record.training is None:
            yield f"{where} has no training record: evaluate the checkpoint with training.json beside it"
        elif record.training.data and record.training.data.content_sha256 != record.data.content_sha256:
            yield (
                f"{where} was trained on another dataset (seed {record.training.data.seed}) than it was evaluated on "
                f"(seed {record.data.seed}): evaluate it on its own"
            )


def _own_run_problems(submission: Submission, reference: Reference | None) -> Iterator[str]:
    """Where a committed reference has the base model, data and division, it is used, and its runs are."""
    fitting = reference or find_reference(submission.first)
    if fitting is None or fitting.record.prompt_format != submission.first.prompt_format:
        return
    if reference is None and submission.meta.division != "open":
        yield f"reference {fitting.name} is committed for this base model, data and division: submit against it"
    stored = {dataset.base.data.content_sha256 for dataset in fitting.record.datasets}
    for field, records in (("vanillas", submission.vanillas), ("bases", submission.bases)):
        for number, record in enumerate(records):
            if record.data.content_sha256 in stored:
                yield (
                    f"{field}.{number}: reference {fitting.name} has that run on the dataset of seed "
                    f"{record.data.seed}: leave yours out"
                )


def _training_problems(submission: Submission, record: RunRecord) -> Iterator[str]:
    """What a training record must say, so that a budget can be checked."""
    training = record.training
    if training is None:
        return
    lacking = [
        name
        for name, value in (
            ("base.weights_sha256", training.base_sha256),
            ("data.content_sha256", training.data and training.data.content_sha256),
            ("seed", training.seed),
            ("learning_rate", training.learning_rate),
            ("batch_size", training.batch_size),
            ("budget", training.budget),
            ("phases with their supervised tokens", _supervised(record)),
        )
        if value is None
    ]
    if lacking:
        yield (
            f"its training record lacks {', '.join(lacking)}, which {_name(submission)} needs: train with ilp-bench, "
            "write them into training.json, or submit as open"
        )
    elif division_of(record) != submission.meta.division:
        yield (
            f"it was trained in division {division_of(record)}, and is submitted to {submission.meta.division}: submit "
            "it to its own"
        )


def _budget_problems(submission: Submission, record: RunRecord, reference: Reference | None) -> Iterator[str]:
    """Whether it spent what it was to spend, and that is the division's budget of this base model and dataset."""
    budget, spent = record.training.budget if record.training else None, _supervised(record)
    if budget is None or spent is None:
        return
    if budget.total != sum(budget.tokens.values()):
        yield f"its budget names {budget.total} tokens, and its stages {sum(budget.tokens.values())}: train again"
    if spent != budget.total:
        yield (
            f"its phases trained on {spent} supervised tokens, its budget is {budget.total}: train with exactly the "
            "budget, or submit as open"
        )
    for source, wanted in _wanted_budgets(submission, record, reference):
        if budget.total != wanted:
            yield (
                f"its budget is {budget.total} supervised tokens, and {source} has {wanted} in {_name(submission)}: "
                "train with that budget, or submit as open"
            )
            return


def _setting_problems(submission: Submission, reference: Reference | None) -> Iterator[str]:
    """Whether runs were trained with vanilla's rate, batch size and adapter: these alone change what a budget teaches.

    docs/scoring.md has by how much.
    """
    datasets = reference.record.datasets if reference else ()
    vanillas = [*submission.vanillas, *(run for dataset in datasets for run in dataset.vanilla)]
    if settings := other_settings(submission.runs, vanillas):
        yield (
            f"{_name(submission)} needs the settings of the vanilla runs, and these runs have {settings}: train with "
            "those, or submit as open"
        )


def _wanted_budgets(
    submission: Submission, record: RunRecord, reference: Reference | None
) -> Iterator[tuple[str, int]]:
    """Where the budget on a run's dataset is known from, and that budget in the division of the entry."""
    factor = DIVISIONS[submission.meta.division]
    for each in [*([reference] if reference else []), *_calibrated_references(record)]:
        for dataset in each.record.datasets:
            if dataset.budget is not None and dataset.base.data.content_sha256 == record.data.content_sha256:
                yield f"reference {each.name}", dataset.budget * factor // DIVISIONS.get(each.record.division, 1)
    for number, vanilla in enumerate(submission.vanillas):
        budget = budget_of(vanilla)
        if budget is not None and vanilla.data.content_sha256 == record.data.content_sha256:
            yield f"vanillas.{number}", budget


def _calibrated_references(record: RunRecord) -> list[Reference]:
    """Committed references of a run's base model and prompt format in division 1x, where the budget was found."""
    wanted = base_sha256(record), record.prompt_format, "1x"
    return [
        reference
        for reference in committed_references().values()
        if (reference.record.base_sha256, reference.record.prompt_format, reference.record.division) == wanted
    ]


def _vanilla_problems(submission: Submission) -> Iterator[str]:
    """Whether vanilla runs of one's own are of the recipe, and found their budget, or spent the one that was found."""
    by_dataset: dict[str, list[RunRecord]] = {}
    for number, record in enumerate(submission.vanillas):
        by_dataset.setdefault(record.data.content_sha256, []).append(record)
        recipe = record.training.recipe if record.training else None
        if recipe != "vanilla":
            yield f"vanillas.{number} was trained with recipe {recipe}: {_name(submission)} needs the recipe vanilla"
        yield from (f"vanillas.{number}: {problem}" for problem in _training_problems(submission, record))
        spent, budget = _supervised(record), budget_of(record)
        if None not in (spent, budget) and spent != budget:
            yield f"vanillas.{number} trained on {spent} supervised tokens, its budget is {budget}: train again"
    for records in by_dataset.values():
        yield from _calibration_problems(submission, records)


def _calibration_problems(submission: Submission, records: Sequence[RunRecord]) -> Iterator[str]:
    """Whether one of the vanilla runs on a dataset was calibrated in 1x, or all of them spent three times a budget."""
    seed, trainings = records[0].data.seed, [record.training for record in records if record.training]
    if submission.meta.division == "1x":
        if not any(training.calibrated for training in trainings):
            yield (
                f"no vanilla run on the dataset of seed {seed} found its budget by calibration: train vanilla without "
                "a given budget"
            )
        return
    budgets = [training.budget for training in trainings if training.budget]
    if any(count % DIVISIONS["3x"] for budget in budgets for count in budget.tokens.values()):
        yield f"the budget of vanilla on the dataset of seed {seed} is not three times another: train it in division 3x"


def _token_problems(record: RunRecord) -> Iterator[str]:
    """Whether the tokens of all kinds, which the leaderboard shows as its cost, are those of its phases."""
    training = record.training
    if training is None or training.phases is None or _supervised(record) is None:
        return
    spent = sum(phase.tokens for phase in training.phases)
    if training.total_tokens != spent:
        yield (
            f"its training record names {training.total_tokens} tokens in all, and its phases {spent}: write what was "
            "trained on into training.json"
        )


def _supervised(record: RunRecord) -> int | None:
    """Supervised tokens of all phases of fine-tuning; None where they are not recorded."""
    phases = record.training.phases if record.training else None
    counts = [phase.supervised for phase in phases or [] if phase.kind == "sft"]
    recorded = [count for count in counts if count is not None]
    return sum(recorded) if counts and len(recorded) == len(counts) else None
