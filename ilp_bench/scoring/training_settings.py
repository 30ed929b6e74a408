"""Whether a submission was trained with other settings than vanilla, which alone can change what a budget teaches."""

from __future__ import annotations

from collections.abc import Iterable

from ilp_bench.records.run_record import RunRecord
from ilp_bench.records.training_record import TrainingRecord


def other_settings(submissions: Iterable[RunRecord], vanillas: Iterable[RunRecord]) -> str | None:
    """Settings of the submitted runs and of vanilla, in words; None where they are the same, or not recorded."""
    submitted, vanilla = (_all_settings(runs) for runs in (submissions, vanillas))
    if not submitted or not vanilla or submitted <= vanilla:
        return None
    return f"{' and '.join(sorted(submitted))}; vanilla: {' and '.join(sorted(vanilla))}"


def _all_settings(runs: Iterable[RunRecord]) -> set[str]:
    return {_settings(run.training) for run in runs if run.training and run.training.learning_rate}


def _settings(training: TrainingRecord) -> str:
    parts = [f"learning rate {training.learning_rate:g}"]
    parts += [f"batches of {training.batch_size}"] if training.batch_size else []
    parts += [f"LoRA of rank {training.lora}"] if training.lora else []
    return ", ".join(parts)
