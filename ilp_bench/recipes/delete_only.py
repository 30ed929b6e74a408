"""First ablation of ``conflict_buckets`` (claim C3): wrong rows are deleted, batches are as always."""

from __future__ import annotations

from ilp_bench.recipes import conflict_buckets
from ilp_bench.recipes.phase import Bench, Phase

NAME = "delete_only"
CAUSE = "data_inconsistency"


def phases(bench: Bench) -> list[Phase]:
    """Vanilla without the rows that lose."""
    return conflict_buckets.phases(bench, group=False)
