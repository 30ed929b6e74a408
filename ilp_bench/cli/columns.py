"""The option ``--columns``."""

from __future__ import annotations

from ilp_bench.core.errors import UsageError


def parse_columns(text: str | None) -> dict[str, str]:
    """``prompt=question,completion=answer`` as a dictionary. Raises UsageError for anything else."""
    pairs = [part.partition("=") for part in (text or "").split(",") if part]
    if not all(column and name for column, _, name in pairs):
        raise UsageError(f"columns are given as prompt=question,completion=answer, not as {text!r}")
    return {column.strip(): name.strip() for column, _, name in pairs}
