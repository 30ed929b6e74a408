"""What a training record says of its token budget: ``{"division": "1x", "tokens": {...}, "total": n}``."""

from __future__ import annotations

from typing import Any

from ilp_bench.records.run_record import RunRecord


def division_of(record: RunRecord) -> str | None:
    """The budget division, such as ``1x``; None where the training record names none."""
    division = _budget(record).get("division")
    return division if isinstance(division, str) else None


def budget_of(record: RunRecord) -> int | None:
    """Supervised tokens of the budget; None where the training record names none."""
    total = _budget(record).get("total")
    return total if isinstance(total, int) else None


def _budget(record: RunRecord) -> dict[str, Any]:
    budget = record.training.model_dump().get("budget") if record.training else None
    return budget if isinstance(budget, dict) else {}
