"""What a training record says of its budget of supervised tokens."""

from __future__ import annotations

from ilp_bench.records.run_record import RunRecord


def division_of(record: RunRecord) -> str | None:
    """The budget division, such as ``1x``; None where the training record names none."""
    budget = record.training.budget if record.training else None
    return budget.division if budget else None


def budget_of(record: RunRecord) -> int | None:
    """Supervised tokens of the budget; None where the training record names none."""
    budget = record.training.budget if record.training else None
    return budget.total if budget else None
